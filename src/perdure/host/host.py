"""One process's part in one Worker: its data folder, its code, its live objects and, if it serves, its server.

Must stay true: nothing runs before the data folder is owned and its classes are in order; a close ends them in the order in
which they depend on each other: no new requests, then the objects, then the stores. Everything hangs on the instance, so two
hosts live side by side in one process. See tests/host/test_host.py.
"""

import asyncio
import math
import os
import socket
import ssl
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from perdure.config import Project
from perdure.core.clock import Clock
from perdure.core.migrations import plan
from perdure.edge import Handler, OnError, OnRequest, Server
from perdure.host.assignment import Assignment
from perdure.host.clock import OPEN_CLOCKS, RealClock
from perdure.host.control_server import ControlServer
from perdure.host.inspection import Inspection
from perdure.host.version import VERSION
from perdure.model.errors import PerdureError, StoreBroken, WrongValue
from perdure.store.bounds import LOCK_TIMEOUT_S
from perdure.store.committer import CommitterPool
from perdure.store.data_folder import DataFolder
from perdure.workers.worker import Housing, Worker

# How long running requests and events may go on once a close began: people wait for Ctrl-C, and so do process managers.
DRAIN_S = 10.0


class Host:
    """A Worker that runs here. Made by `Host.start`."""

    def __init__(
        self, worker: Worker, folder: DataFolder, inspection: Inspection, resources: AsyncExitStack, clock: Clock
    ) -> None:
        self.worker = worker
        self.inspection = inspection
        """Answers what operators ask of the folder."""
        self._folder = folder
        self._resources = resources
        """The data folder and what it works with; what was opened last is closed first."""
        self._clock = clock
        self._server: Server | None = None

    @staticmethod
    async def start(
        project: Project,
        data_dir: Path,
        *,
        clock: Clock | None = None,
        random_bytes: Callable[[int], bytes] = os.urandom,
        lock_timeout_s: float = LOCK_TIMEOUT_S,
        file_system: str | None = None,
    ) -> "Host":
        """Open the data folder, load the project's code, and bring the folder's classes to what the project says.

        file_system: SQLite's name of the one below the stores; tests give one that loses power.
        Raises DataFolderLocked if another process still has the folder after `lock_timeout_s`, or this one has it and stays;
        StoreBroken if it cannot be
        opened or a store in it cannot; ConfigError if the folder's
        classes cannot become the project's; LoadFailed if its code cannot be loaded. Nothing stays open or loaded then.
        """
        return await Host.run(
            lambda: Assignment.of_project(project),
            data_dir,
            clock=clock,
            random_bytes=random_bytes,
            lock_timeout_s=lock_timeout_s,
            file_system=file_system,
        )

    @staticmethod
    async def run(
        assign: Callable[[], Assignment],
        data_dir: Path,
        *,
        clock: Clock | None = None,
        random_bytes: Callable[[int], bytes] = os.urandom,
        lock_timeout_s: float = LOCK_TIMEOUT_S,
        file_system: str | None = None,
    ) -> "Host":
        """The same for whatever `assign` gives, which is called, and may load code, once the folder is ours."""
        clock = clock or RealClock()
        loop = asyncio.get_running_loop()
        async with AsyncExitStack() as resources:
            committer = CommitterPool(loop)
            resources.callback(committer.close)
            background = CommitterPool(loop, threads=1, name="background")
            resources.callback(background.close)
            folder = await _opened(
                data_dir,
                clock=clock,
                committer=committer,
                background=background,
                random_bytes=random_bytes,
                written_by=VERSION,
                lock_timeout_s=lock_timeout_s,
                file_system=file_system,
            )
            resources.push_async_callback(folder.close)
            assignment = assign()
            folder.retention = assignment.retention
            resources.callback(assignment.program.modules.close)
            worker = Worker(
                assignment.name,
                assignment.program,
                housing=await _housing(folder, assignment),
                bindings=assignment.bindings,
                variables=assignment.variables,
                clock=clock,
                random_bytes=random_bytes,
                config=assignment.config,
            )
            resources.callback(OPEN_CLOCKS.leave, OPEN_CLOCKS.join(clock))
            inspection = Inspection(folder, clock, worker=worker.name, residents=worker.residents)
            resources.push_async_callback(inspection.close)
            control = await ControlServer.start(folder.path, inspection)
            resources.push_async_callback(control.close)
            return Host(worker, folder, inspection, resources.pop_all(), clock)

    @property
    def running_requests(self) -> int:
        """Requests that the Worker has not answered yet."""
        return self.worker.running_requests

    async def serve(
        self,
        sockets: Sequence[socket.socket],
        *,
        tls: ssl.SSLContext | None = None,
        on_request: OnRequest | None = None,
        on_error: OnError | None = None,
        handler: Handler | None = None,
    ) -> None:
        """Answer HTTP on these bound sockets, until the host is closed; it closes them.

        handler: what answers instead of the Worker, which it may pass requests on to.
        """
        self._server = Server(handler or self.worker.fetch, ssl=tls, on_request=on_request, on_error=on_error)
        for bound in sockets:
            await self._server.start(sock=bound)

    async def close(self, grace_s: float = DRAIN_S, *, streams_s: float = math.inf) -> None:
        """Answer what runs, end the objects, and close the stores with all that they acknowledged.

        What has not ended after `grace_s`, requests and events together, is dropped; only the disk may take longer. Answers
        that have begun and still stream are dropped after `streams_s`, or up to twice that.
        """
        ends_at = self._clock.monotonic() + grace_s
        self._folder.announce_close()
        async with self._resources:
            if self._server is not None:
                await self._server.drain(grace_s, streams_s=streams_s)
            await self.worker.close(max(0.0, ends_at - self._clock.monotonic()))


async def _opened(data_dir: Path, **parts: Any) -> DataFolder:
    try:
        return await DataFolder.open(data_dir, **parts)
    except PerdureError:
        raise
    except OSError as error:
        raise StoreBroken(
            what="the data folder cannot be opened",
            where=str(data_dir),
            why=error.strerror or str(error),
            next_step="give a folder that this user may write, or one that can be made",
        ) from error


async def _housing(folder: DataFolder, assignment: Assignment) -> dict[str, Housing]:
    """Bring the folder's classes to what is assigned; where the objects of each class then live."""
    worker = assignment.name
    everything = await folder.namespaces()
    existing = [row.class_name for row in everything if row.worker == worker]
    if assignment.config is None:
        _refuse_projects_folder(folder.path, worker, {row.worker for row in everything})
    tag = await folder.tag(worker)
    where = "" if assignment.config is None else str(assignment.config)
    migrated = plan(existing, assignment.migrations, tag, assignment.classes, where=where)
    rows = {row.class_name: row for row in await folder.apply(worker, migrated)}
    return {
        name: Housing(store=await folder.store(rows[name].id), unique_key=rows[name].unique_key)
        for name in assignment.classes
    }


def _refuse_projects_folder(path: Path, worker: str, owners: set[str]) -> None:
    if owners and worker not in owners:
        names = ", ".join(sorted(owners))
        raise WrongValue(
            what=f"the folder holds the data of a project: {names}",
            where=str(path),
            why="without its configuration its objects cannot be told from those of other classes",
            next_step='pass the project\'s configuration, worker="path/to/wrangler.toml", or open another folder',
        )
