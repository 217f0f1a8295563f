"""Write tests/repos again from the tables, or what a check finds in one folder into its expect.json.

Folders that no table has were put there by hand and are left alone.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import List

from tests.repos_make import file_defects, metadata_defects, operator_defects
from tests.repos_make.operator_defects import KEPT
from tests.repos_make.parts import Fixture

REPOS = Path(__file__).parents[1] / "repos"


def all_fixtures() -> List[Fixture]:
    """Every fixture of every table."""
    from tests.repos_make import trial_defects

    tables = (metadata_defects, file_defects, operator_defects, trial_defects)
    return [fixture for table in tables for fixture in table.fixtures()]


def write(fixture: Fixture, repos: Path) -> None:
    """One folder, whole; a model that only a newer PyTorch can write must be there."""
    folder = repos / fixture.name
    folder.mkdir(parents=True, exist_ok=True)
    model = fixture.model() if callable(fixture.model) else None
    if fixture.model == KEPT:
        model = (folder / "model.pt").read_bytes()
    expect = json.dumps(fixture.expect(), indent=1, ensure_ascii=False) + "\n"
    files = {
        "model.pt": model,
        "metadata.json": fixture.metadata,
        "README.md": fixture.readme,
        "expect.json": expect.encode(),
    }
    for name, content in files.items():
        (folder / name).unlink(missing_ok=True)
        if content is not None:
            (folder / name).write_bytes(content)


def write_expectation(folder: Path) -> None:
    """What a check finds in ``folder`` now, for its author to read and keep."""
    from audacitorch.check import Options, check
    from audacitorch.repo.model_repo import FolderRepo
    from audacitorch.trial.starters import worker_starter

    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / folder.name
        shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("expect.json"))
        (copy / ".gitattributes").write_text("*.pt filter=lfs diff=lfs merge=lfs -text\n", encoding="utf-8")
        report = check(FolderRepo(copy), Options(static=True), worker_starter()).to_json()
    kept = [{key: found[key] for key in ("rule", "severity", "hosts", "message")} for found in report["findings"]]
    expect = {"static": True, "lfs": True, "findings": kept}
    (folder / "expect.json").write_text(json.dumps(expect, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"{folder / 'expect.json'}: {', '.join(found['rule'] for found in kept) or 'nothing found'}")


def main() -> int:
    """Write all folders of the tables; with ``--expect NAME``, what is expected of a folder put there by hand."""
    if sys.argv[1:2] == ["--expect"]:
        for name in sys.argv[2:]:
            write_expectation(REPOS / name)
        return 0
    fixtures = all_fixtures()
    for fixture in fixtures:
        write(fixture, REPOS)
    print(f"{len(fixtures)} model repos in {REPOS}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
