"""The same numbers: what a newer PyTorch computed with a model, and what Torch 1.9.0 computes with its backport."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from audacitorch.backport import backport
from tests.backport.signals import tensor

pytestmark = pytest.mark.torch

FIXTURES = Path(__file__).parents[1] / "data" / "backport"
EXPECTED = json.loads((FIXTURES / "expected.json").read_text(encoding="utf-8"))


def flat(torch: Any, output: Any) -> list:
    if isinstance(output, torch.Tensor):
        return [torch.view_as_real(output) if output.is_complex() else output]
    if isinstance(output, (tuple, list)):
        return [one for part in output for one in flat(torch, part)]
    return [] if output is None else [torch.tensor(float(output))]


@pytest.mark.parametrize("name", EXPECTED)
def test_the_backport_computes_what_the_newer_torch_computed(name: Any, tmp_path: Path) -> None:
    import torch

    output = tmp_path / "model.pt"
    result = backport(FIXTURES / f"{name}.pt", output)
    assert result.remaining == ()
    model = torch.jit.load(str(output))
    for case in EXPECTED[name]:
        inputs = [tensor(torch, shape, seed) for seed, shape in enumerate(case["inputs"])]
        with torch.no_grad():
            found = flat(torch, model(*inputs))
        assert [list(one.shape) for one in found] == [one["shape"] for one in case["outputs"]]
        for index, (one, wanted) in enumerate(zip(found, case["outputs"])):
            values = torch.tensor(wanted["values"], dtype=torch.float64).reshape(wanted["shape"])
            torch.testing.assert_allclose(one.to(torch.float64), values, rtol=1e-4, atol=2e-6, msg=f"{name}, {index}")
