"""``builtin.yml``: the built-in models as people list them, read strictly and changed around their comments."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional

from audacitorch.http import one_line
from audacitorch.hub.repos import is_commit, repo_id_fault
from audacitorch.registry import RegistryError
from audacitorch.registry.record_schema import KEY

_NUMBER = re.compile(r"[1-9][0-9]{0,9}")
_FIELDS = ("id", "revision", "key", "request", "date", "note")
#: Bytes; thousands of built-in models fit, and a larger file would take the YAML reader minutes.
LARGEST = 1 << 20
#: What a parser sees and a reader of a change does not: other line breaks, signs without ink or of direction.
_UNSEEN = re.compile("\r(?!\n)|[\x85\u2028\u2029\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")


@dataclass(frozen=True)
class BuiltIn:
    """An entry of the list: the repo, the commit that was examined, the request that asked for it, when, and a note.

    ``key`` is the Hub's own key of the repo that was examined. If it is given, no other repo of this name is meant.
    """

    id: str
    revision: str
    request: Optional[int] = None
    date: str = ""
    note: str = ""
    key: Optional[str] = None


def read_builtin(path: Path) -> List[BuiltIn]:
    """The list, in its own order.

    Raises:
        RegistryError: it can't be read, or an entry is not one; says which.
    """
    return parse_builtin(builtin_text(path), path)


def parse_builtin(text: str, path: Path) -> List[BuiltIn]:
    """The list in ``text``; ``path`` is what messages call it.

    Raises:
        RegistryError: an entry is not one; says which.
    """
    import yaml

    if len(text) > LARGEST:
        raise RegistryError(f"{path} has more than {LARGEST:,} characters.")
    unseen = _UNSEEN.search(text, 1 if text.startswith("\ufeff") else 0)
    if unseen is not None:
        line = text.count("\n", 0, unseen.start()) + 1
        raise RegistryError(f"{path}, line {line}: there is a U+{ord(unseen.group()):04X}, which readers do not see.")
    try:
        entries = yaml.load(text, Loader=_loader())  # noqa: S506  # a safe loader
    except yaml.YAMLError as error:
        raise RegistryError(f"{path} is not YAML: {one_line(str(error))}.") from error
    except RecursionError as error:
        raise RegistryError(f"{path} is nested too deep.") from error
    if entries is None:
        return []
    if not isinstance(entries, list):
        raise RegistryError(f"{path} should hold a list.")
    found = [_entry(path, number, entry) for number, entry in enumerate(entries, 1)]
    names = Counter(entry.id.casefold() for entry in found)
    for entry in found:
        if names[entry.id.casefold()] > 1:
            raise RegistryError(f"{path} names {entry.id} twice.")
    return found


def _loader() -> Any:
    """A safe loader that leaves dates, and commits that look like numbers, as the text that they are.

    A value has one place: it is neither an alias of another, nor is a field given twice.
    """
    import yaml

    class Loader(yaml.SafeLoader):
        def compose_node(self, parent: Any, index: Any) -> Any:
            alias = self.peek_event() if self.check_event(yaml.AliasEvent) else None  # type: ignore[no-untyped-call]
            node = super().compose_node(parent, index)
            if alias is not None and isinstance(node, yaml.ScalarNode):
                raise yaml.composer.ComposerError(None, None, "write the value itself, not an alias", alias.start_mark)
            return node

        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            names = Counter(str(key.value) for key, _ in node.value)
            for key, _ in node.value:
                if names[str(key.value)] > 1:
                    twice = f"{one_line(str(key.value))} is given twice"
                    raise yaml.constructor.ConstructorError(None, None, twice, key.start_mark)
            return super().construct_mapping(node, deep)

    Loader.yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag.endswith(":null")]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    return Loader


def builtin_text(path: Path) -> str:
    """The list's text with its own line ends; empty where there is no list.

    Raises:
        RegistryError: it can't be read.
    """
    try:
        with path.open("rb") as file:
            return file.read(4 * LARGEST + 1).decode("utf-8")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise RegistryError(f"{path} can't be read: {one_line(str(error))}.") from error


def _entry(path: Path, number: int, entry: Any) -> BuiltIn:
    where = f"{path}, entry {number}"
    if not isinstance(entry, Mapping):
        raise RegistryError(f"{where}: should be a mapping with {', '.join(_FIELDS)}.")
    unknown = [str(name) for name in entry if name not in _FIELDS]
    if unknown:
        raise RegistryError(f"{where}: there is no field {one_line(unknown[0])}; the fields are {', '.join(_FIELDS)}.")
    given: Dict[str, Optional[str]] = {}
    for name in _FIELDS:
        value = entry.get(name)
        if value is not None and not isinstance(value, str):  # the loader leaves all plain values as text
            raise RegistryError(f"{where}: {name} should be one value.")
        given[name] = value
    repo_id, revision, key, asked = (given[name] for name in ("id", "revision", "key", "request"))
    fault = repo_id_fault(repo_id or "")
    if repo_id is None or fault is not None:
        raise RegistryError(f"{where}: {fault}.")
    if not is_commit(revision):
        raise RegistryError(f"{where}: revision should be the full commit hash of {repo_id} that was examined.")
    if key is not None and not KEY.fullmatch(key):
        raise RegistryError(f"{where}: key should be the Hub's own key of {repo_id}, as its record has it.")
    if asked is not None and not _NUMBER.fullmatch(asked):
        raise RegistryError(f"{where}: request should be the number of an issue.")
    request = None if asked is None else int(asked)
    return BuiltIn(repo_id, str(revision), request, given["date"] or "", given["note"] or "", key)


def with_revision(text: str, repo_id: str, revision: str) -> str:
    """The list's text with another ``revision`` for ``repo_id``; every other character stays."""
    return with_revisions(text, {repo_id: revision})


def with_revisions(text: str, revisions: Mapping[str, str]) -> str:
    """The list's text with other revisions, by repo id; every other character stays."""
    import yaml

    root = yaml.compose(text, Loader=yaml.SafeLoader) if revisions else None
    for entry in reversed(root.value if isinstance(root, yaml.SequenceNode) else ()):
        scalars = {key.value: value for key, value in entry.value}
        revision = revisions.get(scalars["id"].value)
        if revision is not None:
            node = scalars["revision"]
            text = text[: node.start_mark.index] + f'"{revision}"' + text[node.end_mark.index :]
    return text


def with_entry(text: str, entry: BuiltIn) -> str:
    """The list's text with one more entry at its end, or unchanged where the repo is there already.

    Raises:
        ValueError: the entry can't be written so that it is read again as it is.
    """
    import yaml

    shown = {name: value for name, value in vars(entry).items() if value not in (None, "")}
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    if isinstance(root, yaml.SequenceNode) and root.value:
        if any(value.value == entry.id for item in root.value for key, value in item.value if key.value == "id"):
            return text
        if root.flow_style:
            raise ValueError("builtin.yml is written in one line: give each entry a line of its own")
        indent = " " * root.start_mark.column
    elif root is None or isinstance(root, yaml.SequenceNode):
        indent = ""
        if root is not None:  # an empty list, written []
            text = text[: root.start_mark.index] + text[root.end_mark.index :]
    else:
        raise ValueError("builtin.yml should hold a list")
    block = yaml.safe_dump([shown], sort_keys=False, allow_unicode=True, width=1000)
    separator = "" if not text.strip() or text.endswith("\n") else "\n"
    longer = text.rstrip(" ") + separator + "".join(indent + line for line in block.splitlines(keepends=True))
    if not _holds(longer, [*parse_builtin(text, Path("builtin.yml")), entry]):
        raise ValueError("builtin.yml can't be added to: end it with an entry on lines of its own")
    return longer


def _holds(text: str, entries: List[BuiltIn]) -> bool:
    try:
        return parse_builtin(text, Path("builtin.yml")) == entries
    except RegistryError:
        return False
