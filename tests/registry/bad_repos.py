"""Reading that holds the interpreter's lock, or eats memory, for repos that say so: what a hostile model.pt does.

These run in the processes that read a repo's files, which import them by name.
"""

from __future__ import annotations

import re
import time
from typing import Any, Dict

from audacitorch.registry.examine import Reading, read_files
from audacitorch.registry.jobs import Setting, do


def hostile(reading: Reading, ask: Any) -> Dict[str, Any]:
    """What the real reader does, but for repos whose name says what it does instead."""
    name = str(reading.repo.id)
    if reading.model is not None and "hog" in name:
        re.match(r"(a+)+\Z", "a" * 60 + "b")  # holds the interpreter's lock for years
    if reading.model is not None and "memory" in name:
        _ = [bytearray(1 << 30) for _ in range(1 << 20)]
    if reading.model is not None and "exit" in name:
        import os

        os._exit(9)
    return read_files(reading, ask)


def slow_or_done(job: Any, setting: Setting) -> Dict[str, Any]:
    """A job that hangs if its repo's name says so, else one that fails at once."""
    if "hang" in job.id:
        re.match(r"(a+)+\Z", "a" * 60 + "b")
    if "wait" in job.id:
        time.sleep(600)
    return do(job, setting)
