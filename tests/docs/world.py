"""What surrounds a reader who follows a page: a folder, a Hub, a GitHub, and this checkout in place of the one there.

No command is told anything by this but addresses and tokens, as environment variables that users have as well:
``HF_ENDPOINT``, ``GITHUB_API_URL``, and git's own ``insteadOf`` for ``https://github.com/audacitorch/action``.
"""

from __future__ import annotations

import atexit
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Callable, Dict, Mapping

from scripts import environment
from tests.docs.commands import ROOT
from tests.github import LocalGitHub
from tests.hub import LocalHub
from tests.image import DOCKER, built_image
from tests.needs import missing, program

_REPOSITORY = "https://github.com/audacitorch/action"
_GIT = ("git", "-c", "user.name=test", "-c", "user.email=test@example.org", "-c", "init.defaultBranch=main")
_BOOSTER = ROOT / "examples" / "booster-net"
#: The requests of the page about them.
_REQUESTS = (21, 22, 23)


def _temporary(name: str) -> Path:
    """A folder that is gone when this process is."""
    folder = tempfile.mkdtemp(prefix=f"audacitorch-{name}-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


@cache
def origin() -> Path:
    """A git repository of this checkout as it is on disk, with the tag ``v1``; an archive of it is ``v1.tar.gz``."""
    folder = _temporary("origin")
    listed = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, capture_output=True, text=True, check=True).stdout.split("\0")
    for name in filter(lambda name: name and (ROOT / name).exists(), names):
        (folder / "action" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / "action" / name, follow_symlinks=False)
    for words in (["init", "-q"], ["add", "--all"], ["commit", "-qm", "all"], ["tag", "v1"]):
        subprocess.run([*_GIT, *words], cwd=folder / "action", check=True)
    with tarfile.open(folder / "v1.tar.gz", "w:gz") as archive:
        archive.add(folder / "action", "action-1", filter=lambda member: None if "/.git/" in member.name else member)
    return folder


def _copy(source: str) -> Callable[[Path, World], None]:
    def give(path: Path, world: World) -> None:
        if (ROOT / source).is_dir():
            ignored = shutil.ignore_patterns("expect.json", "__pycache__")
            shutil.copytree(ROOT / source, path, ignore=ignored, dirs_exist_ok=True)
        else:
            shutil.copy(ROOT / source, path)

    return give


def _sound(path: Path, world: World) -> None:
    import numpy as np
    import soundfile

    path.parent.mkdir(exist_ok=True)
    soundfile.write(path, 0.3 * np.sin(np.arange(44100 * 16) / 20), 44100)


def _opened(path: Path, world: World) -> None:
    path.write_text(json.dumps(world.github.event("opened", 23)), "utf-8")


def _commented(path: Path, world: World) -> None:
    comment = world.github.state.add_comment(23, "maintainer", "/decline It has too short a description.")
    path.write_text(json.dumps(world.github.event("created", 23, comment=comment.id)), "utf-8")


_EFFECT, _LABELER = _copy("examples/booster-net"), _copy("tests/repos/good-labeler-of-indices")
_NEWER, _NEWER_ARCHIVE = _copy("tests/repos/newer-operator"), _copy("tests/repos/newer-operator/model.pt")
#: What readers of a page have before its first command.
GIVEN: Mapping[str, Mapping[str, Callable[[Path, World], None]]] = {
    "README.md": {"FOLDER": _EFFECT, "song.wav": _sound, "CLIP.wav": _sound, "new.pt": _NEWER_ARCHIVE},
    "docs/action.md": {".": _EFFECT},
    "docs/backport.md": {"exported.pt": _NEWER_ARCHIVE, "my-model": _NEWER},
    "docs/exporting.md": {"my-model": _NEWER},
    "docs/host.md": {
        "my-model": _EFFECT,
        "my-labeler": _LABELER,
        "song.wav": _sound,
        "song.mp3": _copy("tests/data/audio/vbr_without_xing.mp3"),
        "recordings/one.wav": _sound,
    },
    "docs/how-to.md": {
        "my-model": _EFFECT,
        "my-old-model": _NEWER,
        "models/one": _EFFECT,
        "models/two": _LABELER,
        "exported.pt": _NEWER_ARCHIVE,
        "song.wav": _sound,
    },
    "docs/labelers.md": {"yard.wav": _sound},
    "docs/maintaining.md": {"song.wav": _sound},
    "docs/requests.md": {"event.json": _opened, "comment.json": _commented},
    "docs/tutorial.md": {"song.wav": _sound},
}
#: Pages whose commands run in a checkout, as they say.
IN_A_CHECKOUT = (
    "docs/development.md",
    "docs/maintaining.md",
    "docs/registry.md",
    "docs/requests.md",
    "examples/README.md",
)


class StaleEnvironment(RuntimeError):
    """A clone's scripts/setup would install into the environment of this test."""


class World:
    """The surroundings of one page; a context manager."""

    def __init__(self, page: str, with_image: bool) -> None:
        require_fresh_environment()
        self._stack = ExitStack()
        self.hub = self._stack.enter_context(LocalHub())
        self.github = self._stack.enter_context(LocalGitHub())
        # Docker's user in the container has to read what lies here, as it can in a home folder.
        self._folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="audacitorch-docs-")))
        self._folder.chmod(0o755)
        self.here = self._folder / "work"
        self._left = self._folder / "left.sh"
        self._left.touch()
        if page in IN_A_CHECKOUT:
            subprocess.run([*_GIT, "clone", "-q", origin() / "action", self.here], check=True)
            (self.here / ".venv").symlink_to(sys.prefix)
        self.here.mkdir(exist_ok=True)
        self._fill_hub()
        self._fill_github()
        for name, give in GIVEN.get(page, {}).items():
            give(self.here / name, self)
        self._environment = self._variables(page in IN_A_CHECKOUT)
        if with_image:
            self._environment["AUDACITORCH_IMAGE"] = built_image()

    def __enter__(self) -> World:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def values(self) -> Mapping[str, str]:
        """What the replacements in :mod:`tests.docs.differences` name."""
        return {
            "path_file": str(next(_readers_environment().glob("lib/*/site-packages/tests.pth"))),
            "environment": sys.prefix,
            "archive": str(origin() / "v1.tar.gz"),
            "image": self._environment.get("AUDACITORCH_IMAGE", ""),
        }

    def run(self, command: str) -> subprocess.CompletedProcess[str]:
        """Run a command as a shell would, in the folder where the last one left it."""
        # The next command goes on where this one ends: with its variables, in its folder.
        left = '{ declare -px; printf "cd %q\\n" "$PWD"; }'
        script = f"source '{self._left}'\n{command}\nstatus=$?\n{left} >'{self._left}'\nexit $status"
        return subprocess.run(
            ["bash", "-c", script],
            cwd=self.here,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )

    def _fill_hub(self) -> None:
        self.hub.add_token("hf_author", "author", write=True)
        files = {name: (_BOOSTER / name).read_bytes() for name in ("model.pt", "metadata.json", "README.md")}
        for repo in ("author/name", "author/booster"):
            self.hub.add_repo(repo, files, lfs=["model.pt"], tags=["audacity"])

    def _fill_github(self) -> None:
        state = self.github.state
        state.push({name: (ROOT / "registry" / name).read_text("utf-8") for name in ("builtin.yml", "models.json")})
        for number in range(1, _REQUESTS[-1] + 1):
            if number in _REQUESTS:
                state.add_issue(
                    "Built-in Model Request", "### Repo ID\n\nauthor/booster\n", "author", ("model-contrib",)
                )
            else:
                state.add_issue("A question", None, "reader")
        state.permissions["maintainer"] = "write"
        self.github.add_token("ghp_maintainer", "maintainer", issues="write", contents="write", pull_requests="write")

    def _variables(self, in_a_checkout: bool) -> Dict[str, str]:
        home = self._folder / "home"
        home.mkdir()
        # The interpreter itself comes last: uv looks for one that is in no virtual environment.
        path = [str(_readers_environment() / "bin"), f"{sys.prefix}/bin", _programs(), os.environ["PATH"]]
        path.append(f"{sys.base_prefix}/bin")
        variables = {
            "PATH": os.pathsep.join(path),
            "HOME": str(home),
            "LANG": "C.UTF-8",
            "NO_PROXY": "*",
            "HF_ENDPOINT": self.hub.url,
            "HF_TOKEN": "hf_author",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "GITHUB_API_URL": self.github.url,
            "GITHUB_REPOSITORY": "audacitorch/action",
            "GITHUB_TOKEN": "ghp_maintainer",
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": f"url.file://{origin() / 'action'}.insteadOf",
            "GIT_CONFIG_VALUE_0": _REPOSITORY,
            # What a package needs is there already: see the first rule of tests.docs.differences.
            "PIP_NO_BUILD_ISOLATION": "0",
            "UV_SYSTEM_CERTS": "1",  # as pip and git do
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        }
        if in_a_checkout:
            variables["PYTHONPATH"] = str(self.here)
        return variables


@cache
def _readers_environment() -> Path:
    """A virtual environment for what ``pip`` installs, in which everything else is there already."""
    folder = _temporary("reader")
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    (packages,) = folder.glob("lib/python3.*/site-packages")
    # First on the path, because the setuptools that a new environment has does not know our pyproject.toml.
    line = f"import sys; sys.path.insert(1, {sysconfig.get_paths()['purelib']!r})\n"
    (packages / "tests.pth").write_text(line, encoding="utf-8")
    return folder


@cache
def _programs() -> str:
    """A folder in which Docker's own client, uv and pipx come before others of that name."""
    folder = _temporary("programs")
    for name, found in {"docker": DOCKER, "uvx": program("uvx"), "uv": program("uv"), "pipx": program("pipx")}.items():
        if found is not None and Path(found).exists():
            (folder / name).symlink_to(found)
    return str(folder)


def machine_has() -> Dict[str, bool]:
    """Which programs that some commands need are here."""
    return {"docker": missing("docker") is None, "uvx": program("uvx") is not None, "pipx": program("pipx") is not None}


def require_fresh_environment() -> None:
    """Raise StaleEnvironment where this environment is not what scripts/setup --dev makes."""
    if not environment.is_done(dev=True, cpu=False):
        raise StaleEnvironment(
            "scripts/setup --dev has to be run first: it did not make this environment as it is now."
        )
