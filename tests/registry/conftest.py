"""A registry and a Hub for each test."""

from __future__ import annotations

from pathlib import Path

import pytest

from audacitorch.hub import Hub
from tests.hub import LocalHub
from tests.registry.world import World


@pytest.fixture
def world(tmp_path: Path, local_hub: LocalHub, hub_client: Hub) -> World:
    """An empty registry, and a Hub without repos."""
    return World(tmp_path / "registry", local_hub, hub_client)
