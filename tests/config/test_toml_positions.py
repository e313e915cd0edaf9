"""Every key's line, for any TOML there is."""

import json
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.config.toml_positions import key_lines
from perdure.config.toml_text import toml_key, toml_value

TEXT = '''\
# a comment with [brackets] and "quotes"
name = "w"
'quoted key' = 1
"esc\\u0061ped" . dotted = true

[build.upload]
main = """
[not.a.table]
x = 1
"""
dir = \'\'\'
[[nor.this]]\'\'\'

[[migrations]]
tag = "v1"
new_classes = [
  "A", # the first
  # nothing

  "B",
]
[[migrations]]
tag = "v2"
renamed_classes = [{ from = "A", to = "C" }, { from = "B", to.x = "D" }]
[migrations.sub]
deep = 1970-01-01 00:00:00
[ durable_objects ]
bindings = [ [ { name = """""a""""" } ], "" , '', [], {} ]
'''


def paths_of(value, path=()):
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in items:
        yield (*path, key)
        yield from paths_of(each, (*path, key))


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("name",), 2),
        (("quoted key",), 3),
        (("escaped", "dotted"), 4),
        (("build",), 6),
        (("build", "upload"), 6),
        (("build", "upload", "main"), 7),
        (("build", "upload", "dir"), 11),
        (("migrations",), 14),
        (("migrations", 0, "tag"), 15),
        (("migrations", 0, "new_classes", 0), 17),
        (("migrations", 0, "new_classes", 1), 20),
        (("migrations", 1), 22),
        (("migrations", 1, "renamed_classes", 1, "to", "x"), 24),
        (("migrations", 1, "sub", "deep"), 26),
        (("durable_objects", "bindings", 0, 0, "name"), 28),
    ],
    ids=str,
)
def test_a_key_has_the_line_that_it_stands_on(path, line):
    assert key_lines(TEXT)[path] == line


def test_all_keys_of_a_text_have_a_line_and_nothing_else_has():
    assert set(key_lines(TEXT)) == set(paths_of(tomllib.loads(TEXT)))


KEYS = st.text(st.characters(exclude_categories=["Cs"]), max_size=6) | st.sampled_from(
    ["a", "b", "a-b", "a.b", '"', "'"]
)
SCALARS = st.integers() | st.booleans() | st.text(max_size=8) | st.floats(allow_nan=False) | st.datetimes() | st.dates()
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=8
)
LAYOUTS = st.lists(st.sampled_from(["", "\n", "# x = [1]\n", "  \t\n"]), min_size=1, max_size=4)


def written(data, layout):
    """The data as a text with tables, arrays of tables, inline values and blank lines; and where each table's keys are."""
    fill = [*layout]

    def between():
        fill.append(fill.pop(0))
        return fill[-1]

    def table(values, path):
        for key, value in values.items():
            if not is_table(value) and not is_tables(value):
                yield between() + f"{toml_key(key)} = {spread(value)}\n"
        for key, value in values.items():
            header = ".".join(map(toml_key, (*path, key)))
            if is_table(value):
                yield between() + f"[{header}]\n"
                yield from table(value, (*path, key))
            elif is_tables(value):
                for each in value:
                    yield between() + f"[[ {header} ]] # one more\n"
                    yield from table(each, (*path, key))

    def spread(value):
        if isinstance(value, list) and value:
            return "[\n" + "".join(f"  {spread(each)}, # ]\n" for each in value) + "]"
        return toml_value(value)

    return "".join(table(data, ()))


def is_table(value):
    return isinstance(value, dict)


def is_tables(value):
    return isinstance(value, list) and bool(value) and all(isinstance(each, dict) for each in value)


@given(st.dictionaries(KEYS, VALUES, max_size=4), LAYOUTS)
def test_the_keys_found_are_those_of_the_parser_whatever_the_text(data, layout):
    text = written(data, layout)

    found = key_lines(text)

    assert set(found) == set(paths_of(tomllib.loads(text)))


@given(st.dictionaries(KEYS, VALUES, max_size=4), LAYOUTS)
def test_a_named_key_is_written_on_its_line(data, layout):
    text = written(data, layout)
    lines = text.split("\n")

    for path, line in key_lines(text).items():
        if isinstance(path[-1], str):
            assert toml_key(path[-1]) in lines[line - 1] or json.dumps(path[-1]) in lines[line - 1]


@given(VALUES)
def test_a_value_to_paste_is_read_back_as_what_it_was(value):
    assert tomllib.loads(f"key = {toml_value(value)}")["key"] == value
