"""What of a class callers can reach (API-5, API-16), and what is refused when it is loaded (API-3, reserved names)."""

import functools
from datetime import timedelta

import pytest

from perdure.model.errors import MethodNotFound, NoHandler, WrongType
from perdure.model.limits import Limits
from perdure.workers.class_spec import ClassSpec
from perdure.workers.durable_object import DurableObject
from perdure.workers.entrypoint import WorkerEntrypoint
from perdure.workers.reserved import OBJECT_HOOKS, RESERVED, WORKER_HOOKS


class Base:
    def inherited(self):
        return "inherited"


class Room(Base, DurableObject):
    topic = "class attribute"
    Nested = type("Nested", (), {})

    def __init__(self):
        self.mood = "instance attribute"
        self.shadowed = lambda: "of the instance"

    async def post(self, text):
        return text

    def plain(self):
        return "plain"

    def shadowed(self):
        return "of the class"

    @functools.lru_cache  # noqa: B019 - that it binds and stays callable is the point
    def cached(self):
        return "cached"

    partial = functools.partialmethod(post, "partial")

    @property
    def size(self):
        return 3

    @functools.cached_property
    def slow_size(self):
        return 4

    @staticmethod
    def static():
        return "static"

    @classmethod
    def of_class(cls):
        return "class"

    def _private(self):
        return "private"

    def fetch(self, request):
        return request


def test_api_16_public_methods_of_the_class_and_its_bases_are_callable():
    spec = ClassSpec(Room)

    assert spec.methods == {"inherited", "post", "plain", "shadowed", "cached", "partial"}
    assert spec.method(Room(), "inherited")() == "inherited"
    assert spec.method(Room(), "cached")() == "cached"


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("missing", "callable are: "),
        ("_private", "leading underscore"),
        ("__init__", "leading underscore"),
        ("fetch", "reserved"),
        ("then", "reserved"),
        ("ctx", "reserved"),
        ("static", "static or class method"),
        ("of_class", "static or class method"),
        ("topic", "class attribute"),
        ("Nested", "class attribute"),
        ("mood", "attribute of the instance"),
        ("shadowed", "attribute of the instance"),
        ("size", "it is a property"),
        ("toString", "callable are: "),
    ],
)
def test_api_16_nothing_else_is_callable_and_the_error_says_why(name, why):
    with pytest.raises(MethodNotFound, match=why):
        ClassSpec(Room).method(Room(), name)


def test_a_misspelt_method_is_answered_with_the_nearest_name():
    with pytest.raises(MethodNotFound, match=r"did you mean 'post'\?"):
        ClassSpec(Room).method(Room(), "psot")


def test_a_class_without_public_methods_says_so():
    with pytest.raises(MethodNotFound, match="no public methods"):
        ClassSpec(DurableObject).method(object(), "anything")


def test_properties_are_read_and_nothing_else_is():
    spec = ClassSpec(Room)

    assert (spec.read(Room(), "size"), spec.read(Room(), "slow_size")) == (3, 4)
    for name, why in {"post": "call it", "mood": "instance", "_private": "underscore"}.items():
        with pytest.raises(MethodNotFound, match=why):
            spec.read(Room(), name)


def test_a_base_that_a_class_overrides_with_a_value_is_no_method_any_more():
    class Quiet(Room):
        post = None

    assert "post" not in ClassSpec(Quiet).methods


def test_api_5_has_a_handler_means_defines_it():
    class Silent(DurableObject):
        pass

    assert not ClassSpec(Silent).hooks
    assert not hasattr(Silent, "fetch")
    assert hasattr(Silent, "setup")
    with pytest.raises(NoHandler, match="Silent has no fetch handler"):
        ClassSpec(Silent).hook("fetch")


def test_api_5_a_plain_class_has_hooks_and_methods_too():
    class Plain:
        def __init__(self, ctx, env):
            pass

        def on_fetch(self, request):
            return request

        def hello(self):
            return "hello"

    spec = ClassSpec(Plain)

    assert spec.methods == {"hello"}
    assert spec.hook("fetch").call(Plain(1, 2), "request") == "request"


@pytest.mark.parametrize(("declared", "received"), [(0, ()), (1, (1,)), (2, (1, 2)), (3, (1, 2, 3))])
def test_api_3_a_handler_gets_as_many_arguments_as_it_declares(declared, received):
    names = ", ".join(["self", "a", "b", "c"][: declared + 1])
    made: dict[str, type] = {}
    exec(f"class Handler:\n def alarm({names}): return ({''.join(f'{name},' for name in 'abc'[:declared])})", made)
    spec = ClassSpec(made["Handler"])

    assert spec.hook("alarm").call(spec.cls(), 1, 2, 3) == received


def test_api_3_a_handler_with_any_number_of_arguments_gets_all():
    class Greedy:
        def alarm(self, *args):
            return args

    assert ClassSpec(Greedy).hook("alarm").call(Greedy(), 1, 2) == (1, 2)


@pytest.mark.parametrize(
    ("hook", "spellings"), [(hook, spellings) for hook, spellings in OBJECT_HOOKS.items() if len(spellings) > 1]
)
def test_api_3_a_handler_under_two_spellings_is_an_error_at_load(hook, spellings):
    both = type("Both", (), {spelling: lambda self: None for spelling in spellings})

    with pytest.raises(WrongType, match=f"defines its {hook} handler twice, as {spellings[0]} and {spellings[1]}"):
        ClassSpec(both)


def test_the_reserved_names_are_those_of_the_specification():
    said = """fetch alarm scheduled queue email tail trace test setup pre_shutdown websocket_message websocket_close
        websocket_error connect constructor dup then id name ctx env schema limits sockets_on_crash websocket_serial
        on_fetch on_alarm on_scheduled preShutdown webSocketMessage webSocketClose webSocketError"""

    assert set(said.split()) == RESERVED


@pytest.mark.parametrize("hooks", [OBJECT_HOOKS, WORKER_HOOKS])
@pytest.mark.parametrize("name", sorted(RESERVED))
def test_a_method_with_a_reserved_name_is_an_error_at_load_unless_it_is_the_hook(name, hooks):
    cls = type("Odd", (), {name: lambda self: None})
    is_hook = any(name in spellings for spellings in hooks.values())

    if is_hook:
        assert name not in ClassSpec(cls, hooks=hooks).methods
    else:
        with pytest.raises(WrongType, match=rf"Odd\.{name} has a reserved name"):
            ClassSpec(cls, hooks=hooks)


def test_a_reserved_name_may_be_an_attribute_or_property():
    class Named:
        schema: tuple[str, ...] = ()

        @property
        def name(self):
            return "x"

    assert not ClassSpec(Named).properties


def test_what_an_entry_points_base_defines_is_no_method():
    class Default(WorkerEntrypoint):
        def fetch(self, request):
            return request

        def add(self, a, b):
            return a + b

    assert ClassSpec(Default, hooks=WORKER_HOOKS).methods == {"add"}


def test_api_44_limits_on_a_class_are_its_limits_and_anything_else_is_an_error_at_load():
    class Patient(DurableObject):
        limits = Limits(idle=timedelta(minutes=5))

    class Wrong(DurableObject):
        limits = {"idle": 5}  # noqa: RUF012 - wrong on purpose

    assert ClassSpec(Patient).limits.idle == timedelta(minutes=5)
    assert ClassSpec(Room).limits == Limits()
    with pytest.raises(WrongType, match=r"Wrong\.limits is dict, not Limits"):
        ClassSpec(Wrong)
