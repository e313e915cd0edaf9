"""A data folder: the catalog, and one store per namespace, opened when first used, all owned by this process.

A store that cannot be opened is named and leaves the others alone. Stores that nobody uses close their connections; a
forked child is refused everything. See tests/store/test_data_folder.py and tests/store/test_fork.py.
"""

import asyncio
import ctypes
import os
import weakref
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from perdure.core.clock import Cancellable, Clock
from perdure.core.migrations import MigrationPlan
from perdure.core.retention import Retention
from perdure.model.errors import ForkedChild, PerdureError, StoreBroken
from perdure.store.bounds import IDLE_CLOSE_S, LOCK_TIMEOUT_S, OPEN_STORES_MAX
from perdure.store.catalog import Catalog, NamespaceRow
from perdure.store.committer import Committer, run_job
from perdure.store.crash_point import At, passes
from perdure.store.file_system import checksummed_file_system
from perdure.store.files import Place, open_files
from perdure.store.folder_lock import FolderLock
from perdure.store.folders import Folders, make_folder
from perdure.store.sqlite_store import SqliteStore


class DataFolder:
    """An open data folder. Made by `open`; belongs to the loop that opened it."""

    def __init__(
        self,
        path: Path,
        catalog: Catalog,
        lock: FolderLock,
        *,
        place: Callable[[Path], Place],
        folders: Folders,
        clock: Clock,
        committer: Committer,
        background: Committer,
        lock_timeout_s: float,
    ) -> None:
        self.path = path
        self._catalog = catalog
        self._lock = lock
        self._place = place
        self._folders = folders
        self._clock = clock
        self._committer = committer
        self._background = background
        self._lock_timeout_s = lock_timeout_s
        self.retention: Retention | None = None
        """What stores that are opened from now on keep of the past; None: what they were last told."""
        self._stores: dict[str, asyncio.Future[SqliteStore]] = {}
        self._seen: dict[str, tuple[tuple[int, int], float]] = {}
        """Of each open store: its activity when last looked at, and since when it has been that."""
        self._timer: Cancellable | None = None
        self._refusal: PerdureError | None = None
        _poison_when_forked(self)

    @staticmethod
    async def open(
        path: Path,
        *,
        clock: Clock,
        committer: Committer,
        random_bytes: Callable[[int], bytes],
        written_by: str,
        background: Committer | None = None,
        at: At = passes,
        lock_timeout_s: float = LOCK_TIMEOUT_S,
        file_system: str | None = None,
    ) -> "DataFolder":
        """Opens (or makes) the folder, waiting up to `lock_timeout_s` for a holder that is going.

        random_bytes: a number of bytes, for ids and keys of new namespaces.  written_by: this Perdure's version.
        background: runs slow reads and checkpoints; the committer if there is none.
        file_system: SQLite's name of the one below the databases, for tests.
        Raises DataFolderLocked, StoreTooNew, and StoreBroken if the catalog cannot be opened.
        """
        vfs = file_system if file_system is not None else checksummed_file_system()
        folders = Folders(path, at)
        await run_job(committer, partial(make_folder, path))
        lock = await FolderLock.acquire(path, clock=clock, timeout_s=lock_timeout_s)
        try:
            catalog = await run_job(committer, partial(_open_catalog, path, vfs, written_by, at, random_bytes, folders))
        except BaseException:
            lock.release()
            raise
        return DataFolder(
            path,
            catalog,
            lock,
            place=lambda folder: Place(folder, vfs, written_by, at, clock.monotonic),
            folders=folders,
            clock=clock,
            committer=committer,
            background=background if background is not None else committer,
            lock_timeout_s=lock_timeout_s,
        )

    # The catalog

    async def namespaces(self, worker: str | None = None) -> list[NamespaceRow]:
        """The namespaces of that Worker, or of all."""
        self._refuse()
        return await run_job(self._committer, partial(self._catalog.namespaces, worker))

    async def tag(self, worker: str) -> str | None:
        """Up to where that Worker has migrated; None if it never did."""
        self._refuse()
        return await run_job(self._committer, partial(self._catalog.tag, worker))

    async def apply(self, worker: str, plan: MigrationPlan) -> list[NamespaceRow]:
        """Does all of the plan, durably, or none of it; gives the Worker's namespaces after it.

        Stores of namespaces that it deletes are closed; their objects must be gone before.
        """
        self._refuse()
        before = {row.class_name: row.id for row in await self.namespaces(worker)}
        await run_job(self._committer, partial(self._catalog.apply, worker, plan, now_ms=self._clock.now_ms()))
        for class_name in plan.deletes:
            opened = self._stores.pop(before[class_name], None)
            if opened is not None:
                await (await opened).close()
        everything = await self.namespaces()
        await run_job(self._committer, partial(self._folders.follow, [row.id for row in everything]))
        return [row for row in everything if row.worker == worker]

    async def take_key(self, namespace_id: str, unique_key: str) -> NamespaceRow:
        """Lets a namespace that has no objects make ids as another one did; gives it as it is then, durably."""
        self._refuse()
        return await run_job(self._committer, partial(self._catalog.take_key, namespace_id, unique_key))

    # Stores

    async def store(self, namespace_id: str) -> SqliteStore:
        """That namespace's store, opened and recovered if it was not.

        Raises StoreBroken or StoreTooNew, naming it, if it cannot be opened; the next call tries again.
        """
        self._refuse()
        opened = self._stores.get(namespace_id)
        if opened is None:
            opened = self._stores[namespace_id] = asyncio.ensure_future(self._open_store(namespace_id))
            opened.add_done_callback(partial(self._store_opened, namespace_id))
        return await asyncio.shield(opened)

    def _store_opened(self, namespace_id: str, opened: "asyncio.Future[SqliteStore]") -> None:
        if not opened.cancelled() and opened.exception() is None:
            self._look_after_stores()
        elif self._stores.get(namespace_id) is opened:
            del self._stores[namespace_id]

    async def _open_store(self, namespace_id: str) -> SqliteStore:
        if await run_job(self._committer, partial(self._catalog.namespace, namespace_id)) is None:
            raise StoreBroken(
                what=f"namespace {namespace_id} is not in this data folder",
                where=str(self.path),
                next_step="restart what asked for it: its class was deleted",
            )
        folder = self._folders.of_store(namespace_id)
        lock = await FolderLock.acquire(folder, clock=self._clock, timeout_s=self._lock_timeout_s)
        try:
            place = replace(self._place(folder), retention=self.retention)
            files = await run_job(self._committer, partial(open_files, place))
        except BaseException:
            lock.release()
            raise
        store = SqliteStore(
            place,
            files,
            clock=self._clock,
            committer=self._committer,
            background=self._background,
            released=lock.release,
        )
        self._seen[namespace_id] = store.activity, self._clock.monotonic()
        return store

    def _opened(self) -> dict[str, SqliteStore]:
        return {
            namespace_id: opened.result()
            for namespace_id, opened in self._stores.items()
            if opened.done() and not opened.cancelled() and opened.exception() is None
        }

    def _look_after_stores(self) -> None:
        """Lets stores rest that were idle for a while, and the longest idle ones if too many are open."""
        if self._refusal is not None:
            return
        now = self._clock.monotonic()
        awake = {namespace_id: store for namespace_id, store in self._opened().items() if not store.resting}
        for namespace_id, store in awake.items():
            activity, _since = self._seen[namespace_id]
            if store.activity != activity:
                self._seen[namespace_id] = store.activity, now
        by_idleness = sorted(awake, key=lambda namespace_id: self._seen[namespace_id][1])
        surplus = len(awake) - OPEN_STORES_MAX
        for n, namespace_id in enumerate(by_idleness):
            if n < surplus or now - self._seen[namespace_id][1] >= IDLE_CLOSE_S:
                awake[namespace_id].rest()
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._clock.call_later(IDLE_CLOSE_S / 2, self._look_after_stores)

    def announce_close(self) -> None:
        """A close is coming: whoever wants the folder waits for it instead of being refused at once."""
        if self._refusal is None:
            self._lock.announce_going()

    async def close(self) -> None:
        """Closes every store and the catalog and lets others have the folder. In a forked child: nothing."""
        if self._refusal is not None:
            return
        self.announce_close()
        self._refusal = StoreBroken(what="the data folder is closed", where=str(self.path), next_step="open it again")
        if self._timer is not None:
            self._timer.cancel()
        try:
            for opened in list(self._stores.values()):
                await _close_store(opened)
            await run_job(self._committer, self._catalog.close)
        finally:
            self._lock.release()

    def poison(self) -> None:
        """This is a forked child: every use is refused from now on, and nothing is flushed or closed."""
        self._refusal = ForkedChild(
            what="this process was forked from the one that has the data folder open",
            where=str(self.path),
            next_step="open the folder after the fork, in one process, or start children with the `spawn` method",
        )
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._catalog.connection))
        for store in self._opened().values():
            store.poison()

    def _refuse(self) -> None:
        if self._refusal is not None:
            raise self._refusal.with_traceback(None)


async def _close_store(opened: "asyncio.Future[SqliteStore]") -> None:
    try:
        store = await opened
    except PerdureError:
        return  # It was never open; whoever asked for it was told why.
    await store.close()


def _open_catalog(
    path: Path, file_system: str, written_by: str, at: At, random_bytes: Callable[[int], bytes], folders: Folders
) -> Catalog:
    catalog = Catalog(path, file_system, written_by=written_by, at=at, random_bytes=random_bytes)
    try:
        folders.follow(row.id for row in catalog.namespaces())
    except BaseException:
        catalog.close()
        raise
    return catalog


def _poison_when_forked(folder: DataFolder) -> None:
    # Such a registration lasts as long as the process: it must not keep the folder alive.
    watched = weakref.WeakMethod(folder.poison)

    def in_child() -> None:
        poison = watched()
        if poison is not None:
            poison()

    os.register_at_fork(after_in_child=in_child)
