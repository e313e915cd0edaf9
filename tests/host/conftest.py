from pathlib import Path

import pytest


@pytest.fixture
def tmp_path(memory_path: Path) -> Path:
    """No disk is tried here, and each sync waits for it. What is large takes `tmp_path_factory`."""
    return memory_path
