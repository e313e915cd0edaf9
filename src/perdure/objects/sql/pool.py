"""The open connections to objects' databases in one process: as many as are worth their memory, the rest on demand.

An open connection takes 150 KiB, to open one takes some 60 us. Must stay true: one that has a unit is never closed. See
tests/objects/sql/test_pool.py.
"""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import apsw

from perdure.objects.sql.bounds import DATABASE_PAGES_MAX, LIMITS, PAGE_CACHE_KIB, STATEMENTS_CACHED
from perdure.objects.sql.database import Database
from perdure.objects.sql.page_file import PageFile
from perdure.objects.sql.page_vfs import PageVfs

OPEN_DATABASES_MAX = 1_000
"""150 MiB, and their page caches."""

THREADS_MAX = 4
"""Statements of `sql.run` at the same time; further ones wait for their turn."""

_SETTINGS = (
    "PRAGMA page_size = 4096; PRAGMA locking_mode = exclusive; PRAGMA journal_mode = memory; PRAGMA synchronous = off;"
    f" PRAGMA cache_size = -{PAGE_CACHE_KIB}; PRAGMA temp_store = memory; PRAGMA max_page_count = {DATABASE_PAGES_MAX}"
)


class SqlPool:
    """Opens databases, and closes the one that was not used for longest when there are too many."""

    def __init__(
        self,
        *,
        now_ms: Callable[[], int],
        monotonic: Callable[[], float] = time.perf_counter,
        open_max: int = OPEN_DATABASES_MAX,
    ) -> None:
        self.monotonic = monotonic
        self._vfs = PageVfs(now_ms)
        self._open_max = open_max
        self.threads = ThreadPoolExecutor(THREADS_MAX, thread_name_prefix="perdure-sql")
        """For `sql.run`; a thread is started when it is first needed."""
        self._open: dict[Database, None] = {}
        """The longest unused first."""

    @property
    def open(self) -> int:
        """How many are open."""
        return len(self._open)

    def connect(self, database: Database, file: PageFile) -> apsw.Connection:
        self._make_room()
        connection = self._vfs.connect(file, statements_cached=STATEMENTS_CACHED)
        connection.execute(_SETTINGS).fetchall()
        connection.config(apsw.SQLITE_DBCONFIG_ENABLE_FKEY, 1)
        connection.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 1)
        connection.config(apsw.SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0)
        for limit, value in LIMITS.items():
            connection.limit(limit, value)
        self._open[database] = None
        return connection

    def used(self, database: Database) -> None:
        if self._open.pop(database, self) is None:
            self._open[database] = None

    def closed(self, database: Database) -> None:
        self._open.pop(database, None)

    def _make_room(self) -> None:
        if len(self._open) < self._open_max:
            return
        for database in list(self._open):
            if len(self._open) < self._open_max:
                return
            if database.idle:
                database.rest()

    def close(self) -> None:
        """Waits for the threads: what they ran for was reset, and has been interrupted. Blocks for some milliseconds."""
        self.threads.shutdown(wait=True, cancel_futures=True)
