"""Torch 1.9.0 and the reader, asked the same: which operators does an archive call? And: what is never refused?"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, List

import pytest

from audacitorch.archive import read_archive, schemas
from audacitorch.facts import Archive, Argument

pytestmark = [pytest.mark.torch, pytest.mark.slow]

HERE = Path(__file__).parent
#: What TorchScript's syntax stands for, and has no name in the code.
LANGUAGE = {f"prim::{name}" for name in (
    "CallFunction", "CallMethod", "Constant", "CreateObject", "DictConstruct", "Enter", "EnumName", "EnumValue", "Exit",
    "GetAttr", "If", "ListConstruct", "ListUnpack", "Loop", "ModuleContainerIndex", "Print", "SetAttr",
    "TupleConstruct", "TupleIndex",
    "TupleSlice", "TupleUnpack", "Uninitialized", "fork", "isinstance", "unchecked_cast", "unchecked_unwrap_optional",
)}  # fmt: skip
LANGUAGE |= {f"aten::{name}" for name in ("Bool", "Complex", "Float", "Int", "__getitem__", "ord", "str")}
LANGUAGE |= {f"aten::{name}Implicit" for name in ("Complex", "Float", "Int", "Scalar")}
#: What these operators are made of, in TorchScript that Torch itself brings.
OF_TORCH = {"quantized::linear_prepack_legacy"}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> List[Path]:
    """The export corpus, written by the Torch that runs the tests."""
    folder = tmp_path_factory.mktemp("corpus")
    subprocess.run([sys.executable, str(HERE / "export_corpus.py"), str(folder)], check=True, stderr=subprocess.DEVNULL)
    return sorted(folder.glob("*.pt"))


def _read(path: Path) -> Archive:
    with path.open("rb") as file:
        return read_archive(file, path.stat().st_size)


def test_nothing_that_pytorch_exports_is_refused(corpus: List[Path]) -> None:
    assert len(corpus) > 400
    refused = [
        (path.name, archive.detail, archive.unsafe, archive.code_problems)
        for path, archive in ((path, _read(path)) for path in corpus)
        if archive.kind != "torchscript" or archive.detail or archive.unsafe or archive.code_problems
    ]
    assert refused == []


def test_whatever_torch_compiles_the_reader_has_seen(corpus: List[Path]) -> None:
    chosen = [path for path in corpus if path.stem.endswith(("-scripted", "-traced", "-frozen"))]
    walk = [sys.executable, str(HERE / "walk_operators.py"), *map(str, chosen)]
    answers = subprocess.run(walk, check=True, capture_output=True, text=True).stdout.splitlines()
    assert len(answers) == len(chosen)
    unseen: Dict[str, List[str]] = {}
    compared = 0
    for path, line in zip(chosen, answers):
        answer = json.loads(line)
        if "operators" in answer:
            compared += 1
            missed = {*answer["operators"]} - {call.operator for call in _read(path).calls} - LANGUAGE - OF_TORCH
            if missed:
                unseen[path.name] = sorted(missed)
    assert compared > 200
    assert unseen == {}


def test_every_schema_is_found_by_its_operators_name() -> None:
    """All of ``_jit_get_all_schemas``: the reader knows the operator, and takes a call with the declared types."""
    import torch

    compiler: Any = torch._C
    # What other tests have imported adds operators of its own, which Audacity lacks.
    known = [
        one for one in compiler._jit_get_all_schemas() if not one.name.startswith(("torchaudio::", "torchvision::"))
    ]
    assert len(known) == 3016
    missing = sorted({schema.name for schema in known if schema.name not in schemas.operators()})
    assert missing == []
    refused = []
    for operator in schemas.operators():
        for schema in schemas.schemas(operator):
            given = tuple(Argument(str(one.type), one.name if one.keyword_only else None) for one in schema.arguments)
            if schemas.match(operator, given).verdict == 0:
                refused.append(schema.text)
    assert refused == []
