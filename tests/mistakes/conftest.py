from pathlib import Path

import pytest

from tests.workers.world import WorkersWorld


@pytest.fixture
def world(tmp_path: Path) -> WorkersWorld:
    return WorkersWorld(tmp_path)
