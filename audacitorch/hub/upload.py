"""Uploading a model repo to the Hub: large files first and resumable, then one commit, so that no half repo is seen.

huggingface_hub does the transfer; what is ours is that model.pt reaches LFS storage, where Audacity needs it, and that
this is looked at afterwards.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Iterator, Optional, Sequence, Union

from audacitorch.facts import METADATA, MODEL, README
from audacitorch.hub.api import Hub, endpoint_from, token_from
from audacitorch.hub.failures import AccessDenied, HubUnreachable

if TYPE_CHECKING:
    from huggingface_hub import HfApi

ATTRIBUTES = ".gitattributes"
#: What a model repo on the Hub is made of, where the folder has it.
FILES = (MODEL, METADATA, README, ATTRIBUTES, "LICENSE", "LICENSE.md", "LICENSE.txt")
#: After how many pieces of 64 MB hf_xet notes on disk what it has sent, so that an interrupted upload goes on there. By
#: itself it does so every 20 seconds.
_NOTED_AFTER = ("HF_XET_DATA_SESSION_XORB_METADATA_FLUSH_MAX_COUNT", "1")
_LFS_RULE = b"*.pt filter=lfs diff=lfs merge=lfs -text\n"


class NotInLfs(HubUnreachable):
    """The Hub has the files, and keeps model.pt as a plain file all the same."""


@dataclass(frozen=True)
class Uploaded:
    """What is on the Hub now: the commit, and the repo's page."""

    commit: str
    url: str


def upload(
    folder: Path,
    repo_id: str,
    *,
    endpoint: Optional[str] = None,
    token: Union[str, bool, None] = None,
    private: bool = False,
    message: str = "Upload with audacitorch",
) -> Uploaded:
    """Upload the files of a model repo in ``folder`` as one commit to ``main`` of ``repo_id``; made where missing.

    An upload that was interrupted goes on where it was, to 64 MB: what is in the Hub's storage is not sent again.

    Raises:
        AccessDenied: there is no token, or it may not write there.
        HubUnreachable: the Hub did not take it all; the repo is as it was before.
        NotInLfs: model.pt is there as a plain file.
    """
    os.environ.setdefault(*_NOTED_AFTER)
    from huggingface_hub import CommitOperationAdd, HfApi

    caller = token_from(token)
    if caller is None:
        raise AccessDenied("Uploading needs a token that may write: run `hf auth login`, or set HF_TOKEN.")
    address = endpoint_from(endpoint)
    api = HfApi(endpoint=address, token=caller)
    names = [name for name in FILES if (folder / name).is_file()]
    with _errors_of_the_hub(repo_id):
        api.create_repo(repo_id, exist_ok=True, private=private or None)
        _hand_to_lfs(api, repo_id)
        additions = [CommitOperationAdd(path_in_repo=name, path_or_fileobj=folder / name) for name in names]
        api.preupload_lfs_files(repo_id, additions=additions)
        done = api.create_commit(repo_id, operations=additions, commit_message=message)
    commit = str(done.oid)
    with Hub(address, caller) as hub:
        model = hub.repo_details(repo_id, commit).files.get(MODEL)
    if model is not None and not model.lfs:
        raise NotInLfs(
            f"{repo_id} is uploaded, but the Hub keeps model.pt as a plain file, which Audacity does not find: "
            f"delete it there and push again."
        )
    return Uploaded(commit, f"{address}/{repo_id}")


def _hand_to_lfs(api: HfApi, repo_id: str) -> None:
    """Have the Hub keep ``*.pt`` in LFS storage: it decides by the .gitattributes that is there before an upload."""
    from huggingface_hub import CommitOperationAdd
    from huggingface_hub.errors import EntryNotFoundError

    try:
        before = Path(api.hf_hub_download(repo_id, ATTRIBUTES)).read_bytes()
    except EntryNotFoundError:
        before = b""
    lines = before.split(b"\n")
    if any(line.startswith(b"*.pt ") and b"filter=lfs" in line for line in lines):
        return
    content = before + (b"" if not before or before.endswith(b"\n") else b"\n") + _LFS_RULE
    operations: Sequence[Any] = [CommitOperationAdd(path_in_repo=ATTRIBUTES, path_or_fileobj=content)]
    api.create_commit(repo_id, operations=operations, commit_message="Keep *.pt in Git LFS")


@contextmanager
def _errors_of_the_hub(repo_id: str) -> Iterator[None]:
    """Turns what huggingface_hub raises into our own errors; its HTTP library differs from version to version."""
    from huggingface_hub.errors import HfHubHTTPError

    try:
        yield
    except Exception as error:
        status = error.response.status_code if isinstance(error, HfHubHTTPError) else None
        said = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
        if status in (401, 403):
            raise AccessDenied(f"The Hub does not let this token write to {repo_id}: {said}.") from error
        raise HubUnreachable(f"The upload to {repo_id} was not finished; push again to go on: {said}.") from error
