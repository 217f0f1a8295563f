"""The endpoints of the local GitHub, each with the right that a token needs for it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Optional, Pattern, Tuple
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from tests.github.faults import problem
from tests.github.state import Caller, State
from tests.hub.messages import Answer, Request, as_json

_MOST_A_PAGE = 100
_USUAL_A_PAGE = 30


@dataclass(frozen=True)
class Call:
    """A request that may be made: its parts of the path, its body, and who makes it."""

    state: State
    request: Request
    caller: Optional[Caller]
    groups: Tuple[str, ...]

    @property
    def base(self) -> str:
        return self.request.base

    @property
    def login(self) -> str:
        """Whoever writes."""
        assert self.caller is not None
        return self.caller.login

    @property
    def body(self) -> Dict[str, Any]:
        """The body, a JSON object."""
        sent = json.loads(self.request.body or b"{}")
        assert isinstance(sent, dict)
        return sent

    def page(self, items: List[Any]) -> Answer:
        """One page of a list, with a link to the next."""
        size = min(int(self.request.one("per_page", str(_USUAL_A_PAGE))), _MOST_A_PAGE)
        number = int(self.request.one("page", "1"))
        last = max(-(-len(items) // size), 1)
        links = []
        for name, page in (("prev", number - 1), ("next", number + 1), ("last", last)):
            if 1 <= page <= last and page != number:
                parts = urlsplit(self.request.target)
                query = {**dict(parse_qsl(parts.query)), "page": str(page)}
                links.append(f'<{self.base}{parts.path}?{urlencode(query)}>; rel="{name}"')
        headers = {"Link": ", ".join(links)} if links else {}
        return as_json(items[(number - 1) * size : number * size], headers=headers)


Endpoint = Callable[[Call], Answer]


@dataclass(frozen=True)
class Route:
    """A method and a path, and what the token must be allowed to do there."""

    method: str
    path: Pattern[str]
    area: str
    level: str
    endpoint: Endpoint


ROUTES: List[Route] = []


def route(method: str, path: str, area: str, level: str) -> Callable[[Endpoint], Endpoint]:
    """Register an endpoint; ``{}`` in the path stands for one part of it, ``{*}`` for the rest."""
    pattern = re.escape(path).replace(re.escape("{*}"), "(.+)").replace(re.escape("{}"), "([^/]+)")

    def register(endpoint: Endpoint) -> Endpoint:
        ROUTES.append(Route(method, re.compile(r"/repos/([^/]+/[^/]+)" + pattern), area, level, endpoint))
        return endpoint

    return register


def answer(state: State, request: Request, caller: Optional[Caller]) -> Optional[Answer]:
    """What GitHub says to a request; None where no such endpoint is known here."""
    if (request.method, request.path) == ("GET", "/user"):
        return _user(state, caller)
    for known in ROUTES:
        found = known.path.fullmatch(request.path)
        if found is None or known.method != request.method:
            continue
        full_name, *groups = (unquote(group) for group in found.groups())
        if full_name.lower() != state.full_name.lower():
            return problem(404, "Not Found")
        refused = _refusal(state, known, caller)
        if refused is not None:
            return refused
        gone = _gone(state, request, groups) if known.path.pattern.startswith(_ISSUES) else None
        if gone is not None:
            return gone
        try:
            return known.endpoint(Call(state, request, caller, tuple(groups)))
        except (KeyError, AssertionError, ValueError):
            return problem(422, "Validation Failed", errors=[{"code": "invalid"}])
    return None


_ISSUES = r"/repos/([^/]+/[^/]+)/issues"


def _gone(state: State, request: Request, groups: List[str]) -> Optional[Answer]:
    """What GitHub says of issues that are not here any more: transferred, deleted, or switched off."""
    if not state.issues_enabled:
        return problem(410, "Issues has been disabled in this repository.")
    number = int(groups[0]) if groups and groups[0].isdigit() and "/issues/comments/" not in request.path else 0
    if number in state.transferred:
        full_name, there = state.transferred[number]
        rest = request.path.partition(f"/issues/{number}")[2]
        return problem(301, "Moved Permanently", {"Location": f"{request.base}/repos/{full_name}/issues/{there}{rest}"})
    return problem(410, "This issue was deleted") if number in state.deleted else None


def _user(state: State, caller: Optional[Caller]) -> Answer:
    """Whose token it is, which a workflow's can't ask."""
    if caller is None:
        return problem(401, "Requires authentication")
    if caller.is_bot:
        return problem(403, "Resource not accessible by integration")
    return as_json(state.user_json(caller.login))


def _refusal(state: State, known: Route, caller: Optional[Caller]) -> Optional[Answer]:
    if caller is None:
        public = known.level == "read" and not state.private and "collaborators" not in known.path.pattern
        return None if public else problem(401, "Requires authentication")
    allowed = any(caller.may(area, known.level) for area in known.area.split("|"))
    # Whatever is public can be read with any token.
    if allowed or (known.level == "read" and not state.private):
        return None
    wanted = "; ".join(f"{area}={known.level}" for area in known.area.split("|"))
    return problem(403, "Resource not accessible by integration", {"X-Accepted-GitHub-Permissions": wanted})


def repository_json(state: State) -> Dict[str, Any]:
    """The repository as GitHub shows it, in events too."""
    owner, _, name = state.full_name.partition("/")
    return {
        "full_name": state.full_name,
        "name": name,
        "owner": {"login": owner},
        "private": state.private,
        "default_branch": state.default_branch,
    }


@route("GET", "", "metadata", "read")
def repository(call: Call) -> Answer:
    """The repository itself."""
    return as_json(repository_json(call.state))


@route("GET", "/collaborators/{}/permission", "metadata", "read")
def permission(call: Call) -> Answer:
    """What a person may do here."""
    from tests.github.state import ROLES

    login = call.groups[0]
    role = call.state.permission(login)
    if role is None:
        return problem(404, f"{login} is not a user")
    return as_json({"permission": ROLES[role], "role_name": role, "user": call.state.user_json(login)})


from tests.github import routes_git, routes_issues, routes_reviews  # noqa: E402,F401  # they register their endpoints
