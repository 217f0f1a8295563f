"""What the local GitHub answers about a pull request's diff and its reviews."""

from __future__ import annotations

import difflib
import hashlib
from typing import Any, Dict, List

from tests.github.faults import problem
from tests.github.routes import Call, route
from tests.github.state import Issue, Review
from tests.hub.messages import Answer, as_json


def _files(call: Call) -> Dict[str, Dict[str, Any]]:
    """The files that the pull request changes, by name, as GitHub shows them."""
    state, pull = call.state, call.state.issues[int(call.groups[0])].pull or {}
    old, new = (state.trees[state.commits[state.branches[pull[side]]].tree] for side in ("base", "head"))
    shown = {}
    for name in sorted(new):
        if old.get(name) == new[name]:
            continue
        before = state.blobs[old[name]].decode().splitlines() if name in old else []
        patch = list(difflib.unified_diff(before, state.blobs[new[name]].decode().splitlines(), lineterm=""))[2:]
        kinds = [line[0] for line in patch]
        shown[name] = {
            "sha": new[name],
            "filename": name,
            "status": "modified" if name in old else "added",
            "additions": kinds.count("+"),
            "deletions": kinds.count("-"),
            "changes": kinds.count("+") + kinds.count("-"),
            **{f"{kind}_url": f"{call.base}/{kind}/{name}" for kind in ("blob", "raw", "contents")},
            "patch": "\n".join(patch),
        }
    return shown


@route("GET", "/pulls/{}/files", "pull_requests", "read")
def files(call: Call) -> Answer:
    """The diff, file by file."""
    return call.page(list(_files(call).values()))


@route("GET", "/pulls/{}/comments", "pull_requests", "read")
def review_comments(call: Call) -> Answer:
    """The comments on lines of the diff."""
    reviews = call.state.reviews.get(int(call.groups[0]), [])
    return call.page([_comment(call, review, index) for review in reviews for index in range(len(review.comments))])


def _comment(call: Call, review: Review, index: int) -> Dict[str, Any]:
    written, number = review.comments[index], int(call.groups[0])
    address = f"{call.base}/repos/{call.state.full_name}/pulls"
    return {
        **{name: written[name] for name in ("path", "body", "line", "side")},
        "id": review.id * 100 + index,
        "node_id": "x",
        "pull_request_review_id": review.id,
        "diff_hunk": "",
        "commit_id": review.commit,
        "original_commit_id": review.commit,
        "user": call.state.user_json(review.login),
        "created_at": review.created_at,
        "updated_at": review.created_at,
        "html_url": f"{call.base}/{call.state.full_name}/pull/{number}#discussion",
        "url": f"{address}/comments/{review.id}",
        "pull_request_url": f"{address}/{number}",
        "author_association": call.state.association(review.login),
        "_links": {name: {"href": address} for name in ("self", "html", "pull_request")},
    }


@route("POST", "/pulls/{}/reviews", "pull_requests", "write")
def review(call: Call) -> Answer:
    """A review; GitHub refuses one with a comment on lines that are not in one part of the diff."""
    number, body = int(call.groups[0]), call.body
    pull: Issue = call.state.issues[number]
    comments: List[Dict[str, Any]] = body.get("comments", [])
    changed = _files(call)
    for comment in comments:
        lines = set(range(comment.get("start_line", comment["line"]), comment["line"] + 1))
        if comment["path"] not in changed or not any(lines <= part for part in _parts(changed[comment["path"]])):
            return problem(422, "Unprocessable Entity: line must be part of the diff")
    made = Review(number * 10_000 + len(call.state.reviews.get(number, [])), call.login, body["commit_id"], comments)
    made.created_at = call.state.now()
    call.state.reviews.setdefault(pull.number, []).append(made)
    address = f"{call.base}/repos/{call.state.full_name}/pulls/{number}"
    return as_json(
        {
            "id": made.id,
            "node_id": hashlib.sha256(str(made.id).encode()).hexdigest()[:8],
            "user": call.state.user_json(call.login),
            "body": body.get("body", ""),
            "state": "COMMENTED",
            "commit_id": made.commit,
            "html_url": f"{call.base}/{call.state.full_name}/pull/{number}#review",
            "pull_request_url": address,
            "author_association": call.state.association(call.login),
            "_links": {name: {"href": address} for name in ("html", "pull_request")},
        }
    )


def _parts(file: Dict[str, Any]) -> List[set[int]]:
    """The lines of the new file that each part of its diff shows."""
    parts: List[set[int]] = []
    number = 0
    for line in file["patch"].split("\n"):
        if line.startswith("@@"):
            parts.append(set())
            number = int(line.split("+")[1].split(",")[0].split(" ")[0])
        elif line[:1] in " +":
            parts[-1].add(number)
            number += 1
    return parts
