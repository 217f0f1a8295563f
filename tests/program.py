"""Running the real program, and looking for what it must not print."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import List

PROGRAM = [sys.executable, "-m", "audacitorch"]
HARMLESS = {"\n"}


def run(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The real program in a process of its own."""
    return subprocess.run(
        [*PROGRAM, *words],
        capture_output=True,
        text=True,
        errors="surrogateescape",
        env={**os.environ, **environment},
        timeout=120,
        check=False,
    )


def raw(text: str) -> List[str]:
    """What a terminal or GitHub's runner would act on."""
    codes = [character for character in text if not character.isprintable() and character not in HARMLESS]
    commands = [line for line in text.splitlines() if line.lstrip().startswith(("::", "##["))]
    return codes + commands
