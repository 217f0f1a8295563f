"""Prepare PyTorch audio models for Audacity, and check that they will work there.

Importing this package imports no torch: the base classes load it when they are first used.
"""

from typing import TYPE_CHECKING, Any

from audacitorch.version import __version__

if TYPE_CHECKING:
    from audacitorch.core import WaveformToLabelsBase, WaveformToWaveformBase

__all__ = ["WaveformToLabelsBase", "WaveformToWaveformBase", "__version__"]


def __getattr__(name: str) -> Any:
    if name in ("WaveformToWaveformBase", "WaveformToLabelsBase"):
        from audacitorch import core

        return getattr(core, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
