"""What makes a zip archive dangerous to unpack, or shows one thing to a reader and another to the host."""

from __future__ import annotations

import re
from typing import Dict, Iterable, Iterator, List, Tuple

from audacitorch.archive.members import DEFLATED, STORED, Member

#: Nothing that a model needs unpacks to more, and nothing packs better than 1:1000.
MAX_UNPACKED = 1 << 33
MAX_RATIO = 1000
_CODE_MEMBERS = re.compile(r"code/__torch__(?:/[A-Za-z_]\w*)*\.py", re.ASCII)
#: What PyTorch 1.4 to 2.x writes into an archive, below the folder of the first member.
_KNOWN_MEMBERS = re.compile(
    r"data\.pkl|constants\.pkl|version|byteorder|bytecode\.pkl|traced_inputs\.pkl|mobile_debug_handles\.pkl"
    r"|\.data/(?:version|serialization_id)|\.format_version|\.storage_alignment"
    r"|(?:data|constants|bytecode|traced_inputs|tensors)/(?:[0-9]{1,9}|[0-9]{1,20}\.storage)|extra/[^\0]+"
    r"|code/__torch__(?:/[A-Za-z_]\w*)*\.py\.debug_pkl"
    r"|(?:bytecode|data|constants|traced_inputs)\.debug_pkl",
    re.ASCII,
)


def unsafe_reasons(members: List[Member], size: int) -> Tuple[str, ...]:
    """One sentence for each thing that makes the members dangerous to unpack, at most a dozen of a kind."""
    reasons = [*_bad_names(members), *_bad_storage(members)]
    unpacked = sum(member.size for member in members)
    if unpacked > MAX_UNPACKED or unpacked > max(1 << 24, size * MAX_RATIO):
        reasons.append(f"It unpacks to {unpacked:,} bytes from {size:,}.")
    return tuple(reasons)


def _first(sentences: Iterable[str], most: int = 12) -> Iterator[str]:
    for number, sentence in enumerate(sentences):
        if number == most:
            yield f"{sentence} There are more like this."
            return
        yield sentence


def is_code(path: str) -> bool:
    """Whether Torch would look for a class's or function's code in the member of this path."""
    return _CODE_MEMBERS.fullmatch(path) is not None


def _bad_names(members: List[Member]) -> Iterator[str]:
    seen: Dict[str, str] = {}
    duplicates: List[str] = []
    climbing: List[str] = []
    for member in members:
        folded = member.name.lower()
        if folded in seen:
            same = "twice" if seen[folded] == member.name else f"beside {shown(seen[folded])}, which loads as the same"
            duplicates.append(f"The member {shown(member.name)} is there {same}.")
        seen.setdefault(folded, member.name)
        parts = member.name.replace("\\", "/").split("/")
        if ".." in parts or parts[0] == "" or parts[0][1:2] == ":":
            climbing.append(f"The member name {shown(member.name)} leads out of the archive.")
        elif "\\" in member.name or "\0" in member.name:
            climbing.append(f"The member name {shown(member.name)} holds a character that unpackers read differently.")
    yield from _first(duplicates)
    yield from _first(climbing)


def _bad_storage(members: List[Member]) -> Iterator[str]:
    yield from _first(f"The member {shown(member.name)} is encrypted." for member in members if member.encrypted)
    yield from _first(
        f"The member {shown(member.name)} is packed by method {member.method}, not stored or deflated."
        for member in members
        if member.method not in (STORED, DEFLATED)
    )
    yield from _first(
        f"The member {shown(member.name)} unpacks to {member.size:,} bytes from {member.packed:,}."
        for member in members
        if member.size > max(1 << 20, member.packed * MAX_RATIO)
    )
    yield from _first(
        f"The member {shown(member.name)} is stored, yet has two sizes: {member.packed:,} and {member.size:,} bytes."
        for member in members
        if member.method == STORED and member.packed != member.size
    )


def unknown_members(members: List[Member], top: str) -> Tuple[str, ...]:
    """One sentence for each member that PyTorch neither writes nor looks for, or that lies where it looks for none."""

    def is_known(name: str) -> bool:
        path = name[len(top) :]
        return name.startswith(top) and (is_code(path) or _KNOWN_MEMBERS.fullmatch(path) is not None)

    odd = (member.name for member in members if not is_known(member.name))
    return tuple(_first(f"The member {shown(name)} is not one that PyTorch writes." for name in odd))


def shown(name: str) -> str:
    """A member's name as a message may show it: quoted, of bounded length, nothing raw."""
    text = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return ascii(text[:120] + "…" * (len(text) > 120)) if not text.isprintable() else repr(text[:120])
