"""Whatever stands under any key, the answer is a Project or problems: never another exception, never a blank."""

import contextlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from perdure.config.key import Status
from perdure.config.known_keys import KEYS
from perdure.config.shape import kind_of
from perdure.config.toml_text import toml_key, toml_value
from perdure.model.errors import ConfigError
from tests.config.conftest import FINE

SCALARS = st.integers(-5, 70_000) | st.booleans() | st.text(max_size=6) | st.dates() | st.floats() | st.just("Room")
FIELDS = st.sampled_from(
    [
        "name",
        "main",
        "class_name",
        "script_name",
        "environment",
        "tag",
        "new_classes",
        "new_sqlite_classes",
        "renamed_classes",
        "deleted_classes",
        "transferred_classes",
        "from",
        "to",
        "from_script",
        "bindings",
        "upload",
        "dir",
        "format",
        "ip",
        "port",
        "binding",
    ]
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS, inner, max_size=4), max_leaves=12
)
HONOURED = sorted(name for name, key in KEYS.items() if key.status is Status.HONOURED)
NAMES = st.sampled_from(HONOURED) | st.sampled_from(sorted(KEYS))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100, deadline=None)
@given(st.dictionaries(NAMES, VALUES, max_size=5))
def test_any_value_under_any_key_gives_a_project_or_problems_with_a_place(folder, data):
    text = "".join(f"{toml_key(key)} = {toml_value(value)}\n" for key, value in data.items())

    with contextlib.suppress(ConfigError):
        folder.load(text)
        return
    for problem in folder.problems(text):
        assert problem.removeprefix("(warning) ").startswith("wrangler.toml")


@pytest.mark.parametrize(
    ("value", "kind"),
    [(True, "true or false"), (1, "a number"), (1.5, "a number"), ("x", "text"), ({}, "a table"), ([], "a list")],
    ids=repr,
)
def test_kinds_have_plain_names(value, kind):
    assert kind_of(value) == kind


def test_a_long_value_is_echoed_up_to_where_it_is_recognised(folder):
    problem = folder.problem(FINE + f"dev = '{'x' * 1000}'")

    assert f'is "{"x" * 58}…, which is text' in problem
