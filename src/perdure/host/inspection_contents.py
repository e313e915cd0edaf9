"""Objects that are made of something else: of a file, or of another object.

Must stay true: who serves the folder serves on, the object that is replaced too, until what it becomes is all there; what a crash
leaves on the disk is gone when the folder is opened next. See tests/host/test_import.py and test_fork.py.
"""

import asyncio
import errno
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw

from perdure.core.clock import Clock
from perdure.host.contents import Contents, Progress, make_object, on_a_thread, refuse_existing
from perdure.host.fork_object import contents_at, contents_of_object
from perdure.host.import_object import contents_of_file
from perdure.host.inspection_alarms import moment
from perdure.host.inspection_past import place_of_moment
from perdure.host.inspection_place import Place, Places, no_object, until_durable
from perdure.host.inspection_request import ForkObject, ImportFile
from perdure.model.errors import PerdureError, StorageFull, StoreBroken, WrongValue
from perdure.model.object_id import ObjectId

Json = dict[str, Any]

SCRATCH = "importing"
"""The folder inside a data folder that copies are made in: on the disk that has to hold the object anyway."""


class MadeObjects:
    """Answers for one open folder."""

    def __init__(self, data_folder: Path, places: Places, clock: Clock) -> None:
        self._scratch = data_folder / SCRATCH
        self._places = places
        self._clock = clock
        self._making: set[asyncio.Task[Json]] = set()
        self._closed = False
        # What a crash left: the folder is ours.
        shutil.rmtree(self._scratch, ignore_errors=True)

    async def import_file(self, request: ImportFile, progress: Progress) -> Json:
        """Raises WrongValue for a file that holds no object, or an object that exists and is not to be replaced."""
        place = await self._places.of_class(request.class_name)
        id = place.id_of(request.object, request.named_by)
        refuse_existing(place, id, replace=request.replace)
        file = Path(request.file)
        return await self._made(
            place,
            id,
            "perdure objects import",
            lambda scratch: contents_of_file(file, scratch),
            request.replace,
            progress,
        )

    async def fork(self, request: ForkObject, progress: Progress) -> Json:
        """Raises WrongValue for an object that stores nothing, or one that exists and is not to be replaced."""
        place = await self._places.of_class(request.class_name)
        source, id = place.id_of(request.object), place.id_of(request.to, "name")
        if source.raw == id.raw:
            raise WrongValue(
                what=f"{place.class_name} {request.to!r:.100} would be its own fork",
                next_step="give another name; to take it back to what it was: perdure objects restore",
            )
        refuse_existing(place, id, replace=request.replace)
        at = None if request.at is None else await place_of_moment(place, source, request.at, self._clock)
        if at is None:
            await self._check_source(place, source, request)
        elif await place.store.record_at(source.raw, at) is None:
            raise await no_object(place, request.object, then=True)
        alarm = place.store.alarm(source.raw)

        def copied(scratch: Path) -> Contents:
            with place.store.reading() as connection:
                contents = (
                    contents_of_object(connection, source.raw, scratch)
                    if at is None
                    else contents_at(connection, source.raw, at, scratch)
                )
            if contents is None:
                raise WrongValue(
                    what=f"{place.class_name} {request.object!r:.100} was deleted or restored a moment ago"
                )
            return contents

        made = await self._made(place, id, "perdure objects fork", copied, request.replace, progress)
        return made | {"alarm": None if alarm is None else moment(alarm.at_ms)}

    async def _check_source(self, place: Place, source: ObjectId, request: ForkObject) -> None:
        if place.store.record(source.raw) is None:
            raise await no_object(place, request.object)
        if place.store.place_to_restore(source.raw) is not None:
            raise WrongValue(
                what=f"{place.class_name} {request.object!r:.100} goes back to an earlier state when it starts next",
                why="until then what is stored is neither the one nor the other",
                next_step="call it once, then fork it; or give --at",
            )
        await until_durable(place.store, source.raw, place.store.read_position)

    async def _made(
        self,
        place: Place,
        id: ObjectId,
        what: str,
        prepare: Callable[[Path], Contents],
        replace: bool,
        progress: Progress,
    ) -> Json:
        if self._closed:
            raise self._was_closed(what)
        # A task of its own, which `close` can end whoever waits for it.
        making = asyncio.ensure_future(self._make(place, id, what, prepare, replace, progress))
        self._making.add(making)
        making.add_done_callback(self._making.discard)
        try:
            return await making
        except asyncio.CancelledError:
            if self._closed and not _is_cancelled():
                raise self._was_closed(what) from None
            raise

    def _was_closed(self, what: str) -> StoreBroken:
        return StoreBroken(
            what=f"{what}: the data folder was closed meanwhile",
            where=str(self._scratch.parent),
            next_step="open it and try again; the object is what it was, or all that it was to become",
        )

    async def close(self) -> None:
        """Ends what is under way, and returns when no thread writes in the folder any more."""
        self._closed = True
        for making in self._making:
            making.cancel()
        if self._making:
            await asyncio.wait(self._making)

    async def _make(
        self,
        place: Place,
        id: ObjectId,
        what: str,
        prepare: Callable[[Path], Contents],
        replace: bool,
        progress: Progress,
    ) -> Json:
        with self._own_scratch() as scratch:
            try:
                contents = await on_a_thread(prepare, scratch)
                bookmark = await make_object(
                    place, id, contents, what=what, replace=replace, clock=self._clock, progress=progress
                )
            except PerdureError:
                raise  # StorageFull of the store, which is an OSError too
            except (apsw.Error, OSError) as error:
                if isinstance(error, apsw.FullError) or getattr(error, "errno", None) == errno.ENOSPC:
                    raise _full(scratch, error) from error
                raise StoreBroken(
                    what=f"{what}: what the object is to hold could not be copied",
                    where=str(scratch),
                    why=f"{type(error).__name__}: {error}",
                    next_step="nothing was changed; perdure doctor says what is damaged",
                ) from error
        record = place.store.record(id.raw)
        name = id.name if record is None else record.name
        return {"class": place.class_name, "name": name, "id": id.hex, "bookmark": bookmark}

    @contextmanager
    def _own_scratch(self) -> Iterator[Path]:
        self._scratch.mkdir(exist_ok=True)
        folder = Path(tempfile.mkdtemp(dir=self._scratch))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _full(scratch: Path, error: BaseException) -> PerdureError:
    return StorageFull(
        what="the disk is full",
        where=str(scratch),
        why=f"a copy of what the object is to hold did not fit: {error}",
        next_step="nothing was changed; make room and try again",
    )
