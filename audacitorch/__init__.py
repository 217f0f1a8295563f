"""Prepare PyTorch audio models for Audacity, and check that they will work there.

Importing this package imports no torch: the base classes and modules load it when they are first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, List

from audacitorch.version import __version__

if TYPE_CHECKING:
    from typing import Tuple

    import torch
    from torch import nn

    from audacitorch import core, utils
    from audacitorch.core import AudacityModel, WaveformToLabelsBase, WaveformToWaveformBase

#: The names that ``from audacitorch import *`` has given since 0.0.4; notebooks rely on those of torch, too.
__all__ = [
    "AudacityModel",
    "Tuple",
    "WaveformToLabelsBase",
    "WaveformToWaveformBase",
    "__version__",
    "core",
    "nn",
    "torch",
    "utils",
]


def __getattr__(name: str) -> Any:
    if name in ("core", "utils"):
        return import_module(f"audacitorch.{name}")
    if name in __all__:
        return getattr(import_module("audacitorch.core"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> List[str]:
    """The public names. Without PyTorch those that need it are left out, so that ``help(audacitorch)`` works."""
    from importlib.util import find_spec

    there = __all__ if find_spec("torch") is not None else ["__version__", "utils"]
    return sorted({*there, *(name for name in globals() if name.startswith("__"))})
