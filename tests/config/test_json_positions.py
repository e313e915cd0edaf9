"""Every key's line, for any JSON there is."""

import json

import json5
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from perdure.config.json_format import JsonFormat
from perdure.config.json_positions import scan
from tests.config.json5_text import json5_text

TEXT = """\
// "not": "a key"
{
  /* "nor": {
  "this": 1 } */ "name": "w",
  unquoted : 'it is ["text"], { "a": 1 }', // }
  "esc\\u0061ped": -0x1F, 'sin\\'gle': [
    1, +.5e3,

    { "a": [ ], "b": {}, },
    [[ "//", '/*' ], Infinity
    ]
  ],
  "two
lines": null,
  "last":
    true
}
"""


def paths_of(value, path=()):
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in items:
        yield (*path, key)
        yield from paths_of(each, (*path, key))


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("name",), 4),
        (("unquoted",), 5),
        (("escaped",), 6),
        (("sin'gle",), 6),
        (("sin'gle", 1), 7),
        (("sin'gle", 2, "b"), 9),
        (("sin'gle", 3), 10),
        (("sin'gle", 3, 0, 1), 10),
        (("last",), 15),
    ],
    ids=str,
)
def test_a_key_has_the_line_that_it_stands_on(path, line):
    assert scan(TEXT.replace("two\nlines", "two\\\nlines")).lines[path] == line


def test_a_key_that_is_there_twice_is_found_with_its_place():
    text = '{\n  "a": {"b": 1},\n  "c": {"b": 1,\n    "b": 2}\n}'

    assert scan(text).twins == [(("c", "b"), 4, 5)]


KEYS = st.text(max_size=5) | st.sampled_from(["a", "b", "_x", "$", "//", '"', "'", "\\", "}"])
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=8
)
BLANKS = st.lists(
    st.sampled_from(["", " ", "\n", '// { " [\n', "/* ', ] \n */", "\t", "\u00a0", "\ufeff", "\r\n"]),
    min_size=1,
    max_size=5,
)


def written(data, blanks):
    """The data with blanks and comments everywhere, and commas after last elements."""
    fill = [*blanks]

    def blank():
        fill.append(fill.pop(0))
        return fill[-1]

    def text(value):
        if isinstance(value, dict):
            inner = (f"{blank()}{json.dumps(key)}{blank()}:{text(each)}," for key, each in value.items())
            return f"{blank()}{{{''.join(inner)}{blank()}}}{blank()}"
        if isinstance(value, list):
            return f"{blank()}[{','.join(map(text, value))}{blank()}]{blank()}"
        return blank() + json5_text(value) + blank()

    return text(data)


@given(st.dictionaries(KEYS, VALUES, max_size=4), BLANKS)
@example({"a": [{"b": 1}]}, ["//\n"])
@example({"a": "\x000"}, [""])
def test_the_keys_found_are_those_of_the_parser_whatever_the_text(data, blanks):
    text = written(data, blanks)

    found = scan(text)

    assert set(found.lines) == set(paths_of(json5.loads(text)))
    assert found.twins == []


@given(st.dictionaries(KEYS, VALUES, max_size=4), BLANKS)
def test_a_named_key_is_written_on_its_line(data, blanks):
    text = written(data, blanks)
    lines = text.split("\n")

    for path, line in scan(text).lines.items():
        if isinstance(path[-1], str):
            assert json.dumps(path[-1]) in lines[line - 1]


@given(VALUES.filter(lambda value: value == value))
def test_a_value_to_paste_is_read_back_as_what_it_was(value):
    assert repr(json5.loads(JsonFormat().value(value))) == repr(value)
