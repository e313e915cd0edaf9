"""A change of a page against the page itself: whatever changed, however often the change is made."""

from itertools import pairwise

import hypothesis.strategies as st
from hypothesis import given

from perdure.core.page_change import BLOCK_BYTES, PAGE_BYTES, changed_page, is_whole, merged_change, page_change

ZEROS = bytes(PAGE_BYTES)

edits = st.lists(st.tuples(st.integers(0, PAGE_BYTES - 1), st.binary(min_size=1, max_size=300)), max_size=6)


def edited(page: bytes, changes: list[tuple[int, bytes]]) -> bytes:
    new = bytearray(page)
    for start, content in changes:
        new[start : start + len(content)] = content[: PAGE_BYTES - start]
    return bytes(new)


histories = st.lists(edits, min_size=1, max_size=6)


@given(histories)
def test_the_changes_in_their_order_make_the_last_page_of_the_first(history):
    pages = [ZEROS]
    for edit in history:
        pages.append(edited(pages[-1], edit))
    changes = [page_change(before, after) for before, after in pairwise(pages)]

    made = [change for change in changes if change is not None]

    assert changed_page(ZEROS, made) == pages[-1]
    assert [change is None for change in changes] == [before == after for before, after in pairwise(pages)]


@given(histories, st.data())
def test_changes_made_again_from_any_of_the_pages_on_the_way_end_at_the_same_page(history, data):
    pages = [ZEROS]
    for edit in history:
        pages.append(edited(pages[-1], edit))
    changes = [page_change(before, after) for before, after in pairwise(pages)]
    reached = data.draw(st.integers(0, len(history)))

    again = changed_page(pages[reached], [change for change in changes if change is not None])

    assert again == pages[-1]


def test_a_small_change_takes_few_bytes():
    page = edited(ZEROS, [(900, b"x" * 40)])

    change = page_change(ZEROS, page)

    assert change is not None
    assert len(change) == 4 + BLOCK_BYTES


def test_of_a_page_that_was_not_there_the_change_is_the_whole_page():
    page = edited(ZEROS, [(0, b"x")])

    assert page_change(None, page) == page
    assert is_whole(page)
    assert changed_page(None, [page]) == page


def test_a_page_that_changed_all_over_is_said_whole():
    page = b"x" * PAGE_BYTES

    assert page_change(ZEROS, page) == page


def test_a_part_of_a_page_that_was_not_there_lies_among_zeros():
    change = page_change(ZEROS, edited(ZEROS, [(500, b"x")]))

    assert change is not None
    assert changed_page(None, [change]) == edited(ZEROS, [(500, b"x")])


def test_a_whole_page_makes_older_changes_without_effect():
    first = page_change(ZEROS, edited(ZEROS, [(0, b"old")]))
    whole = b"y" * PAGE_BYTES

    assert first is not None
    assert changed_page(ZEROS, [first, whole]) == whole


def test_no_change_gives_the_page_or_its_absence():
    assert changed_page(None, []) is None
    assert changed_page(ZEROS, []) == ZEROS


@given(histories, edits)
def test_changes_merged_into_one_do_what_they_did_one_after_the_other(history, start):
    before = page = edited(ZEROS, start)
    made = []
    for edit in history:
        after = edited(page, edit)
        change = page_change(page, after)
        page = after
        if change is not None:
            made.append(change)
            if not made[1:] and len(edit) > 4:
                made.append(after)  # a whole page on the way

    if made:
        assert changed_page(before, [merged_change(made)]) == changed_page(before, made)


def test_changes_of_every_block_merge_into_a_whole_page():
    halves = [bytes(PAGE_BYTES // 2) + b"x" * (PAGE_BYTES // 2), b"x" * PAGE_BYTES]
    first, second = page_change(ZEROS, halves[0]), page_change(halves[0], halves[1])

    merged = merged_change([first, second])

    assert merged == halves[1]
    assert is_whole(merged)
