"""The worker in a container: for anybody with an engine and no Torch 1.9.0, and the same worker as everywhere.

The container has no network, no capabilities, no environment and nothing of this machine but model.pt, read only;
inside, the worker puts up its own walls as it does in a process. The connection to the engine carries the worker's
three streams; :mod:`audacitorch.trial.warden` ends the container when that connection does.
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import stat
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Dict, Iterator, Optional

from audacitorch.trial.engine import connect, get_image, image_name, reason
from audacitorch.trial.link import Event, TrialUnavailable, Worker
from audacitorch.trial.plan import Plan
from audacitorch.version import __version__

#: Every container of ours has this label, with the version as its value.
LABEL = "org.audacitorch.worker"
#: And this one, with the process that waits for it.
PARENT_LABEL = "org.audacitorch.parent"

#: Where the model lies in the container.
_MODEL = "/model/model.pt"
#: Torch itself, and what it maps, beside what the model may take.
_OWN_BYTES = 2 << 30
_PROCESSES = 512
_SEND_SECONDS = 60.0
_REMOVAL_SECONDS = 15.0
_HEADER_BYTES = 8
_STDOUT, _STDERR = 1, 2
_KILLED = -9


class ContainerWorker(Worker):
    """A worker in a container of its own, which is made when the orders are there: they hold its limits."""

    def __init__(self, scratch: str) -> None:
        """Find the engine and the image.

        Raises:
            TrialUnavailable: there is no engine, or the image can't be had.
        """
        super().__init__()
        self._scratch = scratch
        self._engine = connect()
        self._container: Optional[str] = None
        self._stream: Any = None
        self._received = bytearray()
        self._status: Optional[int] = None
        try:
            get_image(self._engine, image_name())
        except BaseException:
            self._engine.close()
            raise

    def begin(self, plan: Plan) -> None:
        """Start the container with the model of ``plan``, and give the worker in it its orders.

        Raises:
            TrialUnavailable: the engine does not start it.
        """
        from docker.errors import DockerException
        from requests.exceptions import RequestException

        model = self._readable_by_all(Path(plan.model))
        try:
            self._container = self._create(model, plan.memory_bytes)
            streams = {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
            self._stream = self._engine.attach_socket(self._container, params=streams)
            self._engine.start(self._container)
        except (DockerException, RequestException) as error:
            raise TrialUnavailable(f"the engine does not start a container: {reason(error)}") from error
        super().begin(replace(plan, model=_MODEL))

    def _readable_by_all(self, model: Path) -> Path:
        """The model, or a copy of it where only this user may read it: in the container is another user."""
        try:
            if model.stat().st_mode & stat.S_IROTH:
                return model
            copy = Path(self._scratch, "model.pt")
            shutil.copyfile(model, copy)
            copy.chmod(0o444)
        except OSError as error:
            raise TrialUnavailable(f"the model can't be given to a container: {error.strerror}") from error
        return copy

    def _create(self, model: Path, memory_bytes: int) -> str:
        from docker.types import LogConfig, Mount

        limit = memory_bytes + _OWN_BYTES
        host = self._engine.create_host_config(
            network_mode="none",
            read_only=True,
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            mem_limit=limit,
            memswap_limit=limit,
            pids_limit=_PROCESSES,
            ipc_mode="none",
            auto_remove=True,
            log_config=LogConfig(type="none"),
            mounts=[Mount(_MODEL, str(model), type="bind", read_only=True)],
            tmpfs={"/tmp": "rw,noexec,nosuid,nodev,size=16m"},  # noqa: S108  # the container's own
        )
        created: Dict[str, str] = self._engine.create_container(
            image_name(),
            name=f"audacitorch-{secrets.token_hex(6)}",
            labels={LABEL: __version__, PARENT_LABEL: str(os.getpid())},
            entrypoint=["python", "-I", "-m", "audacitorch.trial.warden"],
            command=[],
            environment={"AUDACITORCH_CONTAINER": "1"},
            stdin_open=True,
            network_disabled=True,
            use_config_proxy=False,
            host_config=host,
        )
        return created["Id"]

    def send(self, data: bytes) -> None:
        """Write to the worker; a worker that has ended already says so through :meth:`events`."""
        if self._stream is None:
            return
        connection = _connection(self._stream)
        connection.settimeout(_SEND_SECONDS)
        with suppress(OSError):
            connection.sendall(data)

    def events(self) -> Iterator[Event]:
        """The worker's events with their payloads, as they come, until it closes its output.

        Raises:
            OutOfTime: the deadline has passed; the worker is gone then.
            TrialUnavailable: what came is not an event.
        """
        for event, payloads in super().events():
            if event["event"] == "ended":
                self._status, self.peak_memory_bytes = event["status"], event["peak_memory_bytes"]
            else:
                yield event, payloads

    def _read(self, seconds: Optional[float]) -> Optional[bytes]:
        if self._stream is None:
            return None
        connection = _connection(self._stream)
        connection.settimeout(None if seconds is None else max(seconds, 0.001))
        try:
            chunk = connection.recv(1 << 18)
        except (socket.timeout, TimeoutError) as error:
            raise TimeoutError from error
        except OSError:
            return None
        if not chunk:
            return None
        self._received += chunk
        return b"".join(self._frames())

    def _frames(self) -> Iterator[bytes]:
        """What of standard output has come whole; the engine sends both outputs in frames that say which."""
        while len(self._received) >= _HEADER_BYTES:
            end = _HEADER_BYTES + int.from_bytes(self._received[4:_HEADER_BYTES], "big")
            if len(self._received) < end:
                return
            frame = bytes(self._received[_HEADER_BYTES:end])
            if self._received[0] == _STDOUT:
                yield frame
            elif self._received[0] == _STDERR:
                self._keep_stderr(frame)
            del self._received[:end]

    def wait(self) -> int:
        """The exit status once the worker's output has ended: negative for a signal, as in :mod:`subprocess`.

        Raises:
            TrialUnavailable: it did not end by itself: somebody or something ended the container.
        """
        if self._status is not None:
            return self._status
        if self.ended_by_us:
            return _KILLED
        lines = self.stderr.strip().splitlines()
        raise TrialUnavailable(f"the container was ended from outside{': ' + lines[-1] if lines else ''}")

    def kill(self) -> None:
        """Remove the container; nothing happens when it has gone. It is gone when this returns."""
        from docker.errors import DockerException, NotFound
        from requests.exceptions import RequestException

        stream, self._stream = self._stream, None
        container, self._container = self._container, None
        if stream is not None:
            self.ended_by_us = self._status is None
            stream.close()
        if container is None:
            self._engine.close()
            return
        end = time.monotonic() + _REMOVAL_SECONDS
        while time.monotonic() < end:
            try:
                self._engine.remove_container(container, force=True)
            except NotFound:
                break
            except (DockerException, RequestException):  # the engine is removing it already
                time.sleep(0.02)
        self._engine.close()


def _connection(stream: Any) -> Any:
    """The socket below what docker-py hands out, which is another type for each way to the engine."""
    return getattr(stream, "_sock", stream)
