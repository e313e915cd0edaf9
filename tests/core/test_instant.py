"""A moment as milliseconds and as a datetime, both ways."""

from datetime import UTC, datetime, timedelta, timezone

import hypothesis.strategies as st
from hypothesis import given

from perdure.core.instant import instant, milliseconds_of


@given(st.integers(-62_135_596_800_000, 253_402_300_799_999))
def test_milliseconds_come_back(milliseconds):
    assert milliseconds_of(instant(milliseconds)) == milliseconds


@given(st.datetimes(min_value=datetime(2, 1, 1), max_value=datetime(9998, 1, 1)), st.integers(-1439, 1439))
def test_a_moment_is_rounded_up_to_a_millisecond_whatever_its_zone(naive, minutes):
    moment = naive.replace(tzinfo=timezone(timedelta(minutes=minutes)))

    later = instant(milliseconds_of(moment)) - moment

    assert timedelta(0) <= later < timedelta(milliseconds=1)


def test_the_epoch_is_0_in_utc():
    assert instant(0) == datetime(1970, 1, 1, tzinfo=UTC)
    assert instant(0).tzinfo is UTC
