"""What the cache of rows promises: it answers as the tables would, and never grows."""

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.core.entry import Entry
from perdure.core.row_cache import ROW_BYTES, UNREAD, RowCache

KEYS = ("", "a", "é", "key")


def entry(generation: int, rows: dict[str, bytes | None]) -> Entry:
    return Entry(b"o" * 32, 0, generation, rows)


def test_a_row_is_unknown_until_it_was_read() -> None:
    cache = RowCache(bytes_max=10_000, row_bytes_max=1_000)

    assert cache.value(1, "a") is UNREAD

    cache.remember(1, "a", b"v")
    cache.remember(1, "b", None)

    assert cache.value(1, "a") == b"v"
    assert cache.value(1, "b") is None
    assert cache.value(2, "a") is UNREAD


@pytest.mark.parametrize("written", [b"new", None])
def test_a_key_that_is_written_or_deleted_is_unknown_again(written: bytes | None) -> None:
    cache = RowCache(bytes_max=10_000, row_bytes_max=1_000)
    cache.remember(1, "a", b"old")
    cache.remember(1, "b", b"kept")
    cache.remember(2, "a", b"of another object")

    cache.forget_written(entry(1, {"a": written, "never read": b""}))

    assert cache.value(1, "a") is UNREAD
    assert cache.value(1, "b") == b"kept"
    assert cache.value(2, "a") == b"of another object"


def test_a_large_row_is_not_kept() -> None:
    cache = RowCache(bytes_max=10_000, row_bytes_max=1_000)

    cache.remember(1, "a", bytes(1_000))

    assert cache.value(1, "a") is UNREAD
    assert cache.size_bytes == 0


def test_the_oldest_rows_give_way() -> None:
    cache = RowCache(bytes_max=3 * (ROW_BYTES + 2), row_bytes_max=1_000)

    for key in "abcd":
        cache.remember(1, key, b"v")

    assert [cache.value(1, key) is UNREAD for key in "abcd"] == [True, False, False, False]


def test_a_row_takes_no_more_memory_than_it_is_counted_with() -> None:
    place, value = (1_234_567, "k" * 20), b"v" * 30

    real = sys.getsizeof(place) + sys.getsizeof(place[0]) + sys.getsizeof(place[1]) + sys.getsizeof(value)

    # A dict of 100,000 entries that is as empty as they get has about 100 bytes for each.
    assert real + 100 - len(place[1]) - len(value) <= ROW_BYTES


reads_and_writes = st.lists(
    st.tuples(st.booleans(), st.integers(1, 2), st.sampled_from(KEYS), st.none() | st.binary(max_size=12)), max_size=60
)


@given(reads_and_writes)
def test_it_answers_as_the_tables_do_and_counts_its_bytes(steps: list[tuple[bool, int, str, bytes | None]]) -> None:
    cache = RowCache(bytes_max=2 * ROW_BYTES + 8, row_bytes_max=ROW_BYTES + 8)
    tables: dict[tuple[int, str], bytes | None] = {}

    for writes, generation, key, value in steps:
        if writes:
            cache.forget_written(entry(generation, {key: value}))
            tables[generation, key] = value
        else:
            cache.remember(generation, key, tables.get((generation, key)))
        known = {place: cache.value(*place) for place in [(n, k) for n in (1, 2) for k in KEYS]}
        held = {place: row for place, row in known.items() if row is not UNREAD}

        assert all(row == tables.get(place) for place, row in held.items())
        assert cache.size_bytes == sum(ROW_BYTES + len(p[1]) + len(v or b"") for p, v in held.items())
        assert cache.size_bytes <= 2 * ROW_BYTES + 8
