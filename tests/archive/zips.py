"""Archives for tests, made in memory; and the one that is published."""

from __future__ import annotations

import importlib.util
import io
import os
import zipfile
from pathlib import Path
from typing import Dict, Union

import pytest

from audacitorch.archive import read_archive
from audacitorch.facts import Archive
from tests.needs import REQUIRE

#: ``()``, pickled as TorchScript does.
EMPTY_TUPLE = b"\x80\x02)."
MODULE = """class Model(Module):
  __parameters__ = ["weight", ]
  __buffers__ = []
  weight : Tensor
  training : bool
  def forward(self: __torch__.Model,
    x: Tensor) -> Tensor:
    {body}
    return x
"""


def packed(members: Dict[str, Union[str, bytes]], top: str = "model/", method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip of ``members`` below ``top``, with a version, constants and data unless they are given."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in {
            "version": "6\n",
            "constants.pkl": EMPTY_TUPLE,
            "data.pkl": EMPTY_TUPLE,
            **members,
        }.items():
            archive.writestr(top + name, content)
    return file.getvalue()


def read(data: bytes) -> Archive:
    return read_archive(io.BytesIO(data), len(data))


def with_code(code: str, **members: str) -> Archive:
    return read(packed({"code/__torch__.py": code, **members}))


def with_body(body: str) -> Archive:
    """What is read from a module whose ``forward(x: Tensor)`` holds ``body``."""
    return with_code(MODULE.format(body=body.strip().replace("\n", "\n    ")))


def silero() -> Path:
    """The published model ``silero_vad.jit``, from the package that ships it, which is not imported."""
    spec = importlib.util.find_spec("silero_vad")
    found = Path(str(spec.origin)).parent / "data" / "silero_vad.jit" if spec and spec.origin else None
    if found is None or not found.is_file():
        reason = "the package silero-vad is not installed"
        if "silero" in os.environ.get(REQUIRE, ""):
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    return found
