"""A data folder opened in a running loop, with real threads, for tests of `DataFolder`."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

from perdure.core.migrations import MigrationPlan
from perdure.store.committer import CommitterPool
from perdure.store.data_folder import DataFolder
from tests.store.loop_clock import LoopClock

NUMBERS = count(1)


def numbered(size: int) -> bytes:
    """Random bytes that are not."""
    return next(NUMBERS).to_bytes(size, "big")


@asynccontextmanager
async def data_folder(path: Path, **options: Any) -> AsyncIterator[DataFolder]:
    pool = CommitterPool(asyncio.get_running_loop(), threads=2)
    settings = {"clock": LoopClock(), "random_bytes": numbered, "written_by": "0.0.test", "lock_timeout_s": 0.0}
    folder = await DataFolder.open(path, committer=pool, **(settings | options))
    try:
        yield folder
    finally:
        await folder.close()
        pool.close()


def with_folder(path: Path, scenario: Callable[[DataFolder], Awaitable[None]], **options: Any) -> None:
    """Runs the scenario over the folder opened at `path`, and closes it."""

    async def run() -> None:
        async with data_folder(path, **options) as folder:
            await scenario(folder)

    asyncio.run(run())


async def made(folder: DataFolder, *classes: str) -> list[str]:
    """The ids of new namespaces of these classes."""
    rows = {row.class_name: row.id for row in await folder.apply("worker", MigrationPlan(creates=classes))}
    return [rows[name] for name in classes]
