"""Arguments and results of calls come back as the class that an annotation names (Values, API-20)."""

import dataclasses
import functools
import logging
import typing
from decimal import Decimal

import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perdure.model.errors import ValueMismatch
from perdure.model.object_id import IdKey
from perdure.workers.class_spec import ClassSpec
from perdure.workers.home import Home
from perdure.workers.namespace import Namespace
from perdure.workers.stub import stub_of
from tests.model.typed_values import Item, alike, typed_values
from tests.model.values import same, values
from tests.workers.world import InterpreterModules, Numbered, WorkersWorld

ROOM = """
    import dataclasses, enum
    from collections.abc import Awaitable
    from datetime import datetime
    from decimal import Decimal
    from functools import cached_property, partialmethod, wraps
    from typing import NamedTuple, Optional, TypedDict
    import msgspec

    class Side(enum.StrEnum):
        BUY = "buy"

    class Planet(enum.Enum):
        EARTH = (5.97, 6.37)

    @dataclasses.dataclass
    class Item:
        price: Decimal
        at: datetime | None = None

        def __post_init__(self):
            if self.price < 0:
                raise ValueError("a price is not negative")
            if self.price == 13:
                raise LookupError("unlucky")

    class Point(msgspec.Struct):
        x: int
        y: int = 0

    class Pair(NamedTuple):
        left: int
        right: str

    class Draft(TypedDict):
        title: str

    @dataclasses.dataclass
    class Order:
        items: list[Item]
        side: Side = Side.BUY

    def logged(method):
        @wraps(method)
        def around(self, *args, **kwargs):
            return method(self, *args, **kwargs)
        return around

    class Room(DurableObject):
        async def post(self, item: Item, note: str = "", *, side: Side | None = None):
            assert type(item) is Item and (side is None or type(side) is Side)
            return [str(item.price), note, side]

        async def many(self, items: list[Item], by_name: dict[str, Point] = {}, *more: Pair, **named: Point):
            assert all(type(item) is Item for item in [*items]) and all(type(pair) is Pair for pair in more)
            assert all(type(point) is Point for point in [*by_name.values(), *named.values()])
            return [len(items), sorted(by_name), len(more), sorted(named)]

        async def maybe(self, item: Item = None):
            return item is None

        @logged
        async def decorated(self, item: "Item"):
            return type(item).__name__

        async def plain(self, count: int, names: list[str]):
            return [count, names]

        async def kinds(self, side: Side, planet: Planet, point: Point, pair: Pair, draft: Draft):
            return [type(value).__name__ for value in (side, planet, point, pair, draft)]

        async def order(self, price) -> Order:
            return Order([Item(price)])

        def at_once(self) -> list[Item]:
            return [Item(Decimal(1))]

        def later(self) -> Awaitable[Point]:
            async def inner():
                return Point(1)
            return inner()

        async def wrong(self) -> Item:
            return {"cost": 1}

        async def made_badly(self, price) -> Item:
            return {"price": price}

        async def nothing(self) -> Optional[Item]:
            return None

        async def stored(self, order: Order) -> Order | None:
            self.ctx.storage.kv.put("order", order)
            return self.ctx.storage.kv.get_as(Order, "order")

        @property
        def first(self) -> Item:
            return Item(Decimal(2))

        @cached_property
        def corner(self) -> Point:
            return Point(3)

        async def log(self):
            return self.ctx.storage.kv.get("ran")

        async def marked(self, item: Item):
            self.ctx.storage.kv.put("ran", True)

        earth = partialmethod(kinds, "buy")

    async def fetch(request):
        return Response("")
"""


def scenario(world, body):
    async def main():
        worker = await world.worker(ROOM, bindings={"ROOMS": "Room"})
        await body(worker.program.main, worker.env.ROOMS["a"])

    world.run(main)


def test_an_argument_arrives_as_the_class_that_its_annotation_names(world):
    async def body(main, room):
        item = main.Item(main.Decimal("1.5"))

        assert await room.post(item, "hi", side=main.Side.BUY) == ["1.5", "hi", "buy"]
        assert await room.post({"price": main.Decimal(2), "more": 1}) == ["2", "", None]
        assert await room.post(item=item, side=None) == ["1.5", "", None]
        assert await room.decorated(item) == "Item"

    scenario(world, body)


def test_nested_classes_and_star_arguments_are_built_too(world):
    async def body(main, room):
        item, point, pair = main.Item(main.Decimal(1)), main.Point(1), main.Pair(1, "a")

        assert await room.many([item, item], {"a": point}, pair, pair, b=point) == [2, ["a"], 2, ["b"]]

    scenario(world, body)


def test_every_kind_of_class_is_built(world):
    async def body(main, room):
        rest = (main.Planet.EARTH, main.Point(1), main.Pair(1, "a"), main.Draft(title="t"))

        assert await room.kinds(main.Side.BUY, *rest) == ["Side", "Planet", "Point", "Pair", "dict"]
        assert await room.earth(*rest) == ["str", "Planet", "Point", "Pair", "dict"]

    scenario(world, body)


def test_none_is_taken_where_the_default_is_none(world):
    async def body(main, room):
        assert await room.maybe()
        assert await room.maybe(None)

    scenario(world, body)


def test_annotations_of_plain_types_are_not_checked(world):
    async def body(main, room):
        assert await room.plain("three", (1, 2)) == ["three", (1, 2)]

    scenario(world, body)


@pytest.mark.parametrize(
    ("args", "kwargs", "path"),
    [
        (({"price": "2"},), {}, "post() argument item.price"),
        ((), {"item": {"price": "2"}}, "post() argument item.price"),
        (({},), {}, "post() argument item"),
        ((3,), {}, "post() argument item"),
    ],
)
def test_an_argument_that_does_not_fit_names_method_argument_and_field(world, args, kwargs, path):
    async def body(main, room):
        with pytest.raises(ValueMismatch) as refused:
            await room.post(*args, **kwargs)

        assert refused.value.path == path
        assert path in str(refused.value)
        assert refused.value.remote

    scenario(world, body)


def test_what_does_not_fit_is_refused_before_user_code_runs(world):
    async def body(main, room):
        with pytest.raises(ValueMismatch):
            await room.marked({"price": "x"})
        with pytest.raises(ValueMismatch, match="a price is not negative"):
            await room.marked({"price": main.Decimal(-1)})

        assert await room.log() is None

    scenario(world, body)


@pytest.mark.parametrize(("args", "kwargs"), [((), {}), ((1, 2, 3), {}), ((1,), {"item": 1}), ((1,), {"other": 1})])
def test_api_20_a_misfit_of_arguments_is_a_type_error_as_in_python(world, args, kwargs):
    async def body(main, room):
        item = main.Item(main.Decimal(1))
        given = tuple(item for _ in args)

        with pytest.raises(TypeError, match=r"post\(\)"):
            await room.post(*given, **{name: item for name in kwargs})

    scenario(world, body)


def test_a_result_comes_back_as_the_class_that_the_annotation_names(world):
    async def body(main, room):
        order = await room.order(main.Decimal(3))

        assert order == main.Order([main.Item(main.Decimal(3))])
        assert type(order.side) is main.Side
        assert await room.at_once() == [main.Item(main.Decimal(1))]
        assert await room.later() == main.Point(1)
        assert await room.nothing() is None
        assert await room.stored(order) == order
        assert await stub_of(room).first == main.Item(main.Decimal(2))
        assert await stub_of(room).corner == main.Point(3)

    scenario(world, body)


def test_a_result_is_a_copy_each_time(world):
    async def body(main, room):
        first, second = await room.at_once(), await room.at_once()
        first[0].price = 5

        assert second == [main.Item(main.Decimal(1))]

    scenario(world, body)


def test_a_result_that_does_not_fit_is_the_callers_error_and_the_object_lives_on(world):
    async def body(main, room):
        await room.marked({"price": main.Decimal(1)})

        for _ in range(2):
            with pytest.raises(ValueMismatch) as refused:
                await room.wrong()
            assert refused.value.path == "result of wrong()"

        assert await room.log() is True

    scenario(world, body)


def test_what_a_class_raises_when_it_is_built_reaches_the_caller(world):
    async def body(main, room):
        with pytest.raises(ValueMismatch, match="a price is not negative"):
            await room.made_badly(main.Decimal(-1))
        with pytest.raises(LookupError, match="unlucky"):
            await room.made_badly(main.Decimal(13))
        with pytest.raises(LookupError, match="unlucky"):
            await room.post({"price": main.Decimal(13)})

        assert await room.log() is None

    scenario(world, body)


PROTOCOL = (
    ROOM
    + """
    from typing import Protocol

    class Price(msgspec.Struct):
        price: Decimal

    class RoomApi(Protocol):
        async def order(self, price: Decimal) -> dict[str, list[Price] | str]: ...
        def at_once(self) -> Awaitable[list[Price]]: ...

    class MyEnv(Env):
        OTHER: Namespace[RoomApi]
        ROOMS: Namespace[Room]

    async def fetch(request, env: MyEnv):
        return Response("")
"""
)


def test_where_env_types_a_stub_by_a_protocol_results_are_what_the_protocol_says(world):
    async def main():
        worker = await world.worker(PROTOCOL, bindings={"ROOMS": "Room", "OTHER": "Room"})
        main, room, other = worker.program.main, worker.env.ROOMS["a"], worker.env.OTHER["a"]

        assert await room.at_once() == [main.Item(main.Decimal(1))]
        assert await other.at_once() == [main.Price(main.Decimal(1))]
        assert await other.order(main.Decimal(3)) == {"items": [main.Price(main.Decimal(3))], "side": "buy"}
        assert await stub_of(other).first == {"price": main.Decimal(2), "at": None}

    world.run(main)


class Priced(pydantic.BaseModel):
    price: Decimal
    tags: set[str] = set()


class Till:
    async def total(self, priced: Priced, others: list[Priced] | None = None) -> str:
        return str(sum((each.price for each in [priced, *(others or [])]), Decimal(0)))

    async def sample(self) -> dict[str, Priced]:
        return {"a": Priced(price=Decimal(2), tags={"x"})}


def test_pydantic_models_are_built_at_both_ends_and_name_the_field(world):
    async def main():
        till = await stub_in(world, Till)

        assert await till.sample() == {"a": Priced(price=Decimal(2), tags={"x"})}
        assert await till.total(Priced(price=Decimal(1)), [Priced(price=Decimal(2))]) == "3"
        with pytest.raises(ValueMismatch, match=r"(?s)total\(\) argument priced.*price"):
            await till.total({"price": "much"})

    world.run(main)


# What cannot be used


class Unusual:
    async def typed_elsewhere(self, item: "NoSuchName") -> "list[NoSuchName]": ...  # noqa: F821 - on purpose

    async def either(self, item: "Left | Right"): ...

    async def plain(self, count: "AlsoMissing" = 0): ...  # noqa: F821 - on purpose


class Left(dict):
    pass


class Right(dict):
    pass


def test_an_annotation_that_is_not_there_at_run_time_is_plain_and_said_once(caplog):
    with caplog.at_level(logging.WARNING, logger="perdure.object"):
        spec = ClassSpec(Unusual)

    assert spec.methods == {"typed_elsewhere", "either", "plain"}
    assert not spec.results
    assert len(caplog.records) == 1
    text = caplog.text
    assert "Unusual: these annotations cannot be used, so values arrive as plain data there" in text
    assert "typed_elsewhere() argument item (NameError: name 'NoSuchName' is not defined)" in text
    assert "typed_elsewhere() result" in text
    assert "plain() argument count" in text
    assert "either" not in text


class Guarded:
    """A descriptor that can be called, and must not be asked for outside of an instance."""

    def __get__(self, instance, owner):
        if instance is None:
            raise AttributeError("only of an instance")
        return self

    def __call__(self, item: Item): ...


@dataclasses.dataclass
class OnlyOnce:
    first: dataclasses.InitVar[int]


def test_odd_members_and_classes_keep_no_class_from_loading(caplog):
    class Odd:
        guarded = Guarded()
        write_only = property(None, lambda self, value: None)
        built_in = int.__add__

        async def any_number(*args: Item): ...

        async def own(self, other: "Odd") -> "typing.Self": ...

        async def once(self, value: OnlyOnce): ...

        @functools.singledispatchmethod
        def by_kind(self, value: Item): ...

    spec = ClassSpec(Odd)

    assert {"guarded", "any_number", "own", "once", "by_kind"} <= spec.methods
    assert "once() argument value" in caplog.text
    with pytest.raises(ValueMismatch, match=r"any_number\(\) argument args"):
        spec.method(Odd(), "any_number")({"price": 1})


def test_a_class_whose_annotations_name_no_class_has_no_tables():
    class Plain:
        async def post(self, text: str, *more: int, to: list[str] | None = None, **named: bytes) -> dict[str, int]: ...

        @property
        def size(self) -> int:
            return 1

    spec = ClassSpec(Plain)

    assert not spec.results
    assert spec.method(Plain(), "post").__func__ is Plain.post


# Every kind of the table


async def stub_in(world, cls):
    """A stub of an object of a class that this module made."""
    spec = ClassSpec(cls)
    residents = await world.namespace(lambda ctx: cls())
    return Namespace(Home(spec, residents, IdKey("k"), InterpreterModules(), Numbered(), spec.results))["a"]


@settings(max_examples=15, deadline=None)
@given(st.lists(values, min_size=5, max_size=12), st.lists(typed_values, min_size=5, max_size=12))
def test_any_value_crosses_a_call_and_comes_back_as_annotations_say(tmp_path_factory, plain_ones, typed_ones):
    world = WorkersWorld(tmp_path_factory.mktemp("values"))

    class Echo:
        async def plain(self, value, *, named):
            assert same(value, named)
            return value

    def make(type_):
        async def typed(self, value: type_, *, named: type_ = None) -> type_:
            assert alike(value, named)
            return value

        return typed

    for place, (type_, _) in enumerate(typed_ones):
        setattr(Echo, f"typed_{place}", make(type_))

    async def main():
        echo = await stub_in(world, Echo)
        for value in plain_ones:
            assert same(await echo.plain(value, named=value), value)
        for place, (_, value) in enumerate(typed_ones):
            assert alike(await getattr(echo, f"typed_{place}")(value, named=value), value)

    world.run(main)
