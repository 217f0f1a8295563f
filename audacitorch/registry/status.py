"""What a maintainer wants to know: what is new, changed, broken and left out since the last run, and why."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Tuple

from audacitorch.registry import moment_of, now, timestamp
from audacitorch.registry.builtin_list import (
    LISTED,
    QUARANTINED,
    WAITING,
    BuiltInState,
    builtin_states,
    held_removals,
    read_list,
)
from audacitorch.registry.folder import RegistryFolder
from audacitorch.registry.jobs import plan
from audacitorch.registry.model_record import ModelRecord
from audacitorch.registry.record_schema import COMPATIBLE, STATUSES
from audacitorch.registry.sightings import Look, Untested
from audacitorch.safetext import markdown, visible, without_commands

#: Lines of one kind that are shown; the records have all.
MOST_LINES = 50
#: Trials and publication belong to the refresh before them, if it is not longer ago.
_ONE_RUN = timedelta(hours=12)
#: An event so long after now was written while the clock was wrong.
_CLOCK = timedelta(days=1)
_HUB = "https://huggingface.co"

_Event = Tuple[str, ModelRecord, Mapping[str, Any]]
Lines = List[Tuple[str, str]]


@dataclass(frozen=True)
class Change:
    """What happened to one repo."""

    kind: str
    id: str
    said: str


@dataclass
class Status:
    """The registry in numbers, what changed since ``since``, and the state of every built-in model.

    Attributes:
        look: the last look at the Hub's listing.
        held: built-in models that stay on the list because too many would go at once.
        queue: how many models wait for their trial.
        untested: repos that could not be tested, with the reason.
        unreadable: files that are not records, as sentences.
        kept_aside: files that an earlier refresh could not read and kept under another name.
    """

    since: str
    counts: Dict[str, int] = field(default_factory=dict)
    changes: List[Change] = field(default_factory=list)
    built_in: List[BuiltInState] = field(default_factory=list)
    listed: int = 0
    look: Look = field(default_factory=Look)
    held: List[str] = field(default_factory=list)
    queue: int = 0
    untested: Lines = field(default_factory=list)
    unreadable: List[str] = field(default_factory=list)
    kept_aside: List[str] = field(default_factory=list)

    def of(self, kind: str) -> List[Change]:
        """The changes of one kind."""
        return [change for change in self.changes if change.kind == kind]


def status(folder: RegistryFolder, since: Optional[datetime] = None, moment: Optional[datetime] = None) -> Status:
    """Look through all records, one at a time; by default at the last run that changed anything before ``moment``.

    Raises:
        RegistryError: a file can't be read.
    """
    counts: Counter[str] = Counter()
    events: List[_Event] = []
    floor = "" if since is None else timestamp(since)
    ceiling = timestamp((moment or now()) + _CLOCK)
    for _, record in folder.records():
        counts[record.status_text] += 1
        dated = [(str(event["date"]), record, event) for event in record.history[-5:]]
        events += [one for one in dated if floor <= one[0] and (since is not None or one[0] <= ceiling)]
        if since is None and len(events) > 20_000:
            events = _last_run(events)
    unreadable = [str(one) for one in folder.unreadable]
    found = events if since is not None else _last_run(events)
    states = builtin_states(folder)
    return Status(
        since=floor or min((date for date, _, _ in found), default=""),
        counts=dict(sorted(counts.items(), key=_order)),
        changes=sorted(_changes(found), key=lambda one: (one.kind, one.id)),
        built_in=states,
        listed=len(read_list(folder)),
        look=Look.last(folder),
        held=held_removals(folder, states),
        queue=len(plan(folder)),
        untested=Untested(folder).shown(),
        unreadable=unreadable,
        kept_aside=folder.kept_aside(),
    )


def _order(counted: Tuple[str, int]) -> Tuple[int, str]:
    """Where a status is in the table of statuses; ``compatible`` may name hosts."""
    names = list(STATUSES)
    return names.index(counted[0] if counted[0] in names else counted[0].partition(" ")[0]), counted[0]


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


def _changes(found: List[_Event]) -> Iterator[Change]:
    """What happened to each model, said once: from its first event's state to its last one's."""
    by_key: Dict[str, List[_Event]] = {}
    for one in sorted(found, key=lambda one: one[0]):
        by_key.setdefault(one[1].key, []).append(one)
    for events in by_key.values():
        (_, record, last), first = events[-1], events[0][2]
        what = "new" if first["event"] == "new" else last["event"]
        yield change_of(record, {**last, "event": what, "was": first["was"]})


def change_of(record: ModelRecord, event: Mapping[str, Any]) -> Change:
    """An event of a record in words."""
    was, now, what = event["was"], event["status"], event["event"]
    shown = record.status_text if record.status == now else now
    because = f": {event['reason']}" if event["reason"] else ""
    if STATUSES[now].broken and was != now:
        return Change("broken", record.id, f"{'new' if what == 'new' else was} → {shown}{because}")
    if what == "new":
        return Change("new", record.id, f"{shown}{because}")
    if was is not None and STATUSES[was].broken and now == COMPATIBLE:
        return Change("fixed", record.id, f"{was} → {shown}")
    if what == "tested":
        return Change("tested", record.id, f"{was} → {shown}{because}")
    if what == "renamed":
        return Change(
            "changed", record.id, f"renamed from {record.previous_ids[-1]}" if record.previous_ids else "renamed"
        )
    return Change(
        "changed", record.id, f"{what} is now {str(event['revision'])[:12] if what == 'revision' else shown}{because}"
    )


_TITLES = {"new": "New", "changed": "Changed", "tested": "Tested", "fixed": "Works again", "broken": "Broken"}


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
    look = status.look
    yield f"last complete look at the Hub: {look.last_complete or 'not known here'}"
    if look.fault:
        yield f"the last look, {look.date}, is not complete: {look.fault}"
    if look.lacking:
        yield f"the listing lacked {look.lacking:,} repos that were there"
    yield f"{status.queue:,} models wait to be tested"
    if status.held:
        yield (
            f"{len(status.held):,} of {status.listed:,} built-in models would go at once, so the list stays as it is:"
            " look at them, and if that is right: audacitorch registry publish --confirm-removals"
        )


def _sections(status: Status) -> Iterator[Tuple[str, Lines]]:
    """Titles with their lines; sections that hold nothing are left out."""
    kept = [one for one in status.built_in if one.state != QUARANTINED]
    found: List[Tuple[str, Lines]] = [
        ("Built-in, held on the list", [(name, "would go, with too many others at once") for name in status.held]),
        ("Built-in, quarantined", [_quarantine(one) for one in status.built_in if one.state == QUARANTINED]),
        ("Built-in, to be tested", [_waiting(one) for one in kept if one.reason]),
        ("Built-in, renamed", [_renamed(one) for one in status.built_in if one.renamed]),
        ("Missing from the last listing", [(name, "was there before") for name in status.look.lacking_names]),
        ("Not looked at in the last refresh", sorted(status.look.failed.items())),
        ("Not tested", status.untested),
        ("Records that can't be read", [("", said) for said in status.unreadable]),
        ("Kept aside, for a person to look at", [("", f"models/{name}") for name in status.kept_aside]),
    ]
    for kind in ("broken", "fixed", "new", "changed", "tested"):
        found.append((_TITLES[kind], [(change.id, change.said) for change in status.of(kind)]))
    yield from (section for section in found if section[1])


def _quarantine(one: BuiltInState) -> Tuple[str, str]:
    return one.id, f"since {one.since or 'now'}: {one.reason} ({_commits(one)})"


def _waiting(one: BuiltInState) -> Tuple[str, str]:
    return one.id, f"{one.reason}{f' since {one.untested}' if one.untested else ''} ({_commits(one)})"


def _renamed(one: BuiltInState) -> Tuple[str, str]:
    taken = f", and another repo has taken {one.named}" if one.taken else ""
    return one.id, f"builtin.yml still says {one.named}{taken}"


def _commits(one: BuiltInState) -> str:
    before, after = one.before[:12], (one.revision or "unknown")[:12]
    return f"commit {before if before == after else f'{before} → {after}'}, {_HUB}/{one.id}"


def _more(items: List[Tuple[str, str]], text: str) -> List[str]:
    return [text.format(len(items) - MOST_LINES)] if len(items) > MOST_LINES else []


RENDERERS: Dict[str, Callable[[Status], str]] = {"text": render_text, "markdown": render_markdown}
