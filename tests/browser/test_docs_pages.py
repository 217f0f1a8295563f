"""The documentation's site in a browser: no serious fault for people who see, hear or point otherwise."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Iterator

import pytest

from tests.test_docs_site import built_site

from .pages import ROOT, chromium, opened

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = [pytest.mark.browser, pytest.mark.slow]

NAMES = sorted(page.stem for page in (ROOT / "docs").glob("*.md"))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built_site(tmp_path_factory.mktemp("site"))


@pytest.mark.parametrize("name", NAMES)
def test_a_page_has_no_serious_fault(browser: Browser, site: Path, name: str) -> None:
    with opened(browser, site / f"{name}.html") as desk:
        assert desk.serious() == []
    with opened(browser, site / f"{name}.html", phone=True, dark=True) as phone:
        assert phone.serious() == []
        phone.fits()
