"""What reads strangers' bytes, each as one function that takes bytes and raises nothing but what is documented.

The same targets are driven by atheris, with coverage as its guide, in ``scripts/bench fuzz``, and by a seeded mutator
in the tests. Importing this module imports no torch.
"""

from __future__ import annotations

import io
import json
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Callable, Dict, List, Sequence, Tuple, cast

from audacitorch.archive import pickles, read_archive
from audacitorch.archive.code import Code, read_code
from audacitorch.archive.names import Names
from audacitorch.archive.state import count_tensors, misfit
from audacitorch.backport import BackportError, backport
from audacitorch.facts import Archive
from audacitorch.hosts import HOSTS
from audacitorch.http.transport import Transport
from audacitorch.hub.failures import HubError
from audacitorch.hub.repos import RepoDetails, list_models
from audacitorch.repo.jsontext import JsonTextError, parse
from audacitorch.repo.metadata_file import read_metadata
from audacitorch.repo.readme import read_card
from audacitorch.repo.violations import violations
from audacitorch.request.decision import Decision, DecisionError
from audacitorch.request.issue_event import EventError, command_in, find_repo, read_event
from audacitorch.request.memory import read_memory
from tests.fuzz import seeds


@dataclass(frozen=True)
class Target:
    """``run`` takes any bytes; ``kind`` says how they are mutated: archive, code, pickle, json or text."""

    run: Callable[[bytes], object]
    kind: str
    seeds: Callable[[], Sequence[bytes]]


def read(data: bytes) -> Archive:
    return read_archive(io.BytesIO(data), len(data))


def _code(data: bytes) -> None:
    read_code({"code/__torch__.py": data}, 6, Code())


def _pickle(data: bytes) -> None:
    with suppress(pickles.Unreadable):
        described = pickles.describe(data)
        count_tensors(described.value, lambda name: frozenset())
        misfit(described, Names())


def _metadata(data: bytes) -> None:
    fields = read_metadata(data).fields
    for host in HOSTS if fields is not None else ():
        list(violations(fields or {}, host))


def _json_text(data: bytes) -> None:
    """What is accepted is what Python's parser makes of it, but for repeated keys and numbers."""
    text = data.decode("utf-8", "replace")
    with suppress(JsonTextError):
        parse(text)
        json.loads(text)


def _event(data: bytes) -> None:
    with suppress(EventError):
        event = read_event(cast(Path, SimpleNamespace(open=lambda mode: io.BytesIO(data))))
        _ = event.command


def _text(read_text: Callable[[str], object]) -> Callable[[bytes], None]:
    def run(data: bytes) -> None:
        read_text(data.decode("utf-8", "surrogatepass" if b"\xed" in data else "replace"))

    return _of_any_text(run)


def _of_any_text(run: Callable[[bytes], None]) -> Callable[[bytes], None]:
    def guarded(data: bytes) -> None:
        with suppress(UnicodeDecodeError):
            run(data)

    return guarded


def _json_value(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


def _decision(data: bytes) -> None:
    with suppress(DecisionError):
        Decision.from_json(_json_value(data))


def _hub_repo(data: bytes) -> None:
    with suppress(HubError):
        RepoDetails.from_json(_json_value(data))


class _Pages:
    """A transport whose answers are the pages that a stranger's JSON holds, one after the other."""

    def __init__(self, pages: Any) -> None:
        self._pages = list(pages) if isinstance(pages, list) else [pages]

    def json(self, url: str, what: str) -> Tuple[Any, Any]:
        page = self._pages.pop(0)
        link = page.get("link") if isinstance(page, dict) else None
        links = {"next": {"url": link}} if self._pages and isinstance(link, str) else {}
        headers = {"Link": f'<{link}>; rel="next"'} if links else {}
        entries = page.get("entries") if isinstance(page, dict) else page
        return SimpleNamespace(url=url, response=SimpleNamespace(headers=headers, links=links)), entries

    @staticmethod
    def is_ours(url: str) -> bool:
        return url.startswith("https://hub.example/")


def _hub_listing(data: bytes) -> None:
    pages = _json_value(data)
    with suppress(HubError):
        list(list_models(cast(Transport, _Pages(pages or [[]])), "https://hub.example", "audacity"))


def _backport(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder, "model.pt")
        model.write_bytes(data)
        with suppress(BackportError):
            backport(model, Path(folder, "out.pt"))


TARGETS: Dict[str, Target] = {
    "archive": Target(read, "archive", seeds.archives),
    "source": Target(_code, "code", seeds.code),
    "pickles": Target(_pickle, "pickle", seeds.pickled),
    "metadata": Target(_metadata, "json", seeds.metadata),
    "json": Target(_json_text, "json", seeds.metadata),
    "card": Target(read_card, "text", seeds.cards),
    "form": Target(_text(find_repo), "text", seeds.issues),
    "command": Target(_text(command_in), "text", seeds.comments),
    "memory": Target(_text(read_memory), "text", seeds.memories),
    "event": Target(_event, "json", seeds.events),
    "decision": Target(_decision, "json", seeds.decisions),
    "hub-repo": Target(_hub_repo, "json", seeds.hub_repos),
    "hub-listing": Target(_hub_listing, "json", seeds.hub_listings),
    "backport": Target(_backport, "archive", seeds.newer_archives),
}


def names() -> List[str]:
    return list(TARGETS)
