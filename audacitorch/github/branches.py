"""A repository's files, branches and pull requests on GitHub: a change is a commit on a branch of its own.

The pull request that is found is compared with the branch that was asked for: GitHub ignores a filter that it does not
understand, and answers with every pull request then.
"""

from __future__ import annotations

import base64
from typing import Any, Dict, Mapping, Optional
from urllib.parse import quote

from audacitorch.github import GitHub, GitHubError, NotFound


class Branches:
    """What a token may do with branches. Every method raises GitHubError where GitHub does not do it."""

    def __init__(self, github: GitHub) -> None:
        self._github = github

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
            raise GitHubError(f"GitHub gives no content of {path}.")
        return base64.b64decode(data["content"]).decode("utf-8")

    def commit(self, parent: str, files: Mapping[str, str], message: str) -> str:
        """Make a commit of ``files`` on top of ``parent``, which no branch has yet, and return it."""
        base = self._github.get(f"git/commits/{parent}", "read a commit")["tree"]["sha"]
        entries = [{"path": p, "mode": "100644", "type": "blob", "content": text} for p, text in files.items()]
        tree = self._github.post_again("git/trees", "write files", {"base_tree": base, "tree": entries})["sha"]
        body = {"message": message, "tree": tree, "parents": [parent]}
        return str(self._github.post_again("git/commits", "write a commit", body)["sha"])

    def set_branch(self, branch: str, commit: str) -> None:
        """Have a branch of ours at ``commit``, whether or not it was there."""
        if self.head(branch) is None:
            try:
                self._github.post_again("git/refs", "make a branch", {"ref": f"refs/heads/{branch}", "sha": commit})
                return
            except GitHubError as error:
                if error.status != 422:  # somebody was faster, or an answer was lost
                    raise
        body = {"sha": commit, "force": True}
        self._github.call("PATCH", f"git/refs/heads/{quote(branch)}", "move a branch", body)

    def pull_request(self, branch: str) -> Optional[int]:
        """The number of the open pull request from a branch of this repository."""
        name = self._github.repository
        head = f"{name.partition('/')[0]}:{branch}"
        for found in self._github.pages("pulls", "list the pull requests", state="open", head=head):
            source = found.get("head") or {}
            home = (source.get("repo") or {}).get("full_name", name)
            if str(source.get("label")).lower() == head.lower() and str(home).lower() == name.lower():
                return int(found["number"])
        return None

    def open_pull_request(self, branch: str, base: str, title: str, body: str) -> int:
        """Open a pull request, or find the one that is open, and return its number."""
        wanted: Dict[str, Any] = {"title": title, "head": branch, "base": base, "body": body}
        known = self.pull_request(branch)
        if known is not None:
            return known
        try:
            return int(self._github.call("POST", "pulls", "open a pull request", wanted)["number"])
        except GitHubError as error:
            known = self.pull_request(branch) if error.may_be_done or error.status == 422 else None
            if known is None:
                raise
            return known
