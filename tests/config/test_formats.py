"""One project, whatever it is written in: the same check of the same data."""

import contextlib
import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from perdure.config import load_project
from perdure.config.toml_text import toml_key, toml_value
from perdure.model.errors import ConfigError
from tests.config.conftest import FINE
from tests.config.json5_text import json5_text

DATA = {
    "name": "w",
    "main": "main.py",
    "compatibility_date": "2026-11-24",
    "vars": {"A": "1", "B": 2, "C": 1.5, "D": True, "E": ["x", {"y": 1}], "F": {"g": "h"}},
    "secrets": {"required": ["API_KEY"]},
    "durable_objects": {"bindings": [{"name": "ROOM", "class_name": "Room"}]},
    "migrations": [
        {"tag": "v1", "new_sqlite_classes": ["Hall"]},
        {"tag": "v2", "renamed_classes": [{"from": "Hall", "to": "Room"}]},
    ],
    "dev": {"ip": "0.0.0.0", "port": 9000},
}


def as_toml(data, table=""):
    """Scalars first, then a header for each table: as people write it."""
    head = f"[{table}]\n" if table else ""
    lines = [f"{toml_key(key)} = {toml_value(value)}\n" for key, value in data.items() if not isinstance(value, dict)]
    tables = [(key, value) for key, value in data.items() if isinstance(value, dict)]
    below = [as_toml(value, f"{table}.{toml_key(key)}" if table else toml_key(key)) for key, value in tables]
    return head + "".join(lines) + "".join(below)


def commented(data):
    return "// a comment\n" + json5_text(data, indent=2, trailing_commas=True).replace(": {", ": /* { */ {")


def block(data):
    return (
        "# /// wrangler\n" + "".join(f"# {line}\n" for line in as_toml(data).removesuffix("\n").split("\n")) + "# ///\n"
    )


WRITERS = {
    "perdure.toml": as_toml,
    "wrangler.toml": as_toml,
    "pyproject.toml": lambda data: '[project]\nname = "x"\n' + as_toml(data, "tool.perdure"),
    "wrangler.json": json.dumps,
    "wrangler.jsonc": commented,
    "main.py": block,
}


def written(folder, name, data):
    return load_project(folder.write(name, WRITERS[name](data)), start=folder.path)


def bare(project):
    """Without what names the file and its lines."""
    warnings = tuple(each.split(": ", 1)[1].replace("tool.perdure.", "") for each in project.warnings)
    return replace(project, config_file=Path(), sources=(), warnings=warnings)


@pytest.mark.parametrize("name", [*WRITERS])
def test_the_same_project_comes_from_every_format(folder, name):
    folder.write(".dev.vars", "API_KEY=x")

    project = written(folder, name, DATA)

    assert bare(project) == bare(written(folder, "wrangler.toml", DATA))
    assert (project.vars, project.env_values["API_KEY"]) == (DATA["vars"], "x")


NAMES = st.text("ABCXYZ_", min_size=1, max_size=6).filter(lambda name: not name.startswith("_"))
JSON = st.recursive(
    st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
CLASSES = st.lists(st.sampled_from(["Room", "User", "Hall", "Lock"]), unique=True, max_size=3)


@st.composite
def configurations(draw):
    variables = draw(st.dictionaries(NAMES, JSON, max_size=4))
    classes = draw(CLASSES)
    return {
        "name": draw(st.sampled_from(["w", "my-worker", "_0"])),
        "main": "main.py",
        **({"vars": variables} if variables else {}),
        "durable_objects": {"bindings": [{"name": f"o{each}", "class_name": each} for each in classes]},
        "migrations": [
            {"tag": each, draw(st.sampled_from(["new_classes", "new_sqlite_classes"])): [each]} for each in classes
        ],
        "dev": {"port": draw(st.integers(0, 65_535))},
        **draw(st.sampled_from([{}, {"minify": True}, {"routes": ["x"]}, {"nmae": "x"}])),
    }


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(configurations())
@example({"name": "w", "main": "main.py", "vars": {"A": {"\x85": False}}})
@example({"name": "w", "main": "main.py", "vars": {"A": {"\x000": False}}})
def test_any_configuration_reads_equal_in_every_format(folder, data):
    first, *others = [bare(written(folder, name, data)) for name in WRITERS]

    assert first.vars == data.get("vars", {})
    assert [other == first for other in others] == [True] * len(others)


@pytest.mark.parametrize("name", ["wrangler.json", "wrangler.jsonc"])
def test_what_to_write_is_shown_in_the_words_of_the_file(folder, name):
    folder.write(
        name, '{\n  "main": "main.py",\n  "durable_objects": {},\n  "dev": {\n    "port": [1, {"a": 2}]\n  }\n}'
    )

    with pytest.raises(ConfigError) as caught:
        load_project(start=folder.path)

    root, bindings, port = caught.value.problems
    assert root.startswith(f'{name}: `name` is missing; write between the outermost {{ and }}:\n      "name": "')
    assert bindings == (
        f"{name}:3: `durable_objects.bindings` is missing; write:\n"
        '      "durable_objects": {\n        "bindings": [\n'
        '          {"name": "ROOM", "class_name": "Room"},\n        ],\n      },'
    )
    assert port.startswith(f'{name}:5: `dev.port` is [1, {{"a": 2}}], which is a list, but has to be a number from 0')
    assert port.endswith('\n      "port": 8787,')


def test_one_more_migration_goes_into_the_list_that_is_there(folder):
    data = DATA | {"migrations": [{"tag": "v1", "new_classes": ["Hall"]}], "secrets": {}}
    folder.write("wrangler.json", json.dumps(data))

    (warning,) = load_project(start=folder.path).warnings

    assert "add at the end of the list `migrations` (if Room is the new name of Hall: with" in warning
    assert warning.endswith('{"tag": "v2", "new_sqlite_classes": ["Room"]},')


@pytest.mark.parametrize("key", ["name", "main", "vars", "dev", "migrations", "compatibility_date", "durable_objects"])
def test_null_is_no_value_of_any_key(folder, key):
    folder.write("wrangler.json", json.dumps(DATA | {key: None}))

    with pytest.raises(ConfigError) as caught:
        load_project(start=folder.path)

    assert [problem for problem in caught.value.problems if f"`{key}` is null" in problem]


def test_a_variable_may_be_null(folder):
    folder.write("wrangler.json", json.dumps({"name": "w", "main": "main.py", "vars": {"A": None}}))

    assert load_project(start=folder.path).vars == {"A": None}


VALUES = st.recursive(
    st.none() | JSON,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["name", "tag", "port"]), inner),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(st.dictionaries(st.sampled_from([*DATA, "build", "nmae"]), VALUES, max_size=4))
def test_any_json_gives_a_project_or_problems_with_a_place(folder, data):
    folder.write("wrangler.json", json.dumps(data))

    with contextlib.suppress(ConfigError):
        load_project(start=folder.path)
        return
    with pytest.raises(ConfigError) as caught:
        load_project(start=folder.path)
    assert all(each.removeprefix("(warning) ").startswith("wrangler.json") for each in caught.value.problems)


# Strict


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("nmae = 1", "`nmae` is not a known key"),
        ("routes = []", "`routes` is understood but not supported yet"),
        ("minify = true", "`minify` has no meaning here"),
        ("dev.host = 'x'", "`dev.host` is understood but not supported yet"),
    ],
)
def test_a_key_without_effect_is_an_error_if_that_is_asked_for(folder, line, said):
    folder.write("wrangler.toml", FINE + line)

    assert said in load_project(start=folder.path).warnings[0]
    with pytest.raises(ConfigError) as caught:
        load_project(start=folder.path, strict=True)
    assert [said in problem for problem in caught.value.problems] == [True]


def test_a_strict_reader_says_a_misspelt_key_once(folder):
    folder.write(
        "wrangler.toml", 'name = "w"\nmain = "main.py"\ndurable_objects.bindings = [{ name = "A", className = "R" }]'
    )

    with pytest.raises(ConfigError) as caught:
        load_project(start=folder.path, strict=True)

    (problem,) = caught.value.problems
    assert "`durable_objects.bindings[0].class_name` is missing: it is written `className` here" in problem
