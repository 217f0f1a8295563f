"""Environments of their own for programs that can't live beside Torch 1.9.0, below the user's cache folder."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Iterator

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "audacitorch"
#: Whether an interpreter is new enough for what needs one, and can make an environment.
_TEST = "import sys, ensurepip, venv; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))"
_DONE = "installed"


def environment(name: str, *requirements: str) -> Path:
    """The ``bin`` folder of an environment that has ``requirements``, made at the first call.

    One whose installation was cut short, or that was made for other requirements, is made anew.
    """
    wanted = hashlib.sha256("\n".join(requirements).encode()).hexdigest()
    folder = CACHE / name
    done = folder / _DONE
    if not done.is_file() or done.read_text(encoding="utf-8") != wanted:
        print(f"Installing {', '.join(map(os.path.basename, requirements))} into {folder}", file=sys.stderr, flush=True)
        subprocess.run([_newer_python(name), "-m", "venv", "--clear", str(folder)], check=True)
        install = [str(folder / "bin" / "python"), "-m", "pip", "--quiet", "--disable-pip-version-check", "install"]
        subprocess.run([*install, *requirements], check=True)
        done.write_text(wanted, encoding="utf-8")
    return folder / "bin"


def _newer_python(name: str) -> str:
    """An interpreter that works: a shim of pyenv may stand on the path for a version that is not chosen."""
    for python in _pythons():
        if subprocess.run([python, "-c", _TEST], capture_output=True, check=False).returncode == 0:
            return python
    sys.exit(f"The environment for {name} needs CPython 3.11 to 3.13, which was not found.")


def _pythons() -> Iterator[str]:
    yield from filter(None, (shutil.which(f"python3.{minor}") for minor in (13, 12, 11)))
    pyenv = Path(os.environ.get("PYENV_ROOT") or "~/.pyenv").expanduser()
    for minor in (13, 12, 11):
        yield from map(str, sorted(pyenv.glob(f"versions/3.{minor}.*/bin/python")))
