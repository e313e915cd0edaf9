"""Classes and objects of a data folder by the words that people write for them, whether their code is loaded or not.

Must stay true: what is not there is named, with what is near it; looking for an object makes none. See
tests/host/test_inspection.py.
"""

import asyncio
import difflib
import re
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal

from perdure.core.entry import Entry, ObjectRecord
from perdure.model.errors import WrongValue
from perdure.model.object_id import IdKey, ObjectId
from perdure.objects.instance import Instance
from perdure.objects.residents import Residents
from perdure.store.catalog import NamespaceRow
from perdure.store.data_folder import DataFolder
from perdure.store.interface import Store, StoredObject

_PAGE_OBJECTS = 256
_NEAR_OBJECTS_MAX = 1_000
"""Names that are looked at to find the one that was meant."""
_ID = re.compile(r"[0-9a-fA-F]{64}", re.ASCII)
_GLOB = re.compile(r"[*?\[]")

After = str | bytes | None


@dataclass(frozen=True, slots=True)
class Place:
    """Where the objects of one class are."""

    row: NamespaceRow
    store: Store
    residents: Residents | None
    """None if this process does not run the class."""

    @property
    def class_name(self) -> str:
        return self.row.class_name

    def append(self, entry: Entry) -> int:
        """As the store's, for what changes what an instance that starts from now on finds: it tells nothing of it before
        it is durable."""
        position = self.store.append(entry)
        if self.residents is not None:
            self.residents.wrote_beside(entry.object, position)
        return position

    def live(self, object: bytes) -> Instance | None:
        return None if self.residents is None else self.residents.instance_of(ObjectId.of_raw(object))

    def id_of(self, object: str, named_by: Literal["name", "id"] | None = None) -> ObjectId:
        """The object that is meant: 64 hexadecimal digits that are an id of this class, else a name.

        named_by: it can only be that. Raises WrongValue for an id that is none of this class.
        """
        key = IdKey(self.row.unique_key)
        if named_by != "name" and _ID.fullmatch(object) is not None and key.owns(ObjectId(object)):
            return ObjectId(object)
        if named_by == "id":
            raise WrongValue(
                what=f"{object!r:.100} is no id of {self.class_name} in this data folder",
                why="ids of objects without a name are of the folder that made them",
                next_step=f"give it a name: perdure objects import {self.class_name} NAME FILE",
            )
        return key.from_name(object)

    def label(self, object: bytes, name: str | None) -> str:
        return f"{self.class_name}/{name or object.hex()}"

    async def objects(self, like: str | None, after: After) -> AsyncIterator[StoredObject]:
        """Those whose name is like that, or all; read a page at a time while the caller takes them."""
        prefix = "" if like is None else _GLOB.split(like, maxsplit=1)[0]
        while True:
            page = await self.store.objects(prefix=prefix, after=after, limit=_PAGE_OBJECTS)
            for stored in page:
                if like is None or (stored.name is not None and fnmatchcase(stored.name, like)):
                    yield stored
            if len(page) < _PAGE_OBJECTS:
                return
            after = page[-1].object if page[-1].name is None else page[-1].name


@dataclass(frozen=True, slots=True)
class Found:
    """One object that has stored something."""

    place: Place
    id: ObjectId
    record: ObjectRecord

    @property
    def label(self) -> str:
        return self.place.label(self.id.raw, self.record.name)

    def as_object(self) -> dict[str, str | None]:
        return {"class": self.place.class_name, "name": self.record.name, "id": self.id.hex}


class Places:
    """The classes of a folder. `residents` are those of the Worker `worker`, if this process runs one."""

    def __init__(self, folder: DataFolder, worker: str | None, residents: Mapping[str, Residents]) -> None:
        self._folder = folder
        self._worker = worker
        self._residents = residents

    async def all(self) -> list[Place]:
        """By Worker and class."""
        return [await self._place(row) for row in await self._folder.namespaces()]

    async def of_class(self, name: str) -> Place:
        """Raises WrongValue if there is none of that name, or more than one."""
        rows = await self._folder.namespaces()
        found = [row for row in rows if name in (row.class_name, f"{row.worker}/{row.class_name}")]
        if len(found) == 1:
            return await self._place(found[0])
        if found:
            choices = " or ".join(f"{row.worker}/{row.class_name}" for row in found)
            raise WrongValue(
                what=f"there are {len(found)} classes {name}",
                where=str(self._folder.path),
                why="several Workers have their data in this folder",
                next_step=f"write {choices}",
            )
        raise self._no_class(name, [row.class_name for row in rows])

    async def object(self, class_name: str, object: str) -> Found:
        """object: its name, or its id. Raises WrongValue if it has stored nothing."""
        place = await self.of_class(class_name)
        id = place.id_of(object)
        record = place.store.record(id.raw)
        if record is None:
            raise await no_object(place, object)
        return Found(place, id, record)

    async def _place(self, row: NamespaceRow) -> Place:
        residents = self._residents.get(row.class_name) if row.worker == self._worker else None
        return Place(row, await self._folder.store(row.id), residents)

    def _no_class(self, name: str, known: Iterable[str]) -> WrongValue:
        known = sorted(set(known))
        near = difflib.get_close_matches(name.rpartition("/")[2], known, n=1, cutoff=0.5)
        return WrongValue(
            what=f"there is no class {name} in this data folder",
            where=str(self._folder.path),
            why=f"its classes are: {', '.join(known)}" if known else "nothing has ever been stored in it",
            next_step=f"did you mean {near[0]}?" if near else "write one of them, or name another folder with --data",
        )


async def no_object(place: Place, object: str, *, then: bool = False) -> WrongValue:
    """then: it is about a moment of the past."""
    names: list[str] = []
    async for stored in place.objects(None, None):
        if stored.name is None or len(names) == _NEAR_OBJECTS_MAX:
            break
        names.append(stored.name)
    near = difflib.get_close_matches(object, names, n=1) if object not in names else []
    return WrongValue(
        what=f"{place.class_name} {'had' if then else 'has'} no object {object!r:.100}{' then' if then else ''}",
        why=f"no object of that name or id {'had' if then else 'has'} stored anything",
        next_step=f"did you mean {near[0]!r}?"
        if near
        else f"see which there are: perdure objects list {place.class_name}",
    )


async def until_durable(store: Store, object: bytes, position: int) -> None:
    """What was read of the object, or written to it, up to there cannot vanish any more. Raises what its group failed with."""
    ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def release(error: BaseException | None) -> None:
        if ended.done():
            return
        if error is None:
            ended.set_result(None)
        else:
            ended.set_exception(error)

    store.when_durable(object, position, release)
    await ended
