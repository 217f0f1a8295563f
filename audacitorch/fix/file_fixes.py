"""What a machine can put right in README.md's front matter, in .gitattributes and in the names of files."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Dict, Optional

from audacitorch.facts import METADATA, MODEL, README
from audacitorch.repo.readme import read_card

TAG = "audacity"
NAMES = (MODEL, METADATA, README)
LFS_LINE = "*.pt filter=lfs diff=lfs merge=lfs -text"

_OPENING = re.compile(r"(\ufeff?\s*---[ \t]*)(\r\n|\r|\n)")
#: A key of the front matter, at the line's beginning, with what stands behind it on the line.
_TAGS_LINE = re.compile(
    r"^tags[ \t]*:[ \t]*(?P<value>[^\r\n#]*?)[ \t]*(?P<rest>#[^\r\n]*)?(?P<end>\r?\n|$)", re.MULTILINE
)
_FIRST_ITEM = re.compile(r"(?:[ \t]*(?:#[^\r\n]*)?\r?\n)*(?P<indent>[ \t]*)- ")


def fixed_readme(data: Optional[bytes]) -> Optional[bytes]:
    """README.md with the tag; None where it is there already, or its front matter is not understood.

    Everything else in the file stays as it is: the result is read again, and must differ by the tag alone.
    """
    if data is None:
        return f"---\ntags:\n- {TAG}\n---\n".encode()
    before = read_card(data)
    if before.problems or (before.tags is not None and TAG in before.tags):
        return None
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return None
    fixed = _with_tag(text).encode("utf-8")
    after = read_card(fixed)
    if after.problems or after.tags is None or TAG not in after.tags:
        return None
    kept = {key: value for key, value in before.front_matter.items() if key != "tags"}
    same = kept == {key: value for key, value in after.front_matter.items() if key != "tags"}
    return fixed if same and set(before.tags or ()) | {TAG} == set(after.tags) else None


def _with_tag(text: str) -> str:
    opening = _OPENING.match(text)
    has_front_matter = opening is not None and re.search(r"^---[ \t]*\r?$", text[opening.end() :], re.MULTILINE)
    if opening is None or not has_front_matter:
        line_end = "\r\n" if "\r\n" in text else "\n"
        return f"---{line_end}tags:{line_end}- {TAG}{line_end}---{line_end}" + text
    line_end = opening[2]
    line = _TAGS_LINE.search(text, opening.end())
    if line is None:
        return text[: opening.end()] + f"tags:{line_end}- {TAG}{line_end}" + text[opening.end() :]
    value = line["value"]
    if value.startswith("["):
        inner = value[1:].lstrip()
        listed = f"[{TAG}]" if inner == "]" else f"[{TAG}, {inner}"
        return text[: line.start("value")] + listed + text[line.end("value") :]
    if value and value not in ("null", "~"):
        return text[: line.start("value")] + f"[{TAG}, {value}]" + text[line.end("value") :]
    item = _FIRST_ITEM.match(text, line.end())
    indent = item["indent"] if item else ""
    return text[: line.start("value")].rstrip(" \t") + line_end + f"{indent}- {TAG}{line_end}" + text[line.end() :]


def misplaced(folder: Path) -> Dict[str, Path]:
    """By the name that each should have: files whose names differ in capitals, and those of a model repo that lies
    in the only folder of another that holds nothing else."""
    entries = [entry for entry in sorted(folder.iterdir()) if not entry.name.startswith(".")]
    found: Dict[str, Path] = {}
    for name in NAMES:
        alike = [entry for entry in entries if entry.name.lower() == name.lower() and _is_plain(entry)]
        if len(alike) == 1 and alike[0].name != name:
            found[name] = alike[0]
    files = {entry.name for entry in entries if not entry.is_dir()}
    folders = [entry for entry in entries if entry.is_dir() and not entry.is_symlink()]
    if len(folders) == 1 and files <= {README} and _is_plain(folders[0] / MODEL):
        found.update((name, folders[0] / name) for name in NAMES if name not in files and _is_plain(folders[0] / name))
    return found


def _is_plain(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def fixed_attributes(data: Optional[bytes]) -> bytes:
    """A .gitattributes that hands ``*.pt`` to Git LFS, with everything that it said before."""
    before = data or b""
    line_end = b"" if not before or before.endswith(b"\n") else b"\n"
    return before + line_end + LFS_LINE.encode() + b"\n"
