"""A model as a file: saved, loaded again, compared with the model, and rewritten for Torch 1.9.0 where asked."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, List, Optional

if TYPE_CHECKING:
    from torch import Tensor
    from torch.jit import ScriptModule

Outputs = List[Any]


def write(model: ScriptModule, path: Path, example: Tensor, *, backport: bool) -> None:
    """Save ``model`` to ``path`` and make sure that the file computes what the model does.

    Args:
        model: a scripted or traced module.
        path: where to write; the archive's top folder is named after it.
        example: a waveform ``(channels, samples)`` to compare on.
        backport: rewrite the file for Torch 1.9.0.

    Raises:
        ValueError: the file can't be loaded again, computes something else, or calls what Torch 1.9.0 lacks and
            no rewriting replaces.
    """
    import torch

    torch.jit.save(model, str(path))
    loaded = _loaded(path)
    before = _repeatable_outputs(model, example)
    if before is not None and not _same(before, _tensors_of(_run(loaded, example))):
        raise ValueError("The saved file computes something else than the model: save it in evaluation mode.")
    if backport and not _rewrite(path) and before is not None:
        _compare_rewritten(path, example, before)


def _loaded(path: Path) -> ScriptModule:
    """The file as a model. Some modules are saved without complaint and can't be loaded again."""
    import torch

    try:
        loaded: ScriptModule = torch.jit.load(str(path), map_location="cpu")
    except Exception as error:
        raise ValueError(
            f"The saved file can't be loaded again: {error}\n"
            "Save the scripted or traced module itself, not one of torch.jit.optimize_for_inference."
        ) from error
    return loaded


def _repeatable_outputs(model: ScriptModule, example: Tensor) -> Optional[Outputs]:
    """What the model returns; None where there is nothing to compare.

    A model in training mode, on another device, or random differs from its file; one that raises on the example is for
    :func:`audacitorch.utils.test_run` to judge.
    """
    if model.training or any(parameter.device.type != "cpu" for parameter in model.parameters()):
        return None
    try:
        first, second = (_tensors_of(_run(model, example)) for _ in range(2))
    except Exception:
        return None
    return first if _same(first, second) else None


def _rewrite(path: Path) -> bool:
    """Rewrite a saved archive for Torch 1.9.0, in its place; whether numbers differ by that, which is a warning."""
    import torch

    from audacitorch.backport import backport

    rewritten = path.with_name("backported.pt")
    result = backport(path, rewritten, exported_by=torch.__version__)
    if result.remaining:
        problems = "\n".join(found.message for found in result.remaining)
        raise ValueError(f"Torch 1.9.0 can't run this model:\n{problems}")
    for difference in result.differences:
        warnings.warn(difference.message, stacklevel=4)
    os.replace(rewritten, path)
    return bool(result.differences)


def _compare_rewritten(path: Path, example: Tensor, before: Outputs) -> None:
    """Compare a file for Torch 1.9.0 with the model, where the running PyTorch still has what it calls."""
    try:
        after = _tensors_of(_run(_loaded(path), example))
    except Exception:
        return
    if not _same(before, after):
        raise ValueError("The file that was rewritten for Torch 1.9.0 computes something else than the model.")


def _run(model: ScriptModule, example: Tensor) -> Any:
    import torch

    with torch.no_grad():
        return model(example.clone())


def _tensors_of(output: Any) -> Outputs:
    return [output] if not isinstance(output, (tuple, list)) else list(output)


def _same(left: Outputs, right: Outputs) -> bool:
    """Whether two results are equal but for rounding."""
    import torch

    return len(left) == len(right) and all(
        type(one) is type(other)
        and (
            not isinstance(one, torch.Tensor)
            or (one.shape == other.shape and torch.allclose(one, other, rtol=1e-4, atol=1e-5, equal_nan=True))
        )
        for one, other in zip(left, right)
    )
