"""What holds for every test: chance is repeatable and a busy machine is no failure. What costs time for nothing is left out."""

import gc
import os
import shutil
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# How long an example takes says how busy the machine is; print_blob gives what repeats a failure elsewhere.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.load_profile("any machine")


def pytest_collection_finish() -> None:
    """Nine thousand tests and what they import stay until the end: no collection of garbage need look at them again."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def unmeasured() -> Iterator[None]:
    """For runs of many seeds: counting lines adds half to what one costs, and every line they run is run by smaller tests."""
    here, threads = sys.gettrace(), threading.gettrace()
    sys.settrace(None)
    threading.settrace(None)
    yield
    threading.settrace(threads)
    sys.settrace(here)


# Below this, as in a container that was given little, files go to a disk: no test may fail for want of memory.
MEMORY_BYTES_MIN = 1 << 30


@pytest.fixture
def memory_path() -> Iterator[Path]:
    """`tmp_path` in memory, where there is such a place: for files on a disk that is simulated, or is not what is tried."""
    memory = Path("/dev/shm")
    fits = os.access(memory, os.W_OK) and shutil.disk_usage(memory).free >= MEMORY_BYTES_MIN
    with tempfile.TemporaryDirectory(prefix="perdure-", dir=memory if fits else None) as folder:
        yield Path(folder)
