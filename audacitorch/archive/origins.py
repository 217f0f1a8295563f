"""The lines of the author's own code behind those of an archive's code, as its ``.debug_pkl`` members know them.

Source: ``SourceRangePickler`` and ``TaggedStringStream`` of PyTorch. A record holds the byte of a code member from
which on everything was printed for one range of the author's source: its text, file and first line, and where the
range begins in it. Since 1.11 the lines of all texts are in one table. What was traced has Python's stack as its text,
innermost first.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from itertools import islice
from typing import Any, BinaryIO, Dict, Iterable, List, NamedTuple, Optional, Sequence, Tuple

from audacitorch.archive import pickles
from audacitorch.archive.layout import NotAZip, read_layout
from audacitorch.archive.members import Member, read_contents
from audacitorch.archive.unsafe import is_code
from audacitorch.findings import Origin

#: Bytes of code and of debug information that are read of one archive; beyond them, lines stay unknown.
MAX_CODE = 8 << 20
MAX_DEBUG = 4 << 20
#: How far a call is followed through PyTorch's own modules up to the author's code.
_MOST_CALLERS = 4
_MOST_FRAMES = 200
_LONGEST_LINE = 1_000
_LONGEST_SHOWN = 200
_TABLE = "FORMAT_WITH_STRING_TABLE"
_OF_TORCH = re.compile(
    r"code/__torch__/torch/|(?:^|/)(?:site|dist)-packages/torch/|<built-in|<frozen|<string>|/audacitorch_backport\.py$"
)
#: Where code lies in an archive: what was loaded and saved again has the archive's own lines as its source.
IN_ARCHIVE = "code/__torch__"
_FRAME = re.compile(r"(?P<file>[^\n]{1,400})\((?P<line>\d{1,9})\): [^\n]{1,200}")
_PACKAGES = re.compile(r".*/(?:site|dist)-packages/", re.DOTALL)
_OWNER = re.compile(rb"(def|class) (\w+)\(")


def is_of_torch(file: str) -> bool:
    """Whether a source file, or a code member, is PyTorch's own."""
    return _OF_TORCH.search(file) is not None


def named_file(file: str) -> str:
    """A source file as its author knows it: below the folder of installed packages, or by its name alone."""
    inside = _PACKAGES.match(file)
    return file[inside.end() :] if inside else file.replace("\\", "/").rpartition("/")[2]


def innermost(stack: Iterable[str]) -> Optional[Origin]:
    """The innermost line that is not PyTorch's own, of a stack as a trace keeps it: ``net.py(12): forward``."""
    for line in islice(stack, _MOST_FRAMES):
        frame = _FRAME.fullmatch(line.strip()) if len(line) <= _LONGEST_LINE else None
        if frame is not None and not is_of_torch(frame["file"]):
            return Origin(named_file(frame["file"]), int(frame["line"]))
    return None


class _Source(NamedTuple):
    """A text of the author's, by lines; ``ends`` holds the byte at which each of them ends."""

    file: str
    first_line: int
    lines: List[str]
    ends: List[int]

    def place(self, at: int) -> Optional[Origin]:
        """The line that byte ``at`` is in; of a trace's stack, the innermost that is not PyTorch's own."""
        if self.lines and _FRAME.fullmatch(self.lines[0][:_LONGEST_LINE].strip()):
            return innermost(self.lines)
        number = bisect_right(self.ends, at)
        if not self.file or self.file.startswith(IN_ARCHIVE) or is_of_torch(self.file) or number >= len(self.lines):
            return None
        shown = self.lines[number][:_LONGEST_LINE].strip()[:_LONGEST_SHOWN]
        return Origin(named_file(self.file), self.first_line + number, shown)


class _Debug:
    """What one ``.debug_pkl`` says: from which byte of the code on which place of which source holds."""

    def __init__(self, value: Any = ()) -> None:
        self.starts: List[int] = []
        self._places: List[Tuple[Any, int]] = []
        self._texts: Sequence[Any] = ()
        self._sources: Dict[int, Optional[_Source]] = {}
        self._cut: Dict[int, str] = {}
        self._kept = value  # so that no object's id is used twice
        if isinstance(value, tuple) and len(value) == 3 and value[0] == _TABLE:
            self._texts, value = value[1:] if isinstance(value[1], tuple) else ((), value[2])
        for record in value if isinstance(value, tuple) else ():
            start, place = record[:2] if isinstance(record, tuple) and len(record) >= 2 else (None, None)
            if type(start) is int and start >= (self.starts or [0])[-1] and _is_place(place):
                self.starts.append(start)
                self._places.append((place[0], place[1]))

    def first(self, start: int, end: int) -> Optional[Origin]:
        """The first place that is known between two bytes of the code."""
        for index in range(max(0, bisect_right(self.starts, start) - 1), len(self.starts)):
            if self.starts[index] >= end:
                break
            written, at = self._places[index]
            source = self._source(written)
            found = None if source is None else source.place(at)
            if found is not None:
                return found
        return None

    def _source(self, written: Tuple[Any, Any, Any]) -> Optional[_Source]:
        text, file, first_line = written
        if id(text) not in self._sources:
            self._sources[id(text)] = self._made(text, file, first_line)
        return self._sources[id(text)]

    def _made(self, text: Any, file: Any, first_line: Any) -> Optional[_Source]:
        lines = text.split("\n") if isinstance(text, str) else list(map(self._line, text))
        ends, end = [], 0
        sizes: Dict[int, int] = {}
        for line in lines:
            if id(line) not in sizes:
                sizes[id(line)] = len(line) if line.isascii() else len(line.encode("utf-8", "surrogatepass"))
            end += sizes[id(line)] + 1
            ends.append(end)
        return _Source(self._text(file), first_line, lines, ends) if type(first_line) is int else None

    def _line(self, one: Any) -> str:
        """A line that is meant by its number, without its line feed; the same object for the same line."""
        if type(one) is not int:
            return ""
        if one not in self._cut:
            self._cut[one] = self._text(one).removesuffix("\n")
        return self._cut[one]

    def _text(self, one: Any) -> str:
        """A text that is written out, or that is meant by its number in the table."""
        if type(one) is int and 0 <= one < len(self._texts):
            one = self._texts[one]
        return one if isinstance(one, str) else ""


def _is_place(place: Any) -> bool:
    """Whether a value is a source, with text or lines, and the byte at which a range in it begins."""
    if not (isinstance(place, tuple) and len(place) >= 2 and type(place[1]) is int and isinstance(place[0], tuple)):
        return False
    return len(place[0]) == 3 and isinstance(place[0][0], (str, list))


class Origins:
    """Looks up the author's lines behind an archive's. Members are read when they are first asked for."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        """Read the directory of the archive in ``file``; one that can't be read has no origins."""
        try:
            members = read_layout(file, size, every_header=False).members
        except NotAZip:
            members = []
        top = members[0].name.partition("/")[0] + "/" if members else ""
        self._file = file
        self._members = {one.name[len(top) :]: one for one in members if one.name.startswith(top)}
        self._room = {"code": MAX_CODE, "debug": MAX_DEBUG}
        self._lines: Dict[str, List[bytes]] = {}
        self._debug: Dict[str, _Debug] = {}
        self._callers: Dict[str, Optional[Tuple[str, int]]] = {}

    def of(self, member: str, line: int, operator: str = "") -> Optional[Origin]:
        """Where the author wrote what stands in a line of a code member; None where the archive does not say.

        ``operator`` tells the calls of one line apart. A call in PyTorch's own code is the author's who calls that.
        """
        for _ in range(_MOST_CALLERS):
            origin = self._origin(member, line, operator)
            if origin is not None:
                return origin
            caller = self._caller(member, line) if is_of_torch(member) else None
            if caller is None:
                return None
            (member, line), operator = caller, ""
        return None

    def _origin(self, member: str, line: int, operator: str) -> Optional[Origin]:
        """The first known place of a line, from the call of ``operator`` on."""
        lines = self._code(member)
        if not 0 < line <= len(lines):
            return None
        start = sum(map(len, lines[: line - 1]))
        name = operator.rpartition("::")[2].encode()
        called = re.search(rb"\b" + re.escape(name) + rb"\(", lines[line - 1]) if name else None
        at = start + (called.start() if called else 0)
        return self._debug_of(member).first(at, start + len(lines[line - 1]))

    def _code(self, member: str) -> List[bytes]:
        """A code member's lines, each with its line feed."""
        if member not in self._lines:
            self._lines[member] = self._content(member, "code").splitlines(True) if is_code(member) else []
        return self._lines[member]

    def _debug_of(self, member: str) -> _Debug:
        if member not in self._debug:
            try:
                self._debug[member] = _Debug(pickles.describe(self._content(f"{member}.debug_pkl", "debug")).value)
            except pickles.Unreadable:
                self._debug[member] = _Debug()
        return self._debug[member]

    def _content(self, name: str, kind: str) -> bytes:
        """A member's bytes; none where it is not there, is damaged, or exceeds what is read of its kind."""
        member: Optional[Member] = self._members.get(name)
        if member is None:
            return b""
        self._room[kind] -= max(member.size, member.packed)
        if self._room[kind] < 0:
            return b""
        ((_, content),) = read_contents(self._file, [member])
        return content if isinstance(content, bytes) else b""

    def _caller(self, member: str, line: int) -> Optional[Tuple[str, int]]:
        """The first place that calls the function, or the module's method, in which a line lies."""
        above = reversed(self._code(member)[: max(0, line)])
        owner = next((found for found in map(_OWNER.match, above) if found), None)
        if owner is None:
            return None
        name = ".".join([*member[len("code/") : -len(".py")].split("/"), owner[2].decode()])
        if name not in self._callers:
            self._callers[name] = self._found_caller(member, name.encode(), owner[1] == b"class")
        return self._callers[name]

    def _found_caller(self, member: str, name: bytes, is_class: bool) -> Optional[Tuple[str, int]]:
        for other in sorted(filter(is_code, self._members), key=is_of_torch):
            number = None if other == member else _use(self._code(other), name, is_class)
            if number is not None:
                return other, number
        return None


def _use(lines: List[bytes], name: bytes, is_class: bool) -> Optional[int]:
    """The line that calls a function, or a method of an attribute of a class; ``name`` is its whole name."""
    pattern = rb"  (\w+) : %s\n" if is_class else rb".*\b%s(?:\(|\n)"
    declared = re.compile(pattern % re.escape(name))
    for number, line in enumerate(lines, 1):
        found = declared.match(line) if name in line else None
        if found is None:
            continue
        if not is_class and line.rstrip(b"\n")[-len(name) :] != name:
            return number
        alias = found[1] if is_class else line.split()[0]
        call = (rb"\((?:self\.)?%s\d*\)\.\w+\(" if is_class else rb"\b%s\(") % re.escape(alias)
        used = (later for later, text in enumerate(lines[number:], number + 1) if re.search(call, text))
        return next(used, None)
    return None
