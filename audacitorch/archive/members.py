"""The members of a zip file: what the directory says of each, and their contents from as few reads as it takes."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import BinaryIO, Iterable, Iterator, List, Tuple, Union

#: Members nearer to each other than this are read together.
GAP = 1 << 15
MAX_READ = 8 << 20
STORED, DEFLATED = 0, 8
LOCAL = struct.Struct("<4s5H3L2H")
LOCAL_SIGNATURE = b"PK\3\4"
_CHUNK = 1 << 20


class MemberError(Exception):
    """One member can't be read; the text is a clause."""


@dataclass(frozen=True)
class Member:
    """A member as the central directory has it. ``name`` is decoded so that every byte string has a text of its own.

    ``entry`` is the directory's own record of it, as bytes.
    """

    name: str
    method: int
    flags: int
    packed: int
    size: int
    offset: int
    crc: int
    entry: bytes = b""

    @property
    def encrypted(self) -> bool:
        return bool(self.flags & 0x2041)

    @property
    def raw_name(self) -> bytes:
        return self.name.encode("utf-8", "surrogateescape")


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


def read_contents(file: BinaryIO, members: Iterable[Member]) -> Iterator[Tuple[Member, Union[bytes, MemberError]]]:
    """The contents of ``members``, each with its checksum verified, or why there are none.

    Members that lie close together come from one read; no read is longer than ``MAX_READ`` but for one longer member.
    """
    group: List[Member] = []
    end = 0
    for member in sorted(members, key=lambda one: one.offset):
        # A local header may be longer than its twin in the directory: names and padding of up to 64 KiB each.
        reach = member.offset + LOCAL.size + len(member.raw_name) + 256 + member.packed
        if group and (member.offset > end + GAP or reach - group[0].offset > MAX_READ):
            yield from _read_group(file, group, end)
            group, end = [], 0
        group.append(member)
        end = max(end, reach)
    if group:
        yield from _read_group(file, group, end)


def _read_group(file: BinaryIO, group: List[Member], end: int) -> Iterator[Tuple[Member, Union[bytes, MemberError]]]:
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
        raise MemberError("it is encrypted or packed by an unusual method")
    if at + LOCAL.size > len(block) or block[at : at + 4] != LOCAL_SIGNATURE:
        raise MemberError("its header is not where the directory says")
    name_length, extra_length = LOCAL.unpack_from(block, at)[9:11]
    at += LOCAL.size + name_length + extra_length
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


def data_offset(file: BinaryIO, member: Member) -> int:
    """Where a member's packed bytes begin.

    Raises:
        MemberError: there is no header where the directory says.
    """
    header = read_exactly(file, member.offset, LOCAL.size)
    if len(header) < LOCAL.size or header[:4] != LOCAL_SIGNATURE:
        raise MemberError("its header is not where the directory says")
    name_length, extra_length = LOCAL.unpack(header)[9:11]
    return int(member.offset + LOCAL.size + name_length + extra_length)


def packed_chunks(file: BinaryIO, member: Member) -> Iterator[bytes]:
    """A member's bytes as they are packed, chunk by chunk; the checksum is verified on the way.

    Raises:
        MemberError: it is not what the directory says.
    """
    file.seek(data_offset(file, member))
    checksum = _Checksum(member)
    left = member.packed
    while left:
        chunk = file.read(min(left, _CHUNK))
        if not chunk:
            raise MemberError("the file ends inside it")
        checksum.add(chunk)
        yield chunk
        left -= len(chunk)
    checksum.verify()


class _Checksum:
    """Whether packed bytes unpack to what the directory says, without keeping them."""

    def __init__(self, member: Member) -> None:
        self._member = member
        self._inflate = zlib.decompressobj(-zlib.MAX_WBITS) if member.method == DEFLATED else None
        self._crc = self._size = 0

    def add(self, packed: bytes) -> None:
        while packed:
            content = packed
            if self._inflate is not None:
                try:
                    content = self._inflate.decompress(packed, _CHUNK)
                except zlib.error as error:
                    raise MemberError("it does not unpack") from error
                packed = self._inflate.unconsumed_tail
            else:
                packed = b""
            self._crc = zlib.crc32(content, self._crc)
            self._size += len(content)
            if self._size > self._member.size:
                raise MemberError("it is longer than the directory says")

    def verify(self) -> None:
        if self._size != self._member.size or self._crc != self._member.crc:
            raise MemberError("its checksum is wrong")
