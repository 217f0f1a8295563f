"""What holds for all tests: no network, no token, no cache of the user's; and the local Hub as a fixture."""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import tempfile
from typing import Iterator, List

import pytest

# huggingface_hub reads its environment when it is imported, so this comes before anything that may import it.
_HOME = tempfile.mkdtemp(prefix="audacitorch-tests-")
atexit.register(shutil.rmtree, _HOME, ignore_errors=True)
for _name in list(os.environ):
    if _name.upper().endswith("_PROXY") or _name.startswith(("HF_", "HUGGING_FACE_", "HUGGINGFACE_")):
        del os.environ[_name]
os.environ.update(
    HF_HOME=_HOME,
    HF_ENDPOINT="http://127.0.0.1:9",  # nobody listens there
    HF_HUB_DISABLE_TELEMETRY="1",
    HF_HUB_DISABLE_XET="1",
    HF_HUB_DISABLE_PROGRESS_BARS="1",
    NO_PROXY="*",
)

from hypothesis import HealthCheck, settings  # noqa: E402

from audacitorch.hub import Hub  # noqa: E402
from tests.hub import LocalHub  # noqa: E402
from tests.needs import NEEDS, require  # noqa: E402

# A machine that is busy is no failure.
settings.register_profile("tests", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tests")


def pytest_configure() -> None:
    """Let programs that tests start be ended by signals, which nohup and a shell's background have them ignore."""
    for number, handler in ((signal.SIGHUP, signal.SIG_DFL), (signal.SIGINT, signal.default_int_handler)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, handler)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """A marked test is skipped, or fails, where what its marker names is not there."""
    for need in NEEDS:
        if item.get_closest_marker(need) is not None:
            require(need)


@pytest.fixture
def local_hub() -> Iterator[LocalHub]:
    """A Hub of the test's own; it must not have been asked for anything that no Hub has."""
    with LocalHub() as hub:
        yield hub
        assert hub.unexpected == []


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> List[float]:
    """The seconds that our client waited for the Hub, which pass at once."""
    from audacitorch.http import connections

    waited: List[float] = []
    monkeypatch.setattr(connections, "pause", waited.append)
    return waited


@pytest.fixture
def hub_client(local_hub: LocalHub, waits: List[float]) -> Iterator[Hub]:
    """Our client on the local Hub: no token, no patience, no waiting."""
    with Hub(local_hub.url, token=False, timeouts=(2.0, 0.5), tries=3) as client:
        yield client
