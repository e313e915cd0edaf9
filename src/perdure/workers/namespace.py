"""A namespace: all objects of one class, found by name or by id.

Making an id or a stub does no I/O and creates nothing; the same name is the same object everywhere and always; an id
of another namespace is refused before anything is sent (API-12). See tests/workers/test_namespace.py.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any, Generic, TypeVar, cast

from perdure.model.errors import InvalidId, WrongValue
from perdure.model.object_id import ObjectId
from perdure.model.object_info import ObjectInfo
from perdure.objects.op import Op
from perdure.objects.outbox import Outbox
from perdure.workers.class_spec import ClassSpec
from perdure.workers.home import Home
from perdure.workers.listing import ask_exists, check_listing, listed
from perdure.workers.stub import Stub

D = TypeVar("D")

# For the type checker what it makes is whatever class is said to come; a cast would say so with a call more.
_TYPED_STUB: Any = Stub

# Ids of names that were used last: an id costs 3 us to compute and is needed for each call. With names of this length
# at most, 10,000 of them hold about 5 MB.
IDS_KEPT_MAX = 10_000
KEPT_NAME_CHARS_MAX = 256


class Namespace(Generic[D]):
    """All objects of one class. `namespace[name]` is a stub of the one with that name, typed as the class."""

    __slots__ = ("_home", "_id_of")

    def __init__(self, home: Home) -> None:
        self._home = home
        self._id_of = lru_cache(maxsize=IDS_KEPT_MAX)(home.id_key.from_name)

    def id_from_name(self, name: str, /) -> ObjectId:
        """The id of the object with this name: any text, also empty. Always the same."""
        if type(name) is str and len(name) <= KEPT_NAME_CHARS_MAX:
            return self._id_of(name)
        return self._home.id_key.from_name(name)

    def id_from_string(self, hex: str, /) -> ObjectId:
        """The id that `str(id)` gave. Raises InvalidId if it is none, or of another namespace."""
        return self._home.id_key.parse(hex, namespace=self._home.spec.name)

    def new_unique_id(self) -> ObjectId:
        """An id that no other object has."""
        return self._home.id_key.unique(self._home.random_bytes(16))

    def get(self, id: ObjectId, options: Mapping[str, Any] | None = None, /, **named: Any) -> D:
        """A stub of the object with this id. Raises InvalidId if another namespace made it.

        options: of the original; a location hint means nothing here, a jurisdiction is WrongValue.
        """
        if options or named:
            _check_options(options, named)
        self._check_own(id)
        return cast(D, Stub(self._home, id))

    def get_by_name(self, name: str, /) -> D:
        """A stub of the object with this name."""
        kept = type(name) is str and len(name) <= KEPT_NAME_CHARS_MAX
        stub: D = _TYPED_STUB(self._home, self._id_of(name) if kept else self._home.id_key.from_name(name))
        return stub

    __getitem__ = get_by_name

    def stub(self, id: ObjectId, /) -> Stub:
        """The same as `stub_of(get(id))`."""
        return cast(Stub, self.get(id))

    @property
    def object_class(self) -> type[Any]:
        """The class itself, as the Worker's code knows it."""
        return self._home.spec.cls

    def typed_as(self, cls: type[Any]) -> Namespace[Any]:
        """The same objects, for a caller whose stubs are typed as `cls`: results are built as its annotations say."""
        return Namespace(replace(self._home, results=ClassSpec(cls).results))

    def exists(self, object: str | ObjectId, /) -> Op[bool]:
        """Whether the object of this name or id has stored anything; wakes nothing (API-15).

        The answer is about what is durable. Inside an object it leaves like a call: after the writes made before it.
        """
        if isinstance(object, ObjectId):
            id = object
            self._check_own(id)
        else:
            id = self.id_from_name(object)
        op: Op[bool] = Op()
        Outbox().send(lambda: ask_exists(self._home.residents.store, id.raw, op), op.reject)
        return op

    def list(
        self, *, prefix: str = "", after: str | ObjectId | None = None, limit: int | None = 1000
    ) -> AsyncIterator[ObjectInfo]:
        """The objects that have stored something: by name in UTF-8 bytes, then unnamed ones by id; wakes none (API-15).

        prefix: of the name; with one, unnamed objects are left out. after: the name or id to go on from, of an object
        that need not exist. limit: None lists all. An object that exists during the whole listing appears exactly once.

        It says what is durable. Inside an object each page is asked for like a call: after the writes made before it
        are durable, while other events may run.
        """
        if isinstance(after, ObjectId):
            self._check_own(after)
        return listed(self._home, check_listing(prefix, after, limit))

    def _check_own(self, id: ObjectId) -> None:
        if not isinstance(id, ObjectId) or not self._home.id_key.owns(id):
            raise InvalidId(
                what=f"{id!r} is not an id of {self._home.spec.name}",
                why="another namespace made it" if isinstance(id, ObjectId) else f"it is {type(id).__name__}",
                next_step="use the namespace that gave the id, or `namespace[name]` for a name",
            )

    # Without it, Python would take a namespace for a sequence and count up from ns[0].
    __iter__ = None

    def __repr__(self) -> str:
        return f"<Namespace {self._home.spec.name}>"

    # Cloudflare's names. Location hints are accepted and mean nothing: there is one place. Jurisdictions would be a
    # promise.

    idFromName = id_from_name
    idFromString = id_from_string

    def newUniqueId(self, options: Mapping[str, Any] | None = None, /, **named: Any) -> ObjectId:
        _check_options(options, named)
        return self.new_unique_id()

    def getByName(self, name: str, options: Mapping[str, Any] | None = None, /, **named: Any) -> D:
        _check_options(options, named)
        return self.get_by_name(name)

    def jurisdiction(self, jurisdiction: str | None = None, /) -> Namespace[D]:
        _check_options({"jurisdiction": jurisdiction}, {})
        return Namespace(self._home)


def _check_options(options: Mapping[str, Any] | None, named: Mapping[str, Any]) -> None:
    jurisdiction = {**(options or {}), **named}.get("jurisdiction")
    if jurisdiction is not None:
        raise WrongValue(
            what=f"the jurisdiction {jurisdiction!r} is not offered",
            why="Perdure keeps data where it runs and could not hold that promise",
            next_step="leave it out, and run Perdure where the data has to stay",
        )
