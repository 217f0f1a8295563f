"""Who may see, read and write what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, Optional, Tuple

from tests.hub.messages import Answer, Request, error
from tests.hub.repos import HubRepo


@dataclass(frozen=True)
class Caller:
    """Who a token belongs to."""

    user: str
    write: bool
    orgs: Tuple[str, ...]


class Access:
    """Tokens, and the rights that they give."""

    def __init__(self) -> None:
        self._callers: Dict[str, Caller] = {}

    def add_token(self, token: str, user: str, *, write: bool = False, orgs: Tuple[str, ...] = ()) -> None:
        """Let ``token`` speak for ``user``."""
        self._callers[token] = Caller(user, write, orgs)

    def caller(self, request: Request) -> Optional[Caller]:
        """Who asks."""
        return self._callers.get(request.headers.get("Authorization", "").partition(" ")[2])

    def may_see(self, request: Request, repo: HubRepo) -> bool:
        """Whether the caller may know that the repo exists."""
        return not repo.private or self._owns(request, repo)

    def may_read(self, request: Request, repo: HubRepo) -> bool:
        """Whether the caller may read the repo's files."""
        caller = self.caller(request)
        granted = caller is not None and caller.user in repo.granted
        return (
            not repo.disabled
            and self.may_see(request, repo)
            and (not repo.gated or granted or self._owns(request, repo))
        )

    def may_write(self, request: Request, repo: HubRepo) -> bool:
        """Whether the caller may commit."""
        caller = self.caller(request)
        return caller is not None and caller.write and self._owns(request, repo)

    def refusal(self, request: Request, repo: HubRepo) -> Answer:
        """What a caller is told who may not read the repo's files."""
        if repo.disabled:
            return error(403, "Access to this resource is disabled.")
        told = {"X-Repo-Commit": repo.head.oid}
        status = 401 if self.caller(request) is None else 403
        return error(status, f"Access to model {repo.id} is restricted.", "GatedRepo", told)

    def _owns(self, request: Request, repo: HubRepo) -> bool:
        caller = self.caller(request)
        return caller is not None and repo.author in (caller.user, *caller.orgs)
