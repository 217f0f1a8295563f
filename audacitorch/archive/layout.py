"""A zip file as PyTorch writes it: its directory, and whether anything in it can be read in two ways.

PyTorch's writer (miniz) puts members one behind the other, each with a header that says what the directory says, then
the directory, then the zip64 record and its locator, then the end record, which ends the file. Python's zipfile writes
the same without the zip64 record. Such a file has one reading; any other layout is refused, because two readers could
take it in two ways. Names are arbitrary bytes; sizes and counts are checked before anything is parsed.
"""

from __future__ import annotations

import struct
from typing import BinaryIO, Callable, Dict, Iterator, List, NamedTuple, Tuple

from audacitorch.archive.members import LOCAL, LOCAL_SIGNATURE, Member, MemberError, packed_chunks, read_exactly
from audacitorch.archive.unsafe import shown

#: What is read from the end of the file at once: most directories.
TAIL = 1 << 16
MAX_MEMBERS = 65_535
MAX_DIRECTORY = 16 << 20
#: What is read at once around a member's header.
_WINDOW = 1 << 13

_END = struct.Struct("<4s4H2LH")
_END64_LOCATOR = struct.Struct("<4sLQL")
_END64 = struct.Struct("<4sQ2H2L4Q")
_ENTRY = struct.Struct("<4s6H3L5H2L")
_END_SIGNATURE = b"PK\5\6"
#: Flags that say how a member is packed or named: deflate's level, sizes behind the data, a name in UTF-8.
_KNOWN_FLAGS = 0x080E
_SIZES_FOLLOW = 0x0008
#: Extra fields that writers of zip files add: zip64 sizes, PyTorch's padding ("FB"), Info-ZIP's times and owners.
_ZIP64, _PADDING = 0x0001, 0x4246
_KNOWN_FIELDS = (_ZIP64, _PADDING, 0x5455, 0x7875)
_WIDE = 0xFFFFFFFF


class NotAZip(Exception):
    """There is no end record, or nothing behind it makes sense; the text is a clause."""


class CutOff(NotAZip):
    """The file ends before the zip does."""


class Ambiguous(NotAZip):
    """The directory can be read in two ways, or is larger than any that is read."""


class Layout(NamedTuple):
    """The members in the order of the directory, and a sentence for each thing that no zip writer writes."""

    members: List[Member]
    faults: Tuple[str, ...]


def read_layout(file: BinaryIO, size: int, every_header: bool = True) -> Layout:
    """The members of the zip file, as PyTorch's reader sees them.

    Without ``every_header``, only what the directory itself says is verified: reading every member's header takes a
    request each where the file is read over a network.

    Raises:
        NotAZip: or one of its kinds, with the reason as a clause.
    """
    start = max(0, size - TAIL)
    tail = read_exactly(file, start, size - start)
    end = len(tail) - _END.size
    if end < 0 or tail[end : end + 4] != _END_SIGNATURE or tail[-2:] != b"\0\0":
        _raise_without_end(file, tail)
    count, length, offset, stop = _end_records(tail, start, end)
    if count > MAX_MEMBERS or length > MAX_DIRECTORY:
        raise Ambiguous(f"its directory of {count:,} members in {length:,} bytes exceeds the limit")
    if offset + length > stop:
        raise CutOff("its directory lies beyond its end")
    if offset + length < stop:
        raise Ambiguous("other bytes lie between its directory and its end record")
    directory = tail[offset - start :][:length] if offset >= start else read_exactly(file, offset, length)
    members = list(_entries(directory, count))
    return Layout(members, tuple(_faults(file, members, offset, every_header)))


def _raise_without_end(file: BinaryIO, tail: bytes) -> None:
    """Say what is there instead of an end record at the file's end."""
    at = tail.rfind(_END_SIGNATURE)
    if at >= 0 and at + _END.size <= len(tail):
        _, _, _, _, count, length, offset, comment = _END.unpack_from(tail, at)
        empty = not (count or length or offset)
        if empty or offset >= _WIDE or read_exactly(file, offset, 4) == b"PK\1\2":
            what = "a comment" if comment == len(tail) - at - _END.size else "other bytes"
            raise Ambiguous(f"{what} of {len(tail) - at - _END.size:,} bytes lies behind its end record")
    raise (
        CutOff("it has no end record")
        if read_exactly(file, 0, 4) == LOCAL_SIGNATURE
        else NotAZip("it has no end record")
    )


def _end_records(tail: bytes, start: int, end: int) -> Tuple[int, int, int, int]:
    """Number of members, length and offset of the directory, and where whatever follows it begins."""
    _, disk, first_disk, here, count, length, offset, _ = _END.unpack_from(tail, end)
    if disk or first_disk or here != count:
        raise NotAZip("it is one part of a split archive")
    locator = end - _END64_LOCATOR.size
    if locator < 0 or tail[locator : locator + 4] != b"PK\6\7":
        if 0xFFFF in (count,) or _WIDE in (length, offset):
            raise Ambiguous("its end record points to a zip64 record that is not there")
        return count, length, offset, start + end
    record = locator - _END64.size
    place = _END64_LOCATOR.unpack_from(tail, locator)
    fields = _END64.unpack_from(tail, record) if record >= 0 else (b"",)
    if fields[0] != b"PK\6\6" or place[1:] != (0, start + record, 1) or fields[1] != _END64.size - 12:
        raise Ambiguous("its zip64 record is not where PyTorch writes it")
    if fields[4] or fields[5] or fields[6] != fields[7]:
        raise NotAZip("it is one part of a split archive")
    wide = fields[7:10]
    narrow = zip((count, length, offset), wide, (0xFFFF, _WIDE, _WIDE))
    if any(value not in (full, marker) for value, full, marker in narrow):
        raise Ambiguous("its two end records name two directories")
    return (*wide, start + record)


def _entries(directory: bytes, count: int) -> Iterator[Member]:
    at = 0
    for _ in range(count):
        if at + _ENTRY.size > len(directory):
            raise NotAZip("its directory ends before its last member")
        fields = _ENTRY.unpack_from(directory, at)
        if fields[0] != b"PK\1\2":
            raise NotAZip("its directory is damaged")
        flags, method, crc, packed, size = fields[3], fields[4], fields[7], fields[8], fields[9]
        name_end = at + _ENTRY.size + fields[10]
        after = name_end + fields[11] + fields[12]
        if after > len(directory):
            raise NotAZip("its directory ends before its last member")
        name = directory[at + _ENTRY.size : name_end].decode("utf-8", "surrogateescape")
        extra = _extra_fields(directory[name_end : name_end + fields[11]])
        size, packed, offset = _wide_values(extra, size, packed, fields[16])
        yield Member(name, method, flags, packed, size, offset, crc, directory[at:after])
        at = after
    if at != len(directory):
        raise Ambiguous("its directory holds more than its members")


def _extra_fields(extra: bytes) -> Dict[int, bytes]:
    """The extra fields by their kind; kind -1 stands for bytes that are no field."""
    fields: Dict[int, bytes] = {}
    at = 0
    while at < len(extra):
        kind, length = struct.unpack_from("<HH", extra, at) if at + 4 <= len(extra) else (-1, 0)
        if kind in fields or at + 4 + length > len(extra):
            kind = -1
        fields[kind] = extra[at + 4 : at + 4 + length]
        at += 4 + length
    return fields


def _wide_values(extra: Dict[int, bytes], size: int, packed: int, offset: int) -> Tuple[int, int, int]:
    """The three numbers, with those that do not fit into 32 bits read from the zip64 field."""
    values = [size, packed, offset]
    field = extra.get(_ZIP64, b"")
    for index, value in enumerate(values):
        if value == _WIDE and len(field) >= 8:
            values[index], field = int.from_bytes(field[:8], "little"), field[8:]
    return values[0], values[1], values[2]


def _faults(file: BinaryIO, members: List[Member], end: int, every_header: bool) -> Iterator[str]:
    """One sentence each, a dozen at most, for what differs from the layout that zip writers give a file."""
    for number, sentence in enumerate(_layout_faults(file, members, end, every_header), 1):
        yield sentence if number < 12 else f"{sentence} There are more like this."
        if number == 12:
            return


def _layout_faults(file: BinaryIO, members: List[Member], end: int, every_header: bool) -> Iterator[str]:
    window = _Window(file)
    at, before = 0, ""
    for index, member in enumerate(members):
        name = shown(member.name)
        following = members[index + 1].offset if index + 1 < len(members) else end
        yield from (f"The member {name} {what}." for what in _entry_faults(member))
        least = member.offset + LOCAL.size + len(member.raw_name) + member.packed
        if member.offset < at:
            yield f"The members {shown(before)} and {name} share bytes."
        elif member.offset > at:
            yield f"Bytes that belong to no member lie before the member {name}."
        elif least > end:
            yield f"The member {name} lies beyond the end of the file."
        elif every_header:
            stop, faults = _header_faults(window, member)
            yield from (f"The member {name} {what}." for what in faults)
            if stop > following:
                yield f"The member {name} and what follows it share bytes."
            elif stop < following and not faults:
                yield f"Bytes that belong to no member lie behind the member {name}."
        at, before = max(at, following), member.name
    if not members and end:
        yield "Bytes that belong to no member lie before its directory."


def _entry_faults(member: Member) -> Iterator[str]:
    fields = _ENTRY.unpack_from(member.entry)
    extra = _extra_fields(member.entry[_ENTRY.size + fields[10] :][: fields[11]])
    wide = [value for value in (fields[9], fields[8], fields[16]) if value == _WIDE]
    if fields[12]:
        yield "has a comment"
    if fields[13]:
        yield "is said to lie in another file"
    if member.flags & ~_KNOWN_FLAGS and not member.encrypted:
        yield f"has unusual flags (0x{member.flags:04x})"
    if any(kind not in _KNOWN_FIELDS for kind in extra) or len(extra.get(_ZIP64, b"")) != 8 * len(wide):
        yield "has an extra field that no zip writer adds"


def _header_faults(window: _Window, member: Member) -> Tuple[int, List[str]]:
    """Where the member ends, and what its own header says otherwise than the directory."""
    header = window.read(member.offset, LOCAL.size)
    if len(header) < LOCAL.size or header[:4] != LOCAL_SIGNATURE:
        return member.offset, ["has no header where the directory says"]
    _, _, flags, method, _, _, crc, packed, size, name_length, extra_length = LOCAL.unpack(header)
    rest = window.read(member.offset + LOCAL.size, name_length + extra_length)
    extra = _extra_fields(rest[name_length:])
    stop = member.offset + LOCAL.size + name_length + extra_length + member.packed
    faults = []
    same = (flags, method) == (member.flags, member.method) or member.encrypted
    if rest[:name_length] != member.raw_name or not same:
        faults.append("is named or packed in another way by its own header")
    if any(kind not in _KNOWN_FIELDS for kind in extra):
        faults.append("has an extra field that no zip writer adds")
    wide = len(extra.get(_ZIP64, b"")) >= 16
    size, packed, _ = _wide_values(extra, size, packed, 0)
    given, wanted = (crc, packed, size), (member.crc, member.packed, member.size)
    if flags & _SIZES_FOLLOW and given == (0, 0, 0):
        layout = struct.Struct("<4sLQQ" if wide else "<4sLLL")
        for form in (layout, struct.Struct("<4sLQQ"), struct.Struct("<4sLLL")):
            follows = window.read(stop, form.size)
            if len(follows) == form.size and form.unpack(follows) == (b"PK\7\x08", *wanted):
                return stop + form.size, faults
        faults.append("is not followed by its sizes")
    elif given != wanted:
        faults.append("has other sizes in its own header")
    return stop, faults


class _Window:
    """Short reads at rising offsets, taken from fewer and longer ones."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._start, self._data = 0, b""
        self._length = _WINDOW

    def read(self, offset: int, size: int) -> bytes:
        if not self._start <= offset <= offset + size <= self._start + len(self._data):
            near = offset < self._start + len(self._data) + _WINDOW
            self._length = min(2 * self._length, 1 << 17) if near else _WINDOW
            self._start, self._data = offset, read_exactly(self._file, offset, max(size, self._length))
        return self._data[offset - self._start :][:size]


def copy_without(file: BinaryIO, size: int, output: BinaryIO, leave_out: Callable[[str], bool]) -> int:
    """Write a zip of the members that ``leave_out`` does not name, packed as they are; the number left out.

    Raises:
        NotAZip, MemberError: the file is not a zip file that can be read in one way only, or a checksum is wrong.
    """
    layout = read_layout(file, size)
    if layout.faults:
        raise Ambiguous(layout.faults[0])
    kept = [member for member in layout.members if not leave_out(member.name)]
    entries: List[bytes] = []
    at = 0
    for member in kept:
        if at >= _WIDE - member.packed - (1 << 18) or member.packed >= _WIDE or member.size >= _WIDE:
            raise MemberError("the copy would have more than 4 GiB")
        name = member.raw_name
        about = (20, member.flags & ~_SIZES_FOLLOW, member.method, 0, 0x21, member.crc, member.packed, member.size)
        output.write(LOCAL.pack(LOCAL_SIGNATURE, *about, len(name), 0) + name)
        entries.append(_ENTRY.pack(b"PK\1\2", 20, *about, len(name), 0, 0, 0, 0, 0, at) + name)
        for chunk in packed_chunks(file, member):
            output.write(chunk)
        at += LOCAL.size + len(name) + member.packed
    length = sum(map(len, entries))
    output.write(b"".join(entries) + _END.pack(_END_SIGNATURE, 0, 0, len(kept), len(kept), length, at, 0))
    return len(layout.members) - len(kept)
