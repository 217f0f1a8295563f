"""Writes tests/data/backport: small models as a newer PyTorch exports them, and what it computes with them.

Run it with such a Python (PyTorch 2.13.0 did), from the project's folder; it needs torch and nothing else::

    python -m tests.backport.make_fixtures

Debug members are left out: they name the folders of the machine that wrote them.
"""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import torch

from tests.backport.newer_modules import MODELS
from tests.backport.signals import tensor

HERE = Path(__file__).parents[1] / "data" / "backport"


def flat(output) -> list:
    """Every tensor and number in an output, as shape and values."""
    if isinstance(output, torch.Tensor):
        if output.is_complex():
            output = torch.view_as_real(output)
        return [{"shape": list(output.shape), "values": output.to(torch.float64).flatten().tolist()}]
    if isinstance(output, (tuple, list)):
        return [one for part in output for one in flat(part)]
    return [] if output is None else [{"shape": [], "values": [float(output)]}]


def saved(model) -> bytes:
    written, stripped = io.BytesIO(), io.BytesIO()
    torch.jit.save(model, written)
    with zipfile.ZipFile(written) as source, zipfile.ZipFile(stripped, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            if not name.endswith(".debug_pkl"):
                target.writestr(zipfile.ZipInfo(name), source.read(name), zipfile.ZIP_DEFLATED)
    return stripped.getvalue()


def main() -> None:
    HERE.mkdir(parents=True, exist_ok=True)
    expected = {}
    for name, (make, traced, *cases) in MODELS.items():
        torch.manual_seed(9)
        module = make().eval()
        inputs = [[tensor(torch, shape, seed) for seed, shape in enumerate(shapes)] for shapes in cases]
        with torch.no_grad():
            model = torch.jit.trace(module, tuple(inputs[0]), check_trace=False) if traced else torch.jit.script(module)
            outputs = [flat(model(*arguments)) for arguments in inputs]
        (HERE / f"{name}.pt").write_bytes(saved(model))
        expected[name] = [{"inputs": shapes, "outputs": output} for shapes, output in zip(cases, outputs)]
    text = json.dumps(expected, indent=None, separators=(",", ":")).replace('],"', '],\n"').replace("]},{", "]},\n{")
    (HERE / "expected.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
