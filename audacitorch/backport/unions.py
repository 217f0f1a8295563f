"""``Union`` types, which 1.9.0 does not have: functions are copied for the types that they are called with.

In a copy every test for a type has a known answer, so that only the branch stays that is meant for this type. Where the
type is only known when the model runs, the union stays, and the rules about archives name it.
"""

from __future__ import annotations

import ast
import copy
from typing import Dict, Iterator, List, Optional, Tuple

from audacitorch.archive.equivalents import MODULE, functions_source
from audacitorch.archive.names import NUMBERS, Names, is_hard, union_parts
from audacitorch.archive.source import STAND_IN
from audacitorch.archive.types import NONE, Type, optional
from audacitorch.backport.edits import Edits, Member, functions_of, parse, printed
from audacitorch.backport.folding import AS_NUMBER, Folder, Key, Target, Wanted, annotated

#: What a value of type ``Any`` may be in 1.9.0, whose analysis of aliases fails on everything else.
PLAIN = frozenset((*NUMBERS, "bool", "str", "NoneType"))
#: Copies call other functions that need copies; nobody nests deeper.
_MAX_ROUNDS = 12
_MAX_COPIES = 200


def specialise(members: List[Member], names: Names, version: Optional[int]) -> int:
    """Change the texts of ``members``; how many copies were made."""
    count = 0
    if not any(_concerns(member) for member in members):
        return count
    targets: Dict[str, Target] = {}
    for _ in range(_MAX_ROUNDS):
        before = [member.text for member in members]
        count += _Round(members, names, version, targets).run()
        if before == [member.text for member in members] or count > _MAX_COPIES:
            break
    _remove_copied(members, targets)
    return count


def _concerns(member: Member) -> bool:
    return "Union[" in member.text or " : number" in member.text


def plain(tree: ast.Module, edits: Edits, numbers: bool) -> Iterator[str]:
    """Write ``number`` for unions of numbers, or else ``Any`` for those of numbers, text and None; gives each."""
    for node in ast.walk(tree):
        parts = union_parts(node)
        if parts is None or not isinstance(node, ast.Subscript):
            continue
        kinds = set(parts)
        if numbers and kinds <= {*NUMBERS, "NoneType"}:
            instead = "number" if kinds <= NUMBERS else "Optional[number]"
        elif not numbers and kinds <= PLAIN:
            instead = "Any"
        else:
            continue
        edits.replace(*edits.span(node), instead)
        yield instead


class _Round:
    """One pass over every function whose parameters have known types."""

    def __init__(self, members: List[Member], names: Names, version: Optional[int], targets: Dict[str, Target]) -> None:
        self.members = members
        self.names = Names(constants=names.constants)
        self.version = version
        self.targets = targets
        self.made = 0

    def run(self) -> int:
        self.names.collect(functions_source([AS_NUMBER], MODULE))
        trees = []
        for member in self.members:
            parsed = parse(member)
            if parsed is not None:
                self.names.collect(parsed.source)
                trees.append((member, parsed))
        for member, parsed in trees:
            for function, owner in functions_of(member.module, parsed.tree):
                if any(is_hard(one.annotation) for one in function.args.args):
                    path = f"{owner or member.module}.{function.name}"
                    found = self.targets.setdefault(path, Target(member, function, owner))
                    found.member, found.definition, found.unresolved = member, function, False
        if not self.targets and not any(map(_concerns, self.members)):
            return 0
        wanted: Wanted = {}
        for member, parsed in trees:
            edits = Edits(member.text, parsed.text)
            for function, owner in functions_of(member.module, parsed.tree):
                if any(is_hard(one.annotation) for one in function.args.args):
                    continue
                folder = Folder(self, owner, wanted)
                folded = folder.fold(function)
                if folder.changed and STAND_IN not in (text := printed(folded, owner)):
                    edits.replace(*edits.lines_of(function), text)
            member.text = edits.result()
        self.add_copies([one for requests in wanted.values() for one in requests])
        return self.made

    def request(self, target: Target, key: Key, wanted: Wanted) -> str:
        """The name of the copy for these types; it is made at the end of the round."""
        if key not in target.copies:
            name = f"{target.definition.name}_of_{len(target.copies) + 1}"
            target.copies[key] = name
            wanted.setdefault(id(target), []).append((target, key, name))
            self.made += 1
        return target.copies[key]

    def add_copies(self, requests: List[Tuple[Target, Key, str]]) -> None:
        for target, key, name in requests:
            made = copy.deepcopy(target.definition)
            made.name = name
            skipped = 1 if target.owner else 0
            for one, kind in zip(made.args.args[skipped:], key):
                if kind is not None:
                    one.annotation = annotated(optional(Type("int")) if kind == NONE else kind)
            Folder(self, target.owner, None).without_impossible_defaults(made)
            text = printed(made, target.owner)
            parsed = parse(target.member)
            if parsed is None or STAND_IN in text:
                continue
            edits = Edits(target.member.text, parsed.text)
            for function, owner in functions_of(target.member.module, parsed.tree):
                if function.name == target.definition.name and owner == target.owner:
                    end = edits.lines_of(function)[1]
                    edits.replace(end, end, text)
                    break
            target.member.text = edits.result()


def _remove_copied(members: List[Member], targets: Dict[str, Target]) -> None:
    """The functions for which every call has a copy now; 1.9.0 compiles all methods of a class, called or not."""
    for target in targets.values():
        if target.unresolved or not target.called:
            continue
        parsed = parse(target.member)
        if parsed is None:
            continue
        edits = Edits(target.member.text, parsed.text)
        for function, owner in functions_of(target.member.module, parsed.tree):
            if function.name == target.definition.name and owner == target.owner:
                edits.replace(*edits.lines_of(function), "")
        target.member.text = edits.result()
