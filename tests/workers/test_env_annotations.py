"""The Env classes that code names are found wherever they may stand, and never imported for it (API-9, API-10)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Protocol

from perdure.workers.durable_object import DurableObject
from perdure.workers.entrypoint import WorkerEntrypoint
from perdure.workers.env import Env
from perdure.workers.env_annotations import Unknown, bindings_from, env_classes, wanted_of
from perdure.workers.namespace import Namespace

if TYPE_CHECKING:
    from elsewhere import Absent, AbsentEnv


class Room(DurableObject["RoomsEnv"]):
    pass


class Hall(Room):
    pass


class Plain:
    def __init__(self, ctx, env):
        pass


class Far(Protocol):
    async def ask(self) -> str: ...


class Base(Env):
    ROOMS: Namespace[Room]
    GREETING: str


class RoomsEnv(Base):
    GREETING: str | None
    PLAIN: Namespace[Plain]
    FAR: Namespace[Far]
    HIDDEN: Namespace[Absent]
    ODD: Absent
    LIMIT: int = 3
    COUNTED: Annotated[int, "checked by msgspec"]
    shared: ClassVar[int] = 1
    _private: int


class Default(WorkerEntrypoint[Base]):
    pass


def fetch(request, env: RoomsEnv):
    return env


def test_api_9_a_class_is_found_at_a_handler_and_at_the_bases_of_classes_each_once():
    assert env_classes(fetch, []).classes == (RoomsEnv,)
    assert env_classes(fetch, [Default, Room, Hall]).classes == (RoomsEnv, Base)
    assert env_classes(None, [Hall]).classes == (RoomsEnv,)


def test_env_itself_any_other_annotation_and_none_say_nothing():
    def plain(request, env: Env): ...
    def other(request, env: dict[str, int]): ...
    def bare(request, env): ...
    def short(request): ...

    for handler in (plain, other, bare, short, print, len):
        assert env_classes(handler, [Plain]) == env_classes(None, [])


def test_a_class_that_is_there_for_type_checkers_only_is_unknown_and_so_is_what_it_is_named_by():
    def hidden(request, env: AbsentEnv): ...

    assert env_classes(hidden, []).unknown == ("AbsentEnv of hidden()",)
    assert env_classes(fetch, []).unknown == ("ODD of RoomsEnv",)


def test_what_a_class_asks_for_is_what_it_and_its_bases_annotate():
    wanted = {each.name: each for each in wanted_of(RoomsEnv)}

    assert list(wanted) == ["ROOMS", "GREETING", "PLAIN", "FAR", "HIDDEN", "ODD", "LIMIT", "COUNTED"]
    assert [name for name, each in wanted.items() if each.is_namespace] == ["ROOMS", "PLAIN", "FAR", "HIDDEN"]
    assert (wanted["ROOMS"].object_class, wanted["HIDDEN"].object_class) == (Room, Unknown)
    assert (wanted["GREETING"].type, wanted["GREETING"].optional) == (str, True)
    assert (wanted["LIMIT"].type, wanted["LIMIT"].optional, wanted["LIMIT"].default) == (int, True, 3)
    assert wanted["ODD"].type is Unknown
    assert (wanted["ROOMS"].owner, wanted["PLAIN"].owner) == (Base, RoomsEnv)


def test_api_10_without_a_configuration_each_namespace_is_bound_to_its_class_and_each_class_under_its_name():
    assert bindings_from([RoomsEnv], [Room, Hall]) == {"Room": Room, "Hall": Hall, "ROOMS": Room, "PLAIN": Plain}
    assert bindings_from([], [Room]) == {"Room": Room}
