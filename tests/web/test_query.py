"""Queries are decoded as forms are."""

import ada_url
from hypothesis import given
from hypothesis import strategies as st

from perdure.web import Query
from perdure.web.query import decoded_pairs, encoded_pairs


def test_a_name_gives_its_first_value_and_all_of_them() -> None:
    query = Query("a=1&b=&a=2&c&=d&%C3%BC=%2B+x")

    assert query["a"] == "1"
    assert query.get_all("a") == query.getAll("a") == ["1", "2"]
    assert query.get_all("none") == []
    assert query.get("none", "x") == "x"
    assert dict(query) == {"a": "1", "b": "", "c": "", "": "d", "ü": "+ x"}
    assert query.multi_items()[2] == ("a", "2")
    assert len(query) == 5
    assert repr(Query("a=b")) == "Query([('a', 'b')])"


def test_what_is_no_utf_8_is_replaced() -> None:
    assert Query("a=%ff")["a"] == "\ufffd"


@given(st.text("=&+%20;43", max_size=20))
def test_queries_are_decoded_as_the_url_standard_says(text: str) -> None:
    judge = ada_url.URLSearchParams(text)

    assert Query(text).multi_items() == list(judge.items())


@given(st.lists(st.tuples(st.text(max_size=5), st.text(max_size=5))))
def test_what_is_encoded_is_decoded(pairs: list[tuple[str, str]]) -> None:
    assert decoded_pairs(encoded_pairs(pairs)) == pairs
