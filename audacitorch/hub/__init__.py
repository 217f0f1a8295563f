"""The HuggingFace Hub: list model repos, describe one, read from it or fetch it, verified by hash and bounded.

:class:`Hub` is the client, :func:`fetch` brings a repo to a folder, and :mod:`audacitorch.hub.errors` holds all
that can go wrong, sorted by whose fault it is.
"""

from __future__ import annotations

from audacitorch.hub.client import Hub
from audacitorch.hub.details import HubFile, RepoDetails
from audacitorch.hub.errors import HubError, HubUnreachable, TargetUnreadable
from audacitorch.hub.fetching import fetch
from audacitorch.hub.ids import parse_repo_id

__all__ = ["Hub", "HubError", "HubFile", "HubUnreachable", "RepoDetails", "TargetUnreadable", "fetch", "parse_repo_id"]
