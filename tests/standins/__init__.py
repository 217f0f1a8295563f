"""Stand-ins for the actions that can't be downloaded where these tests run, and act's options for them.

``actions/checkout`` has none: act copies the folder in its place. What images and Pythons there are, and which versions
of actions are pinned, is read from tests/data/runners.json.
"""

from __future__ import annotations

import glob
import json
import os
import re
import sys
from pathlib import Path
from typing import Any, Dict, List

FOLDER = Path(__file__).parent
RUNNERS_FILE = FOLDER.parent / "data" / "runners.json"
RUNNERS: Dict[str, Any] = json.loads(RUNNERS_FILE.read_text("utf-8"))


def standin_options(*texts: str) -> List[str]:
    """act's options for every action that these workflows use: where its stand-in is, and what it needs to know."""
    text = "\n".join(texts)
    used = sorted(set(re.findall(r"uses: (actions/([\w-]+)@[0-9a-f]{40})", text)))
    options = [f"--local-repository={ref}={FOLDER / name}" for ref, name in used if (FOLDER / name).is_dir()]
    images = sorted(set(re.findall(r"runs-on: (\S+)", text)))
    for image in images:
        options += ["--platform", f"{image}=-self-hosted"]
    (system,) = {RUNNERS["images"][image]["ImageOS"] for image in images}
    for name, value in {"ImageOS": system, "RUNNERS": str(RUNNERS_FILE), "PYTHONS": pythons()}.items():
        options += ["--env", f"{name}={value}"]
    return options


def pythons() -> str:
    """The folders of this machine that may hold interpreters, as a path: the tools' own, pyenv's, and the system's."""
    tools = Path(sys.prefix) / "tools" / "bin" / "python"
    root = os.environ.get("PYENV_ROOT", os.path.expanduser("~/.pyenv"))
    found = [str(tools.resolve().parent)] if tools.exists() else []
    found += sorted(glob.glob(f"{root}/versions/3.*/bin"))
    found += [folder for folder in os.environ["PATH"].split(os.pathsep) if "shims" not in folder]
    return os.pathsep.join(found)
