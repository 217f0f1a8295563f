"""An entry of the catalogue: what a card shows of one model, made from its record alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Dict, List, Mapping, Optional, Tuple
from urllib.parse import quote

from audacitorch.facts import MODEL
from audacitorch.hosts import HOSTS, LIST_HOST, MENUS
from audacitorch.registry.builtin_list import BuiltInState
from audacitorch.registry.model_record import ModelRecord, blocking, reason_of
from audacitorch.registry.record_schema import WAITING
from audacitorch.report.model import UNKNOWN
from audacitorch.safetext import visible

HUB = "https://huggingface.co"
#: Of a list in metadata.json: how many items a card shows, and characters of each; characters of a description.
_MOST_ITEMS, _LONGEST_ITEM, _LONGEST_TEXT = 8, 40, 300


@dataclass(frozen=True)
class Entry:
    """One model. Text from its repo is bounded, and everything in it can be seen; it is not escaped for HTML.

    Attributes:
        key: the Hub's own key of the repo, which outlives a change of name; empty without a record.
        page: the path of its page below the site, with a slash at its end; empty without a page.
        menu: where Audacity lists it, one of ``MENUS``; empty if the metadata do not say.
        rate: its sample rate in Hz, None if its metadata doesn't say.
        hosts: the verdict of every host, in the order of ``HOSTS``.
        status: the status as people read it, and ``mark`` how it is coloured.
        why: what speaks against it, for any host.
        built_in: ``listed``, ``quarantined`` or ``waiting``; empty for other models.
        since: since when it is quarantined.
        date: when its record last changed, and ``checked`` when what is there now was run; empty if it was not.
        size: bytes of model.pt.
        speed: seconds of work for one of audio.
    """

    id: str
    key: str = ""
    page: str = ""
    short: str = ""
    domains: Tuple[str, ...] = ()
    tags: Tuple[str, ...] = ()
    menu: str = ""
    rate: Optional[int] = None
    licence: str = ""
    hosts: Tuple[str, ...] = tuple(UNKNOWN for _ in HOSTS)
    status: str = "not looked at"
    mark: str = WAITING
    why: str = ""
    built_in: str = ""
    since: str = ""
    likes: int = 0
    first_seen: str = ""
    date: str = ""
    checked: str = ""
    revision: str = ""
    size: Optional[int] = None
    speed: Optional[float] = None

    @property
    def author(self) -> str:
        """The id's first part."""
        return self.id.partition("/")[0]

    @property
    def name(self) -> str:
        """The id's second part."""
        return self.id.partition("/")[2]

    @property
    def hub(self) -> str:
        """The repo's address."""
        return f"{HUB}/{quote(self.id)}"

    @property
    def rank(self) -> Tuple[bool, int, str]:
        """Built-in models first, then those that most people like."""
        return not self.built_in, -self.likes, self.id.casefold()

    def without_page(self) -> Entry:
        """This entry where the site has no page for it."""
        return replace(self, page="")

    def of_list(self, state: BuiltInState) -> Entry:
        """This entry with its state on the built-in list."""
        why = self.why or visible(state.reason, _LONGEST_TEXT)
        return replace(self, built_in=state.state, since=state.since, why=why)

    def to_json(self) -> Dict[str, Any]:
        """The entry as catalogue.schema.json describes it."""
        return {
            "id": self.id,
            "page": self.page,
            "short_description": self.short,
            "domains": list(self.domains),
            "tags": list(self.tags),
            "menu": self.menu,
            "sample_rate": self.rate,
            "licence": self.licence,
            "hosts": {host.name: verdict for host, verdict in zip(HOSTS, self.hosts)},
            "status": self.status,
            "reason": self.why,
            "built_in": self.built_in,
            "likes": self.likes,
            "first_seen": self.first_seen,
            "last_changed": self.date,
            "checked": self.checked,
            "revision": self.revision,
            "model_bytes": self.size,
            "realtime_factor": self.speed,
        }


def entry_of(record: ModelRecord, place: str, stats: Any) -> Entry:
    """The entry of a record that lies at ``place`` below ``models/``; ``stats`` are its likes and downloads."""
    metadata, trial = record.metadata or {}, record.current_trial or {}
    likes = stats.get("likes") if isinstance(stats, dict) else 0
    rate = metadata.get("sample_rate")
    return Entry(
        id=record.id,
        key=record.key,
        page=f"models/{place[: -len('.json')]}/",
        short=_text(metadata.get("short_description"), _LONGEST_TEXT),
        domains=texts(metadata.get("domains")),
        tags=texts(metadata.get("tags")),
        menu="" if record.effect_type is None else str(MENUS[record.effect_type]),
        rate=rate if type(rate) is int and 0 < rate < 1 << 31 else None,
        licence=_text(record.licence, _LONGEST_ITEM),
        hosts=tuple(record.hosts[host] for host in HOSTS),
        status=record.status_text,
        mark=record.mark,
        why=visible(against(record), _LONGEST_TEXT),
        likes=likes if type(likes) is int else 0,
        first_seen=record.first_seen,
        date=record.last_changed,
        checked=str(trial.get("date", "")),
        revision=record.revision or "",
        size=(record.files.get(MODEL) or {}).get("size"),
        speed=trial.get("realtime_factor"),
    )


def without_record(state: BuiltInState) -> Entry:
    """The entry of a built-in model that no record describes."""
    return Entry(visible(state.id, _LONGEST_TEXT)).of_list(state)


def against(record: ModelRecord) -> str:
    """What speaks against a model, for any host; the host that reads the built-in list comes first."""
    found: List[Mapping[str, Any]] = []
    for host in (LIST_HOST, *HOSTS):
        found += blocking(record.findings, host)
    return record.reason or (reason_of(found[0]) if found else "")


def texts(value: Any) -> Tuple[str, ...]:
    """The texts in a list that a stranger wrote, each once."""
    items = value if isinstance(value, (list, tuple)) else ()
    shown = (_text(item, _LONGEST_ITEM) for item in items[:_MOST_ITEMS])
    return tuple(dict.fromkeys(item for item in shown if item))


def _text(value: Any, limit: int) -> str:
    return visible(value, limit).strip() if isinstance(value, str) else ""
