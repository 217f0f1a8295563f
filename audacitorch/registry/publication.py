"""What the registry publishes on the Hub: models.json, in one commit, and only where the Hub has another."""

from __future__ import annotations

import json
from typing import Any, List, Optional

from audacitorch.http import one_line
from audacitorch.hub import Hub, RepoDetails
from audacitorch.hub.failures import AccessDenied, FileTooLarge, HubError, HubUnreachable, RepoNotFound
from audacitorch.registry import RegistryError
from audacitorch.registry.builtin_list import BuiltInState, builtin_states, read_list, require_few_removals
from audacitorch.registry.folder import RegistryFolder

FILE = "models.json"
_LARGEST_LIST = 64 << 20
_TRIES = 3


class _Overtaken(Exception):
    """Somebody else has committed since we looked."""


def publish(
    folder: RegistryFolder, hub: Hub, repo_id: str, token: Optional[str], *, confirmed: bool = False
) -> Optional[str]:
    """Have the registry's models.json in ``repo_id``; the commit's address, None where it was there already.

    One request where nothing changed. The list that is published counts as well: a folder that lacks most of it,
    such as a fork's, does not empty it.

    Raises:
        TooManyRemovals: more than a tenth of the published list, and more than two, would go.
        HubError: the Hub could not be asked, or refuses.
        RegistryError: there is no list, or it is not one.
    """
    content = _content(folder)
    for _ in range(_TRIES):
        details = hub.repo_details(repo_id)
        there = details.files.get(FILE)
        if there is not None and there.fits(content):
            return None
        if there is not None and not confirmed:
            _compare(folder, hub, details)
        try:
            return _commit(hub.endpoint, details, content, token)
        except _Overtaken:
            continue
    raise HubUnreachable(f"{repo_id} is being changed by others all the time.")


def _content(folder: RegistryFolder) -> bytes:
    """The bytes of models.json, which Audacity must be able to read."""
    try:
        content = folder.list.read_bytes()
        items = json.loads(content)
    except (OSError, ValueError) as error:
        raise RegistryError(f"{folder.list} can't be read: {one_line(str(error))}.") from error
    if not isinstance(items, list) or items != sorted(read_list(folder)):
        raise RegistryError(f"{folder.list} is not a sorted list of author/name.")
    return content


def _compare(folder: RegistryFolder, hub: Hub, details: RepoDetails) -> None:
    """Make sure that not too much of what is published goes."""
    published = _published(hub, details)
    known = builtin_states(folder)
    mine = set(read_list(folder))
    require_few_removals(
        [name for name in published if name not in mine and not _renamed(name, known)], len(published), known
    )


def _renamed(name: str, known: List[BuiltInState]) -> bool:
    return any(one.named == name and one.renamed for one in known)


def _published(hub: Hub, details: RepoDetails) -> List[str]:
    expected = details.files[FILE]
    try:
        body = hub.read_file(details.id, details.sha, FILE, limit=_LARGEST_LIST, expected=expected)
        items = json.loads(body)
    except (ValueError, RecursionError, FileTooLarge):
        return []  # no list that anybody could read: whatever replaces it is better
    return [item for item in items if isinstance(item, str)] if isinstance(items, list) else []


def _commit(endpoint: str, details: RepoDetails, content: bytes, token: Optional[str]) -> str:
    """Commit the list on top of the commit that was looked at."""
    from huggingface_hub import CommitOperationAdd, HfApi
    from huggingface_hub.errors import HfHubHTTPError

    api = HfApi(endpoint=endpoint, token=token)
    operation = CommitOperationAdd(FILE, content)
    try:
        done: Any = api.create_commit(
            details.id, [operation], commit_message="Update the built-in models", parent_commit=details.sha
        )
    except HfHubHTTPError as error:
        raise _error(error, details.id) from error
    except Exception as error:  # which HTTP library's errors these are depends on the client's version
        raise HubUnreachable(f"{details.id} could not be written: {one_line(str(error))}.") from error
    return str(done.commit_url)


def _error(error: Any, repo_id: str) -> Exception:
    status = getattr(getattr(error, "response", None), "status_code", None)
    said = one_line(str(getattr(error, "server_message", None) or error)).rstrip(".")
    if status == 412:
        return _Overtaken()
    if status in (401, 403):
        return AccessDenied(f"The Hub does not let this caller write to {repo_id}: {said}.")
    if status == 404:
        return RepoNotFound(f"There is no {repo_id} that this caller may write to.")
    kind = HubUnreachable if status is None or status >= 500 or status == 429 else HubError
    return kind(f"{repo_id} could not be written: {said}.")
