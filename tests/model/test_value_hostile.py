"""Bytes from anywhere: a value, or a ValueMismatch; never another error, a crash, a hang, or much memory."""

import time
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perdure.model.errors import ValueMismatch
from perdure.model.value import decode, encode
from tests.model.values import only_plain_kinds, values


def decoded(data):
    """What `data` is, or None after it was refused by name."""
    try:
        return decode(data, path='get("k")')
    except ValueMismatch as refused:
        assert refused.path == 'get("k")'
        assert 'get("k")' in str(refused)
        return None


@settings(max_examples=200)
@given(st.sampled_from([b"\x01", b"\x02", b""]), st.binary(max_size=64))
def test_random_bytes_are_a_plain_value_or_refused(version, body):
    assert only_plain_kinds(decoded(version + body))


@settings(max_examples=200)
@given(values, st.data())
def test_a_value_with_bytes_changed_cut_or_added_is_a_plain_value_or_refused(value, data):
    encoded = bytearray(encode(value, path="value"))
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(encoded) - 1))
        match data.draw(st.sampled_from(["change", "cut", "add", "drop"])):
            case "change":
                encoded[place] = data.draw(st.integers(0, 255))
            case "cut":
                del encoded[max(place, 1) :]
            case "add":
                encoded[place:place] = data.draw(st.sampled_from(ATOMS))
            case "drop" if len(encoded) > 1:
                del encoded[place]

    assert only_plain_kinds(decoded(bytes(encoded)))


# What hostile bytes are made of: every marker and leaf, headers with false counts, keys of every kind.
ATOMS = [
    *(b"\xc7\x00" + bytes([code]) for code in (*range(0, 12), *range(15, 22), 255)),
    *(b"\xd4" + bytes([code]) + b"\x00" for code in (*range(0, 12), *range(15, 22), 255)),
    *(b"\xc7\x08" + bytes([code]) + b"\xff" * 8 for code in (*range(0, 12), *range(15, 22), 255)),
    *(
        b"\x90",
        b"\x91",
        b"\x92",
        b"\x93",
        b"\x80",
        b"\x81",
        b"\xc0",
        b"\xc1",
        b"\x01",
        b"\xa1a",
        b"\xa1\xff",
        b"\xc4\x01a",
    ),
    *(
        b"\xdc\xff\xff",
        b"\xdd\xff\xff\xff\xff",
        b"\xde\xff\xff",
        b"\xdf\xff\xff\xff\xff",
        b"\xcb\x7f\xf8" + b"\x00" * 6,
    ),
]


@settings(max_examples=400)
@given(st.sampled_from([b"\x01", b"\x02"]), st.lists(st.sampled_from(ATOMS), max_size=12))
def test_the_parts_of_the_format_in_any_order_are_a_plain_value_or_refused(version, atoms):
    assert only_plain_kinds(decoded(version + b"".join(atoms)))


def ext(code, payload):
    return b"\xc9" + len(payload).to_bytes(4, "big") + bytes([code]) + payload


TUPLE, SET, PAIRS = (b"\xc7\x00\x10", b"\xc7\x00\x11", b"\xc7\x00\x13")

BOMBS = {
    "no bytes": b"",
    "a version alone": b"\x01",
    "an unknown version": b"\x03\x01",
    "version zero": b"\x00",
    "something after the value": b"\x01\x01\x01",
    "an opcode that does not exist": b"\x01\xc1",
    "text that is not UTF-8": b"\x01\xa1\xff",
    "an array of 2^32 elements": b"\x01\xdd\xff\xff\xff\xff",
    "a map of 2^32 entries": b"\x01\xdf\xff\xff\xff\xff",
    "text of 4 GiB": b"\x01\xdb\xff\xff\xff\xff",
    "bytes of 4 GiB": b"\x01\xc6\xff\xff\xff\xff",
    "an extension of 4 GiB": b"\x01\xc9\xff\xff\xff\xff\x01",
    "arrays of 65,535 in arrays": b"\x01" + b"\xdc\xff\xff" * 100_000,
    "arrays of 2^32 in arrays": b"\x02" + b"\xdd\xff\xff\xff\xff" * 100_000,
    "lists in lists": b"\x01" + b"\x91" * 1_000_000,
    "lists in lists, marked": b"\x02" + b"\x91" * 500 + b"\xc0",
    "maps in maps": b"\x01" + b"\x81\xa1a" * 300_000,
    "maps in maps, marked": b"\x02" + b"\x81\xa1a" * 300 + b"\xc0",
    "tuples in tuples": b"\x02" + (b"\x92" + TUPLE) * 400 + b"\xc0",
    "a marker in a plain value": b"\x01\x91" + TUPLE,
    "a marker alone": b"\x02" + TUPLE,
    "a marker that is not first": b"\x02\x92\x01" + TUPLE,
    "two markers": b"\x02\x92" + TUPLE + TUPLE,
    "a marker as a value": b"\x02\x81\xa1a" + TUPLE,
    "a marker as a key": b"\x02\x81" + TUPLE + b"\x01",
    "a key without its value": b"\x02\x92" + PAIRS + b"\x01",
    "a list in a set": b"\x02\x92" + SET + b"\x90",
    "a list as a key": b"\x02\x93" + PAIRS + b"\x90\x01",
    "a map as a key": b"\x01\x81\x80\x01",
    "a key that is no text, marked": b"\x02\x81\x01\x01",
    "an unknown kind": b"\x01" + ext(99, b"x"),
    "an extension of kind 0": b"\x01" + ext(0, b""),
    "a naive datetime of 7 bytes": b"\x01" + ext(3, b"1234567"),
    "a naive datetime of the year 300,000": b"\x01" + ext(3, b"\x7f" + b"\xff" * 7),
    "a date of day 0": b"\x01" + ext(4, bytes(4)),
    "a date of day 2^32": b"\x01" + ext(4, b"\xff" * 4),
    "a time of hour 100": b"\x01" + ext(5, (720_000_000_000).to_bytes(8, "big")),
    "a time before midnight": b"\x01" + ext(5, b"\xff" * 8),
    "a time with an offset of years": b"\x01" + ext(5, bytes(8) + b"\x7f" + bytes(7)),
    "a time of 9 bytes": b"\x01" + ext(5, bytes(9)),
    "a timedelta of 2^31 days": b"\x01" + ext(6, b"\x7f\xff\xff\xff" + bytes(8)),
    "a Decimal that is no number": b"\x01" + ext(7, b"12x"),
    "a Decimal beyond any exponent": b"\x01" + ext(7, b"1E+99999999999999999999"),
    "a Decimal that is not ASCII": b"\x01" + ext(7, b"\xff"),
    "a UUID of 15 bytes": b"\x01" + ext(8, bytes(15)),
    "a timestamp of nanoseconds beyond the second": b"\x01\xc7\x0c\xff" + b"\xff" * 12,
    "a pickle": b"\x80\x04\x95\x0b\x00\x00\x00\x00\x00\x00\x00\x8c\x05hello\x94.",
}


@pytest.mark.parametrize("data", BOMBS.values(), ids=BOMBS.keys())
def test_it_is_refused_by_name_soon_and_without_much_memory(data):
    tracemalloc.start()
    started = time.process_time()
    try:
        with pytest.raises(ValueMismatch):
            decode(data, path='get("k")')
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak_bytes < 4_000_000 + 10 * len(data)
    assert time.process_time() - started < 2


LARGE = {
    "a big int of 1 MiB": ext(1, b"\x7f" * (1 << 20)),
    "a Decimal of a million digits": ext(7, b"9" * 1_000_000),
    "a Decimal of the largest exponent": ext(7, b"1E+999999999999999999"),
    "a hundred thousand empty lists": b"\xdd\x00\x01\x86\xa0" + b"\x90" * 100_000,
}


@pytest.mark.parametrize("body", LARGE.values(), ids=LARGE.keys())
def test_a_large_value_takes_no_longer_than_its_bytes_justify(body):
    started = time.process_time()

    value = decode(b"\x01" + body)

    assert only_plain_kinds(value)
    assert time.process_time() - started < 2


def test_a_repeated_element_or_key_counts_once():
    assert decode(b"\x02\x93" + SET + b"\x01\x01") == {1}
    assert decode(b"\x02\x95" + PAIRS + b"\x01\x02\x01\x03") == {1: 3}
