"""One issue for each built-in that broke: opened, kept up to date, and closed when the model passes again."""

from __future__ import annotations

from typing import Any, List, Mapping, Sequence

from audacitorch.github import GitHub
from audacitorch.github.comments import put_comment
from audacitorch.registry.builtin_list import QUARANTINED, BuiltInState
from audacitorch.report.escape import markdown, markdown_code, visible

LABEL = "built-in-broken"
#: A GitHub issue's title.
_LONGEST_TITLE = 200


def keep_issues(github: GitHub, builtin_states: Sequence[BuiltInState], held: Sequence[str] = ()) -> List[str]:
    """Make the issues say what ``builtin_states`` do; what was done, in words. Nothing is done twice.

    Models that are ``held`` on the list, because too many would go at once, are for a person to look at: no issue is
    opened or closed for them. Issues are known by a label, which only people with rights on the repository can give,
    and by a hidden first line.

    Raises:
        GitHubError: GitHub did not do it.
    """
    done: List[str] = []
    known = {_marked(issue): issue for issue in reversed(_open_issues(github))}
    for one in builtin_states:
        issue, text = known.pop(one.named, None), _body(one)
        unsettled = one.state == QUARANTINED and not one.since  # the list has not been made since
        if one.named in held or one.id in held or unsettled:
            continue
        if one.state != QUARANTINED:
            if issue is not None:
                _close(github, issue, "The model passes again and is back on the list.")
                done.append(f"closed #{issue['number']}: {one.named} passes again")
        elif issue is None:
            new = {"title": visible(f"Built-in model broken: {one.named}", _LONGEST_TITLE), "body": text}
            github.call("POST", "issues", "open an issue", {**new, "labels": [LABEL]})
            done.append(f"opened an issue: {one.named} is broken")
        elif str(issue["body"]).strip() != text.strip():
            github.call("PATCH", f"issues/{issue['number']}", "change an issue", {"body": text})
            done.append(f"updated #{issue['number']}: {one.named}")
    for named, issue in known.items():
        if named and named not in held:
            _close(github, issue, "The model is no longer in builtin.yml.")
            done.append(f"closed #{issue['number']}: {named} is no longer built in")
    return done


def _open_issues(github: GitHub) -> List[Mapping[str, Any]]:
    found = github.pages("issues", "read the issues", labels=LABEL, state="open")
    return [issue for issue in found if "pull_request" not in issue]


def _close(github: GitHub, issue: Mapping[str, Any], why: str) -> None:
    put_comment(github, issue["number"], "built-in-closed", why)
    github.call("PATCH", f"issues/{issue['number']}", "close an issue", {"state": "closed"})


def _body(one: BuiltInState) -> str:
    """The issue's text; it says which model it is about where no reader sees it."""
    return (
        f"<!-- built-in: {one.named} -->\n"
        f"{markdown_code(one.id)} is a built-in model that no longer passes, so Audacity's list leaves it out"
        f" since {one.since}.\n\n"
        f"- Revision: {markdown_code(one.revision or 'unknown')}\n- Reason: {markdown(one.reason)}\n\n"
        "It comes back by itself when a later revision passes, and this issue is closed then.\n"
    )


def _marked(issue: Mapping[str, Any]) -> str:
    """The model that an issue is about, as its first line says."""
    first = str(issue.get("body") or "").lstrip().partition("\n")[0].strip()
    start, end = "<!-- built-in: ", " -->"
    return first[len(start) : -len(end)] if first.startswith(start) and first.endswith(end) else ""
