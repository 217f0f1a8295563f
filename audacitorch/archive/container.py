"""A zip file, read within bounds: its members from the central directory, their contents from as few reads as it takes.

The standard library's reader believes the file: it parses a central directory of any size and decodes names as it
likes. Here sizes and counts are checked first, and names stay what they are, bytes, until they are shown.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import BinaryIO, Iterable, Iterator, List, Tuple

#: What is read from the end of the file at once: the end record with the longest comment, and most directories.
TAIL = 1 << 16
MAX_MEMBERS = 65_535
MAX_DIRECTORY = 16 << 20
#: Members nearer to each other than this are read together.
GAP = 1 << 15
MAX_READ = 8 << 20

_END = struct.Struct("<4s4H2LH")
_END64_LOCATOR = struct.Struct("<4sLQL")
_END64 = struct.Struct("<4sQ2H2L4Q")
_ENTRY = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
LOCAL_HEADER = _LOCAL.size
STORED, DEFLATED = 0, 8


class NotAZip(Exception):
    """There is no end record, or nothing behind it makes sense."""


class CutOff(NotAZip):
    """The file ends before the zip does."""


class TooLarge(NotAZip):
    """The central directory is beyond every bound."""


class MemberError(Exception):
    """One member can't be read; the text is a clause."""


@dataclass(frozen=True)
class Member:
    """A member as the central directory has it. ``name`` is decoded so that every byte string has a text of its own."""

    name: str
    method: int
    flags: int
    packed: int
    size: int
    offset: int
    crc: int

    @property
    def encrypted(self) -> bool:
        return bool(self.flags & 0x2041)


def read_exactly(file: BinaryIO, offset: int, size: int) -> bytes:
    """Up to ``size`` bytes from ``offset``, fewer only where the file ends. OSError goes through."""
    file.seek(offset)
    parts = []
    while size > 0:
        part = file.read(size)
        if not part:
            break
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def read_members(file: BinaryIO, size: int) -> List[Member]:
    """The members of the zip file, in the order of its central directory, as the host's reader sees them.

    Raises:
        NotAZip: or one of its kinds, with the reason as a sentence.
    """
    start = max(0, size - TAIL - _END.size)
    tail = read_exactly(file, start, size - start)
    at = tail.rfind(b"PK\5\6")
    while at >= 0 and at + _END.size > len(tail):
        at = tail.rfind(b"PK\5\6", 0, at)
    if at < 0:
        raise CutOff("it has no end record") if _begins_as_zip(file) else NotAZip("it has no end record")
    count, length, offset = _end_record(file, tail, start, at)
    if count > MAX_MEMBERS or length > MAX_DIRECTORY:
        raise TooLarge(f"its directory of {count:,} members in {length:,} bytes is beyond every bound")
    if offset + length > start + at:
        raise CutOff("its directory lies beyond its end")
    at_hand = tail[offset - start : offset - start + length] if offset >= start else None
    return list(_entries(read_exactly(file, offset, length) if at_hand is None else at_hand, count))


def _begins_as_zip(file: BinaryIO) -> bool:
    return read_exactly(file, 0, 4) == b"PK\3\4"


def _end_record(file: BinaryIO, tail: bytes, start: int, at: int) -> Tuple[int, int, int]:
    """Number of members, length and offset of the central directory."""
    _, disk, first_disk, _, count, length, offset, _ = _END.unpack_from(tail, at)
    locator_at = at - _END64_LOCATOR.size
    if locator_at >= 0 and tail[locator_at : locator_at + 4] == b"PK\6\7":
        end64_at = _END64_LOCATOR.unpack_from(tail, locator_at)[2]
        record = read_exactly(file, end64_at, _END64.size) if end64_at < start + at else b""
        if len(record) == _END64.size and record[:4] == b"PK\6\6":
            fields = _END64.unpack(record)
            disk, first_disk, count, length, offset = fields[4], fields[5], fields[7], fields[8], fields[9]
    if disk or first_disk:
        raise NotAZip("it is one part of a split archive")
    return count, length, offset


def _entries(directory: bytes, count: int) -> Iterator[Member]:
    at = 0
    for _ in range(count):
        if at + _ENTRY.size > len(directory):
            raise NotAZip("its directory ends before its last member")
        fields = _ENTRY.unpack_from(directory, at)
        if fields[0] != b"PK\1\2":
            raise NotAZip("its directory is damaged")
        flags, method, crc, packed, size = fields[3], fields[4], fields[7], fields[8], fields[9]
        name_length, extra_length, comment_length, offset = fields[10], fields[11], fields[12], fields[16]
        at += _ENTRY.size
        raw = directory[at : at + name_length]
        extra = directory[at + name_length : at + name_length + extra_length]
        at += name_length + extra_length + comment_length
        if len(raw) < name_length:
            raise NotAZip("its directory ends before its last member")
        size, packed, offset = _wide(extra, size, packed, offset)
        yield Member(raw.decode("utf-8", "surrogateescape"), method, flags, packed, size, offset, crc)


def _wide(extra: bytes, size: int, packed: int, offset: int) -> Tuple[int, int, int]:
    """The three numbers with those that didn't fit into 32 bits read from the extra field."""
    values = [size, packed, offset]
    at = 0
    while 0xFFFFFFFF in values and at + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, at)
        if kind == 1:
            field = extra[at + 4 : at + 4 + length]
            for index, value in enumerate(values):
                if value == 0xFFFFFFFF and len(field) >= 8:
                    values[index] = int.from_bytes(field[:8], "little")
                    field = field[8:]
            break
        at += 4 + length
    return values[0], values[1], values[2]


def read_contents(file: BinaryIO, members: Iterable[Member]) -> Iterator[Tuple[Member, bytes | MemberError]]:
    """The contents of ``members``, each with its checksum verified, or why there are none.

    Members that lie close together come from one read; no read is longer than ``MAX_READ`` but for one longer member.
    """
    group: List[Member] = []
    end = 0
    for member in sorted(members, key=lambda one: one.offset):
        # A local header may be longer than its twin in the directory: names and padding of up to 64 KiB each.
        reach = member.offset + _LOCAL.size + len(member.name.encode("utf-8", "surrogateescape")) + 256 + member.packed
        if group and (member.offset > end + GAP or reach - group[0].offset > MAX_READ):
            yield from _read_group(file, group, end)
            group, end = [], 0
        group.append(member)
        end = max(end, reach)
    if group:
        yield from _read_group(file, group, end)


def _read_group(file: BinaryIO, group: List[Member], end: int) -> Iterator[Tuple[Member, bytes | MemberError]]:
    start = group[0].offset
    block = read_exactly(file, start, end - start)
    for member in group:
        try:
            yield member, _content(file, member, block, start)
        except MemberError as error:
            yield member, error


def _content(file: BinaryIO, member: Member, block: bytes, start: int) -> bytes:
    at = member.offset - start
    if member.encrypted or member.method not in (STORED, DEFLATED):
        raise MemberError("it is encrypted or oddly packed")
    if at + _LOCAL.size > len(block) or block[at : at + 4] != b"PK\3\4":
        raise MemberError("its header is not where the directory says")
    name_length, extra_length = _LOCAL.unpack_from(block, at)[9:11]
    at += _LOCAL.size + name_length + extra_length
    packed = block[at : at + member.packed]
    if len(packed) < member.packed:
        packed = read_exactly(file, start + at, member.packed)
    if len(packed) < member.packed:
        raise MemberError("the file ends inside it")
    content = packed if member.method == STORED else _inflate(packed, member.size)
    if len(content) != member.size or zlib.crc32(content) != member.crc:
        raise MemberError("its checksum is wrong")
    return content


def _inflate(packed: bytes, size: int) -> bytes:
    try:
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, size + 1)
    except zlib.error as error:
        raise MemberError("it does not unpack") from error
