from pathlib import Path

import pytest

from tests.workers.world import WorkersWorld


@pytest.fixture
def world(memory_path: Path) -> WorkersWorld:
    return WorkersWorld(memory_path)
