"""What makes a zip archive dangerous to unpack, or shows one thing to a reader and another to the host."""

from __future__ import annotations

from typing import Dict, Iterable, Iterator, List, Tuple

from audacitorch.archive.container import DEFLATED, LOCAL_HEADER, STORED, Member

#: Nothing that a model needs unpacks to more, and nothing packs better than 1:1000.
MAX_UNPACKED = 1 << 33
MAX_RATIO = 1000


def unsafe_reasons(members: List[Member], size: int) -> Tuple[str, ...]:
    """One sentence for each thing that makes the archive dangerous to unpack, at most a dozen of a kind."""
    reasons = [*_bad_names(members), *_bad_storage(members), *_overlaps(members, size)]
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


def _overlaps(members: List[Member], size: int) -> Iterator[str]:
    """Members that share bytes of the file, as bombs of the newer kind do, or lie beyond its end."""

    def sentences() -> Iterator[str]:
        end, before = 0, ""
        for member in sorted(members, key=lambda one: (one.offset, one.packed)):
            if member.offset < end:
                yield f"The members {shown(before)} and {shown(member.name)} share bytes."
            end = max(end, member.offset + LOCAL_HEADER + member.packed)
            before = member.name
            if end > size:
                yield f"The member {shown(member.name)} lies beyond the end of the file."

    yield from _first(sentences())


def shown(name: str) -> str:
    """A member's name as a message may show it: quoted, of bounded length, nothing raw."""
    text = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return ascii(text[:120] + "…" * (len(text) > 120)) if not text.isprintable() else repr(text[:120])
