"""Half and double weights of an archive rewritten as 32-bit float, as ``model.float()`` before the export does.

Only the weights change. Code that converts by itself computes in its own dtypes as before: a check of the result says
whether they fit.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Dict, List, Mapping

from audacitorch.archive import pickles
from audacitorch.archive.layout import NotAZip, read_layout
from audacitorch.archive.members import Member, MemberError, read_contents
from audacitorch.backport.writer import ZipWriter

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Storage classes that become ``FloatStorage``, with their dtypes.
_STORAGES = {b"HalfStorage": "float16", b"BFloat16Storage": "bfloat16", b"DoubleStorage": "float64"}
#: By folder of the tensors' data, the pickle that describes them.
_PICKLES = {"data": "data.pkl", "constants": "constants.pkl"}


def float_weights(model: Path, output: Path) -> bool:
    """Write ``model`` to ``output`` with every half and double tensor as 32-bit float; False where there is none.

    Raises:
        NotAZip, MemberError, pickles.Unreadable: the archive can't be read. OSError: a file can't.
    """
    with model.open("rb") as file:
        layout = read_layout(file, model.stat().st_size)
        if layout.faults or not layout.members:
            raise NotAZip(layout.faults[0] if layout.faults else "it has no members")
        top = layout.members[0].name.partition("/")[0] + "/"
        dtypes = _dtypes_by_member(file, layout.members, top)
        if not dtypes:
            return False
        with output.open("wb") as written:
            _write(file, layout.members, top, dtypes, ZipWriter(written))
    return True


def _dtypes_by_member(file: BinaryIO, members: List[Member], top: str) -> Dict[str, str]:
    """The members that hold half or double data, with their dtypes."""
    wanted = {top + name: folder for folder, name in _PICKLES.items()}
    found: Dict[str, str] = {}
    for member, content in read_contents(file, [one for one in members if one.name in wanted]):
        if isinstance(content, MemberError):
            raise content
        described = pickles.describe(content)
        for tensor in described.tensors:
            if tensor.dtype in _STORAGES.values():
                found[f"{top}{wanted[member.name]}/{tensor.storage}"] = tensor.dtype
    return found


def _write(file: BinaryIO, members: List[Member], top: str, dtypes: Mapping[str, str], writer: ZipWriter) -> None:
    names = {top + name for name in _PICKLES.values()}
    for member in members:
        if member.name not in dtypes and member.name not in names:
            writer.copy(file, member)
            continue
        ((_, content),) = read_contents(file, [member])
        if isinstance(content, MemberError):
            raise content
        if member.name in names:
            for storage in _STORAGES:
                content = content.replace(b"ctorch\n" + storage + b"\n", b"ctorch\nFloatStorage\n")
        else:
            content = _floats(content, dtypes[member.name]).tobytes()
        writer.add(member.name, content, compress=False)
    writer.finish()


def _floats(content: bytes, dtype: str) -> NDArray[Any]:
    """Little-endian data of ``dtype`` as float32."""
    import numpy as np

    if dtype == "bfloat16":
        return (np.frombuffer(content, "<u2").astype("<u4") << 16).view("<f4")
    return np.frombuffer(content, {"float16": "<f2", "float64": "<f8"}[dtype]).astype("<f4")
