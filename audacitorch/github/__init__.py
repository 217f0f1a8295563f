"""GitHub's REST API, as far as this project speaks to it: a patient client, and comments that are not repeated."""

from __future__ import annotations

from audacitorch.github.client import GitHub
from audacitorch.github.errors import GitHubError, NotFound, NotPermitted

__all__ = ["GitHub", "GitHubError", "NotFound", "NotPermitted"]
