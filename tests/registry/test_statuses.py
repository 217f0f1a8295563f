"""The table of statuses, the schema and the page that explains them agree."""

from __future__ import annotations

import json
from pathlib import Path

from audacitorch.registry.record_schema import STATUSES

ROOT = Path(__file__).parents[2]


def test_the_schema_and_the_page_know_every_status() -> None:
    schema = json.loads((ROOT / "audacitorch" / "data" / "record.schema.json").read_text("utf-8"))
    assert schema["$defs"]["status"]["enum"] == list(STATUSES)
    page = (ROOT / "docs" / "registry.md").read_text("utf-8")
    assert [name for name in STATUSES if f"`{name}`" not in page] == []
