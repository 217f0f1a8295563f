"""Torch 1.9.0 and the reader, asked the same: what both take has the same operators by both."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any, Dict, Optional

from audacitorch.archive.schemas import effective
from audacitorch.facts import Archive
from audacitorch.trial.compiled import is_implied
from tests.fuzz.targets import read

SERVER = Path(__file__).with_name("torch_server.py")


class Mismatch(Exception):
    """Torch compiled operators that the reader did not see, or wrote a file although the reader saw none opened."""


class Differential:
    """A server with Torch 1.9.0, and how many archives came how far."""

    def __init__(self, python: str, progress: Optional[Path] = None) -> None:
        """``progress``: a file that says how far it came; atheris ends its process without a farewell."""
        self._progress = progress
        self._server = subprocess.Popen([python, str(SERVER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.accepted = self.loaded = self.died = 0

    def close(self) -> None:
        assert self._server.stdin is not None
        self._server.stdin.close()
        self._server.wait()

    def __call__(self, data: bytes) -> None:
        """Compare the two.

        Raises:
            Mismatch: they differ.
        """
        archive = read(data)
        if not is_accepted(archive):
            return
        self.accepted += 1
        self._compare(archive, self._ask(data))
        if self._progress is not None:
            self._progress.write_text(self.counts())

    def counts(self) -> str:
        """How many archives came how far, for people."""
        return f"{self.accepted:,} accepted by the reader, {self.loaded:,} of them loaded by Torch"

    def _ask(self, data: bytes) -> Dict[str, Any]:
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.write(len(data).to_bytes(8, "little") + data)
        self._server.stdin.flush()
        said: Dict[str, Any] = json.loads(self._server.stdout.readline())
        return said

    def _compare(self, archive: Archive, said: Dict[str, Any]) -> None:
        self.died += "died" in said
        self.loaded += "operators" in said
        seen = {call.operator for call in archive.calls}
        seen |= {effective(operator, archive.format_version) for operator in seen}
        hidden = {name for name in said.get("operators", ()) if not is_implied(name)} - seen
        if hidden:
            raise Mismatch(f"Torch compiled {', '.join(sorted(hidden))}")
        if said["written"] and not seen & {"aten::save", "aten::from_file"}:
            raise Mismatch(f"Torch wrote {', '.join(said['written'])}")


def is_accepted(archive: Archive) -> bool:
    """Whether the reader has nothing to say against the archive's form."""
    return archive.kind == "torchscript" and not (archive.detail or archive.unsafe or archive.code_problems)
