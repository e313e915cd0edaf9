"""Limits: their defaults are the documented ones, and wrong ones are refused where they are written."""

from datetime import timedelta

import pytest

from perdure.model import limits
from perdure.model.errors import WrongType, WrongValue
from perdure.model.limits import Limits


def test_the_defaults_are_those_of_the_specification():
    assert Limits() == Limits(
        idle=timedelta(seconds=10),
        pending=timedelta(minutes=15),
        critical_section=timedelta(seconds=30),
        queue=10_000,
        queue_bytes=128 * 1024 * 1024,
        queue_age=timedelta(seconds=30),
    )


def test_the_fixed_limits_are_those_of_the_specification():
    assert limits.KEY_BYTES_MAX == 2_048
    assert limits.KEY_VALUE_BYTES_MAX == 2_097_152
    assert limits.RPC_BYTES_MAX == 2**25
    assert limits.UNIT_BYTES_MAX == 2**26
    assert limits.VALUE_DEPTH_MAX == 128
    assert limits.NAME_BYTES_MAX == 1_024
    assert limits.SECTION_DEPTH_MAX == 64


@pytest.mark.parametrize("name", ["idle", "pending", "critical_section", "queue_age"])
@pytest.mark.parametrize("value", [timedelta(0), timedelta(seconds=-1)])
def test_a_time_limit_that_is_not_positive_is_refused(name, value):
    with pytest.raises(WrongValue, match=f"Limits.{name} must be positive"):
        Limits(**{name: value})


@pytest.mark.parametrize("name", ["queue", "queue_bytes"])
@pytest.mark.parametrize("value", [0, -1])
def test_a_count_that_is_not_positive_is_refused(name, value):
    with pytest.raises(WrongValue, match=f"Limits.{name} must be positive"):
        Limits(**{name: value})


@pytest.mark.parametrize(("name", "value"), [("idle", 10), ("queue", 1.5), ("queue", True), ("queue_bytes", "1 MB")])
def test_a_limit_of_the_wrong_type_is_refused_with_the_right_form(name, value):
    with pytest.raises(WrongType, match=f"write {name}="):
        Limits(**{name: value})


def test_an_unknown_limit_is_refused():
    with pytest.raises(TypeError, match="idel"):
        Limits(idel=timedelta(seconds=1))


def test_limits_cannot_be_changed_after_they_were_set():
    with pytest.raises(AttributeError):
        Limits().queue = 5
