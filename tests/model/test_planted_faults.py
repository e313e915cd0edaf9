"""The tests of values catch what they are there to catch: a fault is planted in the shipped codec, and they fail."""

from datetime import datetime

import pytest

from perdure.model.value import tree, wire_format
from tests.model import test_value_refusals, test_value_roundtrip


def test_msgspecs_own_tuple_is_caught(monkeypatch):
    monkeypatch.setitem(tree._CONTAINERS, tuple, tree.Walk._list)

    with pytest.raises(BaseException) as caught:
        test_value_roundtrip.test_every_plain_value_comes_back_as_itself_type_for_type()

    assert _is_failed_assertion(caught.value)


def test_a_fold_that_is_lost_is_caught(monkeypatch):
    monkeypatch.setitem(tree.LEAVES, datetime, lambda value: wire_format.pack_naive_datetime(value.replace(fold=0)))

    with pytest.raises(AssertionError):
        test_value_roundtrip.test_a_naive_datetime_keeps_its_fold()


def test_a_depth_without_bound_is_caught(monkeypatch):
    monkeypatch.setattr(tree, "VALUE_DEPTH_MAX", 1_000_000)

    with pytest.raises(RecursionError):
        test_value_refusals.test_a_depth_of_many_thousands_is_refused_and_not_a_crash()


def _is_failed_assertion(error: BaseException) -> bool:
    """Whether this is one, also among several that hypothesis found."""
    if isinstance(error, BaseExceptionGroup):
        return any(map(_is_failed_assertion, error.exceptions))
    return isinstance(error, AssertionError)
