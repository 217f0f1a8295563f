"""`/accept`, `/decline` and the list: the examined commit alone, by people who may write, and twice changes nothing."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Iterator, List, Tuple

import pytest
import yaml

from audacitorch.github import GitHub, GitHubError
from audacitorch.github.tracker import Comment, Issue
from audacitorch.hub import Hub, HubError
from audacitorch.registry import RegistryError
from audacitorch.registry.folder import RegistryFolder
from audacitorch.request import ACCEPTED, DECLINED, READY
from audacitorch.request.accept import Refused, accept
from audacitorch.request.comment import Links
from audacitorch.request.decision import Decision
from audacitorch.request.issue_event import Event
from audacitorch.request.memory import CheckRun
from audacitorch.request.open_requests import markdown_table, open_requests, text_table
from audacitorch.request.respond import NoReason, apply_decision, decline, handle_comment
from audacitorch.request.triage import Triage
from tests.github import LocalGitHub
from tests.hub import LocalHub
from tests.request.conftest import GOOD
from tests.request.harmless import check_comment

Desk = Tuple[GitHub, Hub, RegistryFolder]


def branch_of(made: Decision) -> str:
    return f"built-in/request-1-{str(made.revision)[:12]}"


@pytest.fixture
def folder(tmp_path: Path) -> RegistryFolder:
    place = tmp_path / "registry"
    place.mkdir(exist_ok=True)
    (place / "builtin.yml").write_text("# by hand\n")
    (place / "models.json").write_text("[]\n")
    return RegistryFolder(place)


@pytest.fixture
def hub(models: LocalHub, waits: List[float]) -> Iterator[Hub]:
    with Hub(models.url, token=False, timeouts=(2.0, 0.5), tries=1) as client:
        yield client


@pytest.fixture
def checked(triage: Triage, repository: GitHub, github: LocalGitHub) -> Decision:
    """The request was examined, and the comment is there."""
    decision = triage.decide(Issue.from_json(github.event("opened", 1)["issue"]))
    apply_decision(repository, Event(1, "opened"), decision, Links())
    github.take_log()
    return decision


@pytest.fixture
def desk(repository: GitHub, hub: Hub, folder: RegistryFolder) -> Desk:
    return repository, hub, folder


def files(github: LocalGitHub, branch: str) -> Any:
    builtin, listed = (github.state.file(f"registry/{name}", branch) for name in ("builtin.yml", "models.json"))
    return yaml.safe_load(builtin or b""), json.loads(listed or b"null")


def body(github: LocalGitHub) -> str:
    (comment,) = (c for c in github.state.comments.values() if c.login == "github-actions[bot]")
    check_comment(comment.body.replace("#2", "two"))
    return comment.body


def test_the_examined_commit_goes_into_a_pull_request(desk: Desk, checked: Decision, github: LocalGitHub) -> None:
    done = accept(*desk, 1, dry_run=False)
    entries, listed = files(github, branch_of(checked))
    (entry,) = entries
    assert (entry["id"], entry["revision"], entry["request"]) == (GOOD, checked.revision, 1)
    assert listed == [GOOD]
    assert files(github, "main") == (None, [])
    pull = github.state.issues[done.pull or 0]
    assert (pull.body or "").startswith("Closes #1.")
    assert github.state.issues[1].labels == ["model-contrib", ACCEPTED]
    assert f"#{pull.number} adds it" in body(github)
    assert desk[2].builtin.read_bytes() == github.state.file("registry/builtin.yml", branch_of(checked))
    assert desk[2].list.read_bytes() == github.state.file("registry/models.json", branch_of(checked))


def test_an_entry_names_the_repo_by_the_hubs_own_key(desk: Desk, checked: Decision, github: LocalGitHub) -> None:
    accept(*desk, 1, dry_run=False)
    ((entry,), _) = files(github, branch_of(checked))
    assert list(entry)[-1] == "key"
    assert entry["key"] == desk[1].repo_details(GOOD, "main").key


def test_accepting_again_where_the_files_here_are_lost_writes_the_entry_of_the_pull_request(
    desk: Desk, checked: Decision, github: LocalGitHub
) -> None:
    accept(*desk, 1, dry_run=False)
    desk[2].builtin.write_text("# by hand\n")
    desk[2].list.write_text("[]\n")
    accept(*desk, 1, dry_run=False)
    assert desk[2].builtin.read_bytes() == github.state.file("registry/builtin.yml", branch_of(checked))


def test_accepting_twice_changes_nothing(desk: Desk, checked: Decision, github: LocalGitHub) -> None:
    first = accept(*desk, 1, dry_run=False)
    before = {path: path.read_bytes() for path in desk[2].path.iterdir()}
    github.take_log()
    again = accept(*desk, 1, dry_run=False)
    assert (again.pull, again.changed) == (first.pull, False)
    assert {entry.method for entry in github.take_log()} == {"GET"}
    assert {path: path.read_bytes() for path in desk[2].path.iterdir()} == before


def test_accepting_what_is_merged_changes_nothing(desk: Desk, checked: Decision, github: LocalGitHub) -> None:
    accept(*desk, 1, dry_run=False)
    github.state.branches["main"] = github.state.branches.pop(branch_of(checked))
    github.state.issues[1].state = github.state.issues[2].state = "closed"
    github.take_log()
    assert not accept(*desk, 1, dry_run=False).changed
    assert {entry.method for entry in github.take_log()} == {"GET"}


def test_a_dry_run_touches_nothing(desk: Desk, checked: Decision, github: LocalGitHub) -> None:
    done = accept(*desk, 1, dry_run=True)
    assert (done.changed, done.pull) == (True, None)
    assert {entry.method for entry in github.take_log()} == {"GET"}
    assert desk[2].builtin.read_text() == "# by hand\n"


@pytest.mark.parametrize("kind", ["lost", "drop", "cut", "server-error", "unicorn", "not-json"])
@pytest.mark.parametrize("after", range(16))
def test_a_fault_anywhere_is_mended_by_accepting_again(
    kind: str, after: int, desk: Desk, checked: Decision, github: LocalGitHub
) -> None:
    fault = github.fault(kind, after=after)
    try:
        accept(*desk, 1, dry_run=False)
    except GitHubError:
        accept(*desk, 1, dry_run=False)
    assert fault.hits > after
    assert files(github, branch_of(checked))[1] == [GOOD]
    assert [issue.number for issue in github.state.issues.values() if issue.pull] == [2]
    assert github.state.issues[1].labels == ["model-contrib", ACCEPTED]


@pytest.mark.parametrize("kind", ["conflict", "unprocessable", "forbidden", "not-found", "unauthorized"])
@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE"])
def test_what_github_refuses_is_no_traceback_and_is_mended_later(
    kind: str, method: str, desk: Desk, checked: Decision, github: LocalGitHub
) -> None:
    github.fault(kind, method=method, times=None)
    with suppress(GitHubError):  # some of it is never asked for, or is not worth failing for
        accept(*desk, 1, dry_run=False)
    github.faults.clear()
    accept(*desk, 1, dry_run=False)
    assert files(github, branch_of(checked))[1] == [GOOD]
    assert github.state.issues[1].labels == ["model-contrib", ACCEPTED]


def _move_main(models: LocalHub, github: LocalGitHub, folder: RegistryFolder) -> None:
    models.commit(GOOD, {"README.md": b"another"})


def _remove(models: LocalHub, github: LocalGitHub, folder: RegistryFolder) -> None:
    models.remove_repo(GOOD)


def _edit(models: LocalHub, github: LocalGitHub, folder: RegistryFolder) -> None:
    github.state.issues[1].body = "### Repo ID\n\nhugggof/speech-enhancer\n"


def _blank(models: LocalHub, github: LocalGitHub, folder: RegistryFolder) -> None:
    github.state.issues[1].body = None


def _close(models: LocalHub, github: LocalGitHub, folder: RegistryFolder) -> None:
    github.state.issues[1].state = "closed"


def _list(models: LocalHub, github: LocalGitHub, folder: RegistryFolder) -> None:
    github.state.push({"registry/builtin.yml": f"- id: HUGGGOF/vocal-separation\n  revision: {'0' * 40}\n"})


def _list_here(models: LocalHub, github: LocalGitHub, folder: RegistryFolder) -> None:
    folder.builtin.write_text(f"- id: {GOOD}\n  revision: {'0' * 40}\n  request: 99\n")


def _forget(models: LocalHub, github: LocalGitHub, folder: RegistryFolder) -> None:
    github.state.comments.clear()


REFUSALS = [
    (_move_main, "has moved"),
    (_remove, "can't be read"),
    (_edit, "asks for hugggof/speech-enhancer now"),
    (_blank, "names no single repo"),
    (_close, "closed"),
    (_list, "already"),
    (_list_here, "already by request #99"),
    (_forget, "not been checked"),
]


@pytest.mark.parametrize(("change", "message"), REFUSALS, ids=lambda value: getattr(value, "__name__", ""))
def test_it_is_refused_when_something_has_changed(
    change: Any, message: str, desk: Desk, checked: Decision, github: LocalGitHub, models: LocalHub
) -> None:
    change(models, github, desk[2])
    before = desk[2].builtin.read_text()
    with pytest.raises(Refused, match=message):
        accept(*desk, 1, dry_run=False)
    assert desk[2].builtin.read_text() == before
    assert {entry.method for entry in github.take_log()} == {"GET"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tool": "0.9.0"}, "0.9.0, and this is"),
        ({"tool": ""}, "unknown version"),
        ({"state": "needs-changes"}, "ended as needs-changes"),
        ({"verdict": "unknown"}, "not as"),
        ({"revision": None}, "not as"),
    ],
)
def test_only_a_check_of_this_version_that_passed_is_accepted(
    changes: Any, message: str, desk: Desk, checked: Decision
) -> None:
    with pytest.raises(Refused, match=message):
        accept(*desk, 1, run=replace(CheckRun.of(checked), **changes), dry_run=False)


def test_an_unreachable_hub_is_no_refusal(desk: Desk, checked: Decision, models: LocalHub) -> None:
    models.fault("server-error", times=None)
    with pytest.raises(HubError) as raised:
        accept(*desk, 1, dry_run=False)
    assert raised.value.exit_status == 3


@pytest.mark.parametrize("text", ["{", '{"a": 1}', "[1]", "\ufeff"])
def test_a_damaged_list_is_left_as_it_is(text: str, desk: Desk, checked: Decision, github: LocalGitHub) -> None:
    desk[2].list.write_text(text)
    with pytest.raises(RegistryError):
        accept(*desk, 1, dry_run=False)
    assert desk[2].builtin.read_text() == "# by hand\n"
    assert branch_of(checked) not in github.state.branches


def test_what_others_have_put_on_main_meanwhile_stays(desk: Desk, checked: Decision, github: LocalGitHub) -> None:
    other = {
        "registry/builtin.yml": f"# new\n- id: ann/x\n  revision: {'1' * 40}\n",
        "registry/models.json": '["ann/x"]',
    }
    github.state.push({**other, "docs/new.md": "x"})
    accept(*desk, 1, dry_run=False)
    entries, listed = files(github, branch_of(checked))
    assert [entry["id"] for entry in entries] == ["ann/x", GOOD]
    assert listed == ["ann/x", GOOD]
    assert github.state.file("docs/new.md", branch_of(checked)) == b"x"


def test_another_commit_is_another_branch_and_pull_request(
    desk: Desk, checked: Decision, triage: Triage, models: LocalHub, github: LocalGitHub
) -> None:
    accept(*desk, 1, dry_run=False)
    models.commit(GOOD, {"README.md": b"another"})
    github.state.issues[1].labels.remove(ACCEPTED)
    desk[2].builtin.write_text("")
    again = triage.decide(Issue.from_json(github.event("edited", 1)["issue"]))
    apply_decision(desk[0], Event(1, "edited"), again, Links())
    done = accept(*desk, 1, commit=str(again.revision), dry_run=False)
    assert (done.pull, done.revision) == (3, models.find(GOOD).head.oid)
    assert [entry["revision"] for entry in files(github, branch_of(again))[0]] == [done.revision]
    assert [entry["revision"] for entry in files(github, branch_of(checked))[0]] == [checked.revision]


def say(github: LocalGitHub, author: str, text: str) -> Event:
    comment = github.state.add_comment(1, author, text)
    return Event(1, "created", None, Comment.from_json(github.state.comment_json(comment, "")))


@pytest.mark.parametrize(
    ("author", "accepted"),
    [("boss", True), ("keeper", True), ("helper", False), ("ann", False), ("eve", False), ("other[bot]", False)],
)
def test_who_may_accept_is_asked_of_github(
    author: str, accepted: bool, desk: Desk, checked: Decision, github: LocalGitHub
) -> None:
    event = say(github, author, "I am an admin, permission: write\n\n/accept")
    handle_comment(*desk, event)
    assert (ACCEPTED in github.state.issues[1].labels) is accepted
    reactions = github.state.comments[event.comment.id].reactions if event.comment else []
    assert [content for _, content in reactions] == (["+1"] if accepted else [] if "[bot]" in author else ["-1"])


def test_a_refusal_is_told_in_our_comment(desk: Desk, checked: Decision, github: LocalGitHub, models: LocalHub) -> None:
    models.commit(GOOD, {"README.md": b"another"})
    event = say(github, "boss", "/accept")
    assert handle_comment(*desk, event).text.startswith("refused")
    assert "## Not accepted" in body(github)
    assert "has moved" in body(github)
    assert READY in github.state.issues[1].labels


def test_declining_tells_why_and_closes(desk: Desk, checked: Decision, github: LocalGitHub) -> None:
    handle_comment(*desk, say(github, "keeper", "/decline It is a copy of @other/model <b>, see http://evil.example"))
    issue = github.state.issues[1]
    assert (issue.labels, issue.state, issue.state_reason) == (["model-contrib", DECLINED], "closed", "not_planned")
    assert "It is a copy of" in body(github)
    assert github.state.branches.keys() == {"main"}


def test_declining_needs_a_reason_and_a_right(desk: Desk, checked: Decision, github: LocalGitHub) -> None:
    handle_comment(*desk, say(github, "boss", "/decline"))
    assert "Say why" in body(github)
    handle_comment(*desk, say(github, "ann", "/decline because"))
    assert github.state.issues[1].labels == ["model-contrib", READY]
    with pytest.raises(NoReason):
        decline(desk[0], 1, "  ")


def test_declining_before_any_check_makes_the_comment(desk: Desk, github: LocalGitHub) -> None:
    decline(desk[0], 1, "not a model")
    assert "not a model" in body(github)


def test_the_list_says_what_waits_for_whom(desk: Desk, checked: Decision, github: LocalGitHub) -> None:
    github.state.add_issue("x | y\x1b[31m", "", "bob", ("model-contrib", "needs-info"))
    github.state.add_issue("new", "", "bob", ("model-contrib",))
    github.state.add_issue("bug", "", "bob", ("bug",))
    rows = list(open_requests(desk[0]))
    assert [row.issue.number for row in rows] == [1, 2, 3]
    text = text_table(rows)
    assert [line.split()[3] for line in text.splitlines()[1:]] == [READY, "needs-info", "not"]
    assert f"{GOOD}  pass     1.23 MB  20 times real time" in text
    assert "a maintainer, to accept or decline" in text
    assert markdown_table(rows).count("\n") == 5
    assert text_table([]) == markdown_table([]) == "No request is open.\n"
