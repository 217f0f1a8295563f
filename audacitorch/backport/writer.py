"""Writes a zip archive as PyTorch does: what is stored begins at a multiple of 64 bytes, dates are none."""

from __future__ import annotations

import struct
import zlib
from typing import BinaryIO, List

from audacitorch.archive.members import DEFLATED, LOCAL, LOCAL_SIGNATURE, STORED, Member, packed_chunks

ALIGNMENT = 64
_ENTRY = struct.Struct("<4s6H3L5H2L")
_END = struct.Struct("<4s4H2LH")
#: The field of a local header that PyTorch fills to align what follows.
_PADDING = struct.Struct("<2sH")
#: 1 January 1980, the first day that the format knows.
_NO_TIME, _NO_DATE = 0, 0x21
_UTF8 = 0x800
_VERSION_NEEDED = 20


class ZipWriter:
    """Adds members to ``file`` one after the other; nothing is kept but the directory. At most 4 GiB."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._at = 0
        self._directory: List[bytes] = []

    def add(self, name: str, content: bytes, compress: bool = True) -> None:
        """Add a member of its own content."""
        packed = content
        if compress:
            squeezed = zlib.compressobj(zlib.Z_DEFAULT_COMPRESSION, zlib.DEFLATED, -zlib.MAX_WBITS)
            packed = squeezed.compress(content) + squeezed.flush()
        method = DEFLATED if compress else STORED
        self._begin(Member(name, method, 0, len(packed), len(content), 0, zlib.crc32(content)))
        self._write(packed)

    def copy(self, source: BinaryIO, member: Member) -> None:
        """Add a member of another archive as it is packed there, its checksum verified on the way.

        Raises:
            MemberError: it is not what the other archive's directory says.
        """
        self._begin(member)
        for chunk in packed_chunks(source, member):
            self._write(chunk)

    def finish(self) -> None:
        """Write the directory."""
        start = self._at
        for entry in self._directory:
            self._write(entry)
        count = len(self._directory)
        self._write(_END.pack(b"PK\5\6", 0, 0, count, count, self._at - start, start, 0))

    def _begin(self, member: Member) -> None:
        name = member.name.encode("utf-8", "surrogateescape")
        begin = self._at + LOCAL.size + len(name) + _PADDING.size
        fill = -begin % ALIGNMENT
        extra = _PADDING.pack(b"FB", fill) + b"Z" * fill
        about = (
            _VERSION_NEEDED,
            0 if name.isascii() else member.flags & _UTF8,
            member.method,
            _NO_TIME,
            _NO_DATE,
            member.crc,
            member.packed,
            member.size,
            len(name),
        )
        entry = _ENTRY.pack(b"PK\1\2", _VERSION_NEEDED, *about, 0, 0, 0, 0, 0, self._at)
        self._directory.append(entry + name)
        self._write(LOCAL.pack(LOCAL_SIGNATURE, *about, len(extra)) + name + extra)

    def _write(self, data: bytes) -> None:
        self._file.write(data)
        self._at += len(data)
