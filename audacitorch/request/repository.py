"""One repository on GitHub, in the words that requests need: issues, comments, labels, files, pull requests."""

from __future__ import annotations

import base64
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence
from urllib.parse import quote

from audacitorch.github import GitHub, GitHubError, NotFound, waiting
from audacitorch.request.events import EventError, Issue

_TRIES = 3


class Repository:
    """What a token may do in one repository. Every method raises GitHubError where GitHub does not let it."""

    def __init__(self, github: GitHub) -> None:
        self._github = github

    # Issues

    def issue(self, number: int) -> Issue:
        """One issue; EventError where there is none of that number."""
        try:
            return Issue.from_json(self._github.get(f"issues/{number}", "read the issue"))
        except NotFound as error:
            raise EventError(str(error)) from error

    def open_issues(self, label: str) -> Iterator[Issue]:
        """Every open issue with a label, the oldest first."""
        query = {"state": "open", "labels": label, "sort": "created", "direction": "asc"}
        for data in self._github.pages("issues", "list the issues", **query):
            issue = Issue.from_json(data)
            if not issue.is_pull:
                yield issue

    def comments(self, number: int) -> List[Mapping[str, Any]]:
        """An issue's comments, as GitHub gives them."""
        return list(self._github.pages(f"issues/{number}/comments", "read the comments"))

    def add_comment(self, number: int, body: str) -> Mapping[str, Any]:
        """Comment on an issue. Where the answer is lost, the caller must look whether the comment is there."""
        created: Mapping[str, Any] = self._github.call(
            "POST", f"issues/{number}/comments", "write a comment", {"body": body}
        )
        return created

    def edit_comment(self, comment: int, body: str) -> None:
        """Change a comment's text."""
        self._github.call("PATCH", f"issues/comments/{comment}", "change a comment", {"body": body})

    def delete_comment(self, comment: int) -> None:
        """Take a comment away, if it is still there."""
        self._delete(f"issues/comments/{comment}", "remove a comment")

    def react(self, comment: int, content: str) -> None:
        """Put a reaction on a comment."""
        self._post(f"issues/comments/{comment}/reactions", "react to a comment", {"content": content})

    def add_labels(self, number: int, names: Sequence[str]) -> None:
        """Add labels to an issue; GitHub makes those that there are not."""
        self._post(f"issues/{number}/labels", "label the issue", {"labels": list(names)})

    def remove_label(self, number: int, name: str) -> None:
        """Take a label from an issue, if it is there."""
        self._delete(f"issues/{number}/labels/{quote(name, safe='')}", "remove a label")

    def close_issue(self, number: int) -> None:
        """Close an issue as one that will not be done."""
        body = {"state": "closed", "state_reason": "not_planned"}
        self._github.call("PATCH", f"issues/{number}", "close the issue", body)

    # People

    def permission(self, login: str) -> str:
        """What a person may do here: admin, write, read or none."""
        try:
            path = f"collaborators/{quote(login, safe='')}/permission"
            data = self._github.get(path, "ask for a permission")
        except NotFound:
            return "none"
        return str(data.get("permission", "none"))

    def login(self) -> Optional[str]:
        """Whose token it is; None for a workflow's, which belongs to nobody."""
        try:
            return str(self._github.get("/user", "ask whose token it is")["login"])
        except (GitHubError, KeyError, TypeError):
            return None

    # Files and branches

    def default_branch(self) -> str:
        """The branch that pull requests go to."""
        return str(self._github.get("", "read the repository")["default_branch"])

    def head(self, branch: str) -> Optional[str]:
        """The commit that a branch is at; None where there is no such branch."""
        try:
            data = self._github.get(f"git/ref/heads/{quote(branch)}", "read a branch")
        except NotFound:
            return None
        return str(data["object"]["sha"])

    def file(self, path: str, ref: str) -> Optional[str]:
        """A file's text at a commit; None where there is no such file."""
        try:
            data = self._github.get(f"contents/{quote(path)}", "read a file", ref=ref)
        except NotFound:
            return None
        if not isinstance(data, Mapping) or data.get("encoding") != "base64":
            raise GitHubError(f"GitHub gives no content of {path}")
        return base64.b64decode(data["content"]).decode("utf-8")

    def commit(self, parent: str, files: Mapping[str, str], message: str) -> str:
        """Make a commit of ``files`` on top of ``parent``, which no branch has yet, and return it."""
        base = self._github.get(f"git/commits/{parent}", "read a commit")["tree"]["sha"]
        entries = [{"path": p, "mode": "100644", "type": "blob", "content": text} for p, text in files.items()]
        tree = self._post("git/trees", "write files", {"base_tree": base, "tree": entries})["sha"]
        body = {"message": message, "tree": tree, "parents": [parent]}
        return str(self._post("git/commits", "write a commit", body)["sha"])

    def set_branch(self, branch: str, commit: str) -> None:
        """Have a branch of ours at ``commit``, whether or not it was there."""
        if self.head(branch) is None:
            try:
                self._post("git/refs", "make a branch", {"ref": f"refs/heads/{branch}", "sha": commit})
                return
            except GitHubError as error:
                if error.status != 422:  # somebody was faster, or an answer was lost
                    raise
        body = {"sha": commit, "force": True}
        self._github.call("PATCH", f"git/refs/heads/{quote(branch)}", "move a branch", body)

    def pull_request(self, branch: str) -> Optional[int]:
        """The number of the open pull request from a branch."""
        head = f"{self._github.repository.partition('/')[0]}:{branch}"
        found = list(self._github.pages("pulls", "list the pull requests", state="open", head=head))
        return int(found[0]["number"]) if found else None

    def open_pull_request(self, branch: str, base: str, title: str, body: str) -> int:
        """Open a pull request, or find the one that is open, and return its number."""
        wanted: Dict[str, Any] = {"title": title, "head": branch, "base": base, "body": body}
        known = self.pull_request(branch)
        if known is not None:
            return known
        try:
            return int(self._github.call("POST", "pulls", "open a pull request", wanted)["number"])
        except GitHubError as error:
            known = self.pull_request(branch) if _was_lost(error) or error.status == 422 else None
            if known is None:
                raise
            return known

    def _post(self, path: str, what: str, body: Any) -> Any:
        """POST something that may be done twice: where the answer is lost, it is."""
        for tried in range(_TRIES - 1):
            try:
                return self._github.call("POST", path, what, body)
            except GitHubError as error:
                if not _was_lost(error):
                    raise
                waiting.pause(waiting.backoff(tried))
        return self._github.call("POST", path, what, body)

    def _delete(self, path: str, what: str) -> None:
        try:
            self._github.call("DELETE", path, what)
        except NotFound:
            return


def _was_lost(error: GitHubError) -> bool:
    """Whether nobody knows if GitHub did what it was asked."""
    return error.status is None or error.status >= 500
