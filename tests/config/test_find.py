"""Which file is the configuration."""

import itertools

import pytest

from perdure.config import load_project
from perdure.config.find import NAMES
from perdure.model.errors import ConfigError
from tests.config.conftest import FINE

TEXTS = {
    "perdure.toml": FINE,
    "pyproject.toml": "[tool.perdure]\n" + FINE,
    "wrangler.json": '{"name": "w", "main": "main.py"}',
    "wrangler.jsonc": '{"name": "w", "main": "main.py"}',
    "wrangler.toml": FINE,
}


def refusal(named, start):
    with pytest.raises(ConfigError) as caught:
        load_project(named, start=start)
    return caught.value


def test_the_nearest_folder_upward_wins(folder):
    folder.write("wrangler.toml", FINE.replace('"w"', '"outer"'))
    folder.write("inner/wrangler.toml", FINE.replace('"w"', '"inner"'))
    folder.write("inner/main.py", "")
    below = folder.write("inner/deep/deeper/x.txt", "").parent

    assert load_project(start=below).name == "inner"
    assert load_project(start=folder.path).name == "outer"


def test_paths_are_relative_to_the_file_wherever_one_stands(folder):
    folder.write("wrangler.toml", FINE)
    below = folder.write("deep/x.txt", "").parent

    project = load_project(start=below)

    assert (project.root, project.main) == (folder.path, folder.path / "main.py")


def test_a_named_file_is_relative_to_where_one_stands_and_may_have_any_name(folder):
    folder.write("shop/staging.toml", FINE)
    folder.write("shop/main.py", "")

    assert load_project(folder.path.__class__("shop/staging.toml"), start=folder.path).root == folder.path / "shop"


def test_a_named_folder_stands_for_the_file_in_it(folder):
    folder.write("wrangler.toml", FINE)

    assert load_project(folder.path, start=folder.path).config_file == folder.path / "wrangler.toml"


@pytest.mark.parametrize(("first", "second"), [*itertools.combinations(TEXTS, 2)])
def test_of_two_in_a_folder_the_first_in_the_order_is_used_and_the_other_mentioned(folder, first, second):
    folder.write(second, TEXTS[second])
    folder.write(first, TEXTS[first])

    project = load_project(start=folder.path)

    assert project.config_file.name == first
    (warning,) = project.warnings
    assert warning.startswith(first)
    assert warning.endswith(f": this is the configuration, and {second} beside it is not read; keep one of the two")


def test_a_nearer_folder_wins_whatever_its_file_is_called(folder):
    folder.write("perdure.toml", FINE)
    inner = folder.write("inner/wrangler.toml", FINE.replace('"w"', '"inner"')).parent
    folder.write("inner/main.py", "")

    assert load_project(start=inner).name == "inner"


def test_files_that_would_be_the_configuration_are_among_the_sources(folder):
    folder.write("wrangler.toml", FINE)
    below = folder.write("deep/x.txt", "").parent

    sources = load_project(start=below).sources

    assert {below / name for name in NAMES} | {folder.path / name for name in NAMES} <= set(sources)
    assert folder.path / ".dev.vars" in sources


def test_no_configuration_anywhere_shows_how_to_write_one(folder):
    folder.path.joinpath("main.py").rename(folder.path / "shop.py")
    folder.write("test_shop.py", "")

    error = refusal(None, folder.path)

    assert error.what == "there is no configuration here or in a folder above"
    assert error.where == str(folder.path)
    assert '`name = "my-worker"` and `main = "shop.py"`' in error.next_step
    assert "perdure dev -c FILE" in error.next_step


def test_a_folder_without_one_is_named(folder):
    error = refusal(folder.path, folder.path)

    assert error.what.startswith("there is no configuration in the folder")
    assert 'main = "main.py"' in error.next_step


def test_a_named_file_that_does_not_exist_lists_what_is_there(folder):
    folder.write("wrangler.toml", FINE)

    error = refusal(folder.path / "wrangle.toml", folder.path)

    assert error.what.endswith("wrangle.toml does not exist")
    assert "main.py, wrangler.toml" in error.next_step


def test_a_named_file_in_a_folder_that_does_not_exist_says_that(folder):
    error = refusal(folder.path / "no" / "wrangler.toml", folder.path)

    assert f"the folder {folder.path / 'no'} does not exist" in error.next_step


def test_a_named_file_of_another_format_is_refused(folder):
    error = refusal(folder.write("settings.yaml", "{}"), folder.path)

    assert error.what.endswith("not supported")
    assert "write it as wrangler.toml" in error.next_step


@pytest.mark.parametrize("kind", ["folder", "link"])
def test_what_has_the_name_and_is_no_file_is_said(folder, kind):
    place = folder.path / "wrangler.toml"
    if kind == "folder":
        place.mkdir()
        said = "wrangler.toml is there and is a folder"
    else:
        place.symlink_to("gone.toml")
        said = "wrangler.toml is there and is a link to gone.toml, which does not exist"

    error = refusal(None, folder.path)

    assert error.why == f"looked for {', '.join(NAMES)}; {said}"
