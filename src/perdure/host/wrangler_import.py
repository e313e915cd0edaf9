"""The objects of Cloudflare's local tools, brought into a data folder that nobody serves.

Must stay true: each object is brought over whole or not at all, and one that cannot be leaves the others alone; an object is
under its old id, or under a name that its old id was made of, and never under a guess. See tests/host/test_wrangler_import.py and
docs/decisions/0019.
"""

import asyncio
import os
import shutil
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

from perdure.config import Project
from perdure.core.clock import Clock
from perdure.core.entry import Alarm
from perdure.core.migrations import plan
from perdure.host.clock import RealClock
from perdure.host.contents import Progress, make_object, on_a_thread
from perdure.host.inspection_contents import SCRATCH
from perdure.host.inspection_place import Place, Places
from perdure.host.version import VERSION
from perdure.host.wrangler_state import ALARMS, LocalClass, LocalNames, local_classes, local_object, names_of_alarms
from perdure.model.errors import PerdureError, StorageFull, WrongValue
from perdure.model.object_id import ObjectId
from perdure.store.committer import CommitterPool
from perdure.store.data_folder import DataFolder


@dataclass(frozen=True, slots=True)
class BroughtObject:
    """One object that is stored now."""

    class_name: str
    id: ObjectId
    old_id: str
    alarm: Alarm | None


@dataclass(frozen=True, slots=True)
class FailedFile:
    """One that was left out, and why."""

    file: Path
    error: PerdureError


@dataclass(slots=True)
class Brought:
    """What became of everything that was there."""

    objects: list[BroughtObject] = field(default_factory=list)
    failed: list[FailedFile] = field(default_factory=list)
    empty: int = 0
    """Files of objects that stored nothing."""
    no_class: list[str] = field(default_factory=list)
    """Folders `WORKER-CLASS` whose class the data folder does not have."""


async def import_local_state(
    data_folder: Path,
    source: Path,
    *,
    project: Project | None,
    class_name: str | None = None,
    names: Sequence[str] = (),
    replace: bool = False,
    progress: Progress = lambda *_: None,
) -> Brought:
    """Brings over what is in `source`; what it says of each object is durable when this returns.

    project: whose classes the folder gets if it has none of its Worker's yet. class_name: only this one, which may have
    another name there. names: of objects, where the tools did not keep them. progress: bytes of files, done and in all.
    Raises WrongValue if there is nothing to bring over, or no class for it; DataFolderLocked if a process serves the folder;
    StorageFull if there is no more room, and what was brought over before is here.
    """
    found = local_classes(source)
    clock = RealClock()
    async with AsyncExitStack() as resources:
        pool = CommitterPool(asyncio.get_running_loop())
        resources.callback(pool.close)
        folder = await DataFolder.open(
            data_folder, clock=clock, committer=pool, random_bytes=os.urandom, written_by=VERSION
        )
        resources.push_async_callback(folder.close)
        if project is not None:
            await _make_classes(folder, project)
        places = Places(folder, None, {})
        importing = _Importing(folder, data_folder / SCRATCH / "wrangler", names, replace, clock, progress)
        pairs = await _pairs(places, found, class_name, source, importing.brought)
        importing.total = sum(file.stat().st_size for local, _place in pairs for file in local.files)
        for local, place in pairs:
            await importing.run(local, place)
        return importing.brought


async def _make_classes(folder: DataFolder, project: Project) -> None:
    # As at the first start of `perdure dev`. Later migrations may delete, which is no part of an import.
    if not await folder.namespaces(project.name):
        where = str(project.config_file)
        await folder.apply(project.name, plan([], project.migrations, None, project.classes, where=where))


async def _pairs(
    places: Places, found: Sequence[LocalClass], class_name: str | None, source: Path, brought: Brought
) -> list[tuple[LocalClass, Place]]:
    """Which folder of theirs belongs to which class here."""
    if class_name is not None:
        place = await places.of_class(class_name)
        key = f"{place.row.worker}-{place.class_name}"
        for each in found:
            if each.key == key or each.folder.samefile(source):
                return [(each, place)]
        raise WrongValue(
            what=f"there is no folder {key}",
            where=str(source),
            why=f"there are {', '.join(each.key for each in found)}",
            next_step="give the one that is meant: --from-wrangler .../do/WORKER-CLASS",
        )
    here = {f"{place.row.worker}-{place.class_name}": place for place in await places.all()}
    brought.no_class += [each.key for each in found if each.key not in here]
    pairs = [(each, here[each.key]) for each in found if each.key in here]
    if not pairs:
        raise WrongValue(
            what="none of these objects is of a class of this data folder",
            where=str(source),
            why=f"they are of {', '.join(brought.no_class)}, and here are {', '.join(here) or 'none'}",
            next_step="say which class: perdure objects import CLASS --from-wrangler .../do/WORKER-CLASS",
        )
    return pairs


class _Importing:
    def __init__(
        self, folder: DataFolder, scratch: Path, names: Sequence[str], replace: bool, clock: Clock, progress: Progress
    ) -> None:
        self.brought = Brought()
        self.total = 0
        self._folder = folder
        self._scratch = scratch
        self._names = names
        self._replace = replace
        self._clock = clock
        self._progress = progress
        self._done = 0

    async def run(self, local: LocalClass, place: Place) -> None:
        place = await self._with_key(local, place)
        names = LocalNames(local.key, [*self._names, *await self._names_of_alarms(local)])
        for file in local.files:
            try:
                await self._bring(file, names, local, place)
            except StorageFull:
                raise  # the others would end like that, too
            except PerdureError as error:
                self.brought.failed.append(FailedFile(file, error))
            self._done += file.stat().st_size
            self._progress(self._done, self.total)

    async def _with_key(self, local: LocalClass, place: Place) -> Place:
        """A class that has no objects yet makes its ids as theirs were made: then all of them stay what they are."""
        if place.row.unique_key == local.key or await place.store.objects(limit=1):
            return place
        return Place(await self._folder.take_key(place.row.id, local.key), place.store, place.residents)

    async def _names_of_alarms(self, local: LocalClass) -> list[str]:
        self._empty_scratch()
        try:
            return await on_a_thread(names_of_alarms, local, self._scratch)
        except StorageFull:
            raise
        except PerdureError as error:
            self.brought.failed.append(FailedFile(local.folder / ALARMS, error))
            return []

    def _empty_scratch(self) -> None:
        shutil.rmtree(self._scratch, ignore_errors=True)
        self._scratch.mkdir(parents=True)

    async def _bring(self, file: Path, names: LocalNames, local: LocalClass, place: Place) -> None:
        self._empty_scratch()
        try:
            object = await on_a_thread(local_object, file, names, self._scratch)
            if object is None:
                self.brought.empty += 1
                return
            id = _id_here(object.id, local, place)
            await make_object(
                place, id, object.contents, what="perdure objects import", replace=self._replace, clock=self._clock
            )
            alarm = place.store.alarm(id.raw)
            self.brought.objects.append(BroughtObject(place.class_name, id, object.id.hex, alarm))
        finally:
            shutil.rmtree(self._scratch, ignore_errors=True)


def _id_here(old: ObjectId, local: LocalClass, place: Place) -> ObjectId:
    if place.row.unique_key == local.key:
        return old
    if old.name is not None:
        return place.id_of(old.name, "name")
    raise WrongValue(
        what=f"the name of {old.hex} is not known",
        why=f"{place.class_name} had objects already, so that ids are made otherwise here, and this one would be another's",
        next_step="if it has a name, give it with --names FILE; else import into a folder in which the class has no objects",
    )
