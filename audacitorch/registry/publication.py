"""What the registry publishes: models.json on the Hub, and a static page with every model, its status and why.

The list is one commit, and only where the Hub has another. The page is one file that needs nothing else, online or not.
"""

from __future__ import annotations

import heapq
import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Iterator, List, Mapping, Optional, Tuple
from urllib.parse import quote

from audacitorch.facts import MODEL
from audacitorch.hosts import HOSTS, LIST_HOST, MENUS
from audacitorch.http import one_line
from audacitorch.hub import Hub, RepoDetails
from audacitorch.hub.failures import AccessDenied, FileTooLarge, HubError, HubUnreachable, RepoNotFound
from audacitorch.registry import RegistryError, read_json, write
from audacitorch.registry.builtin_list import BuiltInState, builtin_states, read_list, require_few_removals
from audacitorch.registry.folder import RegistryFolder
from audacitorch.registry.model_record import ModelRecord, blocking, reason_of
from audacitorch.registry.record_schema import STATUSES
from audacitorch.registry.record_schema import WAITING as WAITING_MARK
from audacitorch.registry.sightings import STATS_HINT, Look
from audacitorch.report.model import UNKNOWN
from audacitorch.safetext import visible
from audacitorch.wording import speed_text

FILE = "models.json"
_LARGEST_LIST = 64 << 20
_TRIES = 3
HUB = "https://huggingface.co"
#: One page stays quick in a browser up to about so many rows.
MOST_ROWS = 5000
_NO_ROW = [status.name for status in STATUSES.values() if not status.has_page]


class _Overtaken(Exception):
    """Somebody else has committed since we looked."""


def publish(
    folder: RegistryFolder, hub: Hub, repo_id: str, token: Optional[str], *, confirmed: bool = False
) -> Optional[str]:
    """Have the registry's models.json in ``repo_id``; the commit's address, None where it was there already.

    One request where nothing changed. The list that is published counts as well: a folder that lacks most of it,
    such as a fork's, does not empty it.

    Raises:
        TooManyRemovals: more than a tenth of the published list, and more than two, would go.
        HubError: the Hub could not be asked, or refuses.
        RegistryError: there is no list, or it is not one.
    """
    content = _content(folder)
    for _ in range(_TRIES):
        details = hub.repo_details(repo_id)
        there = details.files.get(FILE)
        if there is not None and there.fits(content):
            return None
        if there is not None and not confirmed:
            _compare(folder, hub, details)
        try:
            return _commit(hub.endpoint, details, content, token)
        except _Overtaken:
            continue
    raise HubUnreachable(f"{repo_id} is being changed by others all the time")


def _content(folder: RegistryFolder) -> bytes:
    """The bytes of models.json, which Audacity must be able to read."""
    try:
        content = folder.list.read_bytes()
        items = json.loads(content)
    except (OSError, ValueError) as error:
        raise RegistryError(f"{folder.list} can't be read: {one_line(str(error))}") from error
    if not isinstance(items, list) or items != sorted(read_list(folder)):
        raise RegistryError(f"{folder.list} is not a sorted list of author/name")
    return content


def _compare(folder: RegistryFolder, hub: Hub, details: RepoDetails) -> None:
    """Make sure that not too much of what is published goes."""
    published = _published(hub, details)
    known = builtin_states(folder)
    mine = set(read_list(folder))
    require_few_removals(
        [name for name in published if name not in mine and not _renamed(name, known)], len(published), known
    )


def _renamed(name: str, known: List[BuiltInState]) -> bool:
    return any(one.named == name and one.renamed for one in known)


def _published(hub: Hub, details: RepoDetails) -> List[str]:
    expected = details.files[FILE]
    try:
        body = hub.read_file(details.id, details.sha, FILE, limit=_LARGEST_LIST, expected=expected)
        items = json.loads(body)
    except (ValueError, RecursionError, FileTooLarge):
        return []  # no list that anybody could read: whatever replaces it is better
    return [item for item in items if isinstance(item, str)] if isinstance(items, list) else []


def _commit(endpoint: str, details: RepoDetails, content: bytes, token: Optional[str]) -> str:
    """Commit the list on top of the commit that was looked at."""
    from huggingface_hub import CommitOperationAdd, HfApi
    from huggingface_hub.errors import HfHubHTTPError

    api = HfApi(endpoint=endpoint, token=token)
    operation = CommitOperationAdd(FILE, content)
    try:
        done: Any = api.create_commit(
            details.id, [operation], commit_message="Update the built-in models", parent_commit=details.sha
        )
    except HfHubHTTPError as error:
        raise _error(error, details.id) from error
    except Exception as error:  # which HTTP library's errors these are depends on the client's version
        raise HubUnreachable(f"{details.id} could not be written: {one_line(str(error))}") from error
    return str(done.commit_url)


def _error(error: Any, repo_id: str) -> Exception:
    status = getattr(getattr(error, "response", None), "status_code", None)
    said = one_line(str(getattr(error, "server_message", None) or error))
    if status == 412:
        return _Overtaken()
    if status in (401, 403):
        return AccessDenied(f"the Hub does not let this caller write to {repo_id}: {said}")
    if status == 404:
        return RepoNotFound(f"there is no {repo_id} that this caller may write to")
    kind = HubUnreachable if status is None or status >= 500 or status == 429 else HubError
    return kind(f"{repo_id} could not be written: {said}")


@dataclass(frozen=True)
class Row:
    """A model as the page shows it; everything but ``link`` and ``mark`` is text as it came."""

    id: str
    link: str
    status: str
    mark: str
    why: str
    menu: str = ""
    short: str = ""
    licence: str = ""
    size: Optional[int] = None
    speed: Optional[float] = None
    hosts: Tuple[str, ...] = ()
    built_in: str = ""
    likes: int = 0

    @property
    def rank(self) -> Tuple[bool, int, str]:
        """Built-in models first, then those that most people like."""
        return not self.built_in, -self.likes, self.id.casefold()


def write_site(folder: RegistryFolder, output: Path) -> int:
    """Write ``index.html`` into ``output``; how many models it shows: every built-in, and the others up to a limit.

    Raises:
        RegistryError: a file can't be read or written.
    """
    states = {one.id: one for one in builtin_states(folder)}
    counts: Counter[Tuple[str, str]] = Counter()
    rows = heapq.nsmallest(MOST_ROWS + len(states), _rows(folder, states, counts), key=lambda row: row.rank)
    shown = {row.id for row in rows}
    rows = [*(_without_record(one) for one in states.values() if one.id not in shown), *rows]
    rows.sort(key=lambda row: row.rank)
    left_out = sum(count for (text, _), count in counts.items() if text not in _NO_ROW) - len(shown)
    write(output / "index.html", _render(rows, counts, max(left_out, 0), Look.last(folder).last_complete))
    return len(rows)


def _rows(
    folder: RegistryFolder, states: Mapping[str, BuiltInState], counts: Counter[Tuple[str, str]]
) -> Iterator[Row]:
    stats = read_json(folder.stats, {}, STATS_HINT)
    for _, record in folder.records():
        counts[record.status_text, record.mark] += 1
        one = states.get(record.id)
        if STATUSES[record.status].has_page or one is not None:
            yield _row(record, stats.get(record.id), one)


def _row(record: ModelRecord, stats: Any, one: Optional[BuiltInState]) -> Row:
    metadata, trial = record.metadata or {}, record.current_trial or {}
    short = metadata.get("short_description")
    likes = stats.get("likes") if isinstance(stats, dict) else 0
    model = record.files.get(MODEL) or {}
    return Row(
        id=record.id,
        link=f"{HUB}/{quote(record.id)}",
        status=record.status_text,
        mark=record.mark,
        why=_why(record),
        menu="" if record.effect_type is None else str(MENUS[record.effect_type]),
        short=short if isinstance(short, str) else "",
        licence=record.licence or "",
        size=model.get("size"),
        speed=trial.get("realtime_factor"),
        hosts=tuple(record.hosts[host] for host in HOSTS),
        built_in=one.state if one is not None else "",
        likes=likes if type(likes) is int else 0,
    )


def _without_record(one: BuiltInState) -> Row:
    """A built-in model that no record describes."""
    unknown = tuple(UNKNOWN for _ in HOSTS)
    return Row(
        one.id, f"{HUB}/{quote(one.id)}", "not looked at", WAITING_MARK, one.reason, hosts=unknown, built_in=one.state
    )


def _why(record: ModelRecord) -> str:
    """What speaks against a model, for any host."""
    against = [found for host in (LIST_HOST, *HOSTS) for found in blocking(record.findings, host)]
    return record.reason or (reason_of(against[0]) if against else "")


def _render(rows: List[Row], counts: Mapping[Tuple[str, str], int], left_out: int, looked: str) -> str:
    from jinja2 import Environment, PackageLoader

    environment = Environment(
        loader=PackageLoader("audacitorch.registry"),
        autoescape=True,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template("site.html")
    counted = sorted((text, mark, count) for (text, mark), count in counts.items())
    shown = {"rows": rows, "hosts": HOSTS, "counts": counted, "left_out": left_out, "looked": looked}
    return page.render(**shown, size=_size, speed=speed_text)


def _size(size: int) -> str:
    """Bytes as people read them."""
    return f"{size / 1e6:,.1f} MB" if size >= 100_000 else f"{size / 1e3:,.1f} kB"


def _shown(value: Any) -> Any:
    """Text from a repo is made visible before it is escaped; the template's own markup is left alone."""
    return visible(value, 1000) if type(value) is str else value
