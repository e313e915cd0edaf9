"""`perdure.open`: from a folder and some classes to a Runtime, awaited or as a block.

Must stay true: what is wrong with the arguments is raised by the call, what is wrong with the folder or the code when it
is awaited, and then nothing stays open. See tests/host/test_open.py.
"""

import os
import sys
import warnings
from collections.abc import Awaitable, Generator, Mapping
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Never

from perdure.host.embedded import Objects, WorkerSource, assigned, check_worker, object_classes
from perdure.host.host import Host
from perdure.host.runtime import Runtime
from perdure.model.errors import WrongType, WrongValue
from perdure.workers.class_spec import ClassSpec

LOCK_TIMEOUT = timedelta(seconds=5)
"""How long to wait for a holder that is going: a process that was told to stop drains first, a restart overlaps it."""


class Opening(Awaitable[Runtime]):
    """What `open()` gives: `async with` it, or await it and call `aclose()` yourself. Once."""

    def __init__(
        self,
        path: Path,
        objects: Mapping[str, ClassSpec],
        worker: WorkerSource | None,
        values: Mapping[str, Any],
        lock_timeout: timedelta,
    ) -> None:
        self._path = path
        self._objects = objects
        self._worker = worker
        self._values = values
        self._lock_timeout = lock_timeout
        self._begun = False
        self._has_told = False
        caller = sys._getframe(2)  # of `open`
        self._called_at = caller.f_code.co_filename, caller.f_lineno
        self._runtime: Runtime | None = None

    def __await__(self) -> Generator[Any, None, Runtime]:
        return self._open().__await__()

    async def __aenter__(self) -> Runtime:
        self._runtime = await self._open()
        return self._runtime

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None, /
    ) -> None:
        if self._runtime is not None:
            await self._runtime.aclose()

    def __del__(self) -> None:
        if not self._begun and not self._has_told:
            file, line = self._called_at
            warnings.warn_explicit(
                f"perdure.open({str(self._path)!r}) was never awaited, so it has opened nothing; "
                "write `async with perdure.open(...) as rt:`",
                RuntimeWarning,
                file,
                line,
            )

    def __getitem__(self, cls: object, /) -> Never:
        raise self._not_awaited()

    def __getattr__(self, name: str) -> Never:
        if name in ("env", "fetch", "aclose"):
            raise self._not_awaited()
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    async def _open(self) -> Runtime:
        if self._begun:
            raise WrongType(
                what="what open() gave was used twice",
                where=str(self._path),
                why="it opens the folder once, and its runtime ends with it",
                next_step="call open() for each runtime",
            )
        self._begun = True
        host = await Host.run(
            lambda: assigned(self._worker, self._objects, self._values),
            self._path,
            lock_timeout_s=self._lock_timeout.total_seconds(),
        )
        return Runtime(host, str(self._path))

    def _not_awaited(self) -> WrongType:
        self._has_told = True
        return WrongType(
            what="what open() gave is not open yet",
            where=str(self._path),
            why="the folder is opened on the loop that runs, which takes an await",
            next_step="write `rt = await perdure.open(...)`, or `async with perdure.open(...) as rt:`",
        )


def open(
    path: str | os.PathLike[str],
    *,
    objects: Objects = (),
    worker: WorkerSource | None = None,
    env: Mapping[str, Any] | None = None,
    lock_timeout: timedelta = LOCK_TIMEOUT,
) -> Opening:
    """Open a data folder and run its objects here, on the loop that runs: await it, or `async with` it.

    path: the folder, made if it is missing. objects: object classes, bound under their own names, or a dict from a
    binding's name to its class. worker: a configuration's path, a main module or its path, or a `fetch` function.
    env: more values for `env`. lock_timeout: how long to wait for a process that has the folder and is going.

    Raises WrongType and WrongValue for arguments that cannot be. Awaited, it raises DataFolderLocked if another process
    keeps the folder, at once if this one has it open; StoreBroken and StoreTooNew if it cannot be read; ConfigError and
    LoadFailed for the Worker.
    """
    return Opening(folder_of(path), object_classes(objects), _checked(worker), _values(env), _waiting(lock_timeout))


def folder_of(path: str | os.PathLike[str]) -> Path:
    """The absolute path of a data folder. Raises WrongType, and WrongValue if it is empty."""
    if not isinstance(path, str | os.PathLike):
        raise WrongType(
            what=f"the data folder is a path, not {type(path).__name__}",
            why="the objects of this folder are kept in it",
            next_step="write perdure.open('data/', objects=[Counter])",
        )
    text = os.fspath(path)
    if not isinstance(text, str) or not text or "\0" in text:
        raise WrongValue(what=f"{text!r} is not the path of a data folder", next_step="write perdure.open('data/')")
    # Now: the program may change its current folder before it awaits.
    return Path(os.path.abspath(text))


def _checked(worker: WorkerSource | None) -> WorkerSource | None:
    check_worker(worker)
    return os.path.abspath(worker) if isinstance(worker, str | os.PathLike) else worker


def _values(env: Mapping[str, Any] | None) -> dict[str, Any]:
    if env is None:
        return {}
    if not isinstance(env, Mapping) or not all(isinstance(name, str) for name in env):
        raise WrongType(
            what="env= is a dict from names to values, and this is none",
            why="each value is an attribute of env",
            next_step="write env={'GREETING': 'hello'}",
        )
    return dict(env)


def _waiting(lock_timeout: timedelta) -> timedelta:
    if not isinstance(lock_timeout, timedelta):
        raise WrongType(
            what=f"lock_timeout is a timedelta, not {type(lock_timeout).__name__}",
            why="a number would not say its unit",
            next_step="write timedelta(seconds=5)",
        )
    if lock_timeout < timedelta(0):
        raise WrongValue(what="lock_timeout is negative", next_step="write timedelta(0) not to wait at all")
    return lock_timeout
