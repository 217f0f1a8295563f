"""model.pt for fixtures: scripted, edited as a file, or no archive at all. Nothing here depends on the clock."""

from __future__ import annotations

import io
import pickle
import struct
import zipfile
from typing import Any, Callable, Dict, Iterable, List, Tuple

Edit = Callable[[str, bytes], bytes]
_DATE = (1980, 1, 1, 0, 0, 0)


def scripted(module: Any) -> bytes:
    """A module as Torch 1.9.0 saves it, without the debug members that name this machine's folders."""
    import torch

    file = io.BytesIO()
    torch.jit.save(torch.jit.script(module.eval()), file)
    return rezipped(file.getvalue(), lambda name, data: data)


def members(archive: bytes) -> List[Tuple[str, bytes]]:
    """The members of an archive with their contents."""
    with zipfile.ZipFile(io.BytesIO(archive)) as source:
        return [(info.filename, source.read(info)) for info in source.infolist()]


def rezipped(archive: bytes, edit: Edit) -> bytes:
    """An archive with its members edited and its debug members left out."""
    kept = [(name, data) for name, data in members(archive) if not name.endswith(".debug_pkl")]
    return zipped((name, edit(name, data)) for name, data in kept)


def zipped(contents: Iterable[Tuple[str, bytes]], packing: int = zipfile.ZIP_STORED) -> bytes:
    """A zip file of these members, stored unless told otherwise."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as target:
        for name, data in contents:
            target.writestr(zipfile.ZipInfo(name, _DATE), data, packing)
    return file.getvalue()


def booster() -> bytes:
    """The good effect that most fixtures share: half as loud, whatever comes."""
    from tests.repos_make import modules

    return scripted(modules.Halves())


def with_code(old: str, new: str) -> bytes:
    """The good effect with a part of its code replaced, so that it calls what Torch 1.9.0 can't script."""
    assert any(old.encode() in data for name, data in members(booster()) if name.endswith(".py")), old
    return rezipped(booster(), lambda name, data: data.replace(old.encode(), new.encode()))


def with_member(name: str, content: bytes) -> bytes:
    """The good effect with one member replaced; ``name`` is below the archive's folder."""
    return rezipped(booster(), lambda path, data: content if path.partition("/")[2] == name else data)


def with_more(*contents: Tuple[str, bytes], packing: int = zipfile.ZIP_STORED) -> bytes:
    """The good effect with more members behind its own."""
    own = [(name, data, zipfile.ZIP_STORED) for name, data in members(booster())]
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as target:
        for name, data, method in [*own, *((name, data, packing) for name, data in contents)]:
            target.writestr(zipfile.ZipInfo(name, _DATE), data, method)
    return file.getvalue()


def with_flag(archive: bytes, member: str, flag: int) -> bytes:
    """An archive whose directory says something else of one member, such as that it is encrypted (flag 1)."""
    changed = bytearray(archive)
    at = archive.rfind(member.encode()) - 46
    assert archive[at : at + 4] == b"PK\1\2"
    struct.pack_into("<H", changed, at + 8, flag)
    return bytes(changed)


def with_twin(archive: bytes, member: str, content: bytes) -> bytes:
    """An archive with two members of one name: readers differ in which of them they take."""
    file = io.BytesIO(archive)
    with zipfile.ZipFile(file, "a") as target:
        other = "x" * len(member)
        target.writestr(zipfile.ZipInfo(other, _DATE), content)
    return file.getvalue().replace(other.encode(), member.encode())


def without_data() -> bytes:
    """A model with a weight whose data is not there."""
    import torch

    from tests.repos_make import modules

    whole = members(scripted(modules.Scales(torch.float32)))
    return zipped((name, data) for name, data in whole if "/data/" not in name)


def with_wrong_checksum() -> bytes:
    """The good effect with one bit of data.pkl changed, as a bad disk does it."""
    archive = bytearray(booster())
    at = archive.index(b"training")
    archive[at] ^= 1
    return bytes(archive)


def weights() -> bytes:
    """What ``torch.save(model.state_dict())`` writes."""
    return _saved({"weight": [1.0, 2.0]}, True)


def old_weights() -> bytes:
    """The same before PyTorch 1.6."""
    return _saved({"weight": [1.0, 2.0]}, False)


def _saved(values: Dict[str, Any], as_zip: bool) -> bytes:
    import torch

    file = io.BytesIO()
    torch.save(values, file, _use_new_zipfile_serialization=as_zip)
    return file.getvalue()


def plain_pickle() -> bytes:
    """A pickle of something, which only a careless reader would load."""
    return pickle.dumps({"weight": [1.0, 2.0]}, 4)
