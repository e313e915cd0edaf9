"""`list`'s ranges mean: filter the keys, sort them by UTF-8 bytes, cut (scenario 23)."""

import itertools

import hypothesis.strategies as st
import pytest
from hypothesis import example, given

from perdure.core.key_range import KeyRange, after_prefix

LAST = "\U0010ffff"
NOTABLE = ["", "\0", "a", "a\0", "ab", "b", "é", "z", "\ud7ff", "\ue000", "\uffff", "\U00010000", "\U0001f600", LAST]

letters = st.sampled_from([letter for letter in NOTABLE if len(letter) == 1]) | st.characters(exclude_categories=["Cs"])
keys = st.text(letters, max_size=4)
options = st.fixed_dictionaries(
    {},
    optional={
        "start": keys,
        "start_after": keys,
        "end": keys,
        "prefix": keys,
        "reverse": st.booleans(),
        "limit": st.integers(1, 5),
    },
).filter(lambda chosen: not ("start" in chosen and "start_after" in chosen))


def listed(keys, *, start=None, start_after=None, end=None, prefix=None, reverse=False, limit=None):
    """What `list` promises, said in bytes."""
    chosen = [
        key
        for key in sorted(set(keys), key=lambda key: key.encode(), reverse=reverse)
        if (start is None or key.encode() >= start.encode())
        and (start_after is None or key.encode() > start_after.encode())
        and (end is None or key.encode() < end.encode())
        and (prefix is None or key.encode().startswith(prefix.encode()))
    ]
    return chosen if limit is None else chosen[:limit]


@given(st.lists(keys, max_size=20), options)
@example([*NOTABLE], {"prefix": LAST})
@example(["a", "a\0", "a\0\0", "b"], {"start_after": "a"})
@example(["\ud7ff", "\ud7ffa", "\ue000"], {"prefix": "\ud7ff"})
def test_scenario_23_a_range_equals_filtering_a_byte_sorted_list(keys, options):
    assert KeyRange.of(**options).select(dict.fromkeys(keys)) == listed(keys, **options)


@pytest.mark.parametrize("start", [{}, {"start": "a"}, {"start_after": "a"}, {"start": "\uffff"}])
@pytest.mark.parametrize("prefix", [None, "", "a", "é", "\uffff", LAST])
def test_scenario_23_holds_for_all_combinations_of_options(start, prefix):
    keys = [first + second for first in NOTABLE for second in ["", "a", "\uffff"]]

    for end, reverse, limit in itertools.product([None, "", "a\0", "é", LAST], [False, True], [None, 1, 3]):
        options = {**start, "end": end, "prefix": prefix, "reverse": reverse, "limit": limit}
        assert KeyRange.of(**options).select(dict.fromkeys(keys)) == listed(keys, **options)


@given(keys, keys)
def test_what_begins_with_a_prefix_is_below_its_successor_and_nothing_else_is_between(prefix, key):
    beyond = after_prefix(prefix)

    inside = key >= prefix and (beyond is None or key < beyond)

    assert inside == key.startswith(prefix)


def test_an_empty_range_knows_it():
    assert KeyRange("b", "b").empty
    assert KeyRange("b", "a").empty
    assert not KeyRange("b", None).empty
    assert KeyRange("b", "a").select(["a", "b"]) == []
