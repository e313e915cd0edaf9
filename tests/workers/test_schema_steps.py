"""What `schema` of a class may be is looked at when the class is loaded."""

from pathlib import Path

import pytest

from perdure.workers.schema_steps import schema_of


def with_schema(given):
    return type("Item", (), {"schema": given, "__module__": __name__})


def test_a_class_without_a_schema_has_none():
    assert schema_of(type("Plain", (), {})) is None


def test_a_list_of_texts_and_functions_is_taken_in_its_order():
    schema = schema_of(with_schema(["create table a(b)", test_a_class_without_a_schema_has_none]))

    assert schema is not None
    assert [step.source for step in schema.steps] == ["Item.schema[0]", "Item.schema[1]"]
    assert schema.steps[0].known_as.startswith("sha256:")
    assert schema.steps[1].known_as == "function:test_a_class_without_a_schema_has_none"


def test_a_folder_is_its_sql_files_in_the_order_of_their_names(tmp_path: Path):
    for name in ("0002_b.sql", "0001_a.sql", "readme.txt"):
        (tmp_path / name).write_text(f"create table t_{name[:4]}(x)")

    schema = schema_of(with_schema(tmp_path))

    assert schema is not None
    assert [step.source for step in schema.steps] == ["0001_a.sql", "0002_b.sql"]


def test_a_relative_folder_is_looked_for_beside_the_module():
    with pytest.raises(ValueError, match="no_such_folder") as caught:
        schema_of(with_schema(Path("no_such_folder")))

    assert str(Path(__file__).parent) in str(caught.value)


async def asynchronous(sql):
    pass


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("create table a(b)", "is a str"),
        (7, "of type int"),
        ([7], "schema[0] is of type int"),
        ([""], "schema[0] is empty"),
        (["create table a(b)", asynchronous], "schema[1] is an async function"),
        ([lambda sql: None], "schema[0] is a function without a name"),
    ],
)
def test_what_is_no_schema_is_refused_and_says_what_is(given, says):
    with pytest.raises((TypeError, ValueError)) as caught:
        schema_of(with_schema(given))

    assert says in str(caught.value)
    assert ";" in str(caught.value)


def test_a_file_that_is_no_text_is_named(tmp_path: Path):
    (tmp_path / "1.sql").write_bytes(b"\xff")

    with pytest.raises(ValueError, match=r"1\.sql"):
        schema_of(with_schema(tmp_path))
