"""What GitHub can do at any request: nothing is written to the wrong place, nothing twice, and a second try ends it."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Tuple

import pytest

from audacitorch.errors import AudacitorchError
from audacitorch.github import GitHub, GitHubError
from audacitorch.github.tracker import Issue, IssueTracker, NoSuchIssue
from audacitorch.hub import Hub
from audacitorch.registry.builtin_list import QUARANTINED, BuiltInState
from audacitorch.registry.folder import RegistryFolder
from audacitorch.registry.issues import LABEL, keep_issues
from audacitorch.request import ACCEPTED, DECLINED
from audacitorch.request.accept import accept
from audacitorch.request.comment import Links
from audacitorch.request.issue_event import Event
from audacitorch.request.respond import apply_decision, decline
from audacitorch.request.triage import Triage
from tests.github import LocalGitHub
from tests.hub import LocalHub

Act = Callable[[], Any]
BROKEN = ("ann/broken", "ann/hopeless")
#: More requests than any of the actions makes.
MOST_REQUESTS = 20


def faults(github: LocalGitHub) -> Dict[str, Dict[str, Any]]:
    """Every fault that must lead nowhere; redirects lead to the issue of somebody else."""
    elsewhere = f"{github.url}/repos/{github.state.full_name}/issues/2"
    return {
        "moved": {"location": elsewhere},
        "gone": {},
        "blocked": {},
        "issues-off": {},
        "hourly-limit": {},
        "secondary-rate-limit": {},
        "lost": {},
        "drop": {},
    }


@pytest.fixture
def place(repository: GitHub, models: LocalHub, waits: List[float], tmp_path: Path) -> Iterator[Tuple[Any, ...]]:
    registry = tmp_path / "registry"
    registry.mkdir(exist_ok=True)
    (registry / "builtin.yml").write_text("")
    (registry / "models.json").write_text("[]")
    with Hub(models.url, token=False, tries=1) as hub:
        yield repository, hub, RegistryFolder(registry)


def broken(*names: str) -> List[BuiltInState]:
    return [
        BuiltInState(named=name, id=name, state=QUARANTINED, revision="ab" * 20, since="2024-05-01", reason="It fails.")
        for name in names
    ]


def prepared(action: str, place: Any, github: LocalGitHub, triage: Triage) -> Act:
    """The action, with everything that must be there before it."""
    github.state.add_issue("Somebody else's", "Not about a model.", "bob", ("bug",))
    github.state.add_comment(2, "bob", "Hello")
    issue = Issue.from_json(github.event("opened", 1)["issue"])
    decision = triage.decide(issue)
    if action == "apply":
        return lambda: apply_decision(place[0], Event(1, "opened"), decision, Links())
    if action == "keep_issues":
        return lambda: keep_issues(place[0], broken(*BROKEN))
    apply_decision(place[0], Event(1, "opened"), decision, Links())
    if action == "decline":
        return lambda: decline(place[0], 1, "It is a copy.")
    repository, hub, folder = place
    return lambda: accept(repository, hub, folder, 1, dry_run=False)


def ended_well(action: str, github: LocalGitHub) -> None:
    """What must be so at the end, however often GitHub failed."""
    state = github.state
    theirs = state.issues[2]
    assert (theirs.title, theirs.body, theirs.state, theirs.labels) == (
        "Somebody else's",
        "Not about a model.",
        "open",
        ["bug"],
    )
    assert [comment.body for comment in state.comments_of(2)] == ["Hello"]
    issues = [issue for issue in state.issues.values() if issue.pull is None]
    if action == "keep_issues":
        opened = [issue.title for issue in issues if issue.labels == [LABEL] and issue.state == "open"]
        assert opened == [f"Built-in model broken: {name}" for name in BROKEN]
        assert len(issues) == 2 + len(BROKEN)
        return
    assert len(issues) == 2
    assert len(state.comments_of(1)) == 1
    labels = {"apply": "ready-for-review", "decline": DECLINED, "accept": ACCEPTED}
    assert state.issues[1].labels == ["model-contrib", labels[action]]
    pulls = [issue for issue in state.issues.values() if issue.pull is not None]
    assert (len(pulls), len(state.branches)) == ((1, 2) if action == "accept" else (0, 1))


@pytest.mark.parametrize(
    "kind", ["moved", "gone", "blocked", "issues-off", "hourly-limit", "secondary-rate-limit", "lost", "drop"]
)
@pytest.mark.parametrize("action", ["apply", "accept", "decline", "keep_issues"])
@pytest.mark.slow
def test_a_fault_at_every_request_writes_nothing_elsewhere_and_nothing_twice(
    action: str, kind: str, place: Any, github: LocalGitHub, triage: Triage, github_waits: List[float]
) -> None:
    options = faults(github)[kind]
    for after in range(MOST_REQUESTS):
        github.faults.clear()
        github.state.issues.clear()
        github.state.comments.clear()
        github.state.branches = {"main": github.state.branches["main"]}
        github.state.add_issue(
            "Built-in Model Request: vocals", "### Repo ID\n\nhugggof/vocal-separation\n", "ann", ("model-contrib",)
        )
        (place[2].path / "builtin.yml").write_text("")
        act = prepared(action, place, github, triage)
        fault = github.fault(kind, after=after, **options)
        with suppress(AudacitorchError):
            act()
        hit = fault.hits > after
        github.faults.clear()
        act()
        ended_well(action, github)
        if not hit:
            return
    raise AssertionError(f"more than {MOST_REQUESTS} requests")


def untouched(github: LocalGitHub) -> None:
    assert {entry.method for entry in github.take_log()} <= {"GET"}


def _transfer(github: LocalGitHub) -> None:
    github.state.transferred[1] = (github.state.full_name, 2)


def _transfer_away(github: LocalGitHub) -> None:
    github.state.transferred[1] = ("other/repo", 5)


def _delete(github: LocalGitHub) -> None:
    github.state.deleted.add(1)


def _switch_off(github: LocalGitHub) -> None:
    github.state.issues_enabled = False


@pytest.mark.parametrize("change", [_transfer, _transfer_away, _delete, _switch_off])
@pytest.mark.parametrize("action", ["apply", "accept", "decline"])
def test_an_issue_that_is_not_here_any_more_is_no_such_issue(
    action: str, change: Callable[[LocalGitHub], None], place: Any, github: LocalGitHub, triage: Triage
) -> None:
    act = prepared(action, place, github, triage)
    change(github)
    github.take_log()
    with pytest.raises(NoSuchIssue) as raised:
        act()
    assert raised.value.exit_status == 2
    untouched(github)


@pytest.mark.parametrize(
    "changes",
    [
        {"number": 2},
        {"url": "http://127.0.0.1/repos/other/repo/issues/1"},
        {"number": 2, "url": "/repos/other/repo/issues/2"},
    ],
)
@pytest.mark.parametrize("action", ["apply", "accept", "decline"])
def test_an_answer_about_another_issue_is_not_believed(
    action: str, changes: Dict[str, Any], place: Any, github: LocalGitHub, triage: Triage
) -> None:
    act = prepared(action, place, github, triage)
    github.take_log()
    answer = {**github.event("opened", 1)["issue"], **changes}
    github.fault("json", path=r"/issues/1$", times=None, value=answer)
    with pytest.raises(GitHubError):
        act()
    untouched(github)


def test_three_refreshes_make_one_issue_though_labels_are_dropped(repository: GitHub, github: LocalGitHub) -> None:
    github.state.drops_labels = True
    for _ in range(3):
        with suppress(GitHubError):
            github.fault("forbidden", method="POST", path="/labels")
            keep_issues(repository, broken("ann/broken"))
    (made,) = [issue for issue in github.state.issues.values() if issue.login.endswith("[bot]")]
    assert made.title == "Built-in model broken: ann/broken"


def test_labels_that_were_dropped_are_added_afterwards(repository: GitHub, github: LocalGitHub) -> None:
    github.state.drops_labels = True
    keep_issues(repository, broken("ann/broken"))
    assert github.state.issues[2].labels == [LABEL]


def test_of_several_issues_about_one_model_the_oldest_is_kept(repository: GitHub, github: LocalGitHub) -> None:
    for _ in range(3):
        github.state.add_issue("Built-in model broken: x", "<!-- built-in: ann/broken -->\n", "github-actions[bot]")
    keep_issues(repository, broken("ann/broken"))
    assert [github.state.issues[number].state for number in (2, 3, 4)] == ["open", "closed", "closed"]


def test_a_strangers_issue_with_our_first_line_is_left_alone(repository: GitHub, github: LocalGitHub) -> None:
    github.state.add_issue("mine", "<!-- built-in: ann/gone -->\n", "eve")
    keep_issues(repository, [])
    assert (github.state.issues[2].state, github.state.comments) == ("open", {})


def test_labels_that_github_does_not_set_are_an_error(repository: GitHub, github: LocalGitHub) -> None:
    github.fault("json", method="POST", path="/labels", times=None, value=[])
    with pytest.raises(GitHubError, match="did not set"):
        IssueTracker(repository).add_labels(1, ["x"])


def test_a_pull_request_of_another_head_is_not_ours(place: Any, github: LocalGitHub, triage: Triage) -> None:
    act = prepared("accept", place, github, triage)
    other = github.state.add_issue("A fork's", "", "eve")
    other.pull = {"head": "something", "base": "main", "sha": github.state.branches["main"]}
    listed = [github.state.pull_json(other, github.url)]
    github.fault("json", method="GET", path="/pulls", times=None, value=listed)
    assert act().pull != other.number
