"""From a file to a Project, or to everything that is wrong with it."""

import os
from pathlib import Path

import pytest

from perdure.config import ClassDecl, DevSettings, ObjectBinding, load_project
from perdure.config.text_file import FILE_BYTES_MAX
from perdure.core.migrations import Migration, Rename, StorageKind
from perdure.model.errors import ConfigError
from tests.config.conftest import FINE

GET_STARTED = """\
name = "worker-name"

[build.upload]
main = "./index.py"
dir = "src"

[durable_objects]
bindings = [
  { name = "EXAMPLE_CLASS", class_name = "DurableObjectExample" } # Binding to our DurableObjectExample class
]

[[migrations]]
tag = "v1" # Should be unique for each entry
new_classes = ["DurableObjectExample"] # Array of new classes
"""


def test_the_configuration_of_the_get_started_page_is_a_project(folder):
    main = folder.write("src/index.py", "")

    project = folder.load(GET_STARTED)

    assert project.name == "worker-name"
    assert project.main == main
    assert project.root == folder.path
    assert project.config_file == folder.path / "wrangler.toml"
    assert project.objects == (ObjectBinding("EXAMPLE_CLASS", "DurableObjectExample"),)
    assert project.migrations == (Migration("v1", new_classes=("DurableObjectExample",)),)
    assert project.classes == {"DurableObjectExample": ClassDecl("DurableObjectExample", StorageKind.KEY_VALUE)}
    assert project.vars == {}
    assert project.dev == DevSettings()


def test_the_second_list_of_the_get_started_page_leads_to_the_updated_name_alone_with_a_notice(folder):
    project = folder.load(
        FINE
        + """
durable_objects.bindings = [{ name = "EXAMPLE_CLASS", class_name = "UpdatedName" }]

[[migrations]]
tag = "v1" # Should be unique for each entry
new_classes = ["DurableObjectExample"] # Array of new classes

[[migrations]]
tag = "v2"
renamed_classes = [{from = "DurableObjectExample", to = "UpdatedName" }] # Array of rename directives
deleted_classes = ["DeprecatedClass"] # Array of deleted class names
"""
    )

    (notice,) = project.warnings
    assert list(project.classes) == ["UpdatedName"]
    assert project.migrations[1].renamed_classes == (Rename("DurableObjectExample", "UpdatedName"),)
    assert notice == (
        "wrangler.toml:13: `migrations[1].deleted_classes[0]` deletes DeprecatedClass, "
        "which no earlier entry creates, so nothing is deleted"
    )


def test_two_lines_are_a_whole_configuration(folder):
    project = folder.load(FINE)

    assert (project.objects, dict(project.classes), project.migrations, project.warnings) == ((), {}, (), ())


def test_all_that_is_wrong_is_said_at_once_in_the_order_of_the_file_and_then_what_is_doubtful(folder):
    problems = folder.problems('name = "W"\nminify = true\nmain = "man.py"\n[vars]\nA = 2026-11-24\n[dev]\nport = -1\n')

    places = [problem.split(" ")[0] for problem in problems]
    assert places == ["wrangler.toml:1:", "wrangler.toml:3:", "wrangler.toml:5:", "wrangler.toml:7:", "(warning)"]


def test_the_error_names_the_file_the_number_of_problems_and_all_of_them(folder):
    file = folder.write("wrangler.toml", 'name = "W"\n')

    with pytest.raises(ConfigError) as caught:
        load_project(start=folder.path)

    error = caught.value
    assert error.what == "wrangler.toml has 2 problems"
    assert error.where == str(file)
    assert all(problem in str(error) for problem in error.problems)


def test_a_single_problem_is_counted_as_one(folder):
    folder.write("wrangler.toml", 'main = "main.py"\n')

    with pytest.raises(ConfigError, match=r"^wrangler\.toml has a problem \("):
        load_project(start=folder.path)


def test_the_file_is_named_as_seen_from_where_one_stands(folder):
    file = folder.write("shop/wrangler.toml", 'name = "w"\n')
    (folder.path / "elsewhere").mkdir()

    def place(start: Path) -> str:
        with pytest.raises(ConfigError) as caught:
            load_project(file, start=start)
        return caught.value.problems[0].split(": ")[0]

    assert place(folder.path) == str(Path("shop", "wrangler.toml"))
    assert place(folder.path / "elsewhere") == str(file)


def test_nothing_of_a_project_can_be_changed(folder):
    project = folder.load(FINE + '[vars]\nA = "1"\n')

    with pytest.raises(AttributeError):
        project.name = "other"
    with pytest.raises(TypeError):
        project.vars["A"] = "2"
    with pytest.raises(TypeError):
        project.classes["A"] = ClassDecl("A", StorageKind.SQLITE)


def test_without_a_start_the_current_folder_is_one(folder, monkeypatch):
    folder.write("wrangler.toml", FINE)
    monkeypatch.chdir(folder.path)

    assert load_project().root == folder.path


@pytest.mark.parametrize("marked", [b"\xef\xbb\xbf", b""], ids=["with a byte order mark", "without"])
def test_utf_8_and_the_line_ends_of_windows_are_read(folder, marked):
    text = 'name = "w"\r\nmain = "main.py"\r\n[vars]\r\nGREETING = "hällo"\r\n'

    assert folder.load(marked + text.encode()).vars == {"GREETING": "hällo"}


def test_utf_16_is_named(folder):
    assert folder.problem(FINE.encode("utf-16")) == "wrangler.toml: this is UTF-16; save it as UTF-8"


def test_another_encoding_is_named_with_its_line(folder):
    text = (FINE + '[vars]\nA = "hällo"\n').encode("latin-1")

    assert folder.problem(text) == "wrangler.toml:4: this is not UTF-8; save it as UTF-8"


def test_a_file_that_no_one_wrote_by_hand_is_refused(folder):
    text = FINE + "#" * FILE_BYTES_MAX

    assert folder.problem(text) == "wrangler.toml: this is larger than 1 MiB, so it is no configuration"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_named(folder):  # pragma: no cover
    folder.write("wrangler.toml", FINE).chmod(0)

    with pytest.raises(ConfigError) as caught:
        load_project(start=folder.path)

    assert "Permission denied; correct the file's permissions" in caught.value.problems[0]
