"""What becomes of an archive's members: which are left out, which get new content, which format is written."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import BinaryIO, Dict, List, Optional, Set

from audacitorch.archive import equivalents, pickles, schemas
from audacitorch.archive.members import Member, MemberError, read_contents
from audacitorch.archive.names import Names
from audacitorch.archive.state import count_tensors
from audacitorch.archive.types import TENSOR, UNKNOWN
from audacitorch.archive.unsafe import is_code
from audacitorch.archive.values import Tensor
from audacitorch.backport import exporter
from audacitorch.backport.edits import Member as CodeMember
from audacitorch.backport.exporter import NEWER_DEBUG, Exporter
from audacitorch.backport.rewrite import Rewritten, rewrite
from audacitorch.facts import Archive
from audacitorch.hosts import DEFAULT_HOST

#: Formats 4 and 5 changed ``aten::div`` and ``aten::full``, as 1.9.0 knows; 6 only moved the version's own member.
#: 7 changed no operator; 8 and 9 made ``steps`` of ``aten::linspace`` and ``aten::logspace`` mandatory, and 10 gave
#: ``aten::gelu`` an argument. Calls without these mean the same in format 6. What comes after 10 is not known.
NEWEST_KNOWN_FORMAT = 10
_NEWER_PRODUCERS = ("PyTorch 2.0 or newer", "PyTorch 2.1 or newer")
_LARGEST_DEBUG = 16 << 20
_DEBUG = ".debug_pkl"
_VERSIONS = (".data/version", "version")
#: Members that newer versions add and 1.9.0 never looks for.
_NOT_NEEDED = ("byteorder", ".data/serialization_id", ".format_version", ".storage_alignment")


class Unreadable(Exception):
    """A member that is needed can't be read; the text is a clause."""


@dataclass
class Plan:
    """The changes, by members' whole names."""

    contents: Dict[str, bytes] = field(default_factory=dict)
    left_out: Set[str] = field(default_factory=set)
    added: Dict[str, bytes] = field(default_factory=dict)
    rewritten: Rewritten = field(default_factory=Rewritten)
    debug_members: int = 0
    format_version: Optional[int] = None
    big_endian: bool = False
    exporter_shown: bool = True
    top: str = ""
    unknown_dtypes: Dict[str, List[str]] = field(default_factory=dict)
    narrow_dtypes: Dict[str, List[str]] = field(default_factory=dict)

    @property
    def changes(self) -> bool:
        """Whether there is anything to do that matters to 1.9.0."""
        return bool(self.contents or self.added or self.debug_members)


def make_plan(file: BinaryIO, archive: Archive, members: List[Member], exported_by: Optional[Exporter] = None) -> Plan:
    """Look at the members below the archive's top folder, and decide. ``exported_by``: what is known of the exporter.

    Raises:
        Unreadable: a member's bytes are not what the directory says.
    """
    return _Planner(file, archive, members, exported_by).plan()


class _Planner:
    def __init__(
        self, file: BinaryIO, archive: Archive, members: List[Member], exported_by: Optional[Exporter]
    ) -> None:
        self.file = file
        self.archive = archive
        self.top = members[0].name.partition("/")[0] + "/"
        self.below = {member.name[len(self.top) :]: member for member in members if member.name.startswith(self.top)}
        self.exporter = exported_by or self.shown_exporter()
        self.result = Plan(top=self.top, exporter_shown=self.exporter.shown)

    def plan(self) -> Plan:
        self.set_format()
        self.rewrite_code()
        self.look_at_byte_order()
        self.look_at_dtypes()
        self.leave_out()
        return self.result

    def read(self, members: List[Member]) -> Dict[str, bytes]:
        contents: Dict[str, bytes] = {}
        for member, content in read_contents(self.file, members):
            if isinstance(content, MemberError):
                raise Unreadable(f"{member.name}: {content}")
            contents[member.name] = content
        return contents

    def set_format(self) -> None:
        version = self.result.format_version = self.archive.format_version
        if version is not None and DEFAULT_HOST.newest_format < version <= NEWEST_KNOWN_FORMAT:
            self.result.format_version = DEFAULT_HOST.newest_format
            for path in _VERSIONS:
                if path in self.below:
                    self.result.contents[self.below[path].name] = f"{DEFAULT_HOST.newest_format}\n".encode()

    def rewrite_code(self) -> None:
        sources = [member for path, member in self.below.items() if is_code(path)]
        code = [
            CodeMember(name, self.module_of(name), self.without_records(name, text.decode("utf-8")))
            for name, text in self.read(sources).items()
        ]
        module = self.free_module()
        done = rewrite(code, self.names(), self.result.format_version, self.exporter, module)
        self.result.rewritten = done
        self.result.contents.update((name, text.encode()) for name, text in done.texts.items())
        if done.functions:
            text = equivalents.member_text(done.functions, module)
            self.result.added[f"{self.top}code/__torch__/{module}.py"] = text.encode()

    def without_records(self, name: str, text: str) -> str:
        """The profiler's records are a class that 1.9.0 lacks; tensors take their place, and nothing is recorded."""
        if equivalents.RECORD not in text:
            if self.module_of(name) == equivalents.RECORD.rpartition(".")[0]:
                self.result.left_out.add(name)
            return text
        changed = text.replace(equivalents.RECORD, "Tensor")
        self.result.contents[name] = changed.encode()
        return changed

    def shown_exporter(self) -> Exporter:
        """What the archive shows of the PyTorch that wrote it."""
        floors = self.archive.producer in _NEWER_PRODUCERS
        version = self.archive.format_version
        own = (call.operator for call in self.archive.calls if call.operator.partition("::")[0] in schemas.namespaces())
        unknown = any(operator not in schemas.operators() for operator in own)
        if floors or unknown or (version or 0) > DEFAULT_HOST.newest_format or self.has_newer_debug():
            return Exporter(True, floors, early=self.has_older_debug())
        small = [member for member in self.debug_members() if max(member.size, member.packed) <= _LARGEST_DEBUG]
        contents = (content for _, content in read_contents(self.file, small) if isinstance(content, bytes))
        newer = exporter.is_newer(contents)
        if newer and not self.has_hooks():  # frozen, or of PyTorch 1.7 or earlier, whose lines are not known
            newer = None
        return Exporter(bool(newer), False, newer is not None, early=bool(newer))

    def has_hooks(self) -> bool:
        """Whether modules have the attribute that they have since PyTorch 1.8."""
        sources = [member for path, member in self.below.items() if is_code(path)]
        return any(b"_is_full_backward_hook" in text for text in self.read(sources).values())

    def debug_members(self) -> List[Member]:
        return [member for path, member in self.below.items() if path.endswith(_DEBUG)]

    def module_of(self, name: str) -> str:
        return name[len(f"{self.top}code/") : -len(".py")].replace("/", ".")

    def free_module(self) -> str:
        """A name for the functions' member that no member and no class of the archive has."""
        number, module = 0, equivalents.MODULE
        while any(path.lower().startswith(f"code/__torch__/{module}") for path in self.below):
            number += 1
            module = f"{equivalents.MODULE}_{number}"
        return module

    def described(self, path: str) -> object:
        """What a pickle holds, an empty tuple where there is none or it can't be read."""
        member = self.below.get(path)
        if member is None or member.size > _LARGEST_DEBUG:
            return ()
        try:
            return pickles.describe(self.read([member])[member.name]).value
        except pickles.Unreadable:
            return ()

    def names(self) -> Names:
        values = self.described("constants.pkl")
        constants = values if isinstance(values, tuple) else ()
        return Names(constants=tuple(TENSOR if isinstance(one, Tensor) else UNKNOWN for one in constants))

    def look_at_dtypes(self) -> None:
        """Which tensors 1.9.0 can't load, and which it can hardly compute with."""
        for path in ("data.pkl", "constants.pkl"):
            found = set(count_tensors(self.described(path), lambda _: frozenset()).dtypes)
            unknown = sorted(kind.replace("Storage", "").lower() for kind in found if kind.endswith("Storage"))
            if unknown:
                self.result.unknown_dtypes[path] = unknown
            narrow = sorted(found & {"float16", "bfloat16"})
            if narrow and self.exporter.newer:
                self.result.narrow_dtypes[path] = narrow

    def look_at_byte_order(self) -> None:
        member = self.below.get("byteorder")
        if member is not None and member.size <= 64:
            self.result.big_endian = self.read([member])[member.name].strip() == b"big"

    def leave_out(self) -> None:
        """Debug members go with the text that they describe, or where 1.9.0 would fail on them."""
        debug = self.debug_members()
        if self.result.changes or self.has_newer_debug():
            self.result.debug_members = len(debug)
            self.result.left_out.update(member.name for member in debug)
        if self.result.changes and not self.result.big_endian:
            self.result.left_out.update(self.below[path].name for path in _NOT_NEEDED if path in self.below)

    def has_older_debug(self) -> bool:
        """Whether there are debug members, all of the form that PyTorch had until 1.11."""
        return bool(self.debug_members()) and not self.has_newer_debug()

    def has_newer_debug(self) -> bool:
        debug = self.debug_members()
        small = [member for member in debug if max(member.size, member.packed) <= _LARGEST_DEBUG]
        for _, content in read_contents(self.file, small):
            if isinstance(content, bytes) and NEWER_DEBUG in content:
                return True
        return len(small) < len(debug)


def summary(plan: Plan, before: Optional[int]) -> Counter[str]:
    """What the plan does, in words, with counts."""
    done = Counter(plan.rewritten.done)
    if before != plan.format_version:
        done[f"format {before}: format {plan.format_version}, in which every operator called means the same"] += 1
    if plan.debug_members:
        done["debug members: left out, as 1.9.0 can't read them or they describe the old text"] += plan.debug_members
    return done
