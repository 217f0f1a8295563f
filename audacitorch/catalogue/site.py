"""The catalogue's files: pages of cards, a page a model with its badges, the feed, the indexes, the registry's health.

All of it is made from the registry's folder, and its pages load nothing from elsewhere. A file is written only where
its content changes, and what an earlier run wrote about a model that has no page any more is deleted.
"""

from __future__ import annotations

from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any, Dict, List, Set, Tuple, Union
from urllib.parse import quote

from audacitorch.catalogue import exports, model_page
from audacitorch.catalogue.entry import Entry, entry_of, without_record
from audacitorch.catalogue.events import Chronicle
from audacitorch.catalogue.health import Health
from audacitorch.files import write_atomically
from audacitorch.hosts import HOSTS
from audacitorch.http import one_line
from audacitorch.registry import RegistryError, read_json
from audacitorch.registry.builtin_list import builtin_states
from audacitorch.registry.folder import RegistryFolder
from audacitorch.registry.index import Index
from audacitorch.registry.record_schema import STATUSES
from audacitorch.registry.sightings import STATS_HINT
from audacitorch.report import content, drawings, measured
from audacitorch.report.rules_doc import help_url
from audacitorch.safetext import visible, visible_lines
from audacitorch.wording import plural, size_text, speed_text

#: Where the site of this project is published.
ADDRESS = "https://audacitorch.github.io/action/"
TITLE = "Models for Audacity"
#: Cards of one page. A search in the browser shows as many at once.
CARDS = 48
#: What a run may delete below models/ and page/ if an earlier one wrote it.
_OURS = ("index.html", "badge.svg", "badge.json", "*.ogg", "*.webp")
_SCRIPT = Path(__file__).with_name("templates") / "catalogue.js"
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'"
)


def write_site(folder: RegistryFolder, output: Path, address: str = ADDRESS) -> int:
    """Write the catalogue of a registry into ``output``, for the web address ``address``; how many models it shows.

    Raises:
        RegistryError: a file can't be read or written.
    """
    site = _Site(output, address if address.endswith("/") else f"{address}/", _notice(folder))
    states = {one.id: one for one in builtin_states(folder)}
    stats = read_json(folder.stats, {}, STATS_HINT)
    chronicle, health = Chronicle(), Health()
    entries: List[Entry] = []
    for _, known in Index(folder).items():
        record = folder.read(known.place)
        if record is None:
            continue
        entry = entry_of(record, known.place, stats.get(record.id))
        state = states.get(record.id)
        entry = entry if state is None else entry.of_list(state)
        shown = STATUSES[record.status].has_page or state is not None
        entry = entry if shown else entry.without_page()
        chronicle.add(record, entry)
        health.add(record, entry)
        if shown:
            entries.append(entry)
            site.model(entry, record, folder)
    there = {entry.id for entry in entries}
    entries += [without_record(state) for name, state in states.items() if name not in there]
    entries.sort(key=lambda entry: entry.rank)
    health.close(folder)
    site.cards(entries, health)
    site.page("health/index.html", "health.html", health=health, states=chronicle.states(), statuses=STATUSES)
    site.put("feed.xml", chronicle.feed(site.address, TITLE))
    site.put("index.json", exports.index_text(entries, site.address))
    site.put("search.json", exports.search_text(entries))
    site.put("catalogue.schema.json", exports.SCHEMA.read_bytes())
    site.put("style.css", site.template("style.css").render())
    site.put("catalogue.js", _SCRIPT.read_bytes())
    site.sweep()
    return len(entries)


def _notice(folder: RegistryFolder) -> str:
    """What every page says at its top: the registry's own ``notice.txt``; empty where it has none."""
    try:
        return visible(" ".join(folder.notice.read_text("utf-8").split()), 500)
    except FileNotFoundError:
        return ""
    except (OSError, ValueError) as error:
        raise RegistryError(f"{folder.notice} can't be read: {one_line(str(error))}") from error


class _Site:
    """Templates, and the folder that they are rendered into."""

    def __init__(self, output: Path, address: str, notice: str) -> None:
        from jinja2 import ChoiceLoader, Environment, PackageLoader

        self.output, self.address = output, address
        self._written: Set[Path] = set()
        self._environment = Environment(
            loader=ChoiceLoader([PackageLoader("audacitorch.catalogue"), PackageLoader("audacitorch.report")]),
            autoescape=True,
            finalize=_shown,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.globals.update(
            address=address,
            notice=notice,
            title=TITLE,
            docs=f"{ADDRESS}docs/index.html",
            policy=_POLICY,
            hosts=HOSTS,
            content=content,
            drawings=drawings,
            plural=plural,
            size=size_text,
            speed=speed_text,
            quote=quote,
        )
        self.template = self._environment.get_template

    def put(self, name: str, text: Union[str, bytes]) -> None:
        """Have this content in the file ``name`` below the site.

        Raises:
            RegistryError: it can't be written.
        """
        path = self.output / name
        self._written.add(path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, text)
        except OSError as error:
            raise RegistryError(f"{path} can't be written: {one_line(error.strerror or str(error))}") from error

    def page(self, name: str, template: str, **values: Any) -> None:
        """Render a page; ``root`` leads from it to the top of the site."""
        self.put(name, self.template(template).render(root="../" * name.count("/"), **values))

    def cards(self, entries: List[Entry], health: Health) -> None:
        """All pages of cards; the first one is the site's own."""
        parts = [entries[start : start + CARDS] for start in range(0, len(entries), CARDS)] or [[]]
        names = ["index.html", *(f"page/{number}/index.html" for number in range(2, len(parts) + 1))]
        chosen: Dict[str, Any] = {"filters": exports.filters(entries), "total": len(entries), "health": health}
        for number, (name, part) in enumerate(zip(names, parts), 1):
            self.page(name, "index.html", entries=part, number=number, count=len(parts), **chosen)

    def model(self, entry: Entry, record: Any, folder: RegistryFolder) -> None:
        """A model's page with its badges and sounds."""
        heard = model_page.kept_sounds(folder, record)
        report = model_page.report_of(record, heard)
        self.page(
            f"{entry.page}index.html",
            "model.html",
            entry=entry,
            record=record,
            report=report,
            figures=[] if report is None else measured.figures(report),
            facts=[] if report is None else _facts(measured.rows(report)),
            history=model_page.history(record),
            broken_since=model_page.broken_since(record),
            source=lambda sound, kind: self._sound(entry, sound, kind),
            lines=visible_lines,
            link=lambda rule: help_url(quote(rule, errors="replace")),
            badge=exports.badge_snippet(entry, self.address),
            shields=exports.shields_snippet(entry, self.address),
        )
        self.put(f"{entry.page}badge.json", exports.badge_endpoint(entry))
        measures = exports.badge_measures(entry)
        self.put(f"{entry.page}badge.svg", self.template("badge.svg").render(entry=entry, **measures))

    def _sound(self, entry: Entry, data: bytes, kind: str) -> str:
        """A sound or a picture as a file beside a model's page; its name."""
        name = f"{sha256(data).hexdigest()[:16]}.{kind.partition('/')[2]}"
        self.put(f"{entry.page}{name}", data)
        return name

    def sweep(self) -> None:
        """Delete what an earlier run wrote, and this one did not."""
        for folder in ("models", "page"):
            for pattern in _OURS:
                for path in sorted((self.output / folder).rglob(pattern)):
                    if path not in self._written:
                        path.unlink()
                        with suppress(OSError):  # what others put there stays, and so does its folder
                            path.parent.rmdir()
                            path.parent.parent.rmdir()


def _facts(rows: List[Tuple[str, str]]) -> List[Tuple[str, str]]:
    """Facts about the model; what the page says elsewhere is left out."""
    elsewhere = ("Target", "Failed to run", "Skipped", "Passes", "Left out")
    return [(label, value) for label, value in rows if label not in elsewhere]


def _shown(value: Any) -> Any:
    """Text from a repo is made visible before it is escaped; the templates' own markup is left alone."""
    return visible(value, 8000) if type(value) is str else value
