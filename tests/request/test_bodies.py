"""Bodies that people really write: each lies in the folder of the state that it must get; none ends in a traceback."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from audacitorch.github.tracker import Issue
from audacitorch.request import TRIAGE_STATES
from audacitorch.request.comment import Links, render_request
from audacitorch.request.decision import read_decision, write_decision
from audacitorch.request.memory import CheckRun, Memory
from audacitorch.request.triage import Triage
from tests.hub import LocalHub
from tests.request.conftest import GOOD
from tests.request.harmless import check_comment

BODIES = sorted(Path(__file__).with_name("bodies").glob("*/*.md"))


def decide(triage: Triage, body: str, tmp_path: Path, title: str = "") -> Any:
    """The decision as the next job reads it, with the comment that was looked at."""
    decision = triage.decide(Issue(7, title, body, "ann", ("model-contrib",)))
    comment = render_request(decision, Memory().with_run(CheckRun.of(decision)), Links())
    check_comment(comment)
    write_decision(decision.with_comment(comment), tmp_path / "decision.json")
    return read_decision(tmp_path / "decision.json")


def test_there_are_thirty_bodies_and_more() -> None:
    assert len(BODIES) >= 30
    assert {path.parent.name for path in BODIES} <= set(TRIAGE_STATES)


@pytest.mark.parametrize("path", BODIES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_body_gets_its_state(path: Path, triage: Triage, models: LocalHub, tmp_path: Path) -> None:
    old = models.find("hugggof/moved").commits[0].oid
    body = path.read_bytes().decode().replace("OLDCOMMIT", old)
    decision = decide(triage, body, tmp_path)
    assert decision.state == path.parent.name
    if decision.state == "ready-for-review":
        assert decision.repo_id == GOOD
        assert decision.revision == models.find(GOOD).head.oid
    assert decision.reason is None or decision.reason.kind != "internal"


@pytest.mark.parametrize(
    "filling",
    ["a", "a/b ", "<!-- ", "**", "# x\n", "/", "`", "https://huggingface.co/", "é", "한/글 ", "![x](", "\u202e"],
)
def test_sixty_thousand_characters_are_a_body_like_others(filling: str, triage: Triage, tmp_path: Path) -> None:
    body = f"### Repo ID\n\n{GOOD}\n\n### What does your model do?\n\n{filling * (60_000 // len(filling))}"
    assert decide(triage, body, tmp_path).state == "ready-for-review"
    assert decide(triage, filling * (60_000 // len(filling)), tmp_path).state in ("needs-info", "ready-for-review")


def test_the_title_is_where_the_id_may_be(triage: Triage, tmp_path: Path) -> None:
    assert decide(triage, "Please add it.", tmp_path, f"Built-in Model Request: {GOOD}").state == "ready-for-review"
    asked = decide(triage, "### Repo ID\n\n_No response_\n", tmp_path, f"Built-in Model Request: {GOOD}")
    assert (asked.state, asked.reason.near) == ("needs-info", (GOOD,))


@pytest.mark.parametrize(
    ("written", "kind", "near"),
    [
        ("huggof/vocal-seperation", "not-found", (GOOD,)),
        ("vocal-separation", "malformed", (GOOD,)),
        ("someone/vocal-separation", "not-found", (GOOD,)),
        (f"https://huggingface.co/spaces/{GOOD}", "space", (GOOD,)),
        (f"https://huggingface.co/{GOOD}/blob/main/model.pt", "file", (GOOD,)),
        ("hugggof/secret", "not-found", ()),
    ],
)
def test_a_question_offers_what_was_probably_meant(
    written: str, kind: str, near: Any, triage: Triage, tmp_path: Path
) -> None:
    decision = decide(triage, f"### Repo ID\n\n{written}\n", tmp_path)
    assert (decision.state, decision.reason.kind, decision.reason.near) == ("needs-info", kind, near)
    assert all(f"<code>{name}</code>" in decision.comment for name in near)


def test_ids_of_the_registry_are_known_when_the_hub_lists_none(
    triage: Triage, models: LocalHub, tmp_path: Path
) -> None:
    record = triage.registry / "models" / "ann" / "de-reverb.json"
    record.parent.mkdir(parents=True)
    record.write_text("{}")
    models.fault("server-error", path=r"/api/models\?", times=None)
    assert decide(triage, "### Repo ID\n\nann/dereverb", tmp_path).reason.near == ("ann/de-reverb",)
