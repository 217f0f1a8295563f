"""The local GitHub: one repository behind an HTTP server, the tokens that may speak to it, and the faults."""

from __future__ import annotations

import threading
import time
from typing import Any, Dict, List, Mapping, Optional

from tests.github import routes
from tests.github.description import Description
from tests.github.faults import Fault, Faults, problem
from tests.github.state import Caller, State
from tests.hub.messages import Answer, Logged, Request
from tests.hub.server import Side

#: What a workflow's token is called.
BOT = "github-actions[bot]"
_QUOTA = 5000


class LocalGitHub:
    """A GitHub on loopback; :attr:`url` is what ``GITHUB_API_URL`` should be.

    Args:
        full_name: the repository, ``owner/name``.
        files: what its branch ``main`` holds.
        latency: seconds added to each answer.
    """

    def __init__(
        self,
        full_name: str = "audacitorch/action",
        files: Optional[Mapping[str, str]] = None,
        *,
        bind: str = "127.0.0.1",
        port: int = 0,
        latency: float = 0.0,
    ) -> None:
        self.state = State(full_name, files)
        self.faults = Faults()
        self.unexpected: List[str] = []
        self.description = Description()
        self.tokens: Dict[str, Caller] = {}
        self._used = 0
        self._log: List[Logged] = []
        self._lock = threading.RLock()
        self._side = Side("github", bind, port, bind, self._respond, self._log)
        self._side.latency = latency

    @property
    def url(self) -> str:
        """What ``GITHUB_API_URL`` should be."""
        return self._side.url

    def add_token(self, token: str, login: str = BOT, **rights: str) -> str:
        """A token with rights such as ``issues="write"``; every token may read the repository's description."""
        self.tokens[token] = Caller(login, {"metadata": "read", **rights})
        self.state.people.add(login)
        return token

    def fault(
        self,
        kind: str,
        *,
        method: Optional[str] = None,
        path: Optional[str] = None,
        times: Optional[int] = 1,
        after: int = 0,
        **options: Any,
    ) -> Fault:
        """Spoil ``times`` answers (None: all) to requests whose target matches the regular expression ``path``."""
        return self.faults.add(Fault(kind, method, path, times, after, options))

    def take_log(self) -> List[Logged]:
        """The requests since the last call."""
        taken = self._log[:]
        del self._log[: len(taken)]
        return taken

    def event(self, action: str, number: int, *, comment: Optional[int] = None) -> Dict[str, Any]:
        """The event that GitHub sends for an issue, or for a comment on it."""
        state = self.state
        shown: Dict[str, Any] = {
            "action": action,
            "issue": state.issue_json(state.issues[number], self.url),
            "repository": routes.repository_json(state),
            "sender": state.user_json(state.issues[number].login),
        }
        if comment is not None:
            shown["comment"] = state.comment_json(state.comments[comment], self.url)
            shown["sender"] = state.user_json(state.comments[comment].login)
        return shown

    def close(self) -> None:
        """Stop the server; what does not agree with GitHub's own description fails the test."""
        self._side.close()
        assert not self.description.faults, "\n".join(self.description.faults[:20])

    def __enter__(self) -> LocalGitHub:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # What the server calls

    def _respond(self, request: Request) -> Answer:
        with self._lock:
            self._used += 1
            answer = self.faults.answer(request, self._answer)
            limits = {
                "X-RateLimit-Limit": str(_QUOTA),
                "X-RateLimit-Remaining": str(max(_QUOTA - self._used, 0)),
                "X-RateLimit-Reset": str(int(time.time()) + 3600),
                "X-RateLimit-Resource": "core",
                "X-GitHub-Request-Id": f"LOCAL:{self._used}",
            }
            answer.headers = {**limits, **answer.headers}
            return answer

    def _answer(self, request: Request) -> Answer:
        if not request.headers.get("User-Agent"):
            return problem(403, "Request forbidden by administrative rules.")
        caller: Optional[Caller] = None
        sent = request.headers.get("Authorization")
        if sent is not None:
            scheme, _, token = sent.partition(" ")
            caller = self.tokens.get(token) if scheme.lower() in ("bearer", "token") else None
            if caller is None:
                return problem(401, "Bad credentials")
        answer = routes.answer(self.state, request, caller)
        if answer is not None and answer.status < 300:
            self.description.look_at(request, answer)
        if answer is None:
            self.unexpected.append(f"{request.method} {request.target}")
            return problem(404, "Not Found")
        return answer
