"""Asking about a data folder: the process that has it open, or, if nobody has, the folder itself.

Must stay true: what was acknowledged before is seen, whoever answers; a folder is not made by looking at it. See
tests/host/test_control.py.
"""

import asyncio
import os
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import msgspec

from perdure.host.clock import RealClock
from perdure.host.contents import Progress
from perdure.host.control_channel import ANSWER_BYTES_MAX, ANSWERS, Refusal, TooLong, message, receive, socket_path
from perdure.host.inspection import Inspection
from perdure.host.inspection_request import Request, writes
from perdure.host.version import VERSION
from perdure.model import errors
from perdure.model.errors import DataFolderLocked, Disconnected, PerdureError, WrongValue, rebuilt
from perdure.store.catalog import DATABASE
from perdure.store.committer import CommitterPool
from perdure.store.data_folder import DataFolder

HANDOVER_S = 5.0
"""How long a folder may be somebody's who does not answer: while `perdure dev` reloads, neither process does."""
TRY_S = 0.2
"""How long the lock is waited for before the socket is looked for again."""

Json = dict[str, Any]


class FolderAccess:
    """Asks one folder, as often as wanted; close it. Made by `open`."""

    def __init__(self, path: Path, inspection: Inspection | None, resources: AsyncExitStack) -> None:
        self._path = path
        self._inspection = inspection
        """None if another process answers."""
        self._resources = resources

    @staticmethod
    async def open(path: Path) -> "FolderAccess":
        """Raises WrongValue if there is none, DataFolderLocked if who has it cannot be asked, and what opening it raises."""
        if not (path / DATABASE).is_file():
            raise WrongValue(
                what="there is no data here",
                where=str(path),
                why=f"the folder has no {DATABASE}" if path.is_dir() else "there is no such folder",
                next_step="name the folder with --data DIR: what `perdure dev --persist-to` or perdure.open() was given",
            )
        ends = time.monotonic() + HANDOVER_S
        while not await _is_served(path):
            try:
                return await _opened(path)
            except DataFolderLocked as locked:
                if locked.pid == os.getpid() or time.monotonic() >= ends:
                    locked.why = "it has the folder open, and cannot be asked: it has made no control.sock there"
                    locked.next_step = "stop it, or run it with this version of Perdure; its warnings say what is amiss"
                    raise
        return FolderAccess(path, None, AsyncExitStack())

    async def ask(self, request: Request, progress: Progress = lambda *_: None) -> Json:
        """The answer. Raises what the request can raise, and Disconnected if who serves went away amid a write.

        A question that only reads is asked again, of who has the folder then. progress: as `Inspection.answer`.
        """
        _check_text(request)
        ends = time.monotonic() + HANDOVER_S
        while self._inspection is None:
            try:
                return await _asked(self._path, request, progress)
            except Disconnected as gone:
                if writes(request):
                    gone.next_step = "it may have been done or not: look before you ask for it again"
                    raise
                if time.monotonic() >= ends:
                    raise
            again = await FolderAccess.open(self._path)
            self._inspection, self._resources = again._inspection, again._resources
        return await self._inspection.answer(request, progress)

    async def close(self) -> None:
        await self._resources.aclose()


def _check_text(request: Request) -> None:
    """What stands in it goes over a socket, and into a store: an argument that a shell passes on may be any bytes."""
    try:
        message(request)
    except UnicodeEncodeError as error:
        raise WrongValue(
            what=f"{error.object!r:.100} cannot be encoded as UTF-8",
            why="it holds half of a surrogate pair, or came from bytes that are no UTF-8",
            next_step="write it in UTF-8; an object with any name goes by its id, too",
        ) from None


async def _is_served(path: Path) -> bool:
    try:
        _reader, writer = await _connected(path)
    except OSError:
        return False  # nothing there, or of a process that was killed
    writer.close()
    return True


async def _connected(path: Path) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    with socket_path(path) as address:
        return await asyncio.open_unix_connection(address)


async def _asked(path: Path, request: Request, progress: Progress) -> Json:
    try:
        reader, writer = await _connected(path)
        try:
            writer.write(message(request))
            while (answer := ANSWERS.decode(await receive(reader, bytes_max=ANSWER_BYTES_MAX))).progress is not None:
                progress(*answer.progress)
        finally:
            writer.close()
    except (OSError, asyncio.IncompleteReadError, TooLong, msgspec.MsgspecError) as error:
        raise Disconnected(
            what="the process that serves the data folder did not answer",
            where=str(path),
            why=str(error) or type(error).__name__,
            next_step="it stopped, loads new code or has too many to answer; try again",
        ) from error
    if answer.refusal is not None:
        raise _error_of(answer.refusal)
    return answer.result or {}


def _error_of(refusal: Refusal) -> PerdureError:
    classes = {
        cls.code: cls for cls in vars(errors).values() if isinstance(cls, type) and issubclass(cls, PerdureError)
    }
    parts = msgspec.structs.asdict(refusal)
    code = parts.pop("code")
    error = rebuilt(classes.get(code, PerdureError), (refusal.what,), parts)
    assert isinstance(error, PerdureError)
    return error


async def _opened(path: Path) -> FolderAccess:
    clock = RealClock()
    async with AsyncExitStack() as resources:
        committer = CommitterPool(asyncio.get_running_loop())
        resources.callback(committer.close)
        folder = await DataFolder.open(
            path,
            clock=clock,
            committer=committer,
            random_bytes=os.urandom,
            written_by=VERSION,
            lock_timeout_s=TRY_S,
        )
        resources.push_async_callback(folder.close)
        inspection = Inspection(folder, clock)
        resources.push_async_callback(inspection.close)
        return FolderAccess(path, inspection, resources.pop_all())
