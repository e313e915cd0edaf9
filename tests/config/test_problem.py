"""Problems say file, line, key, what is wrong and what to type."""

from pathlib import Path

from perdure.config.document import Document
from perdure.config.key_path import key_text
from perdure.config.problem import Findings, Severity
from perdure.config.snippet import Line, Section
from perdure.config.toml_text import TomlFormat


def findings(prefix=""):
    lines = {("a",): 3, ("a", "b"): 4, ("c", 0, "d"): 2}
    return Findings(Document(Path("/x/wrangler.toml"), "wrangler.toml", {}, lines, TomlFormat(line_prefix=prefix)))


def test_a_key_is_written_as_in_the_file():
    assert key_text(("durable_objects", "bindings", 0, "name")) == "durable_objects.bindings[0].name"


def test_a_problem_ends_with_the_lines_to_paste():
    found = findings()

    found.error(("a", "b"), "is missing", "write", Section("s", {"b": 1, "c": 2}))

    assert [str(problem) for problem in found.of(Severity.ERROR)] == [
        "wrangler.toml:4: `a.b` is missing; write:\n      [s]\n      b = 1\n      c = 2"
    ]


def test_lines_to_paste_fit_the_format_of_the_file():
    found = findings(prefix="# ")

    found.error(("a",), "is missing", "write", Line("b", 1))

    assert str(found.problems[0]).endswith("\n      # b = 1")


def test_what_is_not_there_is_placed_at_what_is_around_it():
    found = findings()

    found.error(("a", "missing", "deeper"), "is missing")
    found.error(("nowhere",), "is missing")

    assert [str(problem) for problem in found.of(Severity.ERROR)] == [
        "wrangler.toml: `nowhere` is missing",
        "wrangler.toml:3: `a.missing.deeper` is missing",
    ]


def test_problems_come_in_the_order_of_the_file_and_errors_apart_from_warnings():
    found = findings()

    found.error(("a", "b"), "second")
    found.warning(("a",), "doubtful")
    found.error(("c", 0, "d"), "first")

    assert [problem.what for problem in found.of(Severity.ERROR)] == ["first", "second"]
    assert [problem.what for problem in found.of(Severity.WARNING)] == ["doubtful"]


def test_what_an_error_speaks_of_is_not_warned_of_as_well():
    found = findings()

    found.warning(("a",), "is not a known key")
    found.error(("a",), "belongs elsewhere")

    assert found.of(Severity.WARNING) == []
