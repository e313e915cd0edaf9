"""Rows of the log give back exactly the groups that went in, or name the damage."""

import hypothesis.strategies as st
import pytest
from hypothesis import given

from perdure.core.entry import Entry, ObjectRecord
from perdure.core.layers import Group
from perdure.store.bounds import LOG_ROW_BYTES_MAX, LOG_ROW_ROWS_MAX
from perdure.store.log import DamagedLog, LogCodec, first_id, position_of

records = st.none() | st.builds(ObjectRecord, st.integers(0, 9), st.none() | st.text(max_size=3), st.integers(0, 9))
entries = st.builds(
    Entry,
    object=st.binary(min_size=32, max_size=32),
    time_ms=st.integers(0, 2**41),
    generation=st.integers(0, 2**31),
    rows=st.dictionaries(st.text(max_size=3), st.none() | st.binary(max_size=20), max_size=4),
    record=records,
    removed=st.booleans(),
    retires=st.none() | st.integers(0, 9),
    pin=st.booleans(),
    restore=st.none() | st.integers(0, 2**60),
)


def group(position: int, *members: Entry) -> Group:
    return Group(position, members, sum(entry.size_bytes() for entry in members))


def entry(rows: dict[str, bytes | None]) -> Entry:
    return Entry(b"a" * 32, 1, 7, rows, ObjectRecord(7, "name", 1), retires=3)


def rows_of(entries: tuple[Entry, ...]) -> dict[str, bytes | None]:
    merged: dict[str, bytes | None] = {}
    for entry in entries:
        merged |= entry.rows
    return merged


@given(st.lists(st.lists(entries, max_size=4), min_size=1, max_size=3))
def test_groups_come_back_as_they_went_in(groups):
    codec = LogCodec()
    written = [group(n + 1, *members) for n, members in enumerate(groups)]

    read = list(codec.groups(row for one in written for row in codec.encode(one)))

    assert [(one.position, one.entries) for one in read] == [(one.position, one.entries) for one in written]


def test_a_small_group_is_one_row():
    [(row_id, _content)] = LogCodec().encode(group(5, *[entry({"k": b"v"})] * 64))

    assert row_id == first_id(5)
    assert position_of(row_id) == 5


@pytest.mark.parametrize(
    "members",
    [
        pytest.param([entry({"k": bytes(3_000_000)}) for _ in range(10)], id="many entries"),
        pytest.param([entry({f"k{n}": bytes(2_000_000) for n in range(20)})], id="one entry of many bytes"),
        pytest.param([entry({f"k{n}": None for n in range(3 * LOG_ROW_ROWS_MAX)})], id="one entry of many rows"),
    ],
)
def test_a_large_group_is_several_rows_closed_by_the_last(members):
    codec = LogCodec()

    encoded = codec.encode(group(5, *members))

    assert len(encoded) > 1
    assert all(len(content) < LOG_ROW_BYTES_MAX * 1.1 for _, content in encoded)
    [read] = codec.groups(encoded)
    assert rows_of(read.entries) == rows_of(tuple(members))
    assert [one.record for one in read.entries if one.record] == [one.record for one in members]
    assert [one.retires for one in read.entries if one.retires] == [one.retires for one in members]
    with pytest.raises(DamagedLog, match="ends inside a group"):
        list(codec.groups(encoded[:-1]))
    with pytest.raises(DamagedLog, match="stands where"):
        list(codec.groups(encoded[1:]))


def test_a_flipped_bit_anywhere_in_a_row_is_named():
    codec = LogCodec()
    [(row_id, content)] = codec.encode(group(5, entry({"k": b"v"})))

    for position in range(len(content)):
        damaged = bytearray(content)
        damaged[position] ^= 4
        with pytest.raises(DamagedLog, match=f"row {row_id}"):
            codec.decode(row_id, bytes(damaged))


def test_a_row_under_another_number_is_named():
    codec = LogCodec()
    [(row_id, content)] = codec.encode(group(5, entry({"k": b"v"})))

    with pytest.raises(DamagedLog):
        codec.decode(row_id + 1, content)


def test_a_row_with_a_right_checksum_and_foreign_content_is_named():
    codec = LogCodec()
    sealed = codec._sealed(1, {"not": "a group"})  # on purpose

    with pytest.raises(DamagedLog, match="cannot be read"):
        codec.decode(1, sealed)


def test_of_an_entry_that_is_cut_the_last_piece_has_the_pin():
    pages = dict.fromkeys(range(5_000), bytes(4_096))
    big = Entry(b"a" * 32, 1, 7, {f"k{n}": bytes(2_000) for n in range(5_000)}, pages=pages, pin=True, restore=5)
    codec = LogCodec()

    [read] = codec.groups(codec.encode(group(5, big)))

    assert len(read.entries) > 2
    assert [piece.pin for piece in read.entries] == [False] * (len(read.entries) - 1) + [True]
    assert [piece.restore for piece in read.entries if piece.restore] == [5]
