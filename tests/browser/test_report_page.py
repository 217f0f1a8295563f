"""report.html as a person uses it: reads, listens, folds, by keyboard, on a phone, in the dark, on paper."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Iterator

import pytest
import torch

from audacitorch.report import page
from tests import made
from tests.program import run
from tests.report.samples import hostile

from .pages import OUTPUT, ROOT, Watched, chromium, opened

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = [pytest.mark.browser, pytest.mark.torch, pytest.mark.slow]

EXAMPLES = ("asteroid-convtasnet", "band-splitter", "booster-net", "pitch-labeler", "stereo-widener")
#: What a page may weigh.
LARGEST = 3_000_000
#: Text that becomes more than text in a page that escapes badly.
HOSTILE = "\"><img src=x onerror=alert(1)><script>alert(2)</script></style><style>*{display:none}</style>'`${{7*7}}"


class Gain(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * 0.5


class Raises(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.reshape(2, 7, 11)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


def page_of(repo: Path, folder: Path, *words: str) -> Path:
    """The page of a check, which ended with a verdict."""
    done = run("check", str(repo), "--report", str(folder), *words)
    assert done.returncode in (0, 1), done.stderr
    page = folder / "report.html"
    assert page.stat().st_size < LARGEST
    return page


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_page_of_an_example(browser: Browser, tmp_path: Path, name: str) -> None:
    file = page_of(ROOT / "examples" / name, tmp_path)
    with opened(browser, file) as desk:
        assert name in desk.page.inner_text("h1")
        plays(desk)
        assert desk.page.evaluate("[...document.images].every(image => image.complete && image.naturalWidth > 0)")
        desk.shoot(f"{name}-desk")
        draws_labels(desk, name)
        folds(desk)
        assert desk.serious() == []
        prints(desk, name)
        desk.is_quiet()
    with opened(browser, file, phone=True, dark=True) as phone:
        phone.fits()
        assert luminance(phone) < 0.1
        assert phone.serious() == []
        phone.shoot(f"{name}-phone-dark")
        phone.is_quiet()


def plays(watched: Watched) -> None:
    """Every sound can be decoded, and the first one's time moves when it is played."""
    count = watched.page.evaluate("document.querySelectorAll('audio').length")
    assert count >= 3
    assert watched.eventually("[...document.querySelectorAll('audio')].every(one => one.duration > 1)")
    watched.page.evaluate("document.querySelector('audio').play()")
    assert watched.eventually("document.querySelector('audio').currentTime > 0.2")


def draws_labels(watched: Watched, name: str) -> None:
    """A labeler's labels are drawn in a row for each class; the host that draws none says why."""
    fields = json.loads((ROOT / "examples" / name / "metadata.json").read_text("utf-8"))
    rows = watched.page.locator(".strip .side").all_inner_texts()
    if fields["effect_type"] != "waveform-to-labels":
        assert rows == []
        return
    assert rows
    assert set(rows) <= set(fields["labels"])
    assert watched.page.locator(".strip rect").count() > len(rows)
    assert "Audacity 3.2 alpha expects class indices" in watched.page.inner_text("main")


def folds(watched: Watched) -> None:
    """A fold opens at a click and closes at another."""
    summary = watched.page.locator("summary").last
    summary.click()
    assert watched.page.evaluate("[...document.querySelectorAll('details')].pop().open")
    summary.click()
    assert not watched.page.evaluate("[...document.querySelectorAll('details')].pop().open")


def prints(watched: Watched, name: str) -> None:
    """As a PDF it has pages, dark on white."""
    OUTPUT.mkdir(parents=True, exist_ok=True)
    printed = watched.page.pdf(path=str(OUTPUT / f"{name}.pdf"), format="A4")
    assert printed.startswith(b"%PDF")
    assert printed.count(b"/Type /Page\n") + printed.count(b"/Type /Page ") + printed.count(b"/Type /Page/") >= 2
    watched.page.emulate_media(media="print", color_scheme="dark")
    assert luminance(watched) > 0.9
    assert not watched.page.locator("audio").first.is_visible()
    watched.page.emulate_media(media="screen", color_scheme="light")


def luminance(watched: Watched) -> float:
    """How light the page's ground is, from 0 to 1."""
    colour = watched.page.evaluate("getComputedStyle(document.body).backgroundColor.match(/[0-9.]+/g).map(Number)")
    return float(sum(colour[:3])) / 765


def test_everything_is_reached_by_keyboard(browser: Browser, tmp_path: Path) -> None:
    file = page_of(ROOT / "examples" / "booster-net", tmp_path)
    with opened(browser, file) as watched:
        reached = set()
        for _ in range(60):
            watched.page.keyboard.press("Tab")
            tag = watched.page.evaluate("document.activeElement.tagName")
            outline = watched.page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert tag == "BODY" or outline != "none"
            if tag == "AUDIO" and "AUDIO" not in reached:
                watched.page.keyboard.press("Space")
                assert watched.eventually("document.activeElement.currentTime > 0.1")
            if tag == "SUMMARY" and "SUMMARY" not in reached:
                watched.page.keyboard.press("Enter")
                assert watched.page.evaluate("document.activeElement.parentElement.open")
            reached.add(tag)
        assert reached >= {"A", "AUDIO", "SUMMARY"}


def test_a_model_that_fails_says_first_what_to_fix(browser: Browser, tmp_path: Path) -> None:
    repo = made.repo(tmp_path / "raises", Raises(), short_description="x" * 61, sample_rate="44100")
    file = page_of(repo, tmp_path / "report")
    with opened(browser, file) as watched:
        assert watched.page.inner_text("h1").startswith("FAIL")
        titles = watched.page.locator("h2").all_inner_texts()
        assert titles[0].startswith("What to fix")
        files = watched.page.locator("h3 code").all_inner_texts()
        assert files[:2] == ["metadata.json", "model.pt"]
        assert '"sample_rate": "44100"' in watched.page.inner_text("main")
        assert not watched.page.evaluate("[...document.querySelectorAll('details')].some(one => one.open)")
        watched.fits()
        watched.shoot("failing-desk")
        assert watched.serious() == []
        watched.is_quiet()
    with opened(browser, file, phone=True) as phone:
        phone.fits()
        phone.shoot("failing-phone")


@pytest.mark.parametrize("verdict", ["pass", "fail"])
def test_what_a_stranger_wrote_stays_text(browser: Browser, tmp_path: Path, verdict: str) -> None:
    fields: Any = {"labels": [HOSTILE], "tags": [HOSTILE], "long_description": HOSTILE}
    if verdict == "fail":
        fields["short_description"] = HOSTILE + "\u202e\x1b[31m"
    repo = made.repo(tmp_path / HOSTILE.replace("/", "∕"), Gain(), **fields)
    file = page_of(repo, tmp_path / "report")
    with opened(browser, file) as watched:
        plays(watched)
        assert "onerror=alert(1)" in watched.page.inner_text("main")
        assert watched.page.evaluate("document.querySelectorAll('style').length") == 1
        assert watched.page.evaluate("[...document.querySelectorAll('*')].every(one => !one.hasAttribute('onerror'))")
        watched.fits()
        watched.shoot(f"hostile-{verdict}")
        assert watched.serious() == []
        watched.is_quiet()


def test_the_author_hears_their_own_clip(browser: Browser, tmp_path: Path) -> None:
    import numpy as np
    import soundfile

    clip = tmp_path / "<b>mine<b>.wav"
    soundfile.write(clip, 0.3 * np.sin(np.arange(44100 * 2) / 20), 44100)
    file = page_of(ROOT / "examples" / "stereo-widener", tmp_path / "report", "--listen", str(clip))
    with opened(browser, file) as watched:
        assert watched.page.locator(".clip h3").first.inner_text() == "<b>mine<b>.wav"
        plays(watched)
        watched.is_quiet()


PAYLOADS = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg onload=alert(1)><iframe src=javascript:alert(1)></iframe>",
    "</pre></code></td></table></main><script>alert(1)</script>",
    "</style></title><script>alert(1)</script><!--",
    "\" onmouseover=alert(1) autofocus onfocus=alert(1) x=\"' onload='alert(1)",
    "javascript:alert(1)",
    "<meta http-equiv=refresh content='0;url=https://evil.example'><base href=//evil.example>",
    "<link rel=stylesheet href=//evil.example/x.css><style>@import '//evil.example'</style>",
    "{{7*7}}{% for x in y %}<b>&lt;script&gt;alert(1)&lt;/script&gt;\ud800\u202e\x1b[31m",
)


@pytest.mark.parametrize("payload", PAYLOADS, ids=range(len(PAYLOADS)))
def test_a_report_full_of_a_payload_runs_and_loads_nothing(browser: Browser, tmp_path: Path, payload: str) -> None:
    shown = [page.render(hostile(text)) for text in (payload, "x")]
    files = [tmp_path / "hostile.html", tmp_path / "plain.html"]
    for file, text in zip(files, shown):
        file.write_text(text, "utf-8")
    tags = "[...new Set([...document.querySelectorAll('*')].map(one => one.tagName))].sort()"
    found = []
    for file in files:
        with opened(browser, file) as watched:
            watched.page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
            watched.page.mouse.move(300, 300)
            watched.fits()
            watched.is_quiet()
            found.append(set(watched.page.evaluate(tags)))
    assert found[0] <= found[1] | {"BR", "DETAILS", "SUMMARY", "PRE"}
