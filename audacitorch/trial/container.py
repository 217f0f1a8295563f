"""The worker in a container: for anybody with an engine and no Torch 1.9.0, and the same worker as everywhere.

The container has no network, no capabilities, no environment and nothing of this machine but model.pt, read only;
inside, the worker puts up its own walls as it does in a process. `docker run` carries the worker's three streams; when
it or this program goes, :mod:`audacitorch.trial.supervisor` ends the container. Images and cleaning up are the work of
Python's package docker.
"""

from __future__ import annotations

import csv
import io
import json
import os
import secrets
import shutil
import stat
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, List, Optional, Tuple

from audacitorch.trial.child import ChildProcess
from audacitorch.trial.plan import Plan
from audacitorch.trial.process import Worker
from audacitorch.trial.protocol import Ended, Event, TrialUnavailable
from audacitorch.trial.supervisor import MODEL
from audacitorch.version import IMAGE, __version__

DEFAULT_IMAGE = IMAGE
#: Every container of ours has this label, with the version as its value.
LABEL = "org.audacitorch.worker"
#: And this one, with the process that waits for it.
PARENT_LABEL = "org.audacitorch.parent"

#: Torch itself, and what it maps, beside what the model may take.
_OWN_BYTES = 2 << 30
_PROCESSES = 512
_ENGINE_SECONDS = 60
_REMOVAL_SECONDS = 15.0
_KILLED = -9
#: What of the environment leads to the engine.
_ENGINE_VARIABLES = ("PATH", "DOCKER_HOST", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH", "DOCKER_API_VERSION")


class ContainerWorker(Worker):
    """A worker in a container of its own, which is made when the plan is there: it holds the container's limits."""

    def __init__(self, scratch: str, model: str) -> None:
        """Find the engine and the image.

        Raises:
            TrialUnavailable: there is no engine, or the image is not available.
        """
        super().__init__()
        self._scratch = scratch
        self._model = Path(model)
        self._name: Optional[str] = None
        self._status: Optional[int] = None
        self._engine = connect()
        try:
            get_image(self._engine, image_name())
        except BaseException:
            self._engine.close()
            raise

    def begin(self, plan: Plan) -> None:
        """Start the container with the model, and give the worker in it its plan.

        Raises:
            TrialUnavailable: the program `docker` can't be started, or the model can't be handed over.
        """
        model = self._readable_by_all()
        self._name = f"audacitorch-{secrets.token_hex(6)}"
        # An empty configuration: the user's may put proxies, and with them passwords, into each container.
        environment = {name: os.environ[name] for name in _ENGINE_VARIABLES if name in os.environ}
        command = run_command(self._name, str(model), plan.memory_bytes + _OWN_BYTES)
        environment.update(DOCKER_CONFIG=self._scratch, HOME=self._scratch)
        self.attach(ChildProcess(command, self._scratch, environment))
        super().begin(replace(plan, model=MODEL))

    def _readable_by_all(self) -> Path:
        """The model, or a copy of it where only this user may read it: in the container is another user."""
        try:
            if self._model.stat().st_mode & stat.S_IROTH:
                return self._model.absolute()
            copy = Path(self._scratch, "model.pt")
            shutil.copyfile(self._model, copy)
            copy.chmod(0o444)
        except OSError as error:
            raise TrialUnavailable(f"The model can't be given to a container: {error.strerror}.") from error
        return copy

    def _heed(self, event: Event) -> None:
        super()._heed(event)
        if isinstance(event, Ended):
            self._status, self.peak_memory_bytes = event.status, event.peak_memory_bytes

    def wait(self) -> int:
        """The worker's exit status once its output has ended: negative for a signal.

        Raises:
            TrialUnavailable: the container did not start, or somebody or something else ended it.
        """
        super().wait()
        if self._status is not None:
            return self._status
        if self.ended_by_us:
            return _KILLED
        lines = self._lines()
        reason = f": {lines[-1]}" if lines else ""
        raise TrialUnavailable(f"The container did not start, or was ended from outside{reason}")

    def last_words(self) -> str:
        """The last line of standard error that says what happened."""
        lines = self._lines()
        return lines[-1] if lines else super().last_words()

    def _lines(self) -> List[str]:
        """Standard error without the lines in which the client explains its own use."""
        lines = self.stderr.strip().splitlines()
        usage = ("Usage:", "See 'docker", "Run 'docker")
        return [line for line in lines if line.strip() and not line.startswith(usage)]

    def kill(self) -> None:
        """Remove the container; nothing happens when it has gone. It is gone when this returns."""
        from docker.errors import DockerException, NotFound
        from requests.exceptions import RequestException

        super().kill()
        name, self._name = self._name, None
        end = time.monotonic() + _REMOVAL_SECONDS
        while name is not None and time.monotonic() < end:
            try:
                self._engine.remove_container(name, force=True)
            except NotFound:
                break
            except (DockerException, RequestException):  # the engine is removing it already
                time.sleep(0.02)
        self._engine.close()


def run_command(name: str, model: str, memory_bytes: int) -> List[str]:
    """The `docker run` that starts the supervisor with a worker, and nothing but the model of this machine."""
    mount = io.StringIO()  # as CSV, because a path may hold commas
    csv.writer(mount, lineterminator="").writerow(["type=bind", f"source={model}", f"target={MODEL}", "readonly"])
    options = {
        "name": name,
        "label": [f"{LABEL}={__version__}", f"{PARENT_LABEL}={os.getpid()}"],
        "pull": "never",
        "network": "none",
        "cap-drop": "ALL",
        "security-opt": "no-new-privileges",
        "memory": f"{memory_bytes}b",
        "memory-swap": f"{memory_bytes}b",
        "pids-limit": str(_PROCESSES),
        "ipc": "none",
        "log-driver": "none",
        "mount": mount.getvalue(),
        "tmpfs": "/tmp:rw,noexec,nosuid,nodev,size=16m",  # noqa: S108  # the container's own
        "env": "AUDACITORCH_CONTAINER=1",
        "entrypoint": "python",
    }
    flags = [
        f"--{option}={value}"
        for option, values in options.items()
        for value in (values if isinstance(values, list) else [values])
    ]
    supervisor = ["-I", "-m", "audacitorch.trial.supervisor"]
    return ["docker", "run", "--rm", "--interactive", "--read-only", *flags, image_name(), *supervisor]


def image_name() -> str:
    """The image that models run in: ``$AUDACITORCH_IMAGE``, or the one that was published with this version."""
    return os.environ.get("AUDACITORCH_IMAGE") or DEFAULT_IMAGE


def connect() -> Any:
    """A client of the engine that ``DOCKER_HOST`` and the like name.

    Raises:
        TrialUnavailable: no engine answers, or Python's package docker is missing.
    """
    try:
        import docker
        from docker.utils import kwargs_from_env
    except ImportError as error:
        raise TrialUnavailable("The container sandbox needs Python's package docker: pip install docker") from error
    from requests.exceptions import RequestException

    try:
        return docker.APIClient(version="auto", timeout=_ENGINE_SECONDS, **kwargs_from_env())
    except (docker.errors.DockerException, RequestException) as error:
        raise TrialUnavailable(f"No Docker engine answers: {reason(error)}.") from error


def get_image(engine: Any, name: str) -> None:
    """Make sure that the image is here and of this version: another's worker may speak otherwise.

    Raises:
        TrialUnavailable: it is not available, or is of another version.
    """
    from docker.errors import DockerException, ImageNotFound
    from requests.exceptions import RequestException

    try:
        try:
            image = engine.inspect_image(name)
        except ImageNotFound:
            repository, tag = name_and_tag(name)
            engine.pull(repository, tag)
            image = engine.inspect_image(name)
    except (DockerException, RequestException) as error:
        raise TrialUnavailable(
            f"The image {name} is not here and can't be pulled ({reason(error)}). Build it in a checkout with "
            f"`docker build -t {name} .`, or name another in AUDACITORCH_IMAGE."
        ) from error
    version = (image["Config"].get("Labels") or {}).get("org.opencontainers.image.version")
    if version != __version__:
        raise TrialUnavailable(f"The image {name} is of audacitorch {version}, expected {__version__}.")


def name_and_tag(name: str) -> Tuple[str, Optional[str]]:
    """An image's name as the engine's pull takes it: without a tag it would pull all of them."""
    if "@" in name:
        repository, _, digest = name.partition("@")
        return repository, digest
    place, _, last = name.rpartition("/")
    base, _, tag = last.partition(":")
    return f"{place}/{base}" if place else base, tag or "latest"


def reason(error: Exception) -> str:
    """An error of the engine's or of the way to it, as a clause."""
    text = str(getattr(error, "explanation", None) or error)
    with suppress(ValueError, TypeError, KeyError):
        text = json.loads(text)["message"]
    return " ".join(text.split())[:300].rstrip(".")
