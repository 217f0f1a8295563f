"""A model repo as it would be: a copy of its small files, model.pt as it is or rewritten, and the difference."""

from __future__ import annotations

import difflib
import os
import shutil
from pathlib import Path
from typing import Dict, Iterator, List, Optional

from audacitorch.facts import METADATA, MODEL, README
from audacitorch.fix.file_fixes import misplaced
from audacitorch.repo.model_repo import FolderRepo, TargetError

ATTRIBUTES = ".gitattributes"
#: The files that remedies may write, besides model.pt.
TEXT_FILES = (METADATA, README, ATTRIBUTES)
#: A larger one is not a file that somebody wrote by hand.
MAX_TEXT_BYTES = 1 << 20
#: Where the model that was there is kept until the check passes.
KEPT_MODEL = "model.pt.orig"


class Draft:
    """A copy of a model repo in a scratch folder, which remedies change.

    ``done`` holds a sentence for each change. ``model`` is the rewritten model.pt, None where it stays. ``moves``
    holds files that lie elsewhere, by the name that they should have.
    """

    def __init__(self, folder: Path, scratch: Path) -> None:
        """Copy the text files of ``folder`` to ``scratch`` and link its model.

        Raises:
            TargetError: the folder or one of its files can't be read.
        """
        repo = FolderRepo(folder)
        self.folder = folder
        self.scratch = scratch
        self.done: List[str] = []
        self.model: Optional[Path] = None
        self.moves = misplaced(folder)
        for name, source in self.moves.items():
            self.done.append(f"Renamed {source.relative_to(folder)} to {name}.")
        self._original: Dict[str, Optional[bytes]] = {}
        for name in TEXT_FILES:
            source = self.moves.get(name, folder / name)
            self._original[name] = _read(source) if source.is_file() else None
            if self._original[name] is not None:
                (scratch / name).write_bytes(self._original[name] or b"")
        if MODEL in self.moves:
            (scratch / MODEL).symlink_to(self.moves[MODEL].resolve())
        elif repo.has(MODEL):
            (scratch / MODEL).symlink_to(repo.path(MODEL))

    def text(self, name: str) -> Optional[bytes]:
        """A text file as it is now; None where there is none."""
        path = self.scratch / name
        return path.read_bytes() if path.is_file() else None

    def write(self, name: str, content: bytes, *sentences: str) -> bool:
        """Give a text file new content; says whether that changes anything.

        A file that is a link stays as it is: what it names may belong to others.
        """
        if content == self.text(name) or (self.folder / name).is_symlink():
            return False
        (self.scratch / name).write_bytes(content)
        self.done += sentences
        return True

    def replace_model(self, rewritten: Path, sentence: str) -> None:
        """Put a rewritten model.pt, a file in the scratch folder, in place of the old one."""
        os.replace(rewritten, self.scratch / MODEL)
        self.model = self.scratch / MODEL
        self.done.append(sentence)

    @property
    def changed(self) -> List[str]:
        """The files that differ from the folder's, in a fixed order."""
        names = [name for name in TEXT_FILES if self.text(name) != self._original[name]]
        return [*names, MODEL] if self.model is not None else names

    def difference(self) -> Iterator[str]:
        """The text files' changes as lines of a unified diff, without line ends."""
        for name in self.changed:
            if name == MODEL:
                continue
            before, after = (_lines(content) for content in (self._original[name], self.text(name)))
            origin = f"a/{name}" if self._original[name] is not None else "/dev/null"
            yield from difflib.unified_diff(before, after, origin, f"b/{name}", lineterm="")

    def apply(self) -> None:
        """Write what changed into the folder; the old model.pt stays beside the new one as ``model.pt.orig``.

        Raises:
            TargetError: a file can't be written. Files written before it are whole, and the others untouched.
        """
        for name, source in self.moves.items():
            try:
                os.rename(source, self.folder / name)
            except OSError as error:
                raise TargetError(f"{source} can't be renamed: {error.strerror}") from error
        for name in self.changed:
            target = self.folder / name
            try:
                partial = target.with_name(f".{name}.partial")
                shutil.copyfile(self.scratch / name, partial)
                if target.exists():
                    shutil.copymode(target, partial)
                if name == MODEL and not (self.folder / KEPT_MODEL).exists():
                    os.replace(target, self.folder / KEPT_MODEL)
                os.replace(partial, target)
            except OSError as error:
                raise TargetError(f"{target} can't be written: {error.strerror}") from error

    def forget_original_model(self) -> None:
        """Delete ``model.pt.orig``: the rewritten model has passed."""
        if self.model is not None:
            (self.folder / KEPT_MODEL).unlink(missing_ok=True)


def _read(path: Path) -> Optional[bytes]:
    """A text file's bytes; None for one that is larger than anybody writes, which then stays as it is."""
    try:
        if path.stat().st_size > MAX_TEXT_BYTES:
            return None
        return path.read_bytes()
    except OSError as error:
        raise TargetError(f"{path} can't be read: {error.strerror}") from error


def _lines(content: Optional[bytes]) -> List[str]:
    return (content or b"").decode("utf-8", "replace").splitlines()
