"""A decision on GitHub: one comment and one state, whatever is delivered twice, late, at once, or half."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any, List

import pytest

from audacitorch.github import GitHub, GitHubError
from audacitorch.github.tracker import WORKFLOW_LOGIN, Comment, Issue
from audacitorch.hosts import LIST_HOST
from audacitorch.request import COULD_NOT_CHECK, NEEDS_CHANGES, NEEDS_INFO, READY, Reason
from audacitorch.request.comment import Links
from audacitorch.request.decision import Decision, failed_decision, plan_of
from audacitorch.request.issue_event import Event
from audacitorch.request.memory import MARKER, CheckRun, Memory, read_memory
from audacitorch.request.respond import apply_decision
from tests.github import LocalGitHub
from tests.request.conftest import GOOD, REPOSITORY, TOKEN, report_on
from tests.request.harmless import check_comment

AT = "2024-05-01T10:00:{:02d}Z"
OPENED = Event(1, "opened")
EXAMINED = "ab" * 20


def decision(state: str = READY, second: int = 0, revision: str = EXAMINED) -> Decision:
    from audacitorch.facts import Repo, RepoFile

    files = {"model.pt": RepoFile("model.pt", 1)} if state == READY else {}
    report = report_on(Repo("hub", GOOD, revision, files), (LIST_HOST,))
    return Decision(1, state, AT.format(second), GOOD, revision, None, report)


def ours(github: LocalGitHub) -> List[str]:
    return [c.body for c in github.state.comments.values() if c.login == WORKFLOW_LOGIN and MARKER in c.body]


def deliver(repository: GitHub, made: Decision, event: Event = OPENED) -> str:
    """Apply the decision as one about the issue as it is now."""
    asked = plan_of(Issue(1, "Built-in Model Request: vocals", f"### Repo ID\n\n{GOOD}\n"))
    return apply_decision(repository, event, replace(made, plan=asked), Links())


def test_the_same_event_three_times_gives_one_comment(repository: GitHub, github: LocalGitHub) -> None:
    for _ in range(3):
        deliver(repository, decision())
    (body,) = ours(github)
    check_comment(body)
    assert "Earlier checks" not in body
    assert github.state.issues[1].labels == ["model-contrib", READY]
    written = [entry.method for entry in github.take_log() if entry.method != "GET"]
    assert written == ["POST", "POST"]  # the comment and the label, once


def test_the_same_event_three_times_at_once_gives_one_comment(github: LocalGitHub, github_waits: List[float]) -> None:
    github._side.latency = 0.05
    start = threading.Barrier(3)

    def one() -> None:
        with GitHub(REPOSITORY, TOKEN, github.url) as client:
            start.wait()
            deliver(client, decision())

    threads = [threading.Thread(target=one) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ours(github)) == 1


def test_a_later_check_replaces_the_state_and_folds_the_older(repository: GitHub, github: LocalGitHub) -> None:
    deliver(repository, decision(NEEDS_CHANGES, 1))
    deliver(repository, decision(READY, 2, "cd" * 20))
    (body,) = ours(github)
    check_comment(body)
    assert github.state.issues[1].labels == ["model-contrib", READY]
    assert "Earlier checks (1)" in body
    assert [run.state for run in (read_memory(body) or Memory()).runs] == [NEEDS_CHANGES, READY]


def test_a_decision_that_comes_late_is_not_shown(repository: GitHub, github: LocalGitHub) -> None:
    deliver(repository, decision(READY, 9))
    assert "later check" in deliver(repository, decision(NEEDS_CHANGES, 3))
    assert github.state.issues[1].labels == ["model-contrib", READY]


def test_a_hundred_checks_keep_the_limit(repository: GitHub, github: LocalGitHub) -> None:
    record = Memory()
    for number in range(100):
        record = record.with_run(
            CheckRun(AT.format(number % 60), NEEDS_CHANGES, "a" * 40 + "/" + "b" * 50, f"{number:040x}")
        )
    line = record.line()
    assert "\n" not in line
    assert line.count("--") == 2  # those of the HTML comment itself
    assert read_memory(line).last == record.last
    assert len(line) < 13_000


def test_a_strangers_mark_is_not_believed(repository: GitHub, github: LocalGitHub) -> None:
    forged = Memory((CheckRun(AT.format(59), READY, GOOD, EXAMINED, "pass", tool="1.0.0"),)).line()
    github.state.add_comment(1, "eve", f"{forged}\n\n## Accepted")
    deliver(repository, decision(NEEDS_CHANGES))
    (body,) = ours(github)
    assert [run.state for run in (read_memory(body) or Memory()).runs] == [NEEDS_CHANGES]
    assert [c.body for c in github.state.comments.values() if c.login == "eve"] == [f"{forged}\n\n## Accepted"]


def test_a_person_who_runs_it_with_a_token_of_their_own_updates_their_comment(github: LocalGitHub) -> None:
    github.add_token("personal", "keeper", issues="write")
    with GitHub(REPOSITORY, "personal", github.url) as client:
        for second in (1, 2):
            deliver(client, decision(NEEDS_CHANGES, second, f"{second:040x}"))
    assert [c.login for c in github.state.comments.values()] == ["keeper"]


def said(body: str, author: str = "ann", by_bot: bool = False, action: str = "created") -> Event:
    return Event(1, action, None, Comment(99, author, body, by_bot))


@pytest.mark.parametrize(
    "event",
    [
        Event(1, "deleted"),
        Event(1, "closed"),
        Event(1, "labeled"),
        said("thanks!"),
        said("> /recheck"),
        said("/accept"),
        said("/recheck", "github-actions[bot]", by_bot=True),
        said("/recheck", action="edited"),
        said("/recheck", action="deleted"),
    ],
)
def test_events_that_ask_for_nothing_write_nothing(event: Event, repository: GitHub, github: LocalGitHub) -> None:
    assert deliver(repository, decision(), event).startswith("nothing")
    assert github.state.comments == {}


@pytest.mark.parametrize("what", ["closed", "pull", "accepted"])
def test_an_issue_that_is_settled_is_left_alone(what: str, repository: GitHub, github: LocalGitHub) -> None:
    issue = github.state.issues[1]
    if what == "closed":
        issue.state = "closed"
    elif what == "pull":
        issue.pull = {"head": "x", "base": "main", "sha": github.state.branches["main"]}
    else:
        issue.labels.append("accepted")
    assert deliver(repository, decision()).startswith("nothing")
    assert github.state.comments == {}


@pytest.mark.parametrize(
    ("author", "allowed"),
    [
        ("ann", True),
        ("boss", True),
        ("keeper", True),
        ("helper", False),
        ("reader", False),
        ("eve", False),
        ("", False),
    ],
)
def test_who_may_ask_for_a_check_is_asked_of_github(
    author: str, allowed: bool, repository: GitHub, github: LocalGitHub
) -> None:
    asked = github.state.add_comment(1, author, "/recheck")
    event = Event(1, "created", None, Comment(asked.id, author, "/recheck"))
    deliver(repository, decision(), event)
    assert bool(ours(github)) is allowed
    assert asked.reactions == ([] if allowed else [(WORKFLOW_LOGIN, "-1")])


FAULTS: List[Any] = [
    ("secondary-rate-limit", {"retry_after": 7}),
    ("secondary-rate-limit", {"retry_after": 3, "status": 429}),
    ("secondary-rate-limit", {}),
    ("server-error", {}),
    ("server-error", {"status": 503}),
    ("unicorn", {}),
    ("lost", {}),
    ("drop", {}),
    ("cut", {}),
    ("not-json", {}),
]


@pytest.mark.parametrize("after", range(7))
@pytest.mark.parametrize(("kind", "options"), FAULTS, ids=lambda value: str(value))
def test_a_fault_at_any_request_leaves_one_comment_after_a_second_delivery(
    kind: str, options: Any, after: int, repository: GitHub, github: LocalGitHub, github_waits: List[float]
) -> None:
    deliver(repository, decision(NEEDS_CHANGES, 1))
    github.state.comments.clear()
    github.state.issues[1].labels = ["model-contrib", NEEDS_INFO]
    github.fault(kind, after=after, **options)
    try:
        deliver(repository, decision())
    except GitHubError:
        deliver(repository, decision())
    assert len(ours(github)) == 1
    assert github.state.issues[1].labels == ["model-contrib", READY]
    if "retry_after" in options and github_waits:
        assert github_waits[-1] == options["retry_after"]


@pytest.mark.parametrize("kind", ["not-found", "conflict", "unprocessable", "forbidden", "unauthorized"])
def test_a_refusal_is_an_error_of_ours_with_exit_status_3(kind: str, repository: GitHub, github: LocalGitHub) -> None:
    github.fault(kind, method="POST", times=None)
    with pytest.raises(GitHubError) as raised:
        deliver(repository, decision())
    assert raised.value.exit_status == 3


@pytest.mark.parametrize("rights", [{}, {"issues": "read"}, {"contents": "write"}])
def test_a_token_without_the_right_writes_nothing(rights: Any, github: LocalGitHub, github_waits: List[float]) -> None:
    github.add_token("weak", **rights)
    with GitHub(REPOSITORY, "weak", github.url) as client, pytest.raises(GitHubError, match="issues: write"):
        deliver(client, decision())
    assert github.state.comments == {}


def test_our_own_failure_blames_nobody(repository: GitHub, github: LocalGitHub) -> None:
    deliver(repository, failed_decision(Issue(1), AT.format(0), "KeyError: 'x' @octocat <script>"))
    (body,) = ours(github)
    check_comment(body)
    assert "our mistake" in body
    assert github.state.issues[1].labels == ["model-contrib", COULD_NOT_CHECK]


def test_a_comment_that_others_pages_hide_is_found(repository: GitHub, github: LocalGitHub) -> None:
    deliver(repository, decision(NEEDS_CHANGES, 1))
    first = next(iter(github.state.comments))
    for number in range(230):
        github.state.add_comment(1, "eve", f"spam {number}")
    github.state.comments[first] = github.state.comments.pop(first)  # on the last page
    deliver(repository, decision(READY, 2))
    assert len(ours(github)) == 1


def test_nothing_of_a_decision_but_its_facts_is_shown(repository: GitHub, github: LocalGitHub) -> None:
    made = replace(decision(), comment="@octocat [free](http://evil.example)", reason=Reason("empty", (), ("<b>x",)))
    deliver(repository, made)
    (body,) = ours(github)
    check_comment(body)
    assert "octocat" not in body
