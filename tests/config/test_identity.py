"""Name, main module, the old upload section, compatibility."""

import pytest

from perdure.config.identity import NAME_CHARS_MAX, slug
from tests.config.conftest import FINE

NAMED = 'name = "w"\n'

# name


@pytest.mark.parametrize("name", ["w", "my-worker_2", "_x", "0", "a" * NAME_CHARS_MAX])
def test_a_name_of_lower_case_letters_digits_and_dashes_is_taken(folder, name):
    assert folder.load(f'name = "{name}"\nmain = "main.py"').name == name


@pytest.mark.parametrize(
    ("name", "better"),
    [
        ("My Worker", "my-worker"),
        ("-x", "x"),
        ("shop.example", "shop-example"),
        ("shopWorker", "shop-worker"),
        ("é", "my-worker"),
    ],
)
def test_another_name_is_refused_with_the_nearest_one(folder, name, better):
    assert folder.problem(f'name = "{name}"\nmain = "main.py"') == (
        f'wrangler.toml:1: `name` is "{name}": only lower-case letters, digits, - and _ may be in it, '
        f'and no - in front; write:\n      name = "{better}"'
    )


def test_a_name_longer_than_a_host_name_allows_is_refused(folder):
    problem = folder.problem(f'name = "{"a" * 64}"\nmain = "main.py"')

    assert problem.startswith("wrangler.toml:1: `name` has 64 characters, and 63 are possible; write:")
    assert f'name = "{"a" * 63}"' in problem


def test_a_missing_name_shows_the_line_to_add(folder):
    assert folder.problem('main = "main.py"') == (
        "wrangler.toml: `name` is missing; write above the first [table] of the file:\n"
        f'      name = "{slug(folder.path.name)}"'
    )


def test_a_name_that_is_no_text_is_shown_in_quotes(folder):
    assert folder.problem('name = 5\nmain = "main.py"') == (
        'wrangler.toml:1: `name` is 5, which is a number, but has to be text; write:\n      name = "5"'
    )


def test_an_empty_name_is_refused(folder):
    assert folder.problem('name = ""\nmain = "main.py"').startswith("wrangler.toml:1: `name` is empty; write:")


# main


def test_a_missing_main_shows_the_line_to_add_with_the_module_that_is_there(folder):
    folder.path.joinpath("main.py").unlink()
    folder.write("test_shop.py", "")
    folder.write("src/shop.py", "")

    assert folder.problem(NAMED) == (
        'wrangler.toml: `main` is missing; write above the first [table] of the file:\n      main = "src/shop.py"'
    )


@pytest.mark.parametrize("table", ["[vars]", "[dev]", "[[migrations]]"])
def test_a_main_below_a_table_is_found_and_told_where_to_go(folder, table):
    key = "migrations[0].main" if "migrations" in table else f"{table.strip('[]')}.main"
    tag = 'tag = "v1"\n' if "migrations" in table else ""

    problem = folder.problem(f'{NAMED}{table}\n{tag}main = "main.py"')

    line = 4 if tag else 3
    assert problem == (
        f"wrangler.toml:{line}: `{key}` belongs to the table [{table.strip('[]')}], because it stands below that line, "
        "so the Worker has no `main`; move it to where it belongs, above the first [table] of the file"
    )


def test_a_main_that_does_not_exist_gets_the_nearest_one(folder):
    folder.write("src/index.py", "")

    assert folder.problem(NAMED + 'main = "src/indx.py"') == (
        'wrangler.toml:2: `main` is "src/indx.py", which does not exist; write:\n      main = "src/index.py"'
    )


def test_a_main_that_is_like_nothing_there_is_to_be_created(folder):
    problem = folder.problem(NAMED + 'main = "app/zzz.py"')

    assert problem == (
        'wrangler.toml:2: `main` is "app/zzz.py", which does not exist; '
        f"create it, or name another file relative to {folder.path}"
    )


def test_a_main_that_is_a_folder_gets_a_file_in_it(folder):
    folder.write("src/x.txt", "")

    problem = folder.problem(NAMED + 'main = "src"')

    assert problem.startswith('wrangler.toml:2: `main` is "src", which is a folder; name the file in it:')
    assert 'main = "src/main.py"' in problem


def test_a_main_in_another_language_is_refused(folder):
    folder.write("index.js", "")

    assert folder.problem(NAMED + 'main = "index.js"') == (
        'wrangler.toml:2: `main` is "index.js", but a main module is a Python file; name one that ends in .py'
    )


# [build.upload]


def test_the_old_section_names_the_main_module_and_gets_its_replacement_once(folder):
    main = folder.write("src/index.py", "")

    project = folder.load(NAMED + '[build.upload]\nformat = "modules"\nmain = "./index.py"\ndir = "src"')

    assert project.main == main
    assert project.warnings == (
        "wrangler.toml:2: `build.upload` is the old way to name the main module; "
        "above the first [table] of the file, instead of the section, write:\n"
        '      main = "src/index.py"',
    )


def test_the_folder_of_the_old_section_is_dist_if_it_says_none(folder):
    main = folder.write("dist/index.py", "")

    assert folder.load(NAMED + '[build.upload]\nmain = "index.py"').main == main


def test_an_old_main_that_is_not_in_its_folder_is_placed_in_the_section(folder):
    problem = folder.problem(NAMED + '[build.upload]\nmain = "main.py"')

    assert problem == (
        'wrangler.toml:3: `build.upload.main` is "dist/main.py", which does not exist; write:\n      main = "main.py"'
    )


def test_both_ways_may_agree(folder):
    folder.write("src/index.py", "")

    project = folder.load(NAMED + 'main = "src/index.py"\n[build.upload]\nmain = "index.py"\ndir = "src"')

    assert project.warnings == ()


def test_both_ways_may_not_differ(folder):
    problem = folder.problem(FINE + '[build.upload]\nmain = "index.py"\ndir = "src"')

    assert problem == (
        'wrangler.toml:4: `build.upload.main` means "src/index.py", but `main` is "main.py"; '
        "keep the `main` that is right and remove the section `build.upload`"
    )


def test_a_service_worker_cannot_have_object_classes(folder):
    text = '[build.upload]\nformat = "service-worker"\n[[migrations]]\ntag = "v1"\nnew_classes = ["Room"]'

    assert folder.problem(FINE + text) == (
        'wrangler.toml:4: `build.upload.format` is "service-worker", and such a Worker cannot have object classes (Room); '
        "remove the line"
    )


def test_a_service_worker_without_classes_is_taken(folder):
    assert folder.load(FINE + '[build.upload]\nformat = "service-worker"').warnings == ()


def test_an_unknown_format_is_refused(folder):
    assert folder.problem(FINE + '[build.upload]\nformat = "esm"') == (
        'wrangler.toml:4: `build.upload.format` is "esm", but "modules" is what works here; remove the line'
    )


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        ('[build]\ncommand = "make"', "`build.command` is understood but not supported yet"),
        ("[build.upload]\nrules = []", "`build.upload.rules` is understood but not supported yet"),
        (
            '[build.upload]\nmian = "x"',
            "`build.upload.mian` is not a known key, so it has no effect; did you mean `main`?",
        ),
        ("[build]\nuplod = 1", "`build.uplod` is not a known key, so it has no effect; did you mean `upload`?"),
    ],
)
def test_the_rest_of_the_build_section_is_said_to_have_no_effect(folder, text, warning):
    assert folder.warning(FINE + text).startswith(f"wrangler.toml:4: {warning}")


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("build = 1", "build"),
        ("build.upload = 1", "build.upload"),
        ("[build.upload]\nmain = 1", "build.upload.main"),
        ('[build.upload]\nmain = "x.py"\ndir = 1', "build.upload.dir"),
    ],
)
def test_a_build_section_of_another_shape_is_refused(folder, text, key):
    problem = folder.problem(FINE + text)

    assert f"`{key}` is 1, which is a number, but has to be " in problem


def test_a_main_of_another_shape_in_the_old_section_is_one_problem(folder):
    assert folder.problem(NAMED + "[build.upload]\nmain = 1").startswith("wrangler.toml:3: `build.upload.main` is 1, ")


# compatibility


@pytest.mark.parametrize(
    ("value", "what", "better"),
    [
        ("2026-11-24", "is 2026-11-24, but has to be a day in quotes, year first", "2026-11-24"),
        ('"24.11.2026"', 'is "24.11.2026", but has to be a day in quotes, year first', "2026-11-01"),
        ('"2026\u201311\u201324"', 'is "2026\u201311\u201324", with dashes that only look like -', "2026-11-24"),
        ("5", "is 5, but has to be a day in quotes, year first", "2026-11-01"),
    ],
    ids=["a TOML date", "another order", "long dashes", "a number"],
)
def test_a_compatibility_date_of_another_form_is_refused(folder, value, what, better):
    assert folder.problem(FINE + f"compatibility_date = {value}") == (
        f'wrangler.toml:3: `compatibility_date` {what}; write:\n      compatibility_date = "{better}"'
    )


@pytest.mark.parametrize("value", ['"python_workers"', "[1]"])
def test_compatibility_flags_of_another_shape_are_refused(folder, value):
    problem = folder.problem(FINE + f"compatibility_flags = {value}")

    assert problem.startswith(f"wrangler.toml:3: `compatibility_flags` is {value}")
    assert problem.endswith('compatibility_flags = ["python_workers"]')
