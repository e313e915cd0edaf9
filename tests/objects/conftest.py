from pathlib import Path

import pytest

from tests.objects.world import World


@pytest.fixture
def tmp_path(memory_path: Path) -> Path:
    """No disk is tried here, and waiting for one took a third of the time. What is large takes `tmp_path_factory`."""
    return memory_path


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)
