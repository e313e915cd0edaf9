"""Errors: the table of the specification, what `str()` says, and that an error survives being rebuilt elsewhere."""

import copy
import errno
import pickle
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from perdure.model import errors
from perdure.model.object_id import IdKey

# The table "Errors" of the specification: class -> (what it is also, flags R O X).
TABLE: dict[str, tuple[tuple[type, ...], str]] = {
    "WrongType": ((TypeError,), ""),
    "WrongValue": ((ValueError,), ""),
    "Overloaded": ((), "O"),
    "ObjectReset": ((), "X"),
    "Disconnected": ((errors.ObjectReset,), "RX"),
    "TimeLimitExceeded": ((errors.ObjectReset,), "OX"),
    "ConstructorFailed": ((errors.ObjectReset,), "X"),
    "CallCycle": ((RuntimeError,), ""),
    "NestedTooDeep": ((RuntimeError,), ""),
    "MethodNotFound": ((AttributeError, TypeError), ""),
    "NoHandler": ((TypeError,), ""),
    "InvalidId": ((ValueError, TypeError), ""),
    "ObjectUnnamed": ((ValueError,), ""),
    "RemoteError": ((), ""),
    "StorageBroken": ((), "X"),
    "StorageFull": ((errors.StorageBroken, OSError), "X"),
    "StoreBroken": ((errors.StorageBroken,), "X"),
    "StoreTooNew": ((), ""),
    "DataFolderLocked": ((OSError,), ""),
    "ForkedChild": ((RuntimeError,), ""),
    "WrongThread": ((RuntimeError,), ""),
    "OutsideGate": ((RuntimeError,), ""),
    "TransactionEnded": ((RuntimeError,), ""),
    "AwaitInTransaction": ((RuntimeError,), ""),
    "UnsupportedValue": ((TypeError,), ""),
    "ValueMismatch": ((ValueError,), ""),
    "TooLarge": ((ValueError,), ""),
    "UnitTooLarge": ((errors.TooLarge,), ""),
    "ResultTooLarge": ((errors.TooLarge,), ""),
    "NaiveDatetime": ((ValueError,), ""),
    "NotOneRow": ((ValueError,), ""),
    "IntOutOfRange": ((OverflowError,), ""),
    "SqlError": ((), ""),
    "ConstraintFailed": ((errors.SqlError,), ""),
    "SqlInterrupted": ((errors.SqlError, TimeoutError), ""),
    "StorageBusy": ((RuntimeError,), ""),
    "SchemaMismatch": ((), ""),
    "ConfigError": ((), ""),
    "EnvMismatch": ((errors.ConfigError,), ""),
    "LoadFailed": ((), ""),
    "BindingNotFound": ((AttributeError, KeyError), ""),
    "BodyUsed": ((TypeError,), ""),
}

OWN_ATTRIBUTES: dict[str, dict[str, object]] = {
    "ConstructorFailed": {"retry_after": timedelta(seconds=2)},
    "CallCycle": {"chain": ("A", "B", "A")},
    "RemoteError": {"type_name": "shop.SoldOut", "message": "no apples", "args": ("no apples", 3)},
    "StoreTooNew": {"written_by": "9.1.0"},
    "DataFolderLocked": {"pid": 4711, "program": "python main.py", "since": datetime(2026, 11, 24, tzinfo=UTC)},
    "UnsupportedValue": {"path": 'put("k")["a"][3]'},
    "ValueMismatch": {"path": 'get_as(Order, "k").items[0]'},
    "TooLarge": {"size": 3, "limit": 2},
    "UnitTooLarge": {"size": 3, "limit": 2},
    "ResultTooLarge": {"size": 3, "limit": 2},
    "NotOneRow": {"rows": 2},
    "SqlError": {"sqlite_code": "SQLITE_ERROR", "offset": 7, "statement": "selec 1"},
    "ConstraintFailed": {"sqlite_code": "SQLITE_CONSTRAINT_UNIQUE", "offset": None, "statement": "insert"},
    "SqlInterrupted": {"sqlite_code": "SQLITE_INTERRUPT", "offset": None, "statement": "select"},
    "SchemaMismatch": {"step": 1},
    "ConfigError": {"problems": ("a.toml:3: no name", "a.toml: no main")},
    "EnvMismatch": {"problems": ("COUNTER is not bound",)},
}

PARTS = {
    "what": "env.COUNTR is not bound",
    "where": "a.toml",
    "why": "known: COUNTER",
    "next_step": "check the spelling",
}


def make(name: str) -> Any:
    return getattr(errors, name)(**PARTS, **OWN_ATTRIBUTES.get(name, {}))


every_error = pytest.mark.parametrize("name", TABLE)


def test_the_module_gives_exactly_the_errors_of_the_table():
    exported = {name for name in errors.__all__ if isinstance(getattr(errors, name), type)}

    assert exported == TABLE.keys() | {"PerdureError", "ObjectAborted"}


@every_error
def test_every_error_is_a_perdure_error_and_what_the_table_says_it_is_also(name):
    also, _ = TABLE[name]

    assert issubclass(getattr(errors, name), (errors.PerdureError))
    assert all(issubclass(getattr(errors, name), base) for base in also)


@every_error
def test_whether_to_retry_is_said_by_the_class_as_in_the_table(name):
    _, flags = TABLE[name]

    error = make(name)

    assert (error.retryable, error.overloaded, error.object_reset) == ("R" in flags, "O" in flags, "X" in flags)
    assert error.object_id is None
    assert error.remote is (name == "RemoteError")


@every_error
def test_str_is_what_where_why_and_the_next_step_whatever_the_class_derives_from(name):
    text = str(make(name))

    assert text.startswith("env.COUNTR is not bound (a.toml): known: COUNTER; check the spelling")
    assert len(text.splitlines()) <= 3


@every_error
def test_the_code_is_the_class_name_in_upper_snake_case(name):
    cls = getattr(errors, name)

    assert cls.code == "PERDURE_" + "".join(f"_{c}" if c.isupper() else c.upper() for c in name).lstrip("_")


@pytest.mark.parametrize("name", [*TABLE, "PerdureError", "ObjectAborted"])
def test_every_error_documents_when_it_is_raised_and_what_to_do(name):
    doc = getattr(errors, name).__dict__["__doc__"]

    assert len(doc) > 80
    assert doc.count(".") >= 1


@every_error
def test_an_error_rebuilt_without_init_says_and_is_the_same(name):
    original = make(name)
    original.note = "of the user"

    again = errors.rebuilt(type(original), original.args, original.__dict__)

    assert type(again) is type(original)
    assert str(again) == str(original)
    assert again.args == original.args
    assert again.__dict__ == original.__dict__


@every_error
@pytest.mark.parametrize("twin", [copy.copy, copy.deepcopy, lambda error: pickle.loads(pickle.dumps(error))])
def test_an_error_can_be_copied_and_sent_between_processes(name, twin):
    original = make(name)

    again = twin(original)

    assert (type(again), str(again), again.__dict__) == (type(original), str(original), original.__dict__)


@pytest.mark.parametrize("name", OWN_ATTRIBUTES)
def test_an_error_carries_its_own_attributes(name):
    error = make(name)

    assert {key: getattr(error, key) for key in OWN_ATTRIBUTES[name]} == OWN_ATTRIBUTES[name]


def test_parts_that_are_not_given_leave_no_trace_in_the_text():
    assert str(errors.WrongType(what="a key is a str")) == "a key is a str"
    assert str(errors.WrongType(what="a key is a str", next_step="write str(k)")) == "a key is a str; write str(k)"


def test_the_text_of_an_error_is_also_its_argument():
    assert errors.WrongType(what="a key is a str", where="put").args == ("a key is a str (put)",)


def test_a_config_error_lists_every_problem_on_a_line_of_its_own():
    assert str(make("ConfigError")).splitlines()[1:] == ["- a.toml:3: no name", "- a.toml: no main"]


def test_a_full_disk_is_recognised_by_programs_that_look_at_errno():
    assert make("StorageFull").errno == errno.ENOSPC


def test_a_remote_error_names_the_class_that_was_raised_and_keeps_its_flags_and_arguments():
    error = errors.RemoteError(type_name="shop.SoldOut", message="no apples", args=("no apples", 3), retryable=True)

    assert str(error) == "shop.SoldOut: no apples"
    assert error.args == ("no apples", 3)
    assert (error.remote, error.retryable, error.overloaded) == (True, True, False)


def test_a_remote_error_without_a_message_is_the_name_of_its_class():
    assert str(errors.RemoteError(type_name="shop.SoldOut", message="")) == "shop.SoldOut"


def test_an_aborted_object_is_not_swallowed_by_except_exception():
    assert not issubclass(errors.ObjectAborted, Exception)
    assert errors.ObjectAborted("by hand").reason == "by hand"
    assert str(errors.ObjectAborted("by hand")) == "by hand"
    assert (errors.ObjectAborted().reason, errors.ObjectAborted().args) == (None, ())


def test_flags_and_the_object_can_be_set_on_one_error_alone():
    error = errors.ObjectReset(what="the object was reset")

    error.retryable = True
    error.object_id = IdKey("key").from_name("a")

    assert errors.ObjectReset(what="another").retryable is False
    assert copy.copy(error).object_id == error.object_id


def test_an_error_of_ones_own_has_a_code_too():
    class SoldOut(errors.PerdureError):
        """Nothing left."""

    assert SoldOut.code == "PERDURE_SOLD_OUT"
