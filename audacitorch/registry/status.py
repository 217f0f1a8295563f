"""What a maintainer wants to know: what is new, changed, broken and left out since the last run, and why."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Tuple

from audacitorch.registry.builtin_list import LISTED, QUARANTINED, WAITING, BuiltInState, builtin_states, read_list
from audacitorch.registry.files import moment_of, timestamp
from audacitorch.registry.folder import RegistryFolder
from audacitorch.registry.model_record import ModelRecord
from audacitorch.registry.statuses import COMPATIBLE, GONE, INCOMPATIBLE, STATUSES, UNREACHABLE
from audacitorch.report.escape import markdown, visible, without_commands

#: Lines of one kind that are shown; the records have all.
MOST_LINES = 50
#: Trials and publication belong to the refresh before them, if it is not longer ago.
_ONE_RUN = timedelta(hours=12)
_BROKEN = (INCOMPATIBLE, UNREACHABLE, GONE)


@dataclass(frozen=True)
class Change:
    """What happened to one repo."""

    kind: str
    id: str
    said: str


@dataclass
class Status:
    """The registry in numbers, what changed since ``since``, and where every built-in stands."""

    since: str
    counts: Dict[str, int] = field(default_factory=dict)
    changes: List[Change] = field(default_factory=list)
    built_in: List[BuiltInState] = field(default_factory=list)
    listed: int = 0
    unreadable: List[str] = field(default_factory=list)

    def of(self, kind: str) -> List[Change]:
        """The changes of one kind."""
        return [change for change in self.changes if change.kind == kind]


def status(folder: RegistryFolder, since: Optional[datetime] = None) -> Status:
    """Look through all records, one at a time; by default at the last run that changed anything.

    Raises:
        RegistryError: a file can't be read.
    """
    counts: Counter[str] = Counter()
    events: List[Tuple[str, ModelRecord, Mapping[str, Any]]] = []
    floor = "" if since is None else timestamp(since)
    for _, record in folder.records():
        counts[record.status] += 1
        recent = [(str(event["date"]), record, event) for event in record.history[-5:] if str(event["date"]) >= floor]
        events.extend(recent if since is not None else recent[-5:])
        if since is None and len(events) > 20_000:
            events = _last_run(events)
    found = events if since is not None else _last_run(events)
    starts = floor or min((date for date, _, _ in found), default="")
    changes = sorted((_change(record, event) for _, record, event in found), key=lambda one: (one.kind, one.id))
    return Status(
        since=starts,
        counts={name: counts[name] for name in STATUSES if counts[name]},
        changes=changes,
        built_in=builtin_states(folder),
        listed=len(read_list(folder)),
        unreadable=list(folder.unreadable),
    )


def _last_run(
    events: List[Tuple[str, ModelRecord, Mapping[str, Any]]],
) -> List[Tuple[str, ModelRecord, Mapping[str, Any]]]:
    """The events of the last refresh that changed something, and of what followed it; or of what followed alone."""
    if not events:
        return []
    newest = max(date for date, _, _ in events)
    refreshes = [date for date, _, event in events if event["event"] != "tested"]
    earliest = timestamp(moment_of(newest) - _ONE_RUN)
    start = max([date for date in refreshes if date >= earliest], default=earliest)
    return [one for one in events if one[0] >= start]


def _change(record: ModelRecord, event: Mapping[str, Any]) -> Change:
    """An event in words."""
    was, now, what = event.get("was"), event["status"], event["event"]
    because = f": {event['reason']}" if event.get("reason") else ""
    if now in _BROKEN and was != now:
        return Change("broken", record.id, f"{'new' if what == 'new' else was} → {now}{because}")
    if what == "new":
        return Change("new", record.id, f"{now}{because}")
    if was in _BROKEN and now == COMPATIBLE:
        return Change("mended", record.id, f"{was} → {now}")
    if what == "tested":
        return Change("tested", record.id, f"{was} → {now}{because}")
    if what == "renamed":
        return Change(
            "changed", record.id, f"renamed from {record.previous_ids[-1]}" if record.previous_ids else "renamed"
        )
    return Change(
        "changed", record.id, f"{what} is now {str(event['revision'])[:12] if what == 'revision' else now}{because}"
    )


_TITLES = {"new": "New", "changed": "Changed", "tested": "Tested", "mended": "Works again", "broken": "Broken"}


def render_text(status: Status) -> str:
    """The status for a terminal or a log."""
    lines = [f"{_headline(status)}", *(f"  {line}" for line in _numbers(status))]
    for title, items in _sections(status):
        lines += [
            "",
            f"{title} ({len(items):,})",
            *(f"  {visible(repo_id)}  {visible(said)}" for repo_id, said in items[:MOST_LINES]),
        ]
        lines += _more(items, "  … and {:,} more")
    return without_commands("\n".join(lines)) + "\n"


def render_markdown(status: Status) -> str:
    """The status for a job's summary."""
    lines = [f"## Registry: {markdown(_headline(status))}", "", *(f"- {markdown(line)}" for line in _numbers(status))]
    for title, items in _sections(status):
        lines += ["", f"### {title} ({len(items):,})", "", "| Model | What |", "| --- | --- |"]
        lines += [f"| {markdown(repo_id)} | {markdown(said, 300)} |" for repo_id, said in items[:MOST_LINES]]
        lines += _more(items, "\n*… and {:,} more*")
    return without_commands("\n".join(lines)) + "\n"


def _headline(status: Status) -> str:
    total = sum(status.counts.values())
    since = f" since {status.since}" if status.since else ""
    kinds = [(kind, len(status.of(kind))) for kind in _TITLES]
    said = ", ".join(f"{count:,} {_TITLES[kind].lower()}" for kind, count in kinds if count)
    return f"{total:,} models; {said or 'nothing changed'}{since}"


def _numbers(status: Status) -> Iterator[str]:
    yield ", ".join(f"{count:,} {name}" for name, count in status.counts.items()) or "no records"
    states = Counter(one.state for one in status.built_in)
    parts = [f"{states[state]:,} {state}" for state in (LISTED, WAITING, QUARANTINED) if states[state]]
    yield f"built-in: {', '.join(parts) or 'none'}; models.json has {status.listed:,}"


def _sections(status: Status) -> Iterator[Tuple[str, List[Tuple[str, str]]]]:
    """Titles with their lines; sections that hold nothing are left out."""
    out = [(one.id, f"since {one.since or 'now'}: {one.reason}") for one in status.built_in if one.state == QUARANTINED]
    waiting = [(one.id, one.reason) for one in status.built_in if one.state != QUARANTINED and one.reason]
    renamed = [(one.id, f"builtin.yml still says {one.named}") for one in status.built_in if one.renamed]
    found: List[Tuple[str, List[Tuple[str, str]]]] = [
        ("Built-in, quarantined", out),
        ("Built-in, to be tested", waiting),
        ("Built-in, renamed", renamed),
        ("Records that can't be read", [("", said) for said in status.unreadable]),
    ]
    for kind in ("broken", "mended", "new", "changed", "tested"):
        found.append((_TITLES[kind], [(change.id, change.said) for change in status.of(kind)]))
    yield from (section for section in found if section[1])


def _more(items: List[Tuple[str, str]], text: str) -> List[str]:
    return [text.format(len(items) - MOST_LINES)] if len(items) > MOST_LINES else []


RENDERERS: Dict[str, Callable[[Status], str]] = {"text": render_text, "markdown": render_markdown}
