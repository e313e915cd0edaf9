"""A place in the history of an object orders as time does, whatever is pinned in which group."""

import hypothesis.strategies as st
import pytest
from hypothesis import given

from perdure.core.undo_place import PINS_MAX, end_of, parts_of, pin_of, place_of

positions = st.integers(0, 2**46)


@given(positions, st.integers(1, PINS_MAX - 1))
def test_a_pin_stands_after_the_group_before_and_before_the_end_of_its_own(position, number):
    assert end_of(position - 1) < pin_of(position, number) < pin_of(position, number + 1) < end_of(position)
    assert end_of(position) < 2**63


@given(positions, st.integers(1, PINS_MAX))
def test_a_place_is_taken_apart_and_put_together(position, number):
    for place in (pin_of(position, number), end_of(position)):
        assert place_of(*parts_of(place)) == place


@pytest.mark.parametrize(("position", "rest"), [(1, 0), (1, 65_536), (-1, 3)])
def test_numbers_that_are_no_place_are_refused(position, rest):
    with pytest.raises(ValueError, match="no place"):
        place_of(position, rest)
