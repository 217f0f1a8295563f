"""The registry as a static page: every model, its status and why; one file that needs nothing else, online or not."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Tuple
from urllib.parse import quote

from audacitorch.hosts import HOSTS, LIST_HOST, MENUS
from audacitorch.registry.builtin_list import LISTED, QUARANTINED, builtin_states
from audacitorch.registry.files import read_json, write
from audacitorch.registry.folder import RegistryFolder
from audacitorch.registry.model_record import ModelRecord, blocking, reason_of
from audacitorch.registry.statuses import GONE, NOT_A_MODEL, STATUSES
from audacitorch.report.escape import visible

HUB = "https://huggingface.co"
#: One page stays quick in a browser up to about so many rows.
MOST_ROWS = 5000


@dataclass(frozen=True)
class Row:
    """A model as the page shows it; everything but ``link`` is text as it came."""

    id: str
    link: str
    status: str
    why: str
    menu: str
    short: str
    licence: str
    size: Optional[int]
    speed: Optional[float]
    hosts: Tuple[str, ...]
    built_in: str
    likes: int


def write_site(folder: RegistryFolder, output: Path) -> int:
    """Write ``index.html`` into ``output``; how many models it shows.

    Raises:
        RegistryError: a file can't be read or written.
    """
    stats = read_json(folder.stats, {})
    states = {one.id: one.state for one in builtin_states(folder)}
    rows: List[Row] = []
    counts = dict.fromkeys(STATUSES, 0)
    for _, record in folder.records():
        counts[record.status] += 1
        if record.status not in (NOT_A_MODEL, GONE) and len(rows) < MOST_ROWS:
            rows.append(_row(record, stats.get(record.id) or {}, states.get(record.id, "")))
    rows.sort(key=lambda row: (row.built_in != LISTED, -row.likes, row.id.casefold()))
    left_out = sum(counts.values()) - counts[NOT_A_MODEL] - counts[GONE] - len(rows)
    write(output / "index.html", _render(rows, counts, left_out))
    return len(rows)


def _row(record: ModelRecord, stats: Dict[str, Any], state: str) -> Row:
    metadata, trial = record.metadata or {}, record.current_trial or {}
    short = metadata.get("short_description")
    likes = stats.get("likes")
    model = record.files.get("model.pt") or {}
    return Row(
        id=record.id,
        link=f"{HUB}/{quote(record.id)}",
        status=record.status,
        why=_why(record),
        menu="" if record.effect_type is None else str(MENUS[record.effect_type]),
        short=short if isinstance(short, str) else "",
        licence=record.licence or "",
        size=model.get("size"),
        speed=trial.get("realtime_factor"),
        hosts=tuple(record.hosts[host] for host in HOSTS),
        built_in=state if state in (LISTED, QUARANTINED) else "",
        likes=likes if isinstance(likes, int) else 0,
    )


def _why(record: ModelRecord) -> str:
    """What speaks against a model, for any host."""
    against = [found for host in (LIST_HOST, *HOSTS) for found in blocking(record.findings, host)]
    return record.reason or (reason_of(against[0]) if against else "")


def _speed(factor: float) -> str:
    """Seconds of computing for a second of audio."""
    return "< 0.01 ×" if factor < 0.01 else f"{factor:.2g} ×"


def _render(rows: List[Row], counts: Dict[str, int], left_out: int) -> str:
    from jinja2 import Environment, PackageLoader

    environment = Environment(
        loader=PackageLoader("audacitorch.registry"),
        autoescape=True,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template("site.html")
    return page.render(
        rows=rows, hosts=HOSTS, counts=list(_counted(counts)), left_out=left_out, size=_size, speed=_speed
    )


def _counted(counts: Dict[str, int]) -> Iterator[Any]:
    yield from ((status, count) for status, count in counts.items() if count)


def _size(size: int) -> str:
    """Bytes as people read them."""
    return f"{size / 1e6:,.1f} MB" if size >= 100_000 else f"{size / 1e3:,.1f} kB"


def _shown(value: Any) -> Any:
    """Text from a repo is made visible before it is escaped; the template's own markup is left alone."""
    return visible(value, 1000) if type(value) is str else value
