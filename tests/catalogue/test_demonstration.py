"""examples/registry: tested for real, small, marked as a demonstration, and made of the examples as they are now."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from audacitorch.catalogue.model_page import kept_sounds
from audacitorch.registry.builtin_list import LISTED, QUARANTINED, builtin_states
from audacitorch.registry.folder import RegistryFolder
from audacitorch.registry.record_schema import COMPATIBLE, INCOMPATIBLE, UNREACHABLE, UNTESTED

ROOT = Path(__file__).parents[2]
TARGET = ROOT / "examples" / "registry"
EXAMPLES = sorted(path.parent for path in (ROOT / "examples").glob("*/model.pt"))


@pytest.fixture
def folder() -> RegistryFolder:
    return RegistryFolder(TARGET)


def test_it_shows_every_state_that_a_visitor_should_see(folder: RegistryFolder) -> None:
    statuses = {record.status for _, record in folder.records()}
    assert statuses == {COMPATIBLE, INCOMPATIBLE, UNTESTED, UNREACHABLE}
    assert folder.unreadable == []
    assert {one.state for one in builtin_states(folder)} == {LISTED, QUARANTINED}
    assert any(event["event"] == "revision" for _, record in folder.records() for event in record.history)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_the_examples_in_it_are_those_of_this_repo_and_were_run(folder: RegistryFolder, example: Path) -> None:
    record = folder.find(f"demonstration/{example.name}")
    assert record is not None, "scripts/make-demonstration makes it again"
    model = hashlib.sha256((example / "model.pt").read_bytes()).hexdigest()
    assert record.files["model.pt"]["sha256"] == model, "scripts/make-demonstration makes it again"
    assert record.metadata == json.loads((example / "metadata.json").read_text("utf-8"))
    assert record.current_trial is not None
    assert record.current_trial["ended"] == "finished"


def test_a_built_in_model_of_it_can_be_heard(folder: RegistryFolder) -> None:
    record = folder.find("demonstration/booster-net")
    assert record is not None
    (heard,) = kept_sounds(folder, record)
    assert heard.given.audio
    assert [name for name, _ in heard.tracks] == ["boosted"]
    assert heard.tracks[0][1].peak_db == pytest.approx(heard.given.peak_db + 6.02, abs=0.1)


def test_it_is_small_and_says_what_it_is(folder: RegistryFolder) -> None:
    assert sum(path.stat().st_size for path in TARGET.rglob("*") if path.is_file()) < 400_000
    assert "demonstration" in folder.notice.read_text("utf-8")
    assert all(record.id.startswith("demonstration/") for _, record in folder.records())
