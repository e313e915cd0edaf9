"""Objects are found by name or by id, and ids cannot be moved (API-12, runtime 1)."""

import pytest

from perdure.model.errors import InvalidId, WrongType, WrongValue
from perdure.model.object_id import IdKey, ObjectId
from perdure.workers.class_spec import ClassSpec
from perdure.workers.home import Home
from perdure.workers.namespace import IDS_KEPT_MAX, KEPT_NAME_CHARS_MAX, Namespace
from perdure.workers.stub import Stub, stub_of
from tests.workers.world import InterpreterModules, Numbered


class Room:
    pass


class Delivered:
    """In the place of live objects: what would reach them."""

    def __init__(self):
        self.ids: list[ObjectId] = []

    def deliver(self, id, event):
        self.ids.append(id)


def namespace(key="rooms", spec=None):
    residents = Delivered()
    spec = spec or ClassSpec(Room)
    return Namespace(Home(spec, residents, IdKey(key), InterpreterModules(), Numbered(), spec.results))


ROOMS, HALLS = namespace(), namespace("halls")


def id_of(stub):
    return stub_of(stub).id


def test_api_12_a_name_reaches_the_same_object_in_each_way():
    ids = [
        ROOMS.id_from_name("a"),
        id_of(ROOMS["a"]),
        id_of(ROOMS.get_by_name("a")),
        id_of(ROOMS.get(ROOMS.id_from_name("a"))),
        ROOMS.stub(ROOMS.id_from_name("a")).id,
        ROOMS.idFromName("a"),
        id_of(ROOMS.getByName("a")),
        IdKey("rooms").from_name("a"),
        namespace().id_from_name("a"),
    ]

    assert len(set(ids)) == 1
    assert {id.name for id in ids} == {"a"}
    assert ROOMS.id_from_name("b") != ids[0]


@pytest.mark.parametrize("name", ["", "é", "😀", "x" * 10_000, "a\0b"])
def test_any_text_is_a_name(name):
    stub = stub_of(ROOMS[name])

    assert stub.name == name
    assert stub.id == ROOMS.id_from_name(name)


@pytest.mark.parametrize("name", [3, None, b"a", "\ud800"])
def test_anything_else_is_not(name):
    with pytest.raises(WrongType):
        ROOMS[name]


def test_a_text_of_a_subclass_names_by_its_text():
    class Shout(str):
        def __str__(self):
            return self.upper()

    assert ROOMS.id_from_name(Shout("a")) == ROOMS.id_from_name("a")
    assert type(ROOMS.id_from_name(Shout("new")).name) is str


def test_an_id_survives_as_text_without_its_name():
    id = ROOMS.id_from_name("a")

    again = ROOMS.id_from_string(str(id).upper())

    assert again == id == ROOMS.idFromString(id.hex)
    assert again.name is None
    assert stub_of(ROOMS.get(again)).name is None


def test_scenario_41_the_id_text_of_another_namespace_is_a_type_error():
    text = str(HALLS.id_from_name("a"))

    with pytest.raises(TypeError) as raised:
        ROOMS.id_from_string(text)

    assert isinstance(raised.value, InvalidId)


@pytest.mark.parametrize("text", ["", "a", "g" * 64, "a" * 63, "a" * 65, None, 3])
def test_what_is_no_id_is_invalid(text):
    with pytest.raises(InvalidId):
        ROOMS.id_from_string(text)


@pytest.mark.parametrize("id", [HALLS.id_from_name("a"), HALLS.new_unique_id(), ObjectId("a" * 64), "a", None])
def test_api_12_an_id_of_another_namespace_is_invalid_in_get_too(id):
    with pytest.raises(InvalidId, match="not an id of Room"):
        ROOMS.get(id)
    with pytest.raises(InvalidId):
        ROOMS.stub(id)


def test_unique_ids_differ_and_belong_to_the_namespace():
    ids = {ROOMS.new_unique_id() for _ in range(100)} | {ROOMS.newUniqueId()}

    assert len(ids) == 101
    assert all(id_of(ROOMS.get(id)) == id and id.name is None for id in ids)


def test_api_12_a_location_hint_is_accepted_and_a_jurisdiction_refused():
    hinted = [
        ROOMS.getByName("a", {"locationHint": "weur"}),
        ROOMS.getByName("a", locationHint="weur"),
        ROOMS.getByName("a", {"jurisdiction": None}),
        ROOMS.jurisdiction(None)["a"],
    ]

    assert {id_of(stub) for stub in hinted} == {id_of(ROOMS["a"])}
    assert ROOMS.newUniqueId({"jurisdiction": None}) != ROOMS.newUniqueId()
    for refused in (
        lambda: ROOMS.newUniqueId(jurisdiction="eu"),
        lambda: ROOMS.newUniqueId({"jurisdiction": "eu"}),
        lambda: ROOMS.getByName("a", jurisdiction="eu"),
        lambda: ROOMS.jurisdiction("eu"),
    ):
        with pytest.raises(WrongValue, match="the jurisdiction 'eu' is not offered"):
            refused()


def test_get_takes_a_location_hint_in_the_originals_form():
    id = ROOMS.id_from_name("a")

    assert id_of(ROOMS.get(id, {"locationHint": "weur"})) == id
    with pytest.raises(ValueError, match="jurisdiction"):
        ROOMS.get(id, jurisdiction="eu")


def test_a_namespace_is_no_sequence():
    with pytest.raises(TypeError):
        iter(ROOMS)
    assert repr(ROOMS) == "<Namespace Room>"


def test_making_ids_and_stubs_sends_nothing():
    rooms = namespace()

    rooms["a"], rooms.new_unique_id(), rooms.get(rooms.id_from_name("b")), repr(rooms["a"])

    assert rooms._home.residents.ids == []


def test_only_so_many_ids_are_kept():
    rooms = namespace()
    for number in range(IDS_KEPT_MAX + 10):
        rooms.id_from_name(str(number))
    rooms.id_from_name("x" * (KEPT_NAME_CHARS_MAX + 1))

    assert rooms._id_of.cache_info().currsize == IDS_KEPT_MAX
    assert rooms._id_of.cache_info().misses == IDS_KEPT_MAX + 10


def test_a_stub_that_a_namespace_gives_is_what_stub_of_gives():
    stub = ROOMS["a"]

    assert isinstance(stub, Stub)
    assert stub_of(stub) is stub
    assert ROOMS["a"] is not stub
