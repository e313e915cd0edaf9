"""What JavaScript stored is what Python gets, kind by kind; anything else is refused by name, whatever the bytes are."""

import copy
import math
import re
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perdure.model.errors import UnsupportedValue, ValueMismatch
from perdure.model.foreign import UNDEFINED, Map
from perdure.model.v8_value import decode_v8
from perdure.model.value import decode, encode
from tests.wrangler.state import make_again, values

SHARED = {"n": 1}
EXPECTED = {
    "undefined": UNDEFINED,
    "null": None,
    "true": True,
    "false": False,
    "zero": 0,
    "int": -7,
    "int31": 2**30,
    "int32": 2**31 - 1,
    "uint32": 2**32 - 1,
    "now": 1_800_000_000_000,
    "safe": 2**53 - 1,
    "beyondSafe": float(2**60),
    "minusZero": -0.0,
    "half": 0.5,
    "infinity": -math.inf,
    "nan": math.nan,
    "bigZero": 0,
    "big": -(2**100),
    "empty": "",
    "ascii": "text",
    "latin": "é",
    "wide": "日本",
    "astral": "\U0001f600!",
    "date": datetime(2026, 1, 2, 3, 4, 5, 678_000, UTC),
    "dateBefore": datetime(1905, 6, 1, tzinfo=UTC),
    "boxed": [1.5, True, False, "s", 5, 3],
    "object": {"7": "seven", "b": 1, "a": {"c": [None]}, "4294967296": "index", "é": 2},
    "dense": [1, [2, [3]], {}],
    "holes": ["a", UNDEFINED, "c"],
    "many": list(range(300)),
    "sparse": [UNDEFINED] * 5000 + ["far"],
    "map": Map({"a": 1, 2: Map(), None: "n"}),
    "set": {"a", 1, None},
    "arrayBuffer": bytes(range(1, 9)),
    "emptyBuffer": b"",
    "growingBuffer": bytes(4),
    "uint8": b"\2\3\4",
    "clamped": b"\0\xff",
    "int8": [-1, 1],
    "int16": [-2, 2],
    "uint16": [65535],
    "int32Array": [-3],
    "uint32Array": [2**32 - 1],
    "float16": [1.5, -2.0],
    "float32": [0.5, 1.0],
    "float64": [0.1, math.nan],
    "bigint64": [-5],
    "biguint64": [2**64 - 1],
    "dataView": b"\3\4\5\6",
    "follows": bytes(4),
    "follows16": [0],
    "twoViews": [b"\1\2", b"\3\4", bytes(range(1, 9))],
    "sharedTwice": [SHARED, SHARED, {"again": SHARED}],
    "instance": {"x": 1},
}
REFUSED = {
    "regexp": r'a RegExp has no counterpart in Python.*\["a"\]\[1\]',
    "error": r"an Error, or another object of the runtime's own, has no counterpart.*String\(error\)",
    "named": "an Array with a property 'total'",
    "surrogate": r"lone surrogate.*\[0\].*toWellFormed",
    "invalidDate": "a Date that is invalid",
    "farDate": "beyond the years 1 to 9999",
    "mapByObject": "a Map with an object as key",
    "mapByLikes": "a Map two of whose keys are one to Python",
    "setOfArrays": "a Set with an object as element",
    "setOfLikes": "a Set two of whose elements are one",
}


@pytest.fixture(scope="module")
def state(tmp_path_factory):
    folder = tmp_path_factory.mktemp("do")
    make_again(folder)
    return folder


@pytest.fixture(scope="module")
def stored(state):
    return values(state, "values")


def exactly(value):
    """Tells apart what `==` does not: 1, 1.0 and True, -0.0, NaN, and a Map."""
    if isinstance(value, dict):
        return type(value), {exactly(key): exactly(item) for key, item in value.items()}, list(value)
    if isinstance(value, list):
        return list, [exactly(item) for item in value]
    if isinstance(value, set):
        return set, {exactly(item) for item in value}
    return type(value), repr(value)


def test_the_values_that_are_compared_are_all_that_workerd_wrote(stored):
    assert set(stored) == set(EXPECTED)


@pytest.mark.parametrize("key", EXPECTED)
def test_a_value_of_javascript_is_the_value_of_python_that_says_the_same(stored, key):
    found = decode_v8(stored[key], path=key)

    assert exactly(found) == exactly(EXPECTED[key])
    assert exactly(decode(encode(found, path=key))) == exactly(found)


@pytest.mark.parametrize("key", REFUSED)
def test_what_python_has_nothing_for_is_refused_by_its_kind_and_place(state, key):
    with pytest.raises(UnsupportedValue, match=re.compile(REFUSED[key], re.DOTALL)):
        decode_v8(values(state, "without-counterpart")[key], path=key)


def test_what_was_one_object_is_one_object_also_where_it_contains_itself(state, stored):
    cycle = decode_v8(values(state, "without-counterpart")["cycle"], path="cycle")
    shared = decode_v8(stored["sharedTwice"], path="sharedTwice")

    assert cycle["self"][0] is cycle
    assert shared[0] is shared[1] is shared[2]["again"]
    with pytest.raises(UnsupportedValue, match="contains itself"):
        encode(cycle, path="cycle")


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"\xff\x0dI\x02", 1),
        (b"I\x02", 1),
        (b"\xff\x0e_", UNDEFINED),
        (b"\xff\x0d?\x07I\x03", -2),
        (b"\xff\x0dB\x02\1\2VB\x01\x01", b"\2"),
        (b"\xff\x0dB\x02\1\2VB\x01\x01\x00", b"\2"),
        (b'\xff\x0do"\x01aB\x02\1\2VB\x01\x01\x00"\x01bT{\x02', {"a": b"\2", "b": True}),
        (b"\xff\x0fc\x02\x00\xe9\x00"[:3] + b"\x02\xe9\x00", "é"),
        (b'\xff\x0f\x00\x00"\x01a', "a"),
        (b"\xff\x0fS\x02\xc3\xa9", "é"),
        (b"\xff\x0fN" + bytes(6) + b"\xf0\x3f", 1),
        (b"\xff\x0fa\x03I\x02I\x04@\x01\x03", [UNDEFINED, 2, UNDEFINED]),
    ],
)
def test_older_formats_and_rarer_forms_are_known(data, value):
    assert exactly(decode_v8(data, path="k")) == exactly(value)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        b"\xff\x0c_",
        b"\xff\x10_",
        b"\xff\x0f",
        b"\xff\x0f!",
        b"\xff\x0fI",
        b"\xff\x0fI\xff\xff\xff\xff\xff\xff",
        b"\xff\x0f__",
        b'\xff\x0f"\xff\xff\xff\xff\x07',
        b"\xff\x0fS\x01\xff",
        b"\xff\x0fc\x01a",
        b"\xff\x0fs_",
        b"\xff\x0f^\x00",
        b"\xff\x0fo{\x01",
        b'\xff\x0fo"\x01aT"\x01aF{\x02',
        b"\xff\x0foTT{\x01",
        b"\xff\x0foN" + bytes(6) + b"\xf8\x3fT{\x01",
        b"\xff\x0fA\xff\xff\xff\xff\x0f",
        b"\xff\x0fA\x01T$\x00\x02",
        b"\xff\x0fa\x01@\x00\x02",
        b"\xff\x0f;TT:\x01",
        b"\xff\x0f'T,\x02",
        b"\xff\x0fB\x05ab",
        b"\xff\x0fB\x02abVB\x01\x02\x00",
        b"\xff\x0fB\x02abVW\x00\x01\x00",
        b"\xff\x0fB\x02abVx\x00\x01\x00",
        b"\xff\x0fB\x02abVB\x03\x00\x01",
        b"\xff\x0fZ\xfe\xff\xff\xff\x0f",
    ],
)
def test_bytes_that_are_no_value_are_refused(data):
    with pytest.raises(ValueMismatch, match=r"these bytes are no value of JavaScript's.*k"):
        decode_v8(data, path="k")


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\x0f" + b"A\x01" * 200_000,
        b"\xff\x0f" + b'o"\x01a' * 200_000,
        b"\xff\x0f" + b"?\x00" * 200_000 + b";" * 200_000,
    ],
)
def test_depth_beyond_what_can_be_stored_is_refused(data):
    with pytest.raises(UnsupportedValue, match="nested too deeply"):
        decode_v8(data, path="k")


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\x0fa\xff\xff\xff\xff\x0f@\x00\xff\xff\xff\xff\x0f",
        b"\xff\x0fA\xff\x07B\x80\x80\x40" + bytes(2**20) + b"^\x01VB\x00\x80\x80\x40\x00" * 1022,
    ],
)
def test_few_bytes_that_stand_for_many_are_refused(data):
    with pytest.raises(UnsupportedValue, match="grows far beyond its bytes"):
        decode_v8(data, path="k")


def test_a_key_too_long_to_print_does_not_hide_what_is_refused():
    data = b"\xff\x0f;Z" + b"\x80\x80\x02" + b"\xff" * 2**14 + b"R"

    with pytest.raises(UnsupportedValue, match="a RegExp"):
        decode_v8(data, path="k")


def _harmless(data):
    try:
        value = decode_v8(data, path="k", size_max=10_000)
    except (UnsupportedValue, ValueMismatch):
        return
    copy.deepcopy(value)


@given(st.binary(max_size=200))
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_a_value_or_refused(data):
    _harmless(data)
    _harmless(b"\xff\x0f" + data)


_TAGS = st.sampled_from([bytes([tag]) for tag in b"_0TFIUNZS\"c^oaA;'BV~Dyxnzsr?\\-{@$:,\0\1\2\3\x7f\xff"])


@given(st.lists(_TAGS, max_size=60).map(b"".join), st.sampled_from([13, 14, 15]))
@settings(max_examples=500, deadline=None)
def test_any_tags_in_any_order_are_a_value_or_refused(tags, version):
    _harmless(bytes([0xFF, version]) + tags)


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_a_value_with_damaged_bytes_is_a_value_or_refused(stored, data):
    damaged = bytearray(stored[data.draw(st.sampled_from(sorted(set(stored) - {"sparse", "many"})))])
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))

    _harmless(bytes(damaged))
