"""The documentation builds as a site, strictly: no broken link, no forgotten page, no other server asked."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MKDOCS = ROOT / ".venv" / "tools" / "bin" / "mkdocs"

pytestmark = pytest.mark.slow


def built_site(folder: Path) -> Path:
    """The site in a folder; the test is skipped where mkdocs is not installed."""
    if not MKDOCS.is_file():
        pytest.skip("mkdocs is not installed: scripts/setup --dev does so")
    command = [str(MKDOCS), "build", "--strict", "--quiet", "--site-dir", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built_site(tmp_path_factory.mktemp("site"))


def test_every_page_is_in_the_navigation(site: Path) -> None:
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    missing = [page.name for page in (ROOT / "docs").glob("*.md") if f": {page.name}\n" not in navigation]
    assert missing == []


def test_the_api_reference_shows_shapes_and_errors(site: Path) -> None:
    page = (site / "api.html").read_text(encoding="utf-8")
    for words in ("WaveformToLabelsBase", "save_model", "root_dir", "(channels, samples)", "ValueError"):
        assert words in page


def test_no_page_asks_another_server_for_anything(site: Path) -> None:
    loaded = re.compile(
        r"<(?:script|img|iframe|source)[^>]+src=\"(https?:)?//|<link[^>]+rel=\"stylesheet\"[^>]+href=\"https?:"
    )
    foreign = {
        page.name: found[0]
        for page in site.glob("*.html")
        for found in [loaded.search(page.read_text(encoding="utf-8"))]
        if found is not None
    }
    assert foreign == {}
