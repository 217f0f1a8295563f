"""model.pt as a file: what it is, what it holds and what its code calls, without torch and without running anything.

Source: ``PyTorchStreamReader`` and the source importer of Torch 1.9.0. They take the folder of the first member as the
archive's, and look members up below it whatever their case.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, BinaryIO, Dict, List, Optional, Tuple

from audacitorch.archive import container, pickles
from audacitorch.archive.code import Source, read_code
from audacitorch.archive.container import Member, MemberError
from audacitorch.archive.contents import count_tensors
from audacitorch.archive.names import Names
from audacitorch.archive.sniff import HEAD, sniff
from audacitorch.archive.types import TENSOR, UNKNOWN
from audacitorch.archive.unsafe import unsafe_reasons
from audacitorch.facts import Archive, TextProblem

MAX_CODE = 32 << 20
MAX_PICKLE = 16 << 20
MAX_SMALL = 1 << 10
_VERSIONS = (".data/version", "version")
_PICKLES = ("data.pkl", "constants.pkl")

__all__ = ["read_archive"]


def read_archive(file: BinaryIO, size: int) -> Archive:
    """Everything that can be known about a model archive of ``size`` bytes without running it.

    ``file`` is any seekable binary file; its end is read first, then the members that matter, never the weights.

    Raises:
        OSError: reading ``file`` failed. Whatever the bytes are, nothing else is raised.
    """
    kind, detail = sniff(container.read_exactly(file, 0, min(size, HEAD)))
    if kind != "not-a-zip":
        return Archive(kind, detail, size)
    try:
        members = container.read_members(file, size)
    except container.TooLarge as error:
        return Archive("unreadable", str(error), size, unsafe=(f"The file's directory can't be read: {error}.",))
    except container.CutOff as error:
        return Archive("cut-off", str(error), size)
    except container.NotAZip as error:
        begins = container.read_exactly(file, 0, 2) == b"PK"
        return Archive("unreadable" if begins else "not-a-zip", str(error) if begins else detail, size)
    return _read_zip(file, size, members)


def _read_zip(file: BinaryIO, size: int, members: List[Member]) -> Archive:
    top = members[0].name.partition("/")[0] + "/" if members else ""
    unpacked = sum(member.size for member in members)
    archive = Archive(
        "torchscript", size=size, members=len(members), unpacked_size=unpacked,
        unsafe=unsafe_reasons(members, size),
    )  # fmt: skip
    below = {member.name[len(top) :].lower(): member for member in reversed(members) if _is_below(member.name, top)}
    kind, detail = _kind(members, below)
    archive = replace(archive, kind=kind, detail=detail)
    if kind != "torchscript":
        return archive
    wanted, problems = _wanted(members, below)
    contents: Dict[str, bytes] = {}
    for member, content in container.read_contents(file, wanted):
        if isinstance(content, MemberError):
            problems.append(TextProblem("unreadable", f"{_path(member, top)}: {content}"))
        else:
            contents[member.name] = content
    return _assemble(archive, members, top, below, contents, problems)


def _is_below(name: str, top: str) -> bool:
    return name[: len(top)].lower() == top.lower()


def _path(member: Member, top: str) -> str:
    """A member's path below the top folder, as text that any encoding takes."""
    path = member.name[len(top) :] if _is_below(member.name, top) else member.name
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _kind(members: List[Member], below: Dict[str, Member]) -> Tuple[str, str]:
    if not members:
        return "zip-without-code", "it is a zip archive without members"
    if "model.json" in below:  # the layout of PyTorch 1.0 to 1.2, which Torch 1.9.0 still reads
        return "torchscript", ""
    if "constants.pkl" in below or any(name.startswith("code/") for name in below):
        missing = [name for name in ("constants.pkl", "data.pkl") if name not in below]
        return "torchscript", f"it has no member {missing[0]!r}" if missing else ""
    if "data.pkl" in below:
        return "torch-save", "it is a file of torch.save: weights or pickled Python objects, without TorchScript code"
    names = {member.name for member in members}
    if any(name.endswith("serialized_exported_program.json") or "/models/" in name for name in names):
        return "zip-without-code", "it is a program of torch.export, not TorchScript"
    if any("/" not in name for name in (members[0].name,)):
        return "zip-without-code", "it is a zip archive, but its members lie in no folder"
    return "zip-without-code", "it is a zip archive, but not one of TorchScript"


def _wanted(members: List[Member], below: Dict[str, Member]) -> Tuple[List[Member], List[TextProblem]]:
    """The members to read, within bounds, and what is beyond them."""
    problems: List[TextProblem] = []
    wanted = [below[name] for name in _VERSIONS if name in below and below[name].size <= MAX_SMALL]
    wanted += [below[name] for name in _PICKLES if name in below and _fits(below[name], MAX_PICKLE)]
    total = 0
    for member in members:
        if not member.name.lower().endswith(".py"):
            continue
        total += max(member.size, member.packed)
        if total > MAX_CODE:
            problems.append(TextProblem("too-large", f"there is more of it than {MAX_CODE:,} bytes"))
            break
        wanted.append(member)
    return wanted, problems


def _fits(member: Member, bound: int) -> bool:
    return member.size <= bound and member.packed <= bound + MAX_SMALL


def _assemble(
    archive: Archive,
    members: List[Member],
    top: str,
    below: Dict[str, Member],
    contents: Dict[str, bytes],
    problems: List[TextProblem],
) -> Archive:
    def content(name: str) -> Optional[bytes]:
        return contents.get(below[name].name) if name in below else None

    version = _version([content(name) for name in _VERSIONS if name in below], problems)
    constants = _described(content("constants.pkl"))
    tensors = constants if isinstance(constants, tuple) else ()
    names = Names(constants=tuple(TENSOR if isinstance(one, pickles.Tensor) else UNKNOWN for one in tensors))
    # Of members that load as one, all are read: which of them the host takes is nothing to rely on.
    code_members = [member for member in members if member.name.lower().endswith(".py") and member.name in contents]
    sources = [Source(_path(member, top), contents[member.name].decode("utf-8", "replace")) for member in code_members]
    code = read_code(sources, version, names)
    root = _described(content("data.pkl"))
    found = count_tensors(root, names.parameter_names) if root is not None else None
    return replace(
        archive,
        format_version=version,
        producer=_producer(below, version),
        calls=tuple(code.calls),
        types=tuple(code.types),
        code_problems=(*problems, *code.problems),
        code_size=sum(member.size for member in members if member.name.lower().endswith(".py")),
        parameters=found.parameters if found else None,
        buffers=found.buffers if found else None,
        dtypes=found.dtypes if found else {},
        constants=sum(isinstance(one, pickles.Tensor) for one in tensors),
        root_type=found.root_type if found else None,
    )


def _described(pickled: Optional[bytes]) -> Any:
    if pickled is None:
        return None
    try:
        return pickles.describe(pickled)
    except pickles.Unreadable:
        return None


def _version(texts: List[Optional[bytes]], problems: List[TextProblem]) -> Optional[int]:
    """The format's number, from the first of the two members that is there, as the host reads it."""
    if not texts:
        problems.append(TextProblem("version", "it has no member 'version'"))
        return None
    digits = (texts[0] or b"").split(b"\0")[0].strip()
    number = digits[: len(digits) - len(digits.lstrip(b"0123456789"))]
    if not number or len(number) > 18:
        problems.append(TextProblem("version", "its member 'version' holds no number"))
        return None
    return int(number)


def _producer(below: Dict[str, Member], version: Optional[int]) -> Optional[str]:
    """Which PyTorch wrote the archive, guessed from the members that each one writes."""
    if ".data/serialization_id" in below:
        return "PyTorch 2.1 or newer"
    if "byteorder" in below:
        return "PyTorch 2.0 or newer"
    if ".data/version" in below or (version or 0) > 6:
        return "PyTorch 1.10 or newer"
    if "model.json" in below:
        return "PyTorch 1.0 to 1.3"
    return "PyTorch 1.4 to 2.x" if version is not None else None
