"""The embedded store keeps the contract, with real threads and a real folder."""

import asyncio
import time

from perdure.core.layers import Layers
from perdure.store.committer import CommitterPool
from perdure.store.crash_point import passes
from perdure.store.file_system import checksummed_file_system
from perdure.store.files import Place, open_files
from perdure.store.sqlite_store import SqliteStore
from tests.store.contract import StoreContract
from tests.store.loop_clock import LoopClock


class TestSqliteStore(StoreContract):
    layers = Layers

    async def open_store(self, where):
        pool = CommitterPool(asyncio.get_running_loop(), threads=2)
        place = Place(where, checksummed_file_system(), "0.0.test", passes, time.monotonic)
        files = await asyncio.to_thread(open_files, place)
        return SqliteStore(
            place,
            files,
            clock=LoopClock(),
            committer=pool,
            background=pool,
            layers=self.layers,
        )
