"""One process owns a folder: whoever opens it holds its lock, and everybody else is told who that is.

The lock is `fcntl.lockf` on `lock`, through one descriptor for as long as it is held: closing any other descriptor of
that file would drop it, so who holds it stands beside, in `lock.holder`. It dies with the process, and a forked child
does not have it. Since it does not stop a second opener in the same process, that is told by `flock` on the folder
itself together with the holder's pid (a child that outlives its parent may still have that one, so it decides nothing
alone). See tests/store/test_folder_lock.py.
"""

import asyncio
import contextlib
import fcntl
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from perdure.core.clock import Clock
from perdure.model.errors import DataFolderLocked
from perdure.store.bounds import LOCK_POLL_S

LOCK = "lock"
HOLDER = "lock.holder"


class Holder(msgspec.Struct, frozen=True):
    """Who has a folder open."""

    pid: int
    since_ms: int
    program: str
    going: bool = False
    """Whether it closes the folder already."""


class FolderLock:
    """A held lock. Made by `acquire`."""

    def __init__(self, folder: Path, lock: int, directory: int) -> None:
        self._folder = folder
        self._lock: int | None = lock
        self._directory = directory

    @staticmethod
    async def acquire(folder: Path, *, clock: Clock, timeout_s: float) -> "FolderLock":
        """Takes the lock of an existing folder, waiting up to `timeout_s` for a holder that is going.

        Raises DataFolderLocked, which names the holder: at once if that is this process and it does not close the folder.
        """
        ends = clock.monotonic() + timeout_s
        holder: Holder | None = None
        while (held := try_lock(folder, now_ms=clock.now_ms())) is None:
            holder = _read_holder(folder) or holder  # whoever goes takes the note away first
            # Another process may be told to go; here whoever has it would have to go on while it is waited for.
            stays = holder is not None and holder.pid == os.getpid() and not holder.going
            if stays or clock.monotonic() >= ends:
                raise _locked(folder, holder)
            await _sleep(clock, LOCK_POLL_S)
        return held

    def announce_going(self) -> None:
        """Whoever wants the folder may wait: it will be free soon."""
        holder = _read_holder(self._folder)
        if self._lock is not None and holder is not None and holder.pid == os.getpid():
            _write_holder(self._folder, msgspec.structs.replace(holder, going=True))

    def release(self) -> None:
        """Lets others have it; nothing if it was released before."""
        if self._lock is None:
            return
        with contextlib.suppress(FileNotFoundError):  # A person who tidies up may have been faster.
            os.unlink(self._folder / HOLDER)
        # Before the folder's: an opener in this process would get the same lock, and this would close it.
        os.close(self._lock)
        self._lock = None
        fcntl.flock(self._directory, fcntl.LOCK_UN)  # By name: a forked child may share the descriptor.
        os.close(self._directory)


def try_lock(folder: Path, *, now_ms: int) -> FolderLock | None:
    """Takes the lock if nobody has it."""
    directory = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    lock: int | None = None
    try:
        if not _flocked(directory) and not _held_by_another_process(folder):
            return None
        lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            return None
        held = FolderLock(folder, lock, directory)
        _write_holder(folder, Holder(os.getpid(), now_ms, _command()))
        lock = directory = -1
        return held
    finally:
        for descriptor in (lock, directory):
            if descriptor is not None and descriptor >= 0:
                os.close(descriptor)


def _command() -> str:
    """Of this process. An argument may be any bytes, and Python keeps those that are no UTF-8 as surrogates."""
    words = " ".join(sys.argv) or sys.executable
    return words.encode(errors="backslashreplace").decode()


def _flocked(directory: int) -> bool:
    try:
        fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _held_by_another_process(folder: Path) -> bool:
    """False if nothing says so: this process may be taking it, or letting it go, on another thread."""
    holder = _read_holder(folder)
    return holder is not None and holder.pid != os.getpid()


def _write_holder(folder: Path, holder: Holder) -> None:
    fresh = folder / f"{HOLDER}.{holder.pid}"
    fresh.write_bytes(msgspec.json.encode(holder) + b"\n")
    os.replace(fresh, folder / HOLDER)


def _read_holder(folder: Path) -> Holder | None:
    try:
        return msgspec.json.decode((folder / HOLDER).read_bytes(), type=Holder)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def _locked(folder: Path, holder: Holder | None) -> DataFolderLocked:
    since = datetime.fromtimestamp(holder.since_ms / 1000 if holder is not None else 0, tz=UTC)
    program = holder.program if holder is not None else "an unknown program"
    pid = holder.pid if holder is not None else 0
    who, next_step = f"process {pid} ({program})", "stop it, or run one worker process only and call that over HTTP"
    if holder is None:
        who = program
    elif pid == os.getpid():
        who, next_step = f"this very process ({program})", "use what opened it, or close that first"
    return DataFolderLocked(
        what=f"the folder is in use by {who}" + ("" if holder is None else f" since {since:%Y-%m-%d %H:%M:%S} UTC"),
        where=str(folder),
        why="one process owns a folder, and opens it once",
        next_step=next_step,
        pid=pid,
        program=program,
        since=since,
    )


async def _sleep(clock: Clock, delay_s: float) -> None:
    ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def end() -> None:
        if not ended.done():
            ended.set_result(None)

    timer = clock.call_later(delay_s, end)
    try:
        await ended
    finally:
        timer.cancel()
