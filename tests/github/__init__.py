"""A GitHub on loopback, as far as this project speaks to one.

It keeps issues, comments, labels, reactions, permissions, files, git objects and pull requests of one repository, looks
at the token's rights at every call, can be made to fail in every way that GitHub does, and takes an unknown path for a
mistake of the caller.
"""

from __future__ import annotations

from tests.github.local import LocalGitHub
from tests.github.state import Caller

__all__ = ["Caller", "LocalGitHub"]
