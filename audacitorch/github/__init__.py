"""GitHub's REST API, as far as this project uses it: a client, issues, branches, and comments kept up to date."""

from __future__ import annotations

from audacitorch.github.rest import GitHub, GitHubError, NotFound, NotPermitted

__all__ = ["GitHub", "GitHubError", "NotFound", "NotPermitted"]
