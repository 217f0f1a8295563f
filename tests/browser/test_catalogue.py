"""The catalogue as a person uses it: searches, filters, sorts, opens, copies, listens, with and without a script."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Iterator, List

import pytest

from audacitorch.catalogue.site import CARDS, write_site
from audacitorch.registry.folder import RegistryFolder
from tests.catalogue.conftest import NASTY, full, world
from tests.needs import html_checker
from tests.registry.world import World

from .pages import OUTPUT, ROOT, Watched, chromium, opened, served

if TYPE_CHECKING:
    from playwright.sync_api import Browser

__all__ = ["full", "world"]
pytestmark = [pytest.mark.browser, pytest.mark.slow]

PAGES = ("", "models/demonstration/stereo-widener/", "models/demonstration/noise-gate/", "health/")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demonstration's site."""
    built = tmp_path_factory.mktemp("demonstration")
    assert write_site(RegistryFolder(ROOT / "examples" / "registry"), built) == 10
    return built


@pytest.fixture(scope="module")
def site(folder: Path) -> Iterator[str]:
    with served(folder) as address:
        yield address


@pytest.fixture(scope="module")
def crowded(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The demonstration's records many times over, under other names."""
    copy = tmp_path_factory.mktemp("crowd") / "registry"
    shutil.copytree(ROOT / "examples" / "registry", copy)
    record = json.loads((copy / "models" / "demonstration" / "band-splitter.json").read_text("utf-8"))
    for number in range(2 * CARDS + 5):
        made = {**record, "id": f"crowd/model-{number}", "key": f"{number:024x}"}
        place = copy / "models" / "crowd" / f"model-{number}.json"
        place.parent.mkdir(exist_ok=True)
        place.write_text(json.dumps(made), "utf-8")
    write_site(RegistryFolder(copy), copy.parent / "site")
    with served(copy.parent / "site") as address:
        yield address


def names(watched: Watched) -> List[str]:
    return watched.page.locator(".card h2").all_inner_texts()


def found(watched: Watched, text: str) -> bool:
    """Whether the line above the cards comes to say this."""
    return watched.eventually(f"document.getElementById('found').textContent === {json.dumps(text)}")


def test_words_in_any_order_find_models_as_they_are_typed(browser: Browser, site: str) -> None:
    with opened(browser, site) as watched:
        watched.page.get_by_label("Search").press_sequentially("volume BOO")
        assert found(watched, "1 of 10 models.")
        assert names(watched) == ["booster-net"]
        watched.page.get_by_label("Search").fill("nothing has this in it")
        assert found(watched, "0 of 10 models.")
        watched.page.get_by_role("button", name="Clear").click()
        assert found(watched, "10 models.")
        assert len(names(watched)) == 10
        watched.is_quiet(site, scripts=1)


def test_filters_and_order(browser: Browser, site: str) -> None:
    with opened(browser, site) as watched:
        page = watched.page
        page.get_by_label("Effect").select_option("Analyze > Deep Learning Analyzer")
        assert found(watched, "2 of 10 models.")
        assert set(names(watched)) == {"pitch-labeler", "beat-labels"}
        page.get_by_label("Sample rate").select_option("16000")
        assert found(watched, "1 of 10 models.")
        assert "rate=16000" in page.url
        page.get_by_role("button", name="Clear").click()
        page.get_by_label("State").select_option("incompatible")
        assert watched.eventually("document.querySelectorAll('.card').length === 2")
        assert set(names(watched)) == {"noise-gate", "reverb"}
        page.get_by_role("button", name="Clear").click()
        page.get_by_label("Built-in").select_option("quarantined")
        assert watched.eventually("document.querySelectorAll('.card').length === 1")
        page.get_by_role("button", name="Clear").click()
        page.get_by_label("Domain").select_option("environmental")
        page.get_by_label("Licence").select_option("mit")
        page.get_by_label("Order").select_option("likes")
        assert found(watched, "3 of 10 models.")
        assert names(watched) == ["booster-net", "band-splitter", "stereo-widener"]
        page.get_by_label("Order").select_option("name")
        assert watched.eventually("document.querySelector('.card h2').textContent === 'band-splitter'")
        page.reload()  # what was asked for is in the address
        assert watched.eventually("document.querySelector('.card h2').textContent === 'band-splitter'")
        assert found(watched, "3 of 10 models.")
        watched.is_quiet(site, scripts=1)


def test_a_card_made_by_the_script_is_the_page_s_own(browser: Browser, site: str) -> None:
    texts = "[...document.querySelectorAll('.card')].map(one => one.innerText.replace(/\\s+/g, ' '))"
    links = "[...document.querySelectorAll('.card a')].map(one => one.href)"
    with opened(browser, site) as watched:
        first = [watched.page.evaluate(texts), watched.page.evaluate(links)]
        watched.page.get_by_label("Search").fill("demonstration")
        assert found(watched, "10 of 10 models.")
        assert [watched.page.evaluate(texts), watched.page.evaluate(links)] == first


def test_a_model_is_opened_its_id_copied_and_its_sound_played(browser: Browser, site: str) -> None:
    with opened(browser, site) as watched:
        page = watched.page
        page.locator(".card", has_text="stereo-widener").get_by_role("button", name="Copy id").click()
        assert watched.eventually("[...document.querySelectorAll('button')].some(one => one.textContent === 'Copied')")
        assert page.evaluate("navigator.clipboard.readText()") == "demonstration/stereo-widener"
        page.get_by_role("link", name="stereo-widener").click()
        page.wait_for_url("**/stereo-widener/")
        assert page.inner_text("h1") == "stereo-widener"
        page.get_by_role("button", name="Copy id").click()
        assert watched.eventually("document.querySelector('.copy-id').textContent === 'Copied'")
        assert page.locator("audio").count() == 3
        assert watched.eventually("[...document.querySelectorAll('audio')].every(one => one.duration > 1)")
        page.evaluate("document.querySelectorAll('audio')[1].play()")
        assert watched.eventually("document.querySelectorAll('audio')[1].currentTime > 0.2")
        page.locator("summary").last.click()
        assert page.evaluate("[...document.querySelectorAll('details')].pop().open")
        watched.is_quiet(site, scripts=1)


@pytest.mark.parametrize("path", PAGES)
def test_pages_on_a_desk_a_phone_in_the_dark_and_on_paper(browser: Browser, site: str, path: str) -> None:
    name = f"catalogue-{path.strip('/').rpartition('/')[2] or 'index'}"
    with opened(browser, site + path) as desk:
        desk.page.wait_for_load_state("networkidle")
        desk.fits()
        desk.shoot(f"{name}-desk")
        assert desk.serious() == []
        OUTPUT.mkdir(parents=True, exist_ok=True)
        assert desk.page.pdf(path=str(OUTPUT / f"{name}.pdf"), format="A4").startswith(b"%PDF")
        desk.is_quiet(site, scripts=1)
    with opened(browser, site + path, phone=True, dark=True) as phone:
        phone.page.wait_for_load_state("networkidle")
        phone.fits()
        assert phone.serious() == []
        phone.shoot(f"{name}-phone-dark")
        phone.is_quiet(site, scripts=1)


def test_everything_is_reached_by_keyboard(browser: Browser, site: str) -> None:
    with opened(browser, site) as watched:
        press, reached = watched.page.keyboard.press, set()
        for _ in range(30):
            press("Tab")
            tag = watched.page.evaluate("document.activeElement.tagName")
            assert (
                tag == "BODY"
                or watched.page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
            )
            if tag == "INPUT":
                watched.page.keyboard.type("widener")
                assert found(watched, "1 of 10 models.")
            reached.add(tag)
            if tag == "BUTTON" and watched.page.evaluate("document.activeElement.className") == "copy-id":
                press("Enter")
                assert watched.eventually("document.activeElement.textContent === 'Copied'")
                break
        assert reached >= {"A", "INPUT", "SELECT", "BUTTON"}
        assert watched.page.evaluate("navigator.clipboard.readText()") == "demonstration/stereo-widener"


def test_without_a_script_every_model_is_there(browser: Browser, crowded: str) -> None:
    with opened(browser, crowded, script=False) as watched:
        assert not watched.page.locator("#search").is_visible()
        assert watched.page.get_by_role("button").count() == 0
        seen = names(watched)
        while watched.page.get_by_role("link", name=re.compile("^3$")).count() and len(seen) < 3 * CARDS:
            number = len(seen) // CARDS + 1
            watched.page.get_by_role("link", name=str(number), exact=True).click()
            seen += names(watched)
            if len(names(watched)) < CARDS:
                break
        assert len(seen) == len(set(seen)) == 2 * CARDS + 5 + 10


def test_many_models_are_shown_in_parts(browser: Browser, crowded: str) -> None:
    with opened(browser, crowded) as watched:
        watched.page.get_by_label("Search").fill("crowd/")
        assert found(watched, f"{2 * CARDS + 5} of {2 * CARDS + 15} models.")
        shown = [len(names(watched))]
        assert not watched.page.locator("#pages").is_visible()
        while watched.page.locator("#more").is_visible():
            watched.page.get_by_role("button", name="Show more").click()
            shown.append(len(names(watched)))
        assert shown == [CARDS // 2, CARDS // 2 + CARDS, 2 * CARDS + 5]
        assert len(set(names(watched))) == 2 * CARDS + 5


def test_a_list_that_can_not_be_loaded_is_said_and_tried_again(browser: Browser, site: str, folder: Path) -> None:
    with opened(browser, site) as watched:
        watched.page.route("**/search.json", lambda route: route.abort())
        watched.page.get_by_label("Search").fill("gate")
        assert found(watched, "The list of models could not be loaded. Try again.")
        watched.page.unroute("**/search.json")
        watched.page.get_by_label("Search").fill("noise gate")
        assert found(watched, "1 of 10 models.")


def test_what_a_stranger_wrote_stays_text(browser: Browser, full: World, tmp_path: Path) -> None:
    write_site(full.folder, tmp_path / "site")
    with served(tmp_path / "site") as address:
        for path in ("", "?q=script", "models/bob/nasty/", "health/"):
            with opened(browser, address + path) as watched:
                watched.page.wait_for_load_state("networkidle")
                assert watched.eventually("document.querySelectorAll('h1').length === 1")
                if path != "health/":
                    assert "<script>alert(1)</script>" in watched.page.inner_text("main")
                    assert NASTY[-20:] in watched.page.inner_text("main")
                assert watched.page.evaluate("document.querySelectorAll('img:not([src=\"badge.svg\"])').length") == 0
                watched.fits()
                watched.is_quiet(address, scripts=1)


def test_a_hostile_address_is_only_a_search(browser: Browser, site: str) -> None:
    with opened(
        browser, site + "?q=%3Cimg%20src=x%20onerror=alert(1)%3E&menu=%22%3E&constructor=1&submit=2"
    ) as watched:
        assert found(watched, "0 of 10 models.")
        watched.is_quiet(site, scripts=1)


@pytest.mark.vnu
def test_every_page_is_valid_html(folder: Path, full: World, tmp_path: Path) -> None:
    write_site(full.folder, tmp_path / "site")
    reports = ROOT / "tests" / "report" / "data"
    pages = [str(page) for place in (folder, tmp_path / "site", reports) for page in sorted(place.rglob("*.html"))]
    assert len(pages) > 20
    assert invalid(pages) == ""
    broken = tmp_path / "broken.html"
    broken.write_text("<!DOCTYPE html><title>x</title><p><table></p><img>", "utf-8")
    assert "error" in invalid([str(broken)])  # it does look


def invalid(pages: List[str]) -> str:
    """What the Nu Html Checker says against pages."""
    checker = html_checker()
    assert checker is not None
    done = subprocess.run([*checker, "--errors-only", *pages], capture_output=True, text=True, check=False)
    return done.stderr
