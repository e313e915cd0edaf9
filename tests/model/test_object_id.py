"""Ids: the layout of runtime.md 1.1, held against Python's own hmac, and what is refused."""

import copy
import hashlib
import hmac
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.model.errors import InvalidId, WrongType, WrongValue
from perdure.model.object_id import IdKey, ObjectId

names = st.text(st.characters(codec="utf-8"))


def by_the_book(unique_key: str, base_of: bytes, *, hashed: bool) -> bytes:
    """The 32 bytes as runtime.md 1.1 defines them."""
    key = hashlib.sha256(unique_key.encode()).digest()
    base = hmac.digest(key, base_of, "sha256")[:16] if hashed else base_of
    return base + hmac.digest(key, base, "sha256")[:16]


@given(unique_key=names, name=names)
def test_an_id_by_name_is_the_hmac_of_the_name_and_a_proof_of_the_namespace(unique_key, name):
    made = IdKey(unique_key).from_name(name)

    assert made.raw == by_the_book(unique_key, name.encode(), hashed=True)
    assert made.name == name


def test_an_id_is_the_same_in_every_version():
    # Stored data hangs on these bytes: if this fails, every object would lose its data.
    ever_after = "b58f92009ee4cf17a1888659b594f1be17b26587a2da58cbbbd8f89cf90e9021"

    assert IdKey("shop-Cart").from_name("ada").hex == ever_after


@given(unique_key=names, random16=st.binary(min_size=16, max_size=16))
def test_a_unique_id_is_the_given_randomness_and_a_proof_and_has_no_name(unique_key, random16):
    made = IdKey(unique_key).unique(random16)

    assert made.raw == by_the_book(unique_key, random16, hashed=False)
    assert made.name is None


def test_a_unique_id_needs_exactly_16_random_bytes():
    with pytest.raises(WrongValue, match="16 random bytes, not 15"):
        IdKey("key").unique(b"x" * 15)


@given(name=names, upper=st.booleans())
def test_an_id_parsed_from_its_text_in_either_case_is_equal_and_nameless(name, upper):
    key = IdKey("key")
    made = key.from_name(name)

    parsed = key.parse(str(made).upper() if upper else str(made), namespace="Counter")

    assert parsed == made
    assert hash(parsed) == hash(made)
    assert parsed.name is None
    assert str(parsed) == parsed.hex == made.hex == made.hex.lower()
    assert len(made.hex) == 64


@given(name=names)
def test_an_id_of_another_namespace_is_refused(name):
    foreign = IdKey("other").from_name(name)
    key = IdKey("key")

    assert not key.owns(foreign)
    assert IdKey("other").owns(foreign)
    with pytest.raises(InvalidId, match="is not an id of Counter"):
        key.parse(foreign.hex, namespace="Counter")


@given(name=names, place=st.integers(0, 31), flip=st.integers(1, 255))
def test_an_id_with_any_byte_changed_is_refused(name, place, flip):
    key = IdKey("key")
    raw = bytearray(key.from_name(name).raw)
    raw[place] ^= flip

    with pytest.raises(InvalidId):
        key.parse(raw.hex(), namespace="Counter")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "room-7",
        "a" * 63,
        "a" * 65,
        "g" * 64,
        " " + "a" * 63,
        "a" * 63 + "\n",
        "a" * 64 + "\n",
        "é" * 64,
        "٣" * 64,
        "0x" + "a" * 62,
    ],
)
def test_text_that_is_not_64_hexadecimal_digits_is_refused_and_the_way_by_name_is_shown(text):
    with pytest.raises(InvalidId, match=r"Counter.*64 hexadecimal digits") as refused:
        IdKey("key").parse(text, namespace="Counter")

    assert "get_by_name" in str(refused.value)


@pytest.mark.parametrize("thing", [None, 7, b"a" * 64, IdKey("key").from_name("a")])
def test_what_is_not_text_is_refused_as_an_id_and_is_both_a_type_and_a_value_error(thing):
    with pytest.raises(InvalidId, match="pass str") as refused:
        IdKey("key").parse(thing, namespace="Counter")

    assert isinstance(refused.value, TypeError)
    assert isinstance(refused.value, ValueError)


def test_a_long_wrong_id_is_shown_only_in_part():
    with pytest.raises(InvalidId) as refused:
        IdKey("key").parse("x" * 100_000, namespace="Counter")

    assert len(str(refused.value)) < 400


@pytest.mark.parametrize("name", [None, 7, b"room", ["room"]])
def test_a_name_that_is_not_text_is_refused(name):
    with pytest.raises(WrongType, match="a name is a str"):
        IdKey("key").from_name(name)


def test_a_number_as_name_is_refused_with_the_right_call():
    with pytest.raises(WrongType, match=r"write str\(7\)"):
        IdKey("key").from_name(7)


def test_a_name_with_a_lone_surrogate_is_refused():
    with pytest.raises(WrongType, match="surrogate"):
        IdKey("key").from_name("a\ud800b")


def test_a_subclass_of_str_names_the_object_of_its_text():
    class Loud(str):
        def __str__(self):
            return self.upper()

    made = IdKey("key").from_name(Loud("room"))

    assert made == IdKey("key").from_name("room")
    assert type(made.name) is str
    assert made.name == "room"


def test_the_name_takes_no_part_in_equality():
    made = IdKey("key").from_name("room")

    assert ObjectId(made.hex) == made
    assert {ObjectId(made.hex), made} == {made}
    assert made != IdKey("key").from_name("other")
    assert made != made.hex


def test_an_id_can_be_made_from_its_text_and_shows_itself_as_that_call():
    made = IdKey("key").from_name("room")

    assert eval(repr(made)) == made
    assert eval(repr(made)).name == "room"
    assert repr(ObjectId(made.hex)) == f"ObjectId({made.hex!r})"
    with pytest.raises(InvalidId):
        ObjectId("room")


def test_an_id_cannot_be_changed_and_can_be_copied():
    made = IdKey("key").from_name("room")

    with pytest.raises(AttributeError):
        made.name = "other"
    assert copy.deepcopy(made) == made
    assert copy.copy(made).name == "room"


def test_an_id_takes_little_memory_for_100_000_of_them_are_kept():
    made = IdKey("key").from_name("room")

    assert sys.getsizeof(made) + sys.getsizeof(made.raw) <= 128
