"""The walls hold: everything that a stranger's model could reach for is tried for real in a locked-down process."""

import json
import os
import platform
import socket
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from audacitorch.trial.seccomp import ALLOWED, CONDITIONAL, MISSING, NUMBERS, call_filter

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux") or platform.machine() not in ("x86_64", "aarch64"),
    reason="the walls are Linux's",
)

ATTEMPTS = textwrap.dedent(
    """
    import json, os, resource, signal, socket, sys, threading
    from audacitorch.trial import sandbox
    parent, secret, scratch, port = int(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
    mine = os.path.join(scratch, "mine")
    gauge = sandbox.MemoryGauge()
    in_force = sandbox.put_up_walls([sys.argv[5]])
    in_force["rlimits"] = sandbox.set_limits(sandbox.Limits(memory_bytes=1 << 28), gauge)
    result = {}

    def attempt(name, action):
        try:
            action()
            result[name] = "done"
        except MemoryError:
            result[name] = "MemoryError"
        except (OSError, ValueError) as error:
            result[name] = str(error)

    attempt("read allowed", lambda: open(sys.argv[5], "rb").read())
    attempt("read secret", lambda: open(secret))
    attempt("list folder", lambda: os.listdir("/"))
    attempt("write scratch", lambda: open(mine, "w"))
    attempt("write allowed", lambda: open(sys.argv[5], "r+"))
    attempt("append", lambda: open(secret, "a"))
    attempt("truncate", lambda: os.truncate(secret, 0))
    attempt("rename", lambda: os.rename(secret, secret + "2"))
    attempt("remove", lambda: os.remove(secret))
    attempt("chmod", lambda: os.chmod(secret, 0o777))
    attempt("link", lambda: os.symlink(secret, mine))
    attempt("make folder", lambda: os.mkdir(mine))
    attempt("times", lambda: os.utime(secret))
    attempt("inet", lambda: socket.create_connection(("127.0.0.1", port), 2))
    attempt("unix", lambda: socket.socket(socket.AF_UNIX))
    attempt("fork", os.fork)
    attempt("exec", lambda: os.execv("/bin/true", ["true"]))
    attempt("kill parent", lambda: os.kill(parent, 0))
    attempt("kill all", lambda: os.kill(-1, 0))
    attempt("session", os.setsid)
    attempt("priority", lambda: os.setpriority(os.PRIO_PROCESS, parent, 5))
    attempt("memory", lambda: bytearray(1 << 31))
    attempt("raise limit", lambda: resource.setrlimit(resource.RLIMIT_CORE, (1, 1)))
    thread = threading.Thread(target=lambda: attempt("read secret in a thread", lambda: open(secret)))
    thread.start()
    thread.join()
    print(json.dumps([in_force, result]))
    """
)


@pytest.fixture(scope="module")
def attempts(tmp_path_factory: pytest.TempPathFactory) -> Any:
    scratch = tmp_path_factory.mktemp("scratch")
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    secret, allowed = elsewhere / "secret", elsewhere / "model"
    secret.write_text("secret")
    allowed.write_text("model")
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        arguments = [str(value) for value in (os.getpid(), secret, scratch)]
        done = subprocess.run(
            [sys.executable, "-c", ATTEMPTS, *arguments, str(server.getsockname()[1]), str(allowed)],
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert done.returncode == 0, done.stderr
    in_force, result = json.loads(done.stdout)
    assert secret.read_text() == "secret"
    assert list(scratch.iterdir()) == []
    return in_force, result


def test_everything_is_in_force_on_this_kernel(attempts: Any) -> None:
    in_force, _ = attempts
    assert in_force["seccomp"] is True
    assert in_force["no_new_privileges"] is True
    assert in_force["network"] == "none"


def test_what_is_allowed_can_be_read(attempts: Any) -> None:
    assert attempts[1]["read allowed"] == "done"


REFUSED = """write scratch|write allowed|append|truncate|rename|remove|chmod|link|make folder|times|inet|unix|fork|exec
kill parent|kill all|session|priority|raise limit|memory""".replace("\n", "|").split("|")


@pytest.mark.parametrize("attempt", REFUSED)
def test_the_sandbox_refuses_to(attempts: Any, attempt: Any) -> None:
    assert attempts[1][attempt] != "done"


@pytest.mark.parametrize("attempt", ["read secret", "read secret in a thread", "list folder"])
def test_landlock_hides_other_files(attempts: Any, attempt: str) -> None:
    in_force, result = attempts
    if in_force["landlock"] is None:
        pytest.skip("this kernel has no Landlock")
    assert result[attempt] != "done"


def test_an_unknown_machine_has_no_filter() -> None:
    assert call_filter("riscv64", 1) is None


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_every_jump_of_the_filter_stays_inside(machine: str) -> None:
    program = call_filter(machine, 1)
    assert program is not None
    instructions = [program[i : i + 8] for i in range(0, len(program), 8)]
    assert len(instructions) < 4096
    for position, instruction in enumerate(instructions):
        assert position + 1 + max(instruction[2], instruction[3]) < len(instructions) + (instruction[0] == 0x06)


def test_nothing_that_reaches_others_is_allowed() -> None:
    reaching = {"socket", "connect", "fork", "vfork", "execve", "ptrace", "kill", "tkill", "mount", "unlink", "rename"}
    assert not reaching & set(NUMBERS)
    assert not set(ALLOWED) & set(CONDITIONAL + MISSING)


def test_every_thread_of_a_worker_is_locked_in_during_a_pass(tmp_path: Path) -> None:
    """Importing torch starts threads, and computing starts more: none of them is outside."""
    import time

    torch = pytest.importorskip("torch")
    from audacitorch.trial.plan import Plan, PlannedPass
    from audacitorch.trial.protocol import Begin
    from audacitorch.trial.starters import worker_starter
    from tests.trial import modules

    model = tmp_path / "model.pt"
    torch.jit.script(modules.MultipliesForEver().eval()).save(str(model))
    plan = Plan(str(model), "waveform-to-waveform", 44100, False, passes=(PlannedPass("length", "noise", 2048),))
    with worker_starter("process")(str(tmp_path), str(model)) as worker:
        worker.begin(plan)
        for event in worker.events():
            if isinstance(event, Begin):
                break
        tasks = Path(f"/proc/{worker._process.pid}/task")
        end = time.monotonic() + 30
        while len(list(tasks.iterdir())) < 2 and time.monotonic() < end:
            time.sleep(0.05)
        states = [(task / "status").read_text() for task in tasks.iterdir()]
    assert len(states) >= 2
    assert [state for state in states if "Seccomp:\t2" not in state or "NoNewPrivs:\t1" not in state] == []


def test_a_machine_without_walls_runs_nothing() -> None:
    from audacitorch.trial import sandbox

    open_ = {"landlock": None, "seccomp": False, "threads_without_walls": 0}
    assert sandbox.missing_walls(open_) == ["Landlock", "seccomp"]
    walled = {"landlock": 7, "seccomp": True, "threads_without_walls": 0}
    assert sandbox.missing_walls(walled) == []
    assert sandbox.missing_walls({**walled, "threads_without_walls": 1}) == ["walls around every thread"]
    container = {"read_only": True, "capabilities": 0}
    assert sandbox.missing_walls({**walled, "landlock": None, "container": container}) == []


def test_a_worker_that_can_not_be_locked_in_refuses(tmp_path: Path) -> None:
    from audacitorch.trial.child import ChildProcess, worker_environment
    from audacitorch.trial.process import Worker
    from audacitorch.trial.protocol import TrialUnavailable
    from audacitorch.trial.starters import torch_python

    program = (
        "import sys; from audacitorch.trial import sandbox, worker; "
        "sandbox._restrict_files = lambda *_: None; worker.main()"
    )
    command = [str(torch_python()), "-c", program, "root", "model.pt", "walls"]
    worker = Worker(ChildProcess(command, str(tmp_path), worker_environment("/")))
    with worker, pytest.raises(TrialUnavailable, match=r"no Landlock.*--sandbox container.*--sandbox none"):
        list(worker.events())
