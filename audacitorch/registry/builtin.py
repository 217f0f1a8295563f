"""``builtin.yml``: the built-in models as people list them, read strictly and changed around their comments."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional

from audacitorch.http import one_line
from audacitorch.hub.repos import is_commit, repo_id_fault
from audacitorch.registry.files import RegistryError

_NUMBER = re.compile(r"[1-9][0-9]{0,9}")
_FIELDS = ("id", "revision", "request", "date", "note")


@dataclass(frozen=True)
class BuiltIn:
    """A line of the list: the repo, the commit that was examined, the request that asked for it, when, and a note."""

    id: str
    revision: str
    request: Optional[int] = None
    date: str = ""
    note: str = ""


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

    try:
        entries = yaml.load(text, Loader=_loader())  # noqa: S506  # a safe loader
    except yaml.YAMLError as error:
        raise RegistryError(f"{path} is not YAML: {one_line(str(error))}") from error
    except RecursionError as error:
        raise RegistryError(f"{path} is nested too deep") from error
    if entries is None:
        return []
    if not isinstance(entries, list):
        raise RegistryError(f"{path} should hold a list")
    found = [_entry(path, number, entry) for number, entry in enumerate(entries, 1)]
    names = [entry.id.casefold() for entry in found]
    for entry in found:
        if names.count(entry.id.casefold()) > 1:
            raise RegistryError(f"{path} names {entry.id} twice")
    return found


def _loader() -> Any:
    """A safe loader that leaves dates, and commits that look like numbers, as the text that they are."""
    import yaml

    class Loader(yaml.SafeLoader):
        pass

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
        return path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise RegistryError(f"{path} can't be read: {one_line(str(error))}") from error


def _entry(path: Path, number: int, entry: Any) -> BuiltIn:
    where = f"{path}, entry {number}"
    if not isinstance(entry, Mapping):
        raise RegistryError(f"{where}: should be a mapping with {', '.join(_FIELDS)}")
    unknown = [str(name) for name in entry if name not in _FIELDS]
    if unknown:
        raise RegistryError(f"{where}: there is no field {one_line(unknown[0])}; there are {', '.join(_FIELDS)}")
    given: Dict[str, Any] = {name: entry.get(name) for name in _FIELDS}
    fault = repo_id_fault(str(given["id"]))
    if fault is not None:
        raise RegistryError(f"{where}: {fault}")
    if not is_commit(given["revision"]):
        raise RegistryError(f"{where}: revision should be the full commit hash of {given['id']} that was examined")
    if given["request"] is not None and not _NUMBER.fullmatch(str(given["request"])):
        raise RegistryError(f"{where}: request should be the number of an issue")
    request = None if given["request"] is None else int(given["request"])
    return BuiltIn(given["id"], given["revision"], request, str(given["date"] or ""), str(given["note"] or ""))


def with_revision(text: str, repo_id: str, revision: str) -> str:
    """The list's text with another ``revision`` for ``repo_id``; every other character stays."""
    import yaml

    root = yaml.compose(text, Loader=yaml.SafeLoader)
    for entry in root.value if isinstance(root, yaml.SequenceNode) else ():
        scalars = {key.value: value for key, value in entry.value}
        if scalars["id"].value == repo_id:
            node = scalars["revision"]
            return text[: node.start_mark.index] + f'"{revision}"' + text[node.end_mark.index :]
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
    return text.rstrip(" ") + separator + "".join(indent + line for line in block.splitlines(keepends=True))
