"""What the local GitHub keeps: people, issues with their comments, and a repository of commits and branches."""

from __future__ import annotations

import base64
import hashlib
import itertools
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any, Dict, List, Mapping, Optional, Set, Tuple

_START = datetime(2024, 5, 1, 10, 0, 0, tzinfo=timezone.utc)

#: What a permission is worth where one of the old four is asked for.
ROLES = {"admin": "admin", "maintain": "write", "write": "write", "triage": "read", "read": "read", "none": "none"}


@dataclass(frozen=True)
class Caller:
    """Who holds a token, and the rights that it carries: ``{"issues": "write"}``; those of a workflow are a bot's."""

    login: str
    rights: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_bot(self) -> bool:
        return self.login.endswith("[bot]")

    def may(self, area: str, level: str) -> bool:
        """Whether the token has at least ``level`` (read or write) in an area."""
        return self.rights.get(area) == "write" or (level == "read" and self.rights.get(area) == "read")


@dataclass
class Comment:
    """A comment of an issue."""

    id: int
    issue: int
    login: str
    body: str
    created_at: str
    updated_at: str
    reactions: List[Tuple[str, str]] = field(default_factory=list)


@dataclass
class Issue:
    """An issue, or a pull request where ``pull`` is set."""

    number: int
    title: str
    body: Optional[str]
    login: str
    created_at: str
    updated_at: str
    labels: List[str] = field(default_factory=list)
    state: str = "open"
    state_reason: Optional[str] = None
    pull: Optional[Dict[str, str]] = None


@dataclass(frozen=True)
class Commit:
    """Every file at one moment."""

    sha: str
    tree: str
    parents: Tuple[str, ...]
    message: str


@dataclass
class Review:
    """A review of a pull request, with its comments as they were sent."""

    id: int
    login: str
    commit: str
    comments: List[Dict[str, Any]]
    created_at: str = ""


class State:
    """One repository, its people and its issues."""

    def __init__(self, full_name: str, files: Optional[Mapping[str, str]] = None) -> None:
        self.full_name = full_name
        self.private = False
        #: What GitHub does silently for tokens that may not label: issues are opened without their labels.
        self.drops_labels = False
        self.issues_enabled = True
        #: Where issues were transferred to, by number, as owner/name and a number; and those that were deleted.
        self.transferred: Dict[int, Tuple[str, int]] = {}
        self.deleted: Set[int] = set()
        self.default_branch = "main"
        self.permissions: Dict[str, str] = {}
        self.people: Set[str] = set()
        self.labels: Dict[str, str] = {}
        self.issues: Dict[int, Issue] = {}
        self.comments: Dict[int, Comment] = {}
        self.reviews: Dict[int, List[Review]] = {}
        self.trees: Dict[str, Dict[str, str]] = {}
        self.blobs: Dict[str, bytes] = {}
        self.commits: Dict[str, Commit] = {}
        self.branches: Dict[str, str] = {}
        self._ids = itertools.count(1001)
        self._ticks = itertools.count()
        self.branches["main"] = self.commit({p: t.encode() for p, t in (files or {}).items()}, [], "initial commit")

    def now(self) -> str:
        """The time: a second passes whenever somebody looks."""
        return (_START + timedelta(seconds=next(self._ticks))).strftime("%Y-%m-%dT%H:%M:%SZ")

    # Issues

    def add_issue(self, title: str, body: Optional[str], login: str, labels: Tuple[str, ...] = ()) -> Issue:
        """Open an issue."""
        self.people.add(login)
        now = self.now()
        issue = Issue(len(self.issues) + 1, title, body, login, now, now, list(labels))
        self.issues[issue.number] = issue
        return issue

    def add_comment(self, number: int, login: str, body: str) -> Comment:
        """Comment on an issue."""
        self.people.add(login)
        now = self.now()
        comment = Comment(next(self._ids), number, login, body, now, now)
        self.issues[number].updated_at = now
        self.comments[comment.id] = comment
        return comment

    def comments_of(self, number: int) -> List[Comment]:
        """An issue's comments, oldest first."""
        return [comment for comment in self.comments.values() if comment.issue == number]

    def permission(self, login: str) -> Optional[str]:
        """The role of a person; None for nobody at all."""
        if login in self.permissions:
            return self.permissions[login]
        return "read" if login in self.people else None

    def association(self, login: str) -> str:
        """What a person is to the repository, as events and answers tell it."""
        return "COLLABORATOR" if self.permissions.get(login) in ("admin", "maintain", "write", "triage") else "NONE"

    # Git

    def add_blob(self, content: bytes) -> str:
        """Keep a file's content, and return git's hash of it."""
        sha = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
        self.blobs[sha] = content
        return sha

    def add_tree(self, files: Mapping[str, str]) -> str:
        """Keep a tree of paths with the hashes of their blobs, and return its own hash."""
        sha = hashlib.sha1(repr(sorted(files.items())).encode()).hexdigest()
        self.trees[sha] = dict(files)
        return sha

    def add_commit(self, tree: str, parents: List[str], message: str) -> Commit:
        """Keep a commit."""
        sha = hashlib.sha1(f"{tree} {parents} {message}".encode()).hexdigest()
        self.commits[sha] = Commit(sha, tree, tuple(parents), message)
        return self.commits[sha]

    def commit(self, files: Mapping[str, bytes], parents: List[str], message: str) -> str:
        """A commit whose tree is the first parent's with ``files`` in it."""
        base = self.trees[self.commits[parents[0]].tree] if parents else {}
        tree = self.add_tree({**base, **{path: self.add_blob(content) for path, content in files.items()}})
        return self.add_commit(tree, parents, message).sha

    def push(self, files: Mapping[str, str], branch: str = "main", message: str = "push") -> str:
        """Put files on a branch, as somebody else would."""
        encoded = {path: text.encode() for path, text in files.items()}
        self.branches[branch] = self.commit(encoded, [self.branches[branch]], message)
        return self.branches[branch]

    def file(self, path: str, ref: Optional[str] = None) -> Optional[bytes]:
        """A file's content on a branch or at a commit."""
        blob = self.files(ref).get(path)
        return None if blob is None else self.blobs[blob]

    def files(self, ref: Optional[str] = None) -> Dict[str, str]:
        """The paths on a branch or at a commit, with the hashes of their blobs."""
        sha = self.branches.get(ref or self.default_branch, ref or "")
        commit = self.commits.get(sha)
        return {} if commit is None else self.trees[commit.tree]

    def is_ancestor(self, old: str, new: str) -> bool:
        """Whether the commit ``old`` is ``new`` or comes before it."""
        waiting = [new]
        while waiting:
            sha = waiting.pop()
            if sha == old:
                return True
            waiting += self.commits[sha].parents if sha in self.commits else ()
        return False

    # As JSON

    def user_json(self, login: str) -> Dict[str, Any]:
        """A person or a bot."""
        return {"login": login, "id": sum(login.encode()), "type": "Bot" if login.endswith("[bot]") else "User"}

    def issue_json(self, issue: Issue, base: str) -> Dict[str, Any]:
        """An issue as GitHub shows it, in events too."""
        shown: Dict[str, Any] = {
            "url": f"{base}/repos/{self.full_name}/issues/{issue.number}",
            "html_url": f"{base}/{self.full_name}/issues/{issue.number}",
            "number": issue.number,
            "title": issue.title,
            "body": issue.body,
            "state": issue.state,
            "state_reason": issue.state_reason,
            "user": self.user_json(issue.login),
            "labels": [{"name": name, "color": "ededed"} for name in issue.labels],
            "author_association": self.association(issue.login),
            "comments": len(self.comments_of(issue.number)),
            "created_at": issue.created_at,
            "updated_at": issue.updated_at,
        }
        if issue.pull is not None:
            shown["pull_request"] = {"url": f"{base}/repos/{self.full_name}/pulls/{issue.number}"}
        return shown

    def comment_json(self, comment: Comment, base: str) -> Dict[str, Any]:
        """A comment as GitHub shows it."""
        return {
            "url": f"{base}/repos/{self.full_name}/issues/comments/{comment.id}",
            "html_url": f"{base}/{self.full_name}/issues/{comment.issue}#issuecomment-{comment.id}",
            "issue_url": f"{base}/repos/{self.full_name}/issues/{comment.issue}",
            "id": comment.id,
            "user": self.user_json(comment.login),
            "body": comment.body,
            "author_association": self.association(comment.login),
            "created_at": comment.created_at,
            "updated_at": comment.updated_at,
        }

    def pull_json(self, issue: Issue, base: str) -> Dict[str, Any]:
        """A pull request as GitHub shows it."""
        pull = issue.pull or {}
        owner = self.full_name.partition("/")[0]
        shown = self.issue_json(issue, base)
        for name in ("pull_request", "state_reason", "comments"):
            shown.pop(name, None)
        return {
            **shown,
            "url": f"{base}/repos/{self.full_name}/pulls/{issue.number}",
            "html_url": f"{base}/{self.full_name}/pull/{issue.number}",
            "head": {
                "repo": {"full_name": self.full_name},
                "ref": pull["head"],
                "label": f"{owner}:{pull['head']}",
                "sha": self.branches.get(pull["head"], pull["sha"]),
            },
            "base": {"ref": pull["base"], "sha": self.branches.get(pull["base"])},
        }

    def content_json(self, path: str, blob: str) -> Dict[str, Any]:
        """A file as the contents API shows it."""
        content = self.blobs[blob]
        return {
            "type": "file",
            "encoding": "base64",
            "size": len(content),
            "name": path.rpartition("/")[2],
            "path": path,
            "content": base64.encodebytes(content).decode(),
            "sha": blob,
        }
