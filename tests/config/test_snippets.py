"""Lines to paste can be pasted: each format writes the same key as its own parser reads it."""

import json5
import pytest

from perdure.config.json_format import JsonFormat
from perdure.config.json_text import parse_json
from perdure.config.pyproject import TABLE, parse_pyproject
from perdure.config.snippet import Entry, Line, Section, Value
from perdure.config.toml_text import TomlFormat, parse_toml

TREES = [
    (Line("name", 'a"b'), {"name": 'a"b'}),
    (Line("list", ["x", {"from": "A", "to": "B"}]), {"list": ["x", {"from": "A", "to": "B"}]}),
    (Section("dev", {"port": 8787}), {"dev": {"port": 8787}}),
    (Section("build", {"upload": {"main": "m.py", "dir": "d"}}), {"build": {"upload": {"main": "m.py", "dir": "d"}}}),
    (Section("do", {"bindings": [{"name": "A"}, {"name": "B"}]}), {"do": {"bindings": [{"name": "A"}, {"name": "B"}]}}),
    (
        Section("migrations", [{"tag": "v1", "new_classes": ["A"]}]),
        {"migrations": [{"tag": "v1", "new_classes": ["A"]}]},
    ),
    (Entry("migrations", {"tag": "v1"}, is_first=True), {"migrations": [{"tag": "v1"}]}),
]


@pytest.mark.parametrize(("snippet", "data"), TREES)
def test_toml_to_paste_is_read_as_what_it_says(snippet, data):
    assert parse_toml("\n".join(TomlFormat().lines(snippet)))[0] == data


@pytest.mark.parametrize(("snippet", "data"), TREES)
def test_pyproject_toml_to_paste_is_read_as_what_it_says(snippet, data):
    # What follows a header is in a table of its own; a line is for below [tool.perdure].
    text = "[tool.perdure]\n" + "\n".join(TomlFormat(TABLE).lines(snippet))

    assert parse_pyproject(text)[0] == data


@pytest.mark.parametrize(("snippet", "data"), TREES)
def test_json_to_paste_is_read_as_what_it_says(snippet, data):
    assert parse_json("{" + "\n".join(JsonFormat().lines(snippet)) + "}")[0] == data


def test_one_more_entry_goes_into_the_list_that_is_there():
    more = JsonFormat().lines(Entry("migrations", {"tag": "v2"}))

    assert json5.loads('[{"tag": "v1"}, ' + "".join(more) + "]") == [{"tag": "v1"}, {"tag": "v2"}]


def test_an_element_is_a_value_alone():
    assert [*TomlFormat().lines(Value("x")), *JsonFormat().lines(Value("x"))] == ['"x"', '"x"']


def test_in_comments_each_line_is_one():
    assert list(TomlFormat(line_prefix="# ").lines(Section("dev", {"port": 1}))) == ["# [dev]", "# port = 1"]
