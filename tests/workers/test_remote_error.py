"""An exception that crosses a call: its own class where that is safe; nothing of the far side stays (API-77, API-78)."""

import dataclasses
import gc
import sys
import traceback
import types
import weakref
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from perdure.model.errors import (
    BindingNotFound,
    ConstructorFailed,
    Disconnected,
    Overloaded,
    RemoteError,
    StorageFull,
    TooLarge,
    UnsupportedValue,
)
from perdure.model.object_id import ObjectId
from perdure.workers.import_space import ImportSpace
from perdure.workers.remote_error import rebuild
from tests.workers.world import InterpreterModules, write_project

HERE = InterpreterModules()


class Refused(Exception):
    """Of a user: with a constructor of its own, which must not run again."""

    runs = 0

    def __new__(cls, *args, **kwargs):
        assert args[0] != "rebuilt"
        return super().__new__(cls, *args)

    def __init__(self, account, *, balance):
        type(self).runs += 1
        super().__init__(f"{account} has {balance}")
        self.account = account
        self.balance = balance
        self.history = [1, 2]

    def __setattr__(self, name, value):
        super().__setattr__(name, value)


class Outer:
    class Inner(ValueError):
        pass


class NotAnException(BaseException):
    pass


class Broken(Exception):
    def __str__(self):
        raise RuntimeError("broken")


def raised(make):
    try:
        make()
    except BaseException as error:
        return error
    raise AssertionError("nothing was raised")


def text_of(error) -> str:
    return "".join(traceback.format_exception(error))


# Its own class


@pytest.mark.parametrize(
    "error",
    [
        ValueError("no", 3, {"a": [1]}),
        KeyError("k"),
        ZeroDivisionError(),
        StopAsyncIteration("x"),
        Outer.Inner("nested"),
        TimeoutError("late"),
    ],
)
def test_api_77_a_known_class_arrives_as_itself_with_its_arguments(error):
    made = rebuild(error, HERE)

    assert type(made) is type(error)
    assert made is not error
    assert made.args == error.args
    assert str(made) == str(error)
    assert made.remote is True


@pytest.mark.parametrize(
    "make",
    [
        lambda: Path("/does/not/exist").stat(),
        lambda: b"\xff".decode(),
        lambda: "é".encode("ascii"),
        lambda: compile("a b", "file.py", "exec"),
        lambda: __import__("perdure_test_missing"),
        lambda: undefined_name,  # noqa: F821 - on purpose
        lambda: [].missing,
        lambda: next(iter(())),
    ],
)
def test_api_77_what_python_keeps_beside_the_arguments_arrives_too(make):
    error = raised(make)

    made = rebuild(error, HERE)

    assert type(made) is type(error)
    assert str(made) == str(error)
    for name in ("errno", "filename", "object", "start", "lineno", "text", "name", "value"):
        if isinstance(getattr(error, name, None), str | int | bytes):
            assert getattr(made, name) == getattr(error, name)


def test_api_77_a_users_class_is_rebuilt_without_its_init_and_new():
    error = Refused("ann", balance=3)
    runs = Refused.runs
    error.args = ("rebuilt",)

    made = rebuild(error, HERE)

    assert type(made) is Refused
    assert (made.account, made.balance, made.history) == ("ann", 3, [1, 2])
    assert made.history is not error.history
    assert Refused.runs == runs


def test_api_77_perdures_own_errors_arrive_whole():
    object_id = ObjectId("a" * 64, "room")
    too_large = TooLarge(what="big", where="here", why="so", next_step="split", size=3, limit=2)
    overloaded = Overloaded(what="busy")
    overloaded.object_id = object_id
    errors = [
        too_large,
        overloaded,
        UnsupportedValue(what="no", path='put("k")'),
        BindingNotFound(what="env.X is not bound"),
        StorageFull(what="full"),
        Disconnected(what="gone"),
        RemoteError(type_name="a.B", message="m", args=(1,)),
    ]

    made = [rebuild(error, HERE) for error in errors]

    for before, after in zip(errors, made, strict=True):
        assert type(after) is type(before)
        assert str(after) == str(before)
        assert {**vars(after), "remote": before.remote} == {**vars(before), "remote": before.remote}
    assert made[1].object_id == object_id


@dataclasses.dataclass
class Item:
    price: Decimal


@dataclasses.dataclass
class OutOfStock(Exception):
    item: Item
    left: int
    others: list[Item] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True)
class Frozen(Exception):
    item: Item


@dataclasses.dataclass(slots=True)
class Slotted(Exception):
    item: Item
    seen: list[int]


class HalfSet(Exception):
    __slots__ = ("never", "value")

    def __init__(self, value):
        self.value = value


class Closed(Exception):
    """Says a thing about itself that is not true, and guards its attributes."""

    item: "Item"
    missing: "NoSuchName"  # noqa: F821 - on purpose

    def __init__(self, item):
        super().__init__("closed")
        self.__dict__["item"] = item
        self.__dict__["missing"] = {"a": 1}

    def __setattr__(self, name, value):
        raise TypeError("read-only")

    def add_note(self, note):
        raise TypeError("no notes")


@pytest.mark.parametrize(
    "error",
    [
        OutOfStock(Item(Decimal(3)), 2, [Item(Decimal(1))]),
        OutOfStock(item=Item(Decimal(3)), left=2),
        Frozen(Item(Decimal(3))),
        Slotted(Item(Decimal(3)), [1]),
    ],
    ids=repr,
)
def test_api_77_a_dataclass_that_is_an_exception_arrives_with_its_fields_as_their_classes(error):
    made = rebuild(raised_in(error), HERE)

    assert made is not error
    assert made == error
    assert [type(value) for value in made.args] == [type(value) for value in error.args]
    assert str(made) == str(error)
    assert made.item is not error.item
    assert "raised_in" in made.__notes__[0] or "throw" in made.__notes__[0]


def test_api_77_what_was_never_set_is_not_there_either():
    made = rebuild(HalfSet(3), HERE)

    assert isinstance(made, HalfSet)
    assert made.value == 3
    assert not hasattr(made, "never")


def test_api_77_a_class_that_guards_its_attributes_arrives_with_its_note():
    made = rebuild(raised_in(Closed("no item")), HERE)

    assert isinstance(made, Closed)
    assert (made.item, made.missing) == ("no item", {"a": 1})
    assert made.__notes__


class Several(ExceptionGroup):
    """A group of a user, with a constructor of its own."""

    def __new__(cls, *args):
        raise AssertionError("not to be run again")

    def derive(self, excs):
        return self


def test_api_77_a_group_arrives_as_one_with_each_member_as_by_itself():
    def far():
        raise ExceptionGroup(
            "two", [raised_in(OutOfStock(Item(Decimal(1)), 0)), ExceptionGroup("inner", [ValueError("a")])]
        )

    error = raised(far)
    error.account = "ann"

    made = rebuild(error, HERE)

    assert type(made) is ExceptionGroup
    assert (made.message, made.account) == ("two", "ann")
    stock, inner = made.exceptions
    assert isinstance(stock, OutOfStock)
    assert stock.item == Item(Decimal(1))
    assert isinstance(inner, ExceptionGroup)
    assert str(inner.exceptions[0]) == "a"
    assert all(each.remote for each in (made, stock, inner))
    assert text_of(made).count("in throw") == 1


def test_api_77_members_that_cannot_cross_arrive_as_remote_errors_in_the_group():
    made = rebuild(BaseExceptionGroup("two", [NotAnException("x"), ValueError(Local())]), HERE)

    assert type(made) is ExceptionGroup
    assert [each.type_name.rpartition(".")[2] for each in made.exceptions] == ["NotAnException", "ValueError"]


def test_api_77_a_users_group_arrives_as_its_class_without_its_constructor():
    error = ExceptionGroup.__new__(Several, "two", [ValueError("a")])
    error.account = "ann"

    made = rebuild(error, HERE)

    assert type(made) is Several
    assert (made.account, made.message, str(made.exceptions[0])) == ("ann", "two", "a")


# Or RemoteError


class Local:
    pass


@pytest.mark.parametrize(
    ("error", "type_name"),
    [
        (type("Unknown", (ValueError,), {})("no"), "tests.workers.test_remote_error.Unknown"),
        (type("Far", (ValueError,), {"__module__": "never.imported"})("no"), "never.imported.Far"),
        (ValueError("no", Local()), "ValueError"),
        (NotAnException("no"), "tests.workers.test_remote_error.NotAnException"),
        (KeyboardInterrupt("no"), "KeyboardInterrupt"),
    ],
)
def test_api_77_what_cannot_cross_arrives_as_remote_error_that_names_it(error, type_name):
    made = rebuild(error, HERE)

    assert isinstance(made, RemoteError)
    assert made.type_name.endswith(type_name)
    assert made.message == str(error)
    assert made.remote is True
    assert made.args == (error.args if not isinstance(error.args[-1], Local | list) else ())


def test_api_77_an_attribute_that_is_no_value_makes_it_a_remote_error():
    error = ValueError("no")
    error.connection = Local()

    assert isinstance(rebuild(error, HERE), RemoteError)


def test_api_77_arguments_that_its_class_cannot_be_made_of_make_it_a_remote_error():
    error = raised(lambda: b"\xff".decode())
    error.args = ("only one",)

    assert isinstance(rebuild(error, HERE), RemoteError)


def test_api_77_a_class_is_looked_up_and_never_imported(monkeypatch):
    lazy = types.ModuleType("perdure_test_lazy")
    lazy.__getattr__ = lambda name: pytest.fail("module code ran")
    monkeypatch.setitem(sys.modules, "perdure_test_lazy", lazy)
    monkeypatch.delitem(sys.modules, "this", raising=False)

    for module in ("perdure_test_lazy", "this"):
        error = type("Error", (Exception,), {"__module__": module})("no")
        assert isinstance(rebuild(error, HERE), RemoteError)
    assert "this" not in sys.modules


def test_api_77_the_class_is_the_callers_own_of_that_name():
    far_one = type("Inner", (ValueError,), {"__module__": __name__, "__qualname__": "Outer.Inner"})
    no_exception = type("Local", (ValueError,), {"__module__": __name__, "__qualname__": "Local"})

    assert type(rebuild(far_one("no"), HERE)) is Outer.Inner
    assert isinstance(rebuild(no_exception("no"), HERE), RemoteError)


def test_api_77_classes_of_a_project_are_known_by_their_plain_names(tmp_path):
    write_project(tmp_path, {"main.py": "import bank", "bank.py": "class Broke(Exception): ...\nclass Poor: ..."})
    caller, stranger = ImportSpace("hits", [tmp_path]), ImportSpace("other", [tmp_path / "none"])
    try:
        error = caller.load("main").bank.Broke("no")

        known, unknown = rebuild(error, caller), rebuild(error, stranger)

        assert type(known) is type(error)
        assert isinstance(unknown, RemoteError)
        assert rebuild(raised_in(error), caller).args == ("no",)
    finally:
        caller.close()
        stranger.close()


def raised_in(error):
    def throw():
        raise error

    return raised(throw)


def test_an_error_whose_text_fails_arrives_all_the_same():
    error = Broken(Local())

    made = rebuild(error, HERE)

    assert isinstance(made, RemoteError)
    assert made.message == "<its text cannot be shown: RuntimeError>"


@pytest.mark.parametrize("flag", ["retryable", "overloaded"])
def test_api_77_flags_that_user_code_set_are_seen_by_the_caller(flag):
    own, foreign = ValueError("later"), NotAnException("later")
    setattr(own, flag, True)
    setattr(foreign, flag, True)

    for error in (own, foreign):
        made = rebuild(error, HERE)
        assert getattr(made, flag) is True
    assert not getattr(rebuild(NotAnException("x"), HERE), flag)


# Its traceback


def far_side(depth):
    if depth:
        far_side(depth - 1)
    raise ValueError("deep")


def test_api_78_the_far_sides_traceback_is_a_note():
    made = rebuild(raised(lambda: far_side(2)), HERE)

    (note,) = made.__notes__
    assert note.startswith("Remote traceback, of the far side of this call:\n")
    assert note.count("in far_side") == 3
    assert note.endswith("ValueError: deep")
    assert note in text_of(made)


def test_api_78_notes_of_the_error_cross_and_do_not_double_from_hop_to_hop():
    error = raised(lambda: far_side(0))
    error.add_note("while counting")

    def second_hop():
        raise rebuild(error, HERE)

    made = rebuild(raised(second_hop), HERE)

    assert made.__notes__[0] == "while counting"
    assert len(made.__notes__) == 3
    assert text_of(made).count("in far_side") == 1
    assert text_of(made).count("in second_hop") == 1


def test_api_78_the_runtimes_own_frames_are_left_out():
    def inside_perdure():
        ImportSpace("hits", 3)

    (note,) = rebuild(raised(inside_perdure), HERE).__notes__

    assert "inside_perdure" in note
    assert str(Path(sys.modules["perdure"].__file__ or "").parent) not in note


def test_api_78_an_error_of_the_runtime_alone_has_no_note():
    assert not hasattr(rebuild(Overloaded(what="busy"), HERE), "__notes__")


def test_api_78_the_cause_crosses_as_text_in_the_note():
    def chained():
        try:
            far_side(0)
        except ValueError as error:
            raise KeyError("outer") from error

    made = rebuild(raised(chained), HERE)

    assert made.__cause__ is None
    assert made.__context__ is None
    (note,) = made.__notes__
    assert "ValueError: deep" in note
    assert "direct cause" in note


def test_the_cause_of_constructor_failed_is_rebuilt_too():
    failed = ConstructorFailed(what="no start", retry_after=timedelta(seconds=2))
    failed.__cause__ = raised(lambda: far_side(0))

    made = rebuild(failed, HERE)

    assert isinstance(made, ConstructorFailed)
    assert made.retry_after == timedelta(seconds=2)
    assert type(made.__cause__) is ValueError
    assert made.__cause__ is not failed.__cause__
    assert "in far_side" in made.__cause__.__notes__[0]


def test_api_78_nothing_of_the_far_side_stays_alive():
    class Instance:
        pass

    def call():
        instance = Instance()
        seen.append(weakref.ref(instance))
        try:
            raise KeyError(instance.__class__.__name__)
        except KeyError as cause:
            raise ValueError("no") from cause

    seen: list[weakref.ref[Instance]] = []

    made = rebuild(raised(call), HERE)

    gc.collect()
    assert seen[0]() is None
    assert made.__traceback__ is None


def test_the_traceback_of_a_failed_constructor_is_told_once_with_its_cause():
    try:
        raise KeyError("no start")
    except KeyError as error:
        failed = ConstructorFailed(what="Room/a could not be started")
        failed.__cause__ = error

    told = "".join(traceback.format_exception(rebuild(failed, HERE)))

    assert told.count('raise KeyError("no start")') == 1
