"""What editors and the reference page say of keys is what is declared, and what is checked."""

import copy
import json
from pathlib import Path

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from perdure.config import load_project
from perdure.config.key import ListOf, Status, Table
from perdure.config.known_keys import KEYS
from perdure.config.reference import reference
from perdure.config.schema import SCHEMA_FILE, schema, schema_text
from perdure.model.errors import ConfigError
from tests.config.test_formats import DATA, configurations

ROOT = Path(__file__).parents[2]
VALIDATOR = jsonschema.Draft7Validator(schema())


def problems_of(folder, data):
    folder.write("wrangler.json", json.dumps(data))
    try:
        load_project(start=folder.path)
    except ConfigError as error:
        return [each for each in error.problems if not each.startswith("(warning)")]
    return []


def refusals(data):
    """What the schema finds wrong, but for unknown keys, which are warnings and no more."""
    return [each.message for each in VALIDATOR.iter_errors(data) if each.validator != "additionalProperties"]


def all_keys(keys, prefix=""):
    for name, key in keys.items():
        yield f"{prefix}{name}", key
        shape = key.shape.items if isinstance(key.shape, ListOf) else key.shape
        if isinstance(shape, Table):
            yield from all_keys(shape.keys, f"{prefix}{name}.")


def test_the_schema_that_is_shipped_is_the_one_of_the_declared_keys():
    assert SCHEMA_FILE.read_text(encoding="utf-8") == schema_text(), "run: python -m perdure.config.schema"


def test_the_reference_page_is_the_one_of_the_declared_keys():
    page = ROOT / "docs" / "reference" / "configuration.md"

    assert page.read_text(encoding="utf-8") == reference(), f"run: python -m perdure.config.reference {page}"


def test_the_schema_is_one():
    jsonschema.Draft7Validator.check_schema(schema())


@pytest.mark.parametrize(("name", "key"), [*all_keys(KEYS)])
def test_every_key_says_what_it_is_for(name, key):
    assert key.about.endswith("."), name
    assert f"`{name.split('.')[-1]}`" in reference() or f".{name.split('.')[-1]}`" in reference()


@pytest.mark.parametrize("data", [DATA, {"$schema": "x", "name": "w", "main": "m.py", "routes": ["x"], "minify": True}])
def test_a_configuration_that_is_right_is_taken(data):
    VALIDATOR.validate(data)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(configurations())
def test_any_configuration_that_is_read_without_a_problem_is_taken(folder, data):
    data = {key: value for key, value in data.items() if key in KEYS}

    assert problems_of(folder, data) == []
    VALIDATOR.validate(data)


WRONG = [None, True, 1, 1.5, "", "x", [], ["x"], {}, {"x": 1}, [{}], [1], [{"name": 1}], [{"tag": 1}], -1, 70_000]
HONOURED = [
    name for name, key in KEYS.items() if key.status in (Status.HONOURED, Status.HARMLESS) and name != "$schema"
]


@pytest.mark.parametrize("path", [name for name, key in all_keys(KEYS) if key.status is not Status.NOT_YET])
def test_what_the_schema_refuses_by_its_shape_is_a_problem(folder, path):
    tried = [placed(path, value) for value in WRONG]

    overlooked = [data for data in tried if refusals(data) and not problems_of(folder, data)]

    assert overlooked == []


def placed(path, value):
    """A configuration that is right but for one key."""
    data = {"name": "w", "main": "main.py"}
    *parents, last = path.split(".")
    keys, table = KEYS, data
    for name in parents:
        shape = keys[name].shape
        inner = {}
        keys = shape.items.keys if isinstance(shape, ListOf) else shape.keys
        inner.update({each: "Room" for each, key in keys.items() if key.is_required and each != "bindings"})
        table[name] = [inner] if isinstance(shape, ListOf) else inner
        table = inner
    table[last] = value
    return data


VALUES = st.recursive(
    st.sampled_from([None, True, 0, 70_000, 1.5, "", "x", "Room"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(sorted({name.split(".")[-1] for name, _ in all_keys(KEYS)})), inner, max_size=4
        )
    ),
    max_leaves=8,
)


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    max_examples=80,
    deadline=None,
)
@given(st.dictionaries(st.sampled_from(HONOURED), VALUES, max_size=4))
def test_whatever_is_read_without_a_problem_the_schema_takes_but_for_unknown_keys(folder, data):
    data = {"name": "w", "main": "main.py"} | data

    assert problems_of(folder, data) or refusals(data) == []


def places(value):
    """Each container in it with a key or position."""
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from places(value[key])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=80, deadline=None)
@given(configurations(), st.randoms(use_true_random=False))
def test_whatever_the_schema_takes_has_the_shape_that_is_read(folder, data, rng):
    """One place of a configuration that is right gets another value; what no shape says may still be refused."""
    changed = copy.deepcopy({"name": "w", "main": "main.py"} | {key: data[key] for key in data if key in KEYS})
    container, key = rng.choice([*places(changed)])
    # The schema does not ask for `main`: an older key may stand for it.
    if rng.random() < 0.3 and not (container is changed and key == "main"):
        del container[key]
    else:
        container[key] = rng.choice([*WRONG, "A B", ["Room"]])

    problems = problems_of(folder, changed)

    assert refusals(changed) or not [each for each in problems if "has to be" in each or "is missing" in each]
