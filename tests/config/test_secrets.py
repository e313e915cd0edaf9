"""Secrets of this machine: which files, which names, and never a value in a message."""

from pathlib import Path

import pytest

from perdure.config import load_project
from perdure.config.dotenv_text import expand, parse_dotenv
from perdure.model.errors import ConfigError
from perdure.model.secret import Secret
from tests.config.conftest import FINE

REQUIRED = FINE + '[secrets]\nrequired = ["API_KEY", "PEPPER"]\n'
VALUE = "hunter2-hunter2"


@pytest.fixture(autouse=True)
def no_settings_of_this_process(monkeypatch):
    for name in (
        "CLOUDFLARE_LOAD_DEV_VARS_FROM_DOT_ENV",
        "CLOUDFLARE_INCLUDE_PROCESS_ENV",
        "API_KEY",
        "PEPPER",
        "A",
        "B",
    ):
        monkeypatch.delenv(name, raising=False)


def loaded(folder, text=FINE, **options):
    folder.write("wrangler.toml", text)
    return load_project(start=folder.path, **options)


# Which files


def test_dev_vars_are_secrets_and_said_without_their_values(folder):
    folder.write(".dev.vars", f'export API_KEY="{VALUE}" # mine\n')

    project = loaded(folder)

    assert project.secrets == {"API_KEY": VALUE}
    assert type(project.secrets["API_KEY"]) is Secret
    assert project.notices == ("Using secrets defined in .dev.vars",)
    assert VALUE not in repr(project)


def test_with_dev_vars_no_env_file_is_read(folder):
    folder.write(".dev.vars", "A=1")
    folder.write(".env", "A=2\nB=2")

    assert loaded(folder).secrets == {"A": "1"}


def test_the_dev_vars_of_an_environment_take_the_place_of_the_others(folder):
    folder.write(".dev.vars", "A=1\nB=1")
    folder.write(".dev.vars.staging", "A=2")

    assert loaded(folder, environment="staging").secrets == {"A": "2"}
    assert loaded(folder, environment="other").secrets == {"A": "1", "B": "1"}


def test_env_files_are_merged_and_later_ones_win(folder):
    folder.write(".env", "A=1\nB=1\nC=1\nD=1")
    folder.write(".env.local", "B=2\nC=2\nD=2")
    folder.write(".env.staging", "C=3\nD=3")
    folder.write(".env.staging.local", "D=4")

    project = loaded(folder, environment="staging")

    assert project.secrets == {"A": "1", "B": "2", "C": "3", "D": "4"}
    assert project.notices == ("Using secrets defined in .env, .env.local, .env.staging, .env.staging.local",)
    assert loaded(folder).secrets == {"A": "1", "B": "2", "C": "2", "D": "2"}


def test_env_files_are_left_alone_where_that_is_asked_for(folder, monkeypatch):
    folder.write(".env", "A=1")
    monkeypatch.setenv("CLOUDFLARE_LOAD_DEV_VARS_FROM_DOT_ENV", "false")

    assert (loaded(folder).secrets, loaded(folder).notices) == ({}, ())


def test_named_files_are_read_and_no_others(folder):
    folder.write(".dev.vars", "A=1\nB=1")
    folder.write("one.env", "A=2\nC=2")
    folder.write("two.env", "C=3")

    project = loaded(folder, env_files=["one.env", "two.env"])

    assert project.secrets == {"A": "2", "C": "3"}
    assert folder.path / "two.env" in project.sources


def test_a_named_file_that_does_not_exist_is_refused(folder):
    with pytest.raises(ConfigError, match=r"the file no\.env does not exist .* correct the path after --env-file"):
        loaded(folder, env_files=["no.env"])


def test_files_are_beside_the_configuration_wherever_one_stands(folder):
    folder.write(".dev.vars", "A=1")
    folder.write("wrangler.toml", FINE)
    below = folder.write("deep/.dev.vars", "A=2").parent

    assert load_project(start=below).secrets == {"A": "1"}


# What stands in them


def test_another_name_is_put_in_where_it_is_asked_for(folder):
    folder.write(".env", "USER_NAME=u\nURL=http://${USER_NAME}:${PASS}@${HOST_NAME:-localhost}/$x\n")
    folder.write(".env.local", "PASS=p")

    assert loaded(folder).secrets["URL"] == "http://u:p@localhost/$x"


def test_dev_vars_are_taken_as_they_are(folder):
    folder.write(".dev.vars", "A=a${B}")

    assert loaded(folder).secrets == {"A": "a${B}"}


def test_a_name_that_nothing_stands_for_is_empty_and_said(folder):
    folder.write(".env", "A=a${NOWHERE}")

    project = loaded(folder)

    assert project.secrets == {"A": "a"}
    assert project.warnings[0].startswith(
        ".env: nothing is called NOWHERE, so ${NOWHERE} is empty; define NOWHERE there"
    )


def test_names_that_stand_for_each_other_end():
    assert expand({"A": "a${B}", "B": "b${A}"}, {}) == ({"A": "ab", "B": "ba"}, ["A", "B"])
    chain = {f"N{each}": f"${{N{each + 1}}}" * 2 for each in range(100)}
    assert expand(chain, {})[0]["N0"] == ""
    assert expand({"PATH": "/mine:${PATH}"}, {"PATH": "/bin"}) == ({"PATH": "/mine:/bin"}, [])


def test_a_line_that_is_no_secret_is_said_by_its_number_and_not_shown(folder):
    folder.write(".dev.vars", f'A=1\n\n# fine\n{VALUE}\nB="{VALUE}\n')

    project = loaded(folder)

    assert project.secrets == {"A": "1"}
    assert [each.split(" ")[0] for each in project.warnings] == [".dev.vars:4:", ".dev.vars:5:"]
    assert VALUE not in str(project.warnings)


def test_each_name_has_its_line():
    assert parse_dotenv('A=1\n\nB="x\ny"\n\n\nC=3').lines == {"A": 1, "B": 3, "C": 7}


@pytest.mark.parametrize("text", ["A=1".encode("utf-16"), b"A=\xff"])
def test_a_file_that_is_no_text_is_refused(folder, text):
    folder.write(".dev.vars", text)

    with pytest.raises(ConfigError, match=r"save it as UTF-8"):
        loaded(folder)


# Which names


def test_secrets_go_over_variables_and_what_is_given_over_both(folder):
    folder.write(".dev.vars", "B=secret\nC=secret")

    project = loaded(folder, FINE + '[vars]\nA = 1\nB = "var"\nC = "var"', variables={"C": "given", "D": "given"})

    assert project.env_values == {"A": 1, "B": "secret", "C": "given", "D": "given"}
    assert project.vars == {"A": 1, "B": "var", "C": "var"}


def test_where_secrets_are_declared_no_other_name_is_taken(folder):
    folder.write(".dev.vars", "API_KEY=1\nPEPPER=2\nOTHER=3\nGREETING=4")

    project = loaded(folder, REQUIRED + '[vars]\nGREETING = "hello"')

    assert project.secrets == {"API_KEY": "1", "PEPPER": "2", "GREETING": "4"}
    assert (project.required_secrets, project.warnings) == (("API_KEY", "PEPPER"), ())


def test_a_declared_secret_that_is_missing_is_a_warning_with_the_line_to_add(folder):
    folder.write(".dev.vars", "API_KEY=1")

    assert loaded(folder, REQUIRED).warnings == (
        "wrangler.toml:4: `secrets.required[1]` needs PEPPER, which is nowhere, so env.PEPPER is not bound; "
        "add to .dev.vars the line PEPPER=...",
    )


def test_a_declared_secret_may_come_from_the_process_and_no_other_name_does(folder, monkeypatch):
    monkeypatch.setenv("API_KEY", VALUE)
    monkeypatch.setenv("GREETING", "of the shell")

    project = loaded(folder, REQUIRED + '[vars]\nGREETING = "hello"')

    assert project.secrets == {"API_KEY": VALUE}
    assert project.notices == ("Using secrets defined in the environment of this process",)


def test_all_of_the_process_joins_where_that_is_asked_for(folder, monkeypatch):
    monkeypatch.setenv("CLOUDFLARE_INCLUDE_PROCESS_ENV", "true")
    monkeypatch.setenv("A", "1")

    assert loaded(folder).secrets["A"] == "1"


def test_a_secret_may_not_be_called_as_a_binding_is(folder):
    folder.write(".dev.vars", f"\nROOM={VALUE}")

    with pytest.raises(ConfigError) as caught:
        loaded(folder, FINE + 'durable_objects.bindings = [{ name = "ROOM", class_name = "Room" }]')

    (problem,) = [each for each in caught.value.problems if "warning" not in each]
    assert problem == (
        '.dev.vars:2: `ROOM` is a secret called "ROOM", and so is an object binding of the configuration; '
        "give one of them another name: each is one attribute of env"
    )


def test_a_given_variable_may_not_be_called_as_a_binding_is(folder):
    with pytest.raises(ConfigError, match=r"--var: gives ROOM a value, which is an object binding"):
        loaded(
            folder,
            FINE + 'durable_objects.bindings = [{ name = "ROOM", class_name = "Room" }]',
            variables={"ROOM": "x"},
        )


def test_a_declared_secret_takes_its_name(folder):
    problem = folder.problem(FINE + '[secrets]\nrequired = ["A"]\n[vars]\nA = "1"')

    assert problem == (
        'wrangler.toml:4: `secrets.required[0]` is a secret called "A", and so is a variable of line 6; '
        "give one of them another name: each is one attribute of env"
    )


def test_anything_else_in_the_section_is_unknown(folder):
    assert "`secrets.values` is not a known key" in folder.warning(FINE + "[secrets]\nvalues = 1")


@pytest.mark.parametrize(
    ("lines", "wrong"),
    [
        ('secrets = "A"', '`secrets` is "A", which is text, but has to be a table'),
        ('secrets.required = "A"', 'which is text, but has to be a list of names; write:\n      required = ["A"]'),
        ("secrets.required = [1]", "`secrets.required[0]` is 1, which is a number, but has to be a name"),
    ],
)
def test_another_shape_is_refused(folder, lines, wrong):
    assert wrong in folder.problem(FINE + lines)


# Git


@pytest.mark.parametrize(("ignored", "count"), [("", 1), (".dev.vars*\n", 0), ("*.toml\n!.dev.vars\n", 1)])
def test_a_file_that_git_would_take_is_a_warning(folder, ignored, count):
    folder.write(".git/HEAD", "")
    folder.write(".gitignore", ignored)
    folder.write(".dev.vars", "A=1")

    warnings = loaded(folder).warnings

    said = ".dev.vars: git does not ignore it, so its secrets can get into the repository; add to .gitignore:\n      .dev.vars"
    assert list(warnings) == [said] * count


def test_outside_a_repository_there_is_no_such_warning(folder):
    folder.write(".dev.vars", "A=1")
    if any((above / ".git").exists() for above in folder.path.parents):
        pytest.skip("temporary files are in a repository here")

    assert loaded(folder).warnings == ()


def test_a_folder_or_a_link_to_nothing_in_the_place_of_secrets_is_said(folder):
    (folder.path / ".dev.vars").mkdir()
    (folder.path / ".env").symlink_to("gone")

    project = loaded(folder)

    assert project.warnings == (
        ".dev.vars: this is a folder, so no secrets are read from it; write a file of NAME=value lines",
        ".env: this is a link to gone, which does not exist, so no secrets are read from it; "
        "write a file of NAME=value lines",
    )


def test_a_virtual_environment_called_env_is_none_of_its_business(folder):
    (folder.path / ".env").mkdir()

    assert loaded(folder).warnings == ()


def test_a_named_folder_is_no_file_of_secrets(folder):
    (folder.path / "mine").mkdir()

    with pytest.raises(ConfigError, match="--env-file mine: this is a folder"):
        loaded(folder, env_files=[Path("mine")])
