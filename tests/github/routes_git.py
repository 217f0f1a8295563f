"""Endpoints for files, git's objects and references, and pull requests."""

from __future__ import annotations

import base64
from typing import Any, Dict, List

from tests.github.faults import problem
from tests.github.routes import Call, route
from tests.hub.messages import Answer, as_json


@route("GET", "/contents/{*}", "contents", "read")
def contents(call: Call) -> Answer:
    """A file on a branch or at a commit, or the names in a folder."""
    path, ref = call.groups[0].strip("/"), call.request.one("ref") or None
    files = call.state.files(ref)
    if path in files:
        return as_json(call.state.content_json(path, files[path]))
    inside = sorted({name[len(path) + 1 :].partition("/")[0] for name in files if name.startswith(path + "/")})
    if not inside:
        return problem(404, "Not Found" if files else f"No commit found for the ref {ref}")
    return as_json([{"name": name, "path": f"{path}/{name}"} for name in inside])


@route("PUT", "/contents/{*}", "contents", "write")
def put_contents(call: Call) -> Answer:
    """Put one file on a branch, as one commit."""
    path, body, state = call.groups[0], call.body, call.state
    branch = body.get("branch", state.default_branch)
    if branch not in state.branches:
        return problem(404, f"Branch {branch} not found")
    known = state.files(branch).get(path)
    if known is not None and "sha" not in body:
        return problem(422, 'Invalid request.\n\n"sha" wasn\'t supplied.')
    if known != body.get("sha"):
        return problem(409, f"{path} does not match {body.get('sha')}")
    content = base64.b64decode(body["content"])
    state.branches[branch] = state.commit({path: content}, [state.branches[branch]], body["message"])
    stored = state.content_json(path, state.files(branch)[path])
    described = {name: value for name, value in stored.items() if name not in ("content", "encoding")}
    shown = {"content": described, "commit": {"sha": state.branches[branch]}}
    return as_json(shown, 200 if known else 201)


def _ref(name: str, sha: str, kind: str = "commit") -> Dict[str, Any]:
    return {"ref": f"refs/{name}", "object": {"type": kind, "sha": sha}}


@route("GET", "/git/ref/heads/{*}", "contents", "read")
def ref(call: Call) -> Answer:
    """Where a branch is."""
    sha = call.state.branches.get(call.groups[0])
    return problem(404, "Not Found") if sha is None else as_json(_ref(f"heads/{call.groups[0]}", sha))


@route("POST", "/git/refs", "contents", "write")
def create_ref(call: Call) -> Answer:
    """Make a branch."""
    body = call.body
    prefix, _, branch = body["ref"].partition("refs/heads/")
    assert not prefix
    assert branch
    if body["sha"] not in call.state.commits:
        return problem(422, "Object does not exist")
    if branch in call.state.branches:
        return problem(422, "Reference already exists")
    call.state.branches[branch] = body["sha"]
    return as_json(_ref(f"heads/{branch}", body["sha"]), 201)


@route("PATCH", "/git/refs/heads/{*}", "contents", "write")
def update_ref(call: Call) -> Answer:
    """Move a branch: forward, or anywhere with ``force``."""
    branch, body, state = call.groups[0], call.body, call.state
    if branch not in state.branches or body["sha"] not in state.commits:
        return problem(422, "Reference does not exist")
    if not body.get("force") and not state.is_ancestor(state.branches[branch], body["sha"]):
        return problem(422, "Update is not a fast forward")
    state.branches[branch] = body["sha"]
    return as_json(_ref(f"heads/{branch}", body["sha"]))


@route("DELETE", "/git/refs/heads/{*}", "contents", "write")
def delete_ref(call: Call) -> Answer:
    """Take a branch away."""
    if call.state.branches.pop(call.groups[0], None) is None:
        return problem(422, "Reference does not exist")
    return Answer(204)


@route("GET", "/git/commits/{}", "contents", "read")
def commit(call: Call) -> Answer:
    """A commit's tree and parents."""
    found = call.state.commits.get(call.groups[0])
    if found is None:
        return problem(404, "Not Found")
    parents = [{"sha": parent} for parent in found.parents]
    return as_json({"sha": found.sha, "tree": {"sha": found.tree}, "parents": parents, "message": found.message})


@route("POST", "/git/commits", "contents", "write")
def create_commit(call: Call) -> Answer:
    """Make a commit, which no branch has yet."""
    body, state = call.body, call.state
    if body["tree"] not in state.trees or not all(parent in state.commits for parent in body["parents"]):
        return problem(422, "Tree SHA does not exist")
    made = state.add_commit(body["tree"], list(body["parents"]), body["message"])
    return as_json({"sha": made.sha, "tree": {"sha": made.tree}}, 201)


@route("POST", "/git/trees", "contents", "write")
def create_tree(call: Call) -> Answer:
    """Make a tree from another, with files put in or (``sha: null``) taken out."""
    body, state = call.body, call.state
    if body.get("base_tree") is not None and body["base_tree"] not in state.trees:
        return problem(422, "base_tree does not exist")
    files = dict(state.trees.get(body.get("base_tree") or "", {}))
    for entry in body["tree"]:
        assert entry["mode"] in ("100644", "100755")
        assert entry["type"] == "blob"
        if "content" in entry:
            files[entry["path"]] = state.add_blob(entry["content"].encode())
        elif entry["sha"] is None:
            files.pop(entry["path"], None)
        else:
            files[entry["path"]] = entry["sha"]
    return as_json({"sha": state.add_tree(files)}, 201)


@route("GET", "/pulls", "pull_requests", "read")
def pulls(call: Call) -> Answer:
    """The pull requests; ``head`` is ``owner:branch``."""
    state, head, base = (call.request.one(name) for name in ("state", "head", "base"))
    found: List[Dict[str, Any]] = []
    for issue in sorted(call.state.issues.values(), key=lambda issue: -issue.number):
        if issue.pull is None or (state or "open") not in ("all", issue.state):
            continue
        shown = call.state.pull_json(issue, call.base)
        if head in ("", shown["head"]["label"]) and base in ("", shown["base"]["ref"]):
            found.append(shown)
    return call.page(found)


@route("GET", "/pulls/{}", "pull_requests", "read")
def pull(call: Call) -> Answer:
    """One pull request."""
    found = call.state.issues.get(int(call.groups[0]))
    if found is None or found.pull is None:
        return problem(404, "Not Found")
    return as_json(call.state.pull_json(found, call.base))


@route("POST", "/pulls", "pull_requests", "write")
def create_pull(call: Call) -> Answer:
    """Open a pull request."""
    body, state = call.body, call.state
    head, base = body["head"].rpartition(":")[2], body["base"]
    if head not in state.branches or base not in state.branches:
        return problem(422, "Validation Failed", errors=[{"resource": "PullRequest", "field": "head"}])
    for issue in state.issues.values():
        if issue.pull is not None and issue.state == "open" and issue.pull["head"] == head:
            message = f"A pull request already exists for {state.full_name.partition('/')[0]}:{head}."
            return problem(422, "Validation Failed", errors=[{"resource": "PullRequest", "message": message}])
    if state.is_ancestor(state.branches[head], state.branches[base]):
        message = f"No commits between {base} and {head}"
        return problem(422, "Validation Failed", errors=[{"resource": "PullRequest", "message": message}])
    made = state.add_issue(body["title"], body.get("body"), call.login)
    made.pull = {"head": head, "base": base, "sha": state.branches[head]}
    return as_json(state.pull_json(made, call.base), 201)
