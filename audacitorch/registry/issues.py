"""One issue for each built-in that broke: opened, kept up to date, and closed when the model passes again."""

from __future__ import annotations

from typing import Dict, List, Sequence

from audacitorch.github import GitHub, GitHubError
from audacitorch.github.comments import put_comment
from audacitorch.github.tracker import WORKFLOW_LOGIN, Issue, IssueTracker
from audacitorch.registry.builtin_list import QUARANTINED, BuiltInState
from audacitorch.safetext import markdown, markdown_code, visible

LABEL = "built-in-broken"
#: A GitHub issue's title.
_LONGEST_TITLE = 200


def keep_issues(github: GitHub, builtin_states: Sequence[BuiltInState], held: Sequence[str] = ()) -> List[str]:
    """Make the issues say what ``builtin_states`` do; what was done, in words. Nothing is done twice.

    Models that are ``held`` on the list, because too many would go at once, are for a person to look at: no issue is
    opened or closed for them. Issues are known by a hidden first line, and by a label, which only people with rights on
    the repository can give, or by having been opened by us: GitHub may leave the label out. Of several about one model,
    which runs at the same time can leave, the oldest is kept.

    Raises:
        GitHubError: GitHub did not do it.
    """
    done: List[str] = []
    tracker = IssueTracker(github)
    known: Dict[str, Issue] = {}
    for found in _open_issues(tracker):
        if _marked(found) in known:
            _close(github, found, f"This is the same as #{known[_marked(found)].number}.")
            done.append(f"closed #{found.number}: {_marked(found)} has another issue")
        else:
            known[_marked(found)] = found
    for one in builtin_states:
        issue, text = known.pop(one.named, None), _body(one)
        unsettled = one.state == QUARANTINED and not one.since  # the list has not been made since
        if one.named in held or one.id in held or unsettled:
            continue
        if one.state != QUARANTINED:
            if issue is not None:
                _close(github, issue, "The model passes again and is back on the list.")
                done.append(f"closed #{issue.number}: {one.named} passes again")
        elif issue is None:
            _open(tracker, one, text)
            done.append(f"opened an issue: {one.named} is broken")
        elif issue.body.strip() != text.strip():
            tracker.change_issue(issue.number, body=text)
            done.append(f"updated #{issue.number}: {one.named}")
    for named, issue in known.items():
        if named and named not in held:
            _close(github, issue, "The model is no longer in builtin.yml.")
            done.append(f"closed #{issue.number}: {named} is no longer built in")
    return done


def _open(tracker: IssueTracker, one: BuiltInState, text: str) -> None:
    """Open the issue of a model; where GitHub's answer is lost, look whether it is there before opening another."""
    title = visible(f"Built-in model broken: {one.named}", _LONGEST_TITLE)
    try:
        tracker.open_issue(title, text, LABEL)
    except GitHubError as error:
        if not error.may_be_done:
            raise
        if all(_marked(issue) != one.named for issue in _open_issues(tracker)):
            tracker.open_issue(title, text, LABEL)


def _open_issues(tracker: IssueTracker) -> List[Issue]:
    """Our open issues, oldest first, with the label or without it."""
    labelled = list(tracker.issues(state="open", labels=LABEL))
    opened = list(tracker.issues(state="open", creator=tracker.login() or WORKFLOW_LOGIN))
    ours = {issue.number: issue for issue in (*labelled, *opened) if _marked(issue)}
    return [ours[number] for number in sorted(ours)]


def _close(github: GitHub, issue: Issue, why: str) -> None:
    put_comment(github, issue.number, "built-in-closed", why)
    IssueTracker(github).change_issue(issue.number, state="closed")


def _body(one: BuiltInState) -> str:
    """The issue's text; it says which model it is about where no reader sees it."""
    return (
        f"<!-- built-in: {one.named} -->\n"
        f"{markdown_code(one.id)} is a built-in model that no longer passes, so Audacity's list leaves it out"
        f" since {one.since}.\n\n"
        f"- Revision: {markdown_code(one.revision or 'unknown')}\n- Reason: {markdown(one.reason)}\n\n"
        "It comes back by itself when a later revision passes, and this issue is closed then.\n"
    )


def _marked(issue: Issue) -> str:
    """The model that an issue is about, as its first line says; empty if it has no such line."""
    first = issue.body.lstrip().partition("\n")[0].strip()
    start, end = "<!-- built-in: ", " -->"
    return first[len(start) : -len(end)] if first.startswith(start) and first.endswith(end) else ""
