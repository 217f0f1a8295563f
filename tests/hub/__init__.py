"""A Hub on loopback that the real huggingface_hub client and ours talk to.

Its endpoints, headers, errors and pages are those of the real Hub as far as they are known; it counts requests, can be
made to fail in every way that a Hub can, and takes an unknown path for a mistake of the caller.
"""

from __future__ import annotations

from tests.hub.local import LocalHub, add_folder
from tests.hub.messages import Logged
from tests.hub.repos import Blob, HubRepo

__all__ = ["Blob", "HubRepo", "LocalHub", "Logged", "add_folder"]
