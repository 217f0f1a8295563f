"""A page as a person has it, in Debian's Chromium: opened, watched for what it must not do, and used."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any, Dict, Iterator, List, Union

from tests.needs import browser_program

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Dialog, Page

ROOT = Path(__file__).resolve().parents[2]
OUTPUT = Path(os.environ.get("AUDACITORCH_TEST_OUTPUT") or ROOT / "build" / "browser")
PHONE = {"width": 420, "height": 900}
DESK = {"width": 1180, "height": 900}
#: Findings of axe-core that keep people from using a page.
_SERIOUS = ("serious", "critical")
_WATCH = """
window.violations = [];
document.addEventListener("securitypolicyviolation", event => window.violations.push(event.violatedDirective));
"""


@dataclass
class Watched:
    """A page, and what it asked for or complained about."""

    page: Page
    requests: List[str] = field(default_factory=list)
    messages: List[str] = field(default_factory=list)
    dialogs: List[str] = field(default_factory=list)

    def dismiss(self, dialog: Dialog) -> None:
        """Note what a script wanted to say, and go on."""
        self.dialogs.append(dialog.message)
        dialog.dismiss()

    def is_quiet(self, site: str = "file:", scripts: int = 0) -> None:
        """Nothing was loaded from elsewhere, no policy was broken, no other script ran, and nothing was said."""
        assert [url for url in self.requests if not url.startswith((site, "data:"))] == []
        assert self.page.evaluate("window.violations") == []
        assert self.messages == []
        assert self.dialogs == []
        assert self.page.evaluate("document.scripts.length") == scripts

    def fits(self) -> None:
        """Nothing lies beyond the right edge."""
        assert self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0

    def serious(self) -> List[str]:
        """What axe-core finds that is serious or critical."""
        from axe_playwright_python.sync_playwright import Axe

        found: List[Dict[str, Any]] = Axe().run(self.page).response["violations"]
        return [
            f"{rule['id']}: {node['html'][:200]}: {node.get('failureSummary', '')}"
            for rule in found
            if rule["impact"] in _SERIOUS
            for node in rule["nodes"]
        ]

    def shoot(self, name: str) -> Path:
        """A screenshot of the whole page."""
        OUTPUT.mkdir(parents=True, exist_ok=True)
        place = OUTPUT / f"{name}.png"
        self.page.screenshot(path=str(place), full_page=True)
        return place

    def eventually(self, script: str, seconds: float = 15.0) -> bool:
        """Whether a script's value becomes true."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.page.evaluate(script):
                return True
            self.page.wait_for_timeout(50)
        return False


@contextmanager
def chromium() -> Iterator[Browser]:
    """Debian's Chromium."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=browser_program(),
            args=["--no-sandbox", "--mute-audio", "--autoplay-policy=no-user-gesture-required"],
        )
        yield browser
        browser.close()


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """A folder by HTTP on loopback, as GitHub Pages serves it; the address ends with a slash."""

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *words: Any) -> None:
            """Nothing is logged."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def opened(
    browser: Browser, page: Union[Path, str], *, dark: bool = False, phone: bool = False, script: bool = True
) -> Iterator[Watched]:
    """A page from a file or an address, in a profile of its own, which may copy; ``script`` lets scripts run."""
    context = browser.new_context(
        viewport=PHONE if phone else DESK,  # type: ignore[arg-type]
        color_scheme="dark" if dark else "light",
        java_script_enabled=script,
        permissions=["clipboard-read", "clipboard-write"],
    )
    context.add_init_script(_WATCH)
    watched = Watched(context.new_page())
    watched.page.on("request", lambda request: watched.requests.append(request.url))
    watched.page.on("console", lambda message: watched.messages.append(message.text))
    watched.page.on("pageerror", lambda error: watched.messages.append(str(error)))
    watched.page.on("dialog", watched.dismiss)
    watched.page.goto(page.as_uri() if isinstance(page, Path) else page)
    yield watched
    context.close()
