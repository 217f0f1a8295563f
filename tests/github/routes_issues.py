"""Endpoints for issues, their comments, labels and reactions."""

from __future__ import annotations

from typing import Any, Dict, List, Optional

from tests.github.faults import problem
from tests.github.routes import Call, route
from tests.github.state import Comment, Issue
from tests.hub.messages import Answer, as_json

LONGEST_BODY = 65_536
_REACTIONS = ("+1", "-1", "laugh", "confused", "heart", "hooray", "rocket", "eyes")


def _issue(call: Call) -> Optional[Issue]:
    number = call.groups[0]
    return call.state.issues.get(int(number)) if number.isdigit() else None


def _too_long(resource: str) -> Answer:
    message = f"Body is too long (maximum is {LONGEST_BODY} characters)"
    errors = [{"resource": resource, "code": "unprocessable", "field": "data", "message": message}]
    return problem(422, "Validation Failed", errors=errors)


def _names(labels: Any) -> List[str]:
    assert isinstance(labels, list)
    assert labels
    names = [label["name"] if isinstance(label, dict) else label for label in labels]
    assert all(isinstance(name, str) and 0 < len(name) <= 50 for name in names)
    return names


@route("GET", "/issues", "issues|pull_requests", "read")
def issues(call: Call) -> Answer:
    """The issues and pull requests, newest first."""
    state = call.request.one("state", "open")
    creator, since = call.request.one("creator"), call.request.one("since")
    wanted = {name.lower() for name in call.request.one("labels").split(",") if name}
    found = [
        issue
        for issue in call.state.issues.values()
        if state in ("all", issue.state)
        and wanted <= {name.lower() for name in issue.labels}
        and issue.login.lower() == (creator or issue.login).lower()
        and issue.updated_at >= since
    ]
    key = {"created": "created_at", "updated": "updated_at"}[call.request.one("sort", "created")]
    found.sort(key=lambda issue: getattr(issue, key), reverse=call.request.one("direction", "desc") == "desc")
    return call.page([call.state.issue_json(issue, call.base) for issue in found])


@route("POST", "/issues", "issues", "write")
def create_issue(call: Call) -> Answer:
    """Open an issue."""
    body = call.body
    assert body["title"]
    if len(body.get("body") or "") > LONGEST_BODY:
        return _too_long("Issue")
    labels = () if call.state.drops_labels else tuple(body.get("labels", ()))
    issue = call.state.add_issue(body["title"], body.get("body"), call.login, labels)
    return as_json(call.state.issue_json(issue, call.base), 201)


@route("GET", "/issues/{}", "issues|pull_requests", "read")
def issue(call: Call) -> Answer:
    """One issue."""
    found = _issue(call)
    return problem(404, "Not Found") if found is None else as_json(call.state.issue_json(found, call.base))


@route("PATCH", "/issues/{}", "issues|pull_requests", "write")
def update_issue(call: Call) -> Answer:
    """Change an issue's title, text, labels or state."""
    found = _issue(call)
    if found is None:
        return problem(404, "Not Found")
    body = call.body
    if len(body.get("body") or "") > LONGEST_BODY:
        return _too_long("Issue")
    assert body.get("state", "open") in ("open", "closed")
    assert body.get("state_reason") in (None, "completed", "not_planned", "reopened")
    for name in ("title", "body", "state", "state_reason"):
        if name in body:
            setattr(found, name, body[name])
    if "labels" in body:
        found.labels = list(body["labels"])
    found.updated_at = call.state.now()
    return as_json(call.state.issue_json(found, call.base))


@route("GET", "/issues/{}/comments", "issues|pull_requests", "read")
def comments(call: Call) -> Answer:
    """An issue's comments, oldest first."""
    found = _issue(call)
    if found is None:
        return problem(404, "Not Found")
    return call.page([call.state.comment_json(c, call.base) for c in call.state.comments_of(found.number)])


@route("POST", "/issues/{}/comments", "issues|pull_requests", "write")
def create_comment(call: Call) -> Answer:
    """Comment on an issue."""
    found = _issue(call)
    if found is None:
        return problem(404, "Not Found")
    text = call.body["body"]
    assert isinstance(text, str)
    assert text.strip()
    if len(text) > LONGEST_BODY:
        return _too_long("IssueComment")
    comment = call.state.add_comment(found.number, call.login, text)
    return as_json(call.state.comment_json(comment, call.base), 201)


def _comment(call: Call) -> Optional[Comment]:
    return call.state.comments.get(int(call.groups[0]))


@route("GET", "/issues/comments/{}", "issues|pull_requests", "read")
def comment(call: Call) -> Answer:
    """One comment."""
    found = _comment(call)
    return problem(404, "Not Found") if found is None else as_json(call.state.comment_json(found, call.base))


@route("PATCH", "/issues/comments/{}", "issues|pull_requests", "write")
def update_comment(call: Call) -> Answer:
    """Change a comment's text."""
    found = _comment(call)
    if found is None:
        return problem(404, "Not Found")
    text = call.body["body"]
    if len(text) > LONGEST_BODY:
        return _too_long("IssueComment")
    found.body, found.updated_at = text, call.state.now()
    return as_json(call.state.comment_json(found, call.base))


@route("DELETE", "/issues/comments/{}", "issues|pull_requests", "write")
def delete_comment(call: Call) -> Answer:
    """Take a comment away."""
    return Answer(204) if call.state.comments.pop(int(call.groups[0]), None) else problem(404, "Not Found")


@route("POST", "/issues/comments/{}/reactions", "issues|pull_requests", "write")
def react(call: Call) -> Answer:
    """Put a reaction on a comment: once, however often it is asked for."""
    found = _comment(call)
    if found is None:
        return problem(404, "Not Found")
    reaction = (call.login, call.body["content"])
    assert reaction[1] in _REACTIONS
    known = reaction in found.reactions
    if not known:
        found.reactions.append(reaction)
    shown = {"id": found.id, "content": reaction[1], "user": call.state.user_json(call.login)}
    return as_json(shown, 200 if known else 201)


def _labels(call: Call, found: Issue) -> Answer:
    return as_json([{"name": name} for name in found.labels])


@route("GET", "/issues/{}/labels", "issues|pull_requests", "read")
def issue_labels(call: Call) -> Answer:
    """An issue's labels."""
    found = _issue(call)
    return problem(404, "Not Found") if found is None else _labels(call, found)


@route("POST", "/issues/{}/labels", "issues|pull_requests", "write")
def add_labels(call: Call) -> Answer:
    """Add labels to an issue; those that nobody knew are made."""
    found = _issue(call)
    if found is None:
        return problem(404, "Not Found")
    for name in _names(call.body["labels"]):
        call.state.labels.setdefault(name, "ededed")
        if name.lower() not in (label.lower() for label in found.labels):
            found.labels.append(name)
    found.updated_at = call.state.now()
    return _labels(call, found)


@route("DELETE", "/issues/{}/labels/{}", "issues|pull_requests", "write")
def remove_label(call: Call) -> Answer:
    """Take a label from an issue."""
    found = _issue(call)
    if found is None or call.groups[1] not in found.labels:
        return problem(404, "Label does not exist")
    found.labels.remove(call.groups[1])
    found.updated_at = call.state.now()
    return _labels(call, found)


@route("GET", "/labels", "issues|pull_requests", "read")
def labels(call: Call) -> Answer:
    """The labels that there are."""
    return call.page([{"name": name, "color": color} for name, color in sorted(call.state.labels.items())])


@route("POST", "/labels", "issues|pull_requests", "write")
def create_label(call: Call) -> Answer:
    """Make a label."""
    body: Dict[str, str] = call.body
    if body["name"] in call.state.labels:
        return problem(422, "Validation Failed", errors=[{"resource": "Label", "code": "already_exists"}])
    call.state.labels[body["name"]] = body.get("color", "ededed")
    return as_json({"name": body["name"]}, 201)
