"""Parts of the container sandbox that need no engine."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from typing import Any, Dict, List

import pytest

from audacitorch.trial import sandbox, supervisor
from audacitorch.trial.container import DEFAULT_IMAGE, image_name, name_and_tag, run_command
from audacitorch.version import __version__


def test_the_image_is_this_versions_unless_another_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AUDACITORCH_IMAGE", raising=False)
    assert image_name() == DEFAULT_IMAGE == f"ghcr.io/audacitorch/action:v{__version__}"
    monkeypatch.setenv("AUDACITORCH_IMAGE", "mine:1")
    assert image_name() == "mine:1"


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("python", ("python", "latest")),
        ("ghcr.io/a/b:v1", ("ghcr.io/a/b", "v1")),
        ("localhost:5000/a", ("localhost:5000/a", "latest")),
        ("ghcr.io/a/b@sha256:12", ("ghcr.io/a/b", "sha256:12")),
    ],
)
def test_an_image_is_pulled_by_one_tag(name: str, parts: Any) -> None:
    assert name_and_tag(name) == parts


def test_a_container_gets_no_more_than_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUDACITORCH_IMAGE", "mine:1")
    command = run_command("name", '/models/a,b "c"/model.pt', 1 << 30)
    assert command[:5] == ["docker", "run", "--rm", "--interactive", "--read-only"]
    assert {"--network=none", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--memory=1073741824b"} <= set(
        command
    )
    (mount,) = [option for option in command if option.startswith("--mount=")]
    assert mount == '--mount=type=bind,"source=/models/a,b ""c""/model.pt",target=/model/model.pt,readonly'
    assert command[command.index("mine:1") + 1 :] == ["-I", "-m", "audacitorch.trial.supervisor"]


def test_nothing_is_around_outside_of_the_image(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(sandbox.CONTAINER_MARK, raising=False)
    assert sandbox.container_info() == {}


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="measured in /proc")
def test_a_claim_alone_is_shown_for_what_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(sandbox.CONTAINER_MARK, "1")
    around = sandbox.container_info()["container"]
    assert around["user"] == os.getuid()
    assert around["read_only"] is bool(os.statvfs("/").f_flag & os.ST_RDONLY)


def run_supervisor(program: str, orders: bytes, monkeypatch_code: str = "") -> List[Dict[str, Any]]:
    """What a supervisor writes whose worker is ``program``."""
    code = (
        "from audacitorch.trial import supervisor\n"
        f"supervisor.worker_command = lambda python, model: [python, '-c', {program!r}]\n"
        f"{monkeypatch_code}\nsupervisor.main()"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(orders)
        process.stdin.flush()
        told = [json.loads(line) for line in process.stdout]
        process.stdin.close()
    return told


PLAN = b'{"seconds": 5}\n'


def test_the_supervisor_hands_on_orders_and_tells_how_it_ended() -> None:
    ended = run_supervisor("import sys; line = sys.stdin.readline(); print(line, end=''); sys.exit(7)", PLAN)
    assert ended[0] == {"seconds": 5}
    assert (ended[1]["event"], ended[1]["status"]) == ("ended", 7)
    assert ended[1]["peak_memory_bytes"] > 1 << 20


def test_the_supervisor_tells_a_signal() -> None:
    assert run_supervisor("import os; os.abort()", PLAN)[-1]["status"] == -6


def test_the_supervisor_ends_a_worker_that_outruns_its_orders() -> None:
    patience = "supervisor.EXTRA_SECONDS = 0.2"
    assert run_supervisor("import time; time.sleep(60)", b'{"seconds": 0.3}\n', patience)[-1]["status"] == -9


def test_the_supervisor_ends_a_worker_that_gets_no_orders() -> None:
    assert run_supervisor("import time; time.sleep(60)", b"", "supervisor.IDLE_SECONDS = 0.3")[-1]["status"] == -9


def test_the_supervisor_ends_the_worker_when_its_input_ends() -> None:
    command = [sys.executable, "-c", "from audacitorch.trial import supervisor; supervisor.main()"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=30)
    assert json.loads(done.stdout.splitlines()[-1])["status"] == -9
    assert supervisor.IDLE_SECONDS > 600


def test_the_supervisor_ends_a_worker_that_reads_no_more_when_its_input_ends() -> None:
    """The next block waits in the pipe while the model computes for ever, and the program is gone."""
    deaf = "lambda python, model: [python, '-c', 'import time; time.sleep(600)']"
    code = f"from audacitorch.trial import supervisor; supervisor.worker_command = {deaf}; supervisor.main()"
    block = b'{"seconds": 600}\n' + bytes(4 << 20)
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        os.set_blocking(process.stdin.fileno(), False)
        os.write(process.stdin.fileno(), block)  # as much as the pipes take
        with contextlib.suppress(BlockingIOError):
            time.sleep(1.0)
            os.write(process.stdin.fileno(), block)
        output, _ = process.communicate(timeout=60)
    assert json.loads(output.splitlines()[-1])["status"] == -9
