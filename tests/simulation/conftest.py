import gc
import logging
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Calls that fail and that nobody awaits are part of the schedules: nothing to log."""
    log = logging.getLogger("perdure.op")
    before, log.disabled = log.disabled, True
    yield
    gc.collect()
    log.disabled = before
