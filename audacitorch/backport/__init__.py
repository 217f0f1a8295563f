"""A TorchScript archive from a newer PyTorch, rewritten so that Torch 1.9.0 reads it and computes the same numbers.

The archive is read as a file, within the bounds of :mod:`audacitorch.archive`; nothing of it is loaded or run. Weights
are copied as they are, through a buffer.
"""

from __future__ import annotations

from audacitorch.backport.convert import Backported, BackportError, Difference, backport

__all__ = ["BackportError", "Backported", "Difference", "backport"]
