"""Exports the corpus with a newer PyTorch: an archive for each case and way, and what that PyTorch computes with it.

    PYTHON -m tests.backport.exports FOLDER [NAME…]

PYTHON has such a PyTorch. Writes ``FOLDER/<name>.<way>.pt`` and ``FOLDER/expected.json``.
"""

from __future__ import annotations

import copy
import importlib.util
import json
import sys
import warnings
from pathlib import Path
from typing import Any, Dict, List, Optional

import torch

from tests.backport import corpus
from tests.backport.outputs import flat, greatest_error
from tests.backport.signals import tensor


def module_of(name: str, folder: Path) -> Any:
    path = folder / f"{name.replace('-', '_')}.py"
    path.write_text(corpus.source(corpus.cases()[name]), encoding="utf-8")
    spec = importlib.util.spec_from_file_location(f"corpus_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise ImportError(str(path))
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module.Model


def export(name: str, folder: Path, way: str) -> Optional[Dict[str, Any]]:
    """Write one archive; None where this PyTorch itself can't make it."""
    case = corpus.cases()[name]
    torch.manual_seed(9)
    inputs = [[tensor(torch, shape, seed) for seed, shape in enumerate(shapes)] for shapes in (case.shapes, *case.more)]
    try:
        model = module_of(name, folder)().eval()
        with torch.no_grad():
            traced = way == "trace"
            made = torch.jit.trace(model, tuple(inputs[0]), check_trace=False) if traced else torch.jit.script(model)
            if traced:
                inputs = inputs[:1]
            torch.jit.save(made, str(folder / f"{name}.{way}.pt"))
            loaded = torch.jit.load(str(folder / f"{name}.{way}.pt"))
            outputs = [flat(torch, loaded(*arguments)) for arguments in inputs]
        truths = [truth(model, arguments, output, case.tolerance) for arguments, output in zip(inputs, outputs)]
    except Exception as error:
        print(f"{name}.{way}: {str(error).strip().splitlines()[-1][:150] if str(error).strip() else error!r}")
        (folder / f"{name}.{way}.pt").unlink(missing_ok=True)
        return None
    shapes = [[list(one.shape) for one in arguments] for arguments in inputs]
    return {"inputs": shapes, "outputs": outputs, "truths": truths, "tolerance": case.tolerance}


def truth(model: Any, arguments: List[Any], output: List[Any], tolerance: float) -> Optional[List[Any]]:
    """What the model gives in float64, where this PyTorch's float32 is far from it; else None."""
    try:
        with torch.no_grad():
            exact = flat(torch, copy.deepcopy(model).double()(*(one.double() for one in arguments)))
    except Exception:
        return None  # a model that takes float32 only
    alike = [one["shape"] for one in exact] == [one["shape"] for one in output]
    return exact if alike and greatest_error(output, exact) > tolerance / 2 else None


def main(folder: Path, names: List[str]) -> None:
    """Export the cases of these names, or all of them."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    expected = {}
    for name, case in corpus.cases().items():
        for way in case.ways if not names or name in names else ():
            made = export(name, folder, way)
            if made is not None:
                expected[f"{name}.{way}"] = made
    text = json.dumps({"torch": torch.__version__, "archives": expected})
    (folder / "expected.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
