"""The operators that Torch compiled in each archive on the command line, as JSON lines; a process of its own."""

import json
import sys
from typing import Any, Dict, Set

import torch


def _walk(graph: Any, found: Set[str]) -> None:
    for node in graph.nodes():
        found.add(node.kind())
        for block in node.blocks():
            _walk(block, found)
        for name in node.attributeNames():
            if node.kindOf(name) == "g":
                _walk(node.g(name), found)


def operators(path: str) -> Set[str]:
    """Every operator of every method of every module, functions and classes' methods inlined as far as Torch does."""
    model = torch.jit.load(path)
    found: Set[str] = set()
    for module in model.modules():
        for name in module._c._method_names():
            graph = module._c._get_method(name).graph
            _walk(graph, found)
            torch._C._jit_pass_inline(graph)
            _walk(graph, found)
    return found


if __name__ == "__main__":
    for each in sys.argv[1:]:
        try:
            answer: Dict[str, Any] = {"operators": sorted(operators(each))}
        except RuntimeError as error:
            answer = {"error": str(error)[:300]}
        print(json.dumps(answer), flush=True)
