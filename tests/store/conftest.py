from pathlib import Path

import pytest


@pytest.fixture
def tmp_path(memory_path: Path) -> Path:
    """A kill, and a cut that is simulated, do not tell a disk from memory. What is large takes `tmp_path_factory`."""
    return memory_path
