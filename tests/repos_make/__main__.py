"""Write tests/repos again from the tables; see the package's docstring."""

from __future__ import annotations

import json
import shutil
import sys
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
    expect = json.dumps(fixture.expect(), indent=2, ensure_ascii=False) + "\n"
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


def main() -> int:
    """Write all folders and take away those that no table has."""
    fixtures = all_fixtures()
    for fixture in fixtures:
        write(fixture, REPOS)
    for folder in REPOS.iterdir():
        if folder.name not in {fixture.name for fixture in fixtures}:
            shutil.rmtree(folder)
    print(f"{len(fixtures)} model repos in {REPOS}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
