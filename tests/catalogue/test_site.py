"""The catalogue's files, made from a registry of known records."""

from __future__ import annotations

import json
import os
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Dict, Iterator, List
from xml.etree import ElementTree

import jsonschema
import pytest

from audacitorch.catalogue import site as site_module
from audacitorch.catalogue.exports import SCHEMA
from audacitorch.catalogue.site import ADDRESS, write_site
from audacitorch.hosts import HOSTS
from audacitorch.registry.record_schema import PARTLY, STATUSES
from tests.catalogue.conftest import NASTY
from tests.registry.world import World, model_files

ATOM = "{http://www.w3.org/2005/Atom}"


class Page(HTMLParser):
    """Tags, attributes, links and text of a page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: List[str] = []
        self.attributes: Dict[str, List[str]] = {}
        self.text = ""
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            self.attributes.setdefault(name, []).append(value or "")

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture
def built(full: World, tmp_path: Path) -> Path:
    assert write_site(full.folder, tmp_path / "site") == 4
    return tmp_path / "site"


def models(built: Path) -> Dict[str, Any]:
    index = json.loads((built / "index.json").read_text())
    jsonschema.validate(index, json.loads(SCHEMA.read_text()))
    return {one["id"]: one for one in index["models"]}


def test_every_model_is_said_once_with_every_host(built: Path) -> None:
    found = models(built)
    assert list(found)[:2] == ["ann/broken", "ann/good"]  # built-in models first
    assert set(found) == {"ann/broken", "ann/good", "bob/nasty", "cat/partly"}  # a repo without a model has no card
    assert all(set(one["hosts"]) == {host.name for host in HOSTS} for one in found.values())
    assert [found["cat/partly"]["hosts"][host.name] for host in HOSTS] == ["pass", "fail"]
    assert found["ann/broken"]["built_in"] == "quarantined"
    assert found["ann/broken"]["reason"].startswith("aborts-host")
    page = Page(built / "index.html")
    assert page.attributes["class"].count("card") == len(found)


def test_the_schema_names_every_host() -> None:
    hosts = json.loads(SCHEMA.read_text())["$defs"]["model"]["properties"]["hosts"]
    assert hosts["required"] == [host.name for host in HOSTS]


def test_a_second_record_of_a_repo_is_no_second_card(full: World, tmp_path: Path) -> None:
    place = full.folder.models / full.folder.place("ann/good")
    shutil.copy(place, place.with_name("good_LOCAL_4711.json"))
    assert write_site(full.folder, tmp_path / "site") == 4


def test_a_models_page_says_what_broke_when_and_how_to_install(built: Path) -> None:
    text = " ".join(Page(built / "models/ann/broken/index.html").text.split())
    assert "Quarantined since 2024-05-02" in text
    assert "Broken since 2024-05-02: aborts-host: aborts-host happened" in text
    assert "2024-05-02tested" in text
    assert "broke: incompatible" in text
    assert "works: compatible" in text
    assert "Add From HuggingFace and paste this id: ann/broken" in text
    assert "FAIL for" in text


def test_links_of_pages_lead_to_files(built: Path) -> None:
    pages = sorted(built.rglob("*.html"))
    assert len(pages) >= 6
    for page in pages:
        for link in Page(page).attributes["href"] + Page(page).attributes.get("src", []):
            if not link.startswith(("https:", "data:")):
                target = (page.parent / link).resolve()
                assert (target / "index.html" if target.is_dir() else target).is_file(), (page, link)


def test_no_page_holds_a_script_a_style_or_a_tag_of_a_stranger(built: Path) -> None:
    for page in sorted(built.rglob("*.html")):
        shown = Page(page)
        assert shown.tags.count("script") == 1
        assert set(shown.attributes["src"]) <= {"badge.svg", *(f"{'../' * n}catalogue.js" for n in range(4))}
        assert not {"onerror", "onclick", "style"} & set(shown.attributes)
        assert "style" not in shown.tags
        assert not any(link.startswith("javascript:") for link in shown.attributes["href"])
        raw = page.read_text("utf-8")
        assert "\x1b" not in raw
        assert "\u202e" not in raw
    assert r"<script>alert(1)</script>\x1b[31m" in Page(built / "models/bob/nasty/index.html").text


def texts(value: Any) -> Iterator[str]:
    """Every text in a JSON value."""
    if isinstance(value, (dict, list)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from texts(item)
    elif isinstance(value, str):
        yield value


def test_what_a_script_reads_has_no_invisible_text(built: Path) -> None:
    for name in ("search.json", "index.json", "feed.xml"):
        raw = (built / name).read_text("utf-8")
        shown = list(texts(json.loads(raw))) if name.endswith("json") else [raw]
        assert "\u202e" not in "".join(shown)
        assert "\x1b" not in "".join(shown)
    assert any(r"\x1b" in text for text in texts(json.loads((built / "search.json").read_text())))
    rows = json.loads((built / "search.json").read_text())["rows"]
    assert [row[0] for row in rows] == list(models(built))
    assert NASTY not in str(rows)


def test_the_feed_tells_of_new_changed_and_broken_models(built: Path) -> None:
    feed = ElementTree.fromstring((built / "feed.xml").read_bytes())
    entries = feed.findall(f"{ATOM}entry")
    titles = [entry.findtext(f"{ATOM}title") for entry in entries]
    assert titles[0] == "Broken: ann/broken"
    assert "New: cat/partly" in titles
    ids = [entry.findtext(f"{ATOM}id") for entry in entries]
    assert len(set(ids)) == len(ids)
    assert feed.findtext(f"{ATOM}updated") == "2024-05-02T10:30:00Z"
    assert entries[0].find(f"{ATOM}link").get("href") == f"{ADDRESS}models/ann/broken/"


def test_badges_name_the_hosts_and_have_a_snippet(built: Path) -> None:
    badge = json.loads((built / "models/cat/partly/badge.json").read_text())
    assert badge == {
        "schemaVersion": 1,
        "label": "Audacity",
        "message": "compatible with the specification only",
        "color": "8a5a00",
    }
    image = ElementTree.fromstring((built / "models/cat/partly/badge.svg").read_text())
    assert image.get("aria-label") == "Audacity: compatible with the specification only"
    text = Page(built / "models/cat/partly/index.html").text
    assert f"[![Audacity]({ADDRESS}models/cat/partly/badge.svg)]({ADDRESS}models/cat/partly/)" in text


def test_the_health_page_counts_every_repo(full: World, tmp_path: Path) -> None:
    full.add("dan/new", 4)
    full.refresh(hours=48)
    write_site(full.folder, tmp_path / "site")
    built = tmp_path / "site"
    text = " ".join(Page(built / "health/index.html").text.split())
    assert "6 repos" in text
    assert "1 not-a-model" in text
    assert "1 model to be run: dan/new" in text
    assert "2024-05-02" in text[text.index("States over time") :]


def test_a_second_run_writes_nothing(full: World, built: Path) -> None:
    def tree() -> Dict[str, int]:
        return {str(path): path.stat().st_mtime_ns for path in sorted(built.rglob("*")) if path.is_file()}

    before = tree()
    write_site(full.folder, built)
    assert tree() == before


def test_what_is_gone_is_deleted_and_what_others_wrote_stays(full: World, built: Path) -> None:
    kept = [built / "docs" / "index.html", built / "models" / "bob" / "nasty" / "notes.txt"]
    for path in kept:
        path.parent.mkdir(exist_ok=True)
        path.write_text("x")
    full.folder.remove(full.folder.place("bob/nasty"))
    full.folder.remove(full.folder.place("cat/partly"))
    write_site(full.folder, built)
    assert not (built / "models/bob/nasty/index.html").exists()
    assert not (built / "models/cat").exists()
    assert all(path.read_text() == "x" for path in kept)


def test_many_models_are_split_into_pages(full: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site_module, "CARDS", 2)
    write_site(full.folder, tmp_path / "site")
    first, second = Page(tmp_path / "site/index.html"), Page(tmp_path / "site/page/2/index.html")
    assert first.attributes["class"].count("card") == second.attributes["class"].count("card") == 2
    assert "page/2/" in first.attributes["href"]
    assert "../../" in second.attributes["href"]
    monkeypatch.setattr(site_module, "CARDS", 9)
    write_site(full.folder, tmp_path / "site")
    assert not (tmp_path / "site/page").exists()


def test_an_empty_registry_has_a_catalogue(world: World, tmp_path: Path) -> None:
    assert write_site(world.folder, tmp_path / "site") == 0
    assert "No models yet." in Page(tmp_path / "site/index.html").text
    assert ElementTree.fromstring((tmp_path / "site/feed.xml").read_bytes()).findall(f"{ATOM}entry") == []


def test_a_registrys_notice_is_on_every_page(full: World, tmp_path: Path) -> None:
    full.folder.notice.write_text(f"A demonstration. {NASTY}\n")
    write_site(full.folder, tmp_path / "site")
    pages = sorted((tmp_path / "site").rglob("*.html"))
    assert all("A demonstration. <script>" in Page(page).text for page in pages)


def test_records_that_people_broke_are_named_and_the_others_shown(full: World, tmp_path: Path) -> None:
    (full.folder.models / "ann/good.json").write_text("<<<<<<< HEAD")
    record = full.folder.models / "ann/broken.json"
    data = json.loads(record.read_text())
    data["static"]["findings"] = [{"rule": "x", "severity": "note", "hosts": ["spec"], "message": "m", "line": "nine"}]
    record.write_text(json.dumps(data))
    write_site(full.folder, tmp_path / "site")
    assert "ann/good.json can't be read" in Page(tmp_path / "site/health/index.html").text
    assert "Not checked yet." in Page(tmp_path / "site/models/ann/broken/index.html").text
    assert models(tmp_path / "site")["ann/good"]["status"] == "not looked at"  # a built-in without a record


def test_a_folder_that_can_not_be_written_is_an_error_and_no_trace(full: World, tmp_path: Path) -> None:
    from tests.program import run

    (tmp_path / "site").write_text("a file")
    done = run("registry", "site", "--registry", str(full.folder.path), "-o", str(tmp_path / "site"))
    assert done.returncode == 2
    assert "can't be written" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_style_has_a_colour_for_each_mark_and_status(built: Path) -> None:
    style = (built / "style.css").read_text()
    marks = {status.mark for status in STATUSES.values() if status.has_page} | {PARTLY}
    assert {mark for mark in marks if f".{mark}" not in style} == set()
    assert {name for name in STATUSES if f".fill-{name} " not in style} == set()
    assert "{%" not in style


def test_renamed_models_keep_their_page_and_history(full: World, tmp_path: Path) -> None:
    full.hub.rename_repo("cat/partly", "cat/whole")
    full.refresh(hours=48)
    write_site(full.folder, tmp_path / "site")
    assert "renamed" in Page(tmp_path / "site/models/cat/whole/index.html").text
    assert not (tmp_path / "site/models/cat/partly").exists()
    assert os.listdir(tmp_path / "site/models/cat") == ["whole"]


def test_a_model_without_numbers_has_a_page(full: World, tmp_path: Path) -> None:
    full.add("dan/odd", 5, model_files(5, sample_rate="fast", tags=None, domains={"a": 1}, short_description=7))
    full.refresh(hours=72)
    write_site(full.folder, tmp_path / "site")
    found = models(tmp_path / "site")["dan/odd"]
    assert (found["sample_rate"], found["tags"], found["domains"], found["short_description"]) == (None, [], [], "")
