"""What a stranger with an account tried, step by step, and what came of it: nothing moves the list but a maintainer."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, List, Tuple

import pytest

from audacitorch.github import GitHub
from audacitorch.github.tracker import Comment, Issue
from audacitorch.hub import Hub
from audacitorch.registry.folder import RegistryFolder
from audacitorch.request import ACCEPTED, NEEDS_CHANGES, READY
from audacitorch.request.accept import Refused, accept
from audacitorch.request.comment import Links
from audacitorch.request.decision import Decision, DecisionError, is_moment, plan_of, read_decision, write_decision
from audacitorch.request.issue_event import Command, Event, command_in
from audacitorch.request.memory import CheckRun, Memory, OurComment, read_memory
from audacitorch.request.open_requests import CHECKS_A_DAY, collect
from audacitorch.request.respond import apply_decision, handle_comment
from audacitorch.request.triage import Triage
from audacitorch.trial.observations import Trial
from tests.github import LocalGitHub
from tests.hub import LocalHub
from tests.request.conftest import GOOD, TOKEN

Desk = Tuple[GitHub, Hub, RegistryFolder]
BREAKS = {
    "line separator": "\u2028",
    "paragraph separator": "\u2029",
    "next line": "\x85",
    "vertical tab": "\x0b",
    "form feed": "\x0c",
    "file separator": "\x1c",
    "lone carriage return": "\r",
}


@pytest.fixture
def desk(repository: GitHub, models: LocalHub, waits: List[float], tmp_path: Path) -> Any:
    place = tmp_path / "registry"
    place.mkdir(exist_ok=True)
    (place / "builtin.yml").write_text("# by hand\n")
    (place / "models.json").write_text("[]\n")
    with Hub(models.url, token=False, timeouts=(2.0, 0.5), tries=1) as hub:
        yield repository, hub, RegistryFolder(place)


def said(github: LocalGitHub, author: str, text: str) -> Event:
    """Somebody comments, and GitHub tells the workflow."""
    comment = github.state.add_comment(1, author, text)
    return Event(1, "created", None, Comment.from_json(github.state.comment_json(comment, github.url)))


def checked(github: LocalGitHub, client: GitHub, triage: Triage, action: str = "opened") -> Decision:
    """The workflow checks the request as it is now, and shows the decision."""
    decision = triage.decide(Issue.from_json(github.event(action, 1)["issue"]))
    apply_decision(client, Event(1, action), decision, Links())
    return decision


def pulls(github: LocalGitHub) -> List[Tuple[int, str]]:
    """The pull requests, with the list on each one's branch."""
    found = [issue for issue in github.state.issues.values() if issue.pull is not None]
    return [
        (pull.number, (github.state.file("registry/builtin.yml", pull.pull["head"]) or b"").decode()) for pull in found
    ]


def our_comment(github: LocalGitHub) -> str:
    (body,) = (comment.body for comment in github.state.comments.values() if comment.login == "github-actions[bot]")
    return body


# 1. A maintainer quotes a stranger


@pytest.mark.parametrize("line_break", BREAKS.values(), ids=BREAKS.keys())
@pytest.mark.parametrize("text", ["> please look{}/accept", "please look{}/accept", "> a{0}/accept\n\nWhat is this?"])
def test_a_command_behind_another_line_break_is_answered_and_not_obeyed(
    text: str, line_break: str, desk: Desk, github: LocalGitHub, triage: Triage
) -> None:
    checked(github, desk[0], triage)
    handled = handle_comment(*desk, said(github, "boss", text.format(line_break)))
    assert handled.text.startswith("refused")
    assert "line breaks" in our_comment(github)
    assert (pulls(github), ACCEPTED in github.state.issues[1].labels) == ([], False)


@pytest.mark.parametrize(
    "text",
    [
        "> /accept",
        "> quoted\n/accept",  # a lazy continuation of the quotation
        "<!--\n/accept\n-->",
        "<!-- x\n\n/accept\n\n-->",
        "<pre>\n/accept\n</pre>",
        "<pre>\n\n/accept\n\n</pre>",
        "- a list\n\n  ```\n  /accept\n  ```",
        "- a list\n  /accept",
        "1. /accept",
        "```\n```x\n/accept\n```",
        "~~~\n/accept",
        "    /accept",
        "\t/accept",
        "/accept\n---",
        "| a |\n| - |\n| /accept |",
        "Thanks!\n/accept",
        "# /accept",
        "\\/accept",
        "&#47;accept",
        "[x]: y\n'/accept'",
        "[x]: y\n/accept",
        "/accepted",
        "`/accept`",
    ],
)
def test_quoted_hidden_and_preformatted_commands_are_none(
    text: str, desk: Desk, github: LocalGitHub, triage: Triage
) -> None:
    checked(github, desk[0], triage)
    github.take_log()
    assert not handle_comment(*desk, said(github, "boss", text)).permitted
    assert {entry.method for entry in github.take_log()} <= {"GET"}


@pytest.mark.parametrize("tag", ["blockquote", "details", "div"])
def test_a_command_within_html_is_answered_and_not_obeyed(
    tag: str, desk: Desk, github: LocalGitHub, triage: Triage
) -> None:
    checked(github, desk[0], triage)
    assert handle_comment(*desk, said(github, "boss", f"<{tag}>\n\n/accept\n\n</{tag}>")).text.startswith("refused")
    assert "HTML" in our_comment(github)
    assert pulls(github) == []


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("Thanks!\n\n/accept " + "ab" * 20, Command("accept", "ab" * 20)),
        ("> a quotation\n\n/accept", Command("accept")),
        ("<!-- a note -->\n\n/accept", Command("accept")),
        ("/decline It is a copy.\nOf another one.\n\nSorry.", Command("decline", "It is a copy.")),
        ("/decline\n\nIt is a copy.\n\n> quoted\n", Command("decline", "It is a copy.")),
    ],
)
def test_a_paragraph_of_its_own_is_a_command(text: str, command: Command) -> None:
    assert command_in(text) == command


@pytest.mark.parametrize(
    "text",
    [
        '[a](https://x.example "\n/accept\n")',
        "![\n/accept\n](x)",
        "[/accept](https://x.example)",
        "[a]: /x '\n/accept\n'",
        "| a | b |\n| --- | --- |\n/accept",
        "/accept | b\n--- | ---\nx | y",
        "/accept\n| --- |\n| x |",  # GitHub's tables need no stroke in their first line
        "/accept\n:-: |\n",
        "<div>\n/accept\n</div>",
        "<?php\n/accept\n?>",
        "<![CDATA[\n/accept\n]]>",
        "<script>\n/accept\n</script>",
        '<a title="\n/accept\n">',
        "x <!--\n/accept\n-->",
        "&nbsp;\n/accept",
        "x&#10;/accept",
        "/accept\n===",
        "/accept\nmore\n---",
        "- a\n\n  /accept",
        "- a\n/accept",
        "1) a\n/accept",
        "-\ta\n\n\t/accept",
        "- [ ] /accept",
        "- [x] done\n/accept",
        "a[^1]\n\n[^1]: x\n/accept",
        "a[^1]\n\n[^1]: x\n\n    /accept",
        "a[^1]\n\n[^1]:\n/accept",
        "> > a\n/accept",
        "> [!NOTE]\n/accept",
        "term\n: /accept",
        "hello  \n/accept",
        "hello\\\n/accept",
        "~~/accept~~",
        "**/accept**",
        "``` /accept\nx\n```",
        "````\n```\n/accept\n````",
        "$$\n/accept\n$$",
        "\u200b/accept",
        "\u2060/accept",
        "\ufeff/accept",
        "\u202e/accept",
        "\xa0/accept",
        "\u3000/accept",
        "/acc\u200bept",
        "/accept\u0301",
        "/accept\ufe0f",
        "\U0001f44d\ufe0f /accept",
        "\uff0faccept",
        "/\u0430ccept",
        "\u2215accept",
        "/accept?",
        "/accept/x",
        "//accept",
        "-- \n/accept",
    ],
)
def test_nothing_that_a_reader_sees_as_something_else_is_a_command(text: str) -> None:
    assert command_in(text) is None
    assert command_in(f"Look at this:\n\n{text}\n\nWhat is it?") is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("He said <del>\n\n/accept\n\n</del>", "HTML"),
        ("x <blockquote> y\n\n/accept\n\n</blockquote>", "HTML"),
        ("<sub>\n\n/accept\n\n</sub>", "HTML"),
        ("</blockquote>\n\n/accept", "HTML"),
        ("<!-- a --> <details>\n\n/accept", "HTML"),
        ("<details> x\n\n/accept", "HTML"),
        ("/accept\n\n/decline It is a copy.", "more than one"),
        ("/decline It is a copy.\n\n/accept", "more than one"),
        ("Write\n\n/accept " + "a" * 40 + "\n\nor\n\n/accept " + "b" * 40, "more than one"),
        ("I will look.\n\nOn Mon, 3 June 2024 at 10:00, eve <eve@x.example> wrote:\n\n/accept", "mail"),
        ("I will look.\n\n-----Original Message-----\nFrom: eve\n\n/accept", "mail"),
        ("Ja.\n\n________________________________\nVon: eve\nGesendet: Montag\n\n/accept", "mail"),
        ("Oui.\n\nLe lun. 3 juin 2024, eve <eve@x.example> a écrit :\n\n/accept", "mail"),
    ],
)
def test_a_command_that_may_be_somebody_elses_is_asked_about(text: str, why: str) -> None:
    command = command_in(text)
    assert command is not None
    assert why in command.unclear


@pytest.mark.parametrize(
    "text",
    [
        "Thanks<br>for this <img src='x'>\n\n/accept",
        "See <https://x.example>, where a < b\n\n/accept",
        "`<b>` is code\n\n/accept",
        "/accept\n\nThe note <del>below</del> is for people.",
        "/accept\n\n/accept",
        "---\n/accept",
        "   /ACCEPT",
    ],
)
def test_what_is_plain_to_everybody_is_followed(text: str) -> None:
    assert command_in(text) == Command("accept")


@pytest.mark.parametrize("how", ["deleted", "edited"])
def test_a_command_that_was_taken_back_is_not_followed(
    how: str, desk: Desk, github: LocalGitHub, triage: Triage
) -> None:
    checked(github, desk[0], triage)
    event = said(github, "boss", "/accept")
    assert event.comment is not None
    if how == "deleted":
        del github.state.comments[event.comment.id]
    else:
        github.state.comments[event.comment.id].body = "No, wait."
    assert "edited or deleted" in handle_comment(*desk, event).text
    assert pulls(github) == []


# 2. An edit or a push, and a new check, between reading and accepting


def test_accept_takes_the_commit_that_was_read(
    desk: Desk, github: LocalGitHub, triage: Triage, models: LocalHub
) -> None:
    read = checked(github, desk[0], triage)
    assert f"/accept {read.revision}" in our_comment(github)
    models.commit(GOOD, {"README.md": b"something else"})
    checked(github, desk[0], triage)
    handled = handle_comment(*desk, said(github, "boss", f"/accept {read.revision}"))
    assert "is not what was checked last" in handled.text
    assert pulls(github) == []


def test_a_bare_accept_is_asked_back_when_another_commit_was_ready(
    desk: Desk, github: LocalGitHub, triage: Triage, models: LocalHub
) -> None:
    checked(github, desk[0], triage)
    models.commit(GOOD, {"README.md": b"something else"})
    now = checked(github, desk[0], triage)
    handled = handle_comment(*desk, said(github, "boss", "/accept"))
    assert handled.text.startswith("refused: More than one commit")
    assert f"/accept {now.revision}" in our_comment(github)
    assert handle_comment(*desk, said(github, "boss", f"/accept {now.revision}")).text.startswith("accepted")


def test_a_bare_accept_is_asked_back_when_the_check_came_after_it(
    desk: Desk, github: LocalGitHub, triage: Triage
) -> None:
    event = said(github, "boss", "/accept")
    now = checked(github, desk[0], triage)
    assert "was shown after this was said" in handle_comment(*desk, event).text
    assert f"/accept {now.revision}" in our_comment(github)
    assert pulls(github) == []


def test_a_bare_accept_is_asked_back_when_the_issue_was_edited(desk: Desk, github: LocalGitHub, triage: Triage) -> None:
    checked(github, desk[0], triage)
    github.state.issues[1].body = f"### Repo ID\n\n{GOOD}\n\n### What does your model do?\n\nSomething else.\n"
    assert "was edited" in handle_comment(*desk, said(github, "boss", "/accept")).text
    assert pulls(github) == []


def test_a_bare_accept_is_enough_where_there_is_nothing_to_mistake(
    desk: Desk, github: LocalGitHub, triage: Triage
) -> None:
    checked(github, desk[0], triage)
    checked(github, desk[0], triage)
    assert handle_comment(*desk, said(github, "boss", "/accept")).text.startswith("accepted")
    # The same command again, as when the job is repeated, is the same pull request.
    assert len(pulls(github)) == 1


@pytest.mark.parametrize("commit", ["ab" * 20, "abcdef1", "main", "AB" * 20, "--help"])
def test_accept_takes_no_other_commit(commit: str, desk: Desk, github: LocalGitHub, triage: Triage) -> None:
    checked(github, desk[0], triage)
    assert handle_comment(*desk, said(github, "boss", f"/accept {commit}")).text.startswith("refused")
    with pytest.raises(Refused):
        accept(*desk, 1, commit=commit, dry_run=False)
    assert pulls(github) == []


# 3. An accepted request is swapped under its open pull request


def test_no_recheck_while_accepted(
    desk: Desk, github: LocalGitHub, triage: Triage, models: LocalHub, tmp_path: Path
) -> None:
    first = checked(github, desk[0], triage)
    handle_comment(*desk, said(github, "boss", f"/accept {first.revision}"))
    before, body = pulls(github), our_comment(github)
    models.commit(GOOD, {"README.md": b"something else"})
    recheck = said(github, "ann", "/recheck")
    assert collect(desk[0], tmp_path / "out", recheck) == []
    decision = triage.decide(Issue.from_json(github.event("created", 1)["issue"]))
    assert "accepted" in apply_decision(desk[0], recheck, decision, Links())
    assert (pulls(github), our_comment(github)) == (before, body)


def test_another_commit_never_moves_a_pull_request(
    desk: Desk, github: LocalGitHub, triage: Triage, models: LocalHub
) -> None:
    first = checked(github, desk[0], triage)
    handle_comment(*desk, said(github, "boss", f"/accept {first.revision}"))
    (before,) = pulls(github)
    github.state.issues[1].labels.remove(ACCEPTED)  # as only people with rights can
    models.commit(GOOD, {"README.md": b"something else"})
    (desk[2].path / "builtin.yml").write_text("")
    second = checked(github, desk[0], triage, "edited")
    handle_comment(*desk, said(github, "boss", f"/accept {second.revision}"))
    assert pulls(github)[0] == before
    assert str(second.revision) in pulls(github)[1][1]


# 4. Checks are expensive, and strangers and floods ask for them


@pytest.mark.parametrize(("author", "numbers"), [("eve", []), ("reader", []), ("ann", [1]), ("boss", [1])])
def test_a_stranger_starts_no_check(
    author: str, numbers: List[int], desk: Desk, github: LocalGitHub, tmp_path: Path
) -> None:
    assert collect(desk[0], tmp_path / "out", said(github, author, "/recheck")) == numbers
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [f"{number}.json" for number in numbers]


def remember(github: LocalGitHub, client: GitHub, number: int, times: int) -> None:
    now = datetime.now(timezone.utc)
    run = CheckRun((now - timedelta(hours=2)).strftime("%Y-%m-%dT%H:%M:%SZ"), NEEDS_CHANGES, times=times)
    OurComment(client, number).put(Memory((run,)).line())
    github.state.issues[number].updated_at = now.strftime("%Y-%m-%dT%H:%M:%SZ")


def test_an_author_gets_so_many_checks_a_day(desk: Desk, github: LocalGitHub, tmp_path: Path) -> None:
    for title in ("second", "third"):
        github.state.add_issue(title, f"### Repo ID\n\n{GOOD}\n", "ann", ("model-contrib",))
    github.state.add_issue("other", f"### Repo ID\n\n{GOOD}\n", "bob", ("model-contrib",))
    remember(github, desk[0], 1, CHECKS_A_DAY - 1)
    assert collect(desk[0], tmp_path / "a", Event(2, "opened")) == [2]
    remember(github, desk[0], 2, 1)
    assert collect(desk[0], tmp_path / "b", Event(3, "opened")) == []
    by_author = said(github, "ann", "/recheck")
    github.state.issues[1].updated_at = github.state.issues[2].updated_at
    assert collect(desk[0], tmp_path / "c", by_author) == []
    assert collect(desk[0], tmp_path / "d") == [4]
    assert collect(desk[0], tmp_path / "e", said(github, "boss", "/recheck")) == [1]
    assert collect(desk[0], tmp_path / "f", Event(3, "dispatched")) == [3]


def test_checks_of_the_same_commit_are_counted(desk: Desk, github: LocalGitHub, triage: Triage) -> None:
    first = checked(github, desk[0], triage)
    again = replace(first, checked_at=first.checked_at[:-3] + "59Z")
    memory = Memory().with_run(CheckRun.of(first)).with_run(CheckRun.of(again)).with_run(CheckRun.of(again))
    assert [run.times for run in read_memory(memory.line()).runs] == [1 + (again.checked_at != first.checked_at)]


# 5. A decision is bound to what was asked


def forged(decision: Decision, tmp_path: Path, **changes: Any) -> Path:
    write_decision(decision, tmp_path / "decision.json")
    data = {**json.loads((tmp_path / "decision.json").read_text()), **changes}
    (tmp_path / "decision.json").write_text(json.dumps(data))
    return tmp_path / "decision.json"


def future(**ahead: float) -> str:
    return (datetime.now(timezone.utc) + timedelta(**ahead)).strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.mark.parametrize(
    "time",
    ["2024-02-30T10:00:00Z", "2999-01-01T00:00:00Z", "2024-05-01T10:00:00Z\n", "2024-13-01T10:00:00Z", future(hours=1)],
    ids=["no such day", "in 2999", "line break", "no such month", "in an hour"],
)
def test_a_decision_has_a_real_time_that_is_not_in_the_future(time: str, triage: Triage, tmp_path: Path) -> None:
    made = triage.decide(Issue(1, "", f"### Repo ID\n\n{GOOD}\n"))
    with pytest.raises(DecisionError):
        read_decision(forged(made, tmp_path, checked_at=time))
    assert not is_moment(time)
    assert is_moment(made.checked_at)


@pytest.mark.parametrize("field", ["repo_id", "revision", "plan", "checked_at"])
def test_patterns_end_where_the_text_does(field: str, triage: Triage, tmp_path: Path) -> None:
    made = triage.decide(Issue(1, "", f"### Repo ID\n\n{GOOD}\n"))
    path = forged(made, tmp_path)
    data = json.loads(path.read_text())
    path.write_text(json.dumps({**data, field: data[field] + "\n"}))
    with pytest.raises(DecisionError, match=field):
        read_decision(path)


def test_no_pattern_of_the_schema_forgives_a_line_break() -> None:
    text = (Path(__file__).parents[2] / "audacitorch" / "data" / "decision.schema.json").read_text()
    patterns = [line for line in text.splitlines() if '"pattern"' in line]
    assert patterns
    assert all("\\\\Z" in line and "$" not in line for line in patterns)


def test_a_decision_about_another_text_is_not_shown(desk: Desk, github: LocalGitHub, triage: Triage) -> None:
    made = triage.decide(Issue.from_json(github.event("opened", 1)["issue"]))
    github.state.issues[1].body = "### Repo ID\n\nhugggof/broken\n"
    assert apply_decision(desk[0], Event(1, "opened"), made, Links()).startswith("nothing: the issue was edited")
    assert github.state.comments == {}


@pytest.mark.parametrize("asked", ["hugggof/broken", "hugggof/broken, or hugggof/moved", f"{GOOD}@{'ab' * 20}"])
def test_a_decision_about_another_repo_or_commit_is_not_shown(
    asked: str, desk: Desk, github: LocalGitHub, triage: Triage, models: LocalHub
) -> None:
    made = triage.decide(Issue(1, "", f"### Repo ID\n\n{GOOD}\n"))
    assert made.state == READY
    issue = github.state.issues[1]
    issue.body = f"### Repo ID\n\n{asked}\n"
    lie = replace(made, plan=plan_of(Issue.from_json(github.event("opened", 1)["issue"])))
    with pytest.raises(DecisionError):
        apply_decision(desk[0], Event(1, "opened"), lie, Links(), models.url)
    assert github.state.comments == {}


def test_a_renamed_repo_is_what_was_asked(desk: Desk, github: LocalGitHub, triage: Triage, models: LocalHub) -> None:
    models.rename_repo(GOOD, "ann/vocals")
    made = triage.decide(Issue.from_json(github.event("opened", 1)["issue"]))
    assert made.repo_id == "ann/vocals"
    apply_decision(desk[0], Event(1, "opened"), made, Links(), models.url)
    assert github.state.issues[1].labels == ["model-contrib", READY]


def test_a_failure_of_ours_does_not_hide_the_check_that_came_before_it(
    desk: Desk, github: LocalGitHub, triage: Triage
) -> None:
    made = triage.decide(Issue.from_json(github.event("opened", 1)["issue"]))
    ours = OurComment(desk[0], 1)
    ours.put(Memory((CheckRun(future(seconds=20), "could-not-check"),)).line())
    apply_decision(desk[0], Event(1, "opened"), made, Links())
    assert github.state.issues[1].labels == ["model-contrib", READY]


@pytest.mark.parametrize("changes", [{"static": True}, {"trial": None}, {"trial": Trial("skipped")}])
def test_no_decision_lists_a_model_that_did_not_run(changes: Any, triage: Triage, tmp_path: Path) -> None:
    made = triage.decide(Issue(1, "", f"### Repo ID\n\n{GOOD}\n"))
    assert made.report is not None
    write_decision(replace(made, report=replace(made.report, **changes)), tmp_path / "decision.json")
    with pytest.raises(DecisionError, match="its report does not"):
        read_decision(tmp_path / "decision.json")


def test_a_report_md_is_never_shown_without_its_report_json(tmp_path: Path) -> None:
    from audacitorch.github.comments import report_text

    (tmp_path / "report.md").write_text("# PASS, says the model\n")
    for content in (None, "{", '{"schema_version": 1}', "[]"):
        if content is not None:
            (tmp_path / "report.json").write_text(content)
        assert "The check was not made" in report_text(tmp_path, 1000)
        assert "says the model" not in report_text(tmp_path, 1000)


def test_the_token_of_a_maintainer_is_not_needed_to_ask_who_somebody_is(desk: Desk, github: LocalGitHub) -> None:
    github.add_token(TOKEN, issues="read")
    assert handle_comment(*desk, said(github, "boss", "/accept"), dry_run=True).permitted
    assert not handle_comment(*desk, said(github, "eve", "/accept"), dry_run=True).permitted
    assert {entry.method for entry in github.take_log()} == {"GET"}
