"""The bytes themselves. Stores hold them for years: a change here needs a new version or a new kind, never a new meaning."""

import subprocess
import sys
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from uuid import UUID

import pytest

from perdure.model.foreign import UNDEFINED, Map
from perdure.model.value import decode, encode
from tests.model.values import same

GOLDEN = [
    (None, "01c0"),
    (True, "01c3"),
    (5, "0105"),
    (-(1 << 63), "01d38000000000000000"),
    ((1 << 64) - 1, "01cfffffffffffffffff"),
    (1 << 64, "01c70901010000000000000000"),
    (-(1 << 63) - 1, "01c70901ff7fffffffffffffff"),
    (1.5, "01cb3ff8000000000000"),
    ("é", "01a2c3a9"),
    (b"\x00\xff", "01c40200ff"),
    ([1, [2]], "01920191" + "02"),
    ({"a": 1}, "0181a16101"),
    (bytearray(b"ab"), "01d5026162"),
    (datetime(1970, 1, 1, 0, 0, 1), "01d70300000000001e8480"),
    (datetime(1970, 1, 1, fold=1), "01d7030000000000000001"),
    (datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC), "01d6ff00000001"),
    (date(2026, 1, 2), "01d604000b4922"),
    (time(0, 0, 0, 1), "01d7050000000000000002"),
    (time(0, 0, 0, 1, tzinfo=timezone(timedelta(microseconds=3))), "01d80500000000000000020000000000000003"),
    (timedelta(-1, 2, 3), "01c70c06ffffffff0000000200000003"),
    (Decimal("-1.50"), "01c705072d312e3530"),
    (UUID(int=7), "01d80800000000000000000000000000000007"),
    (UNDEFINED, "01c70009"),
    ((1, "a"), "0293c7001001a161"),
    ((), "0291c70010"),
    ({1}, "0292c7001101"),
    (frozenset({1}), "0292c7001201"),
    ({1: "a"}, "0293c7001301a161"),
    (Map(a=1), "0293c70014a16101"),
    ([(1,)], "029192c7001001"),
]


@pytest.mark.parametrize(("value", "data"), GOLDEN, ids=[repr(value) for value, _ in GOLDEN])
def test_the_bytes_of_a_value_are_these_in_every_version(value, data):
    assert encode(value, path="value").hex() == data
    assert same(decode(bytes.fromhex(data)), value)


def test_no_class_name_and_no_pickle_stands_in_the_bytes():
    data = encode([Decimal(1), UUID(int=1), date(2026, 1, 2), (1,)], path="value")

    assert not any(word in data for word in (b"Decimal", b"UUID", b"date", b"tuple", b"perdure", b"datetime"))


def test_loading_a_value_imports_nothing_and_pydantic_is_never_imported():
    every = encode([value for value, _ in GOLDEN], path="value").hex()
    program = f"""
import sys
from perdure.model.value import decode, encode, as_type
before = set(sys.modules)
value = decode(bytes.fromhex({every!r}))
encode(value, path="value")
as_type(list, value, path="value")
loaded = set(sys.modules) - before
assert not {{name for name in loaded if not name.startswith("encodings")}}, loaded
assert "pydantic" not in sys.modules
"""

    subprocess.run([sys.executable, "-c", program], check=True)
