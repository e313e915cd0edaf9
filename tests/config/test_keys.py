"""Keys that have no effect are said, and never stop anyone."""

import pytest

from perdure.config.key import Status
from perdure.config.known_keys import KEYS
from tests.config.conftest import FINE


def with_status(status):
    return [name for name, key in KEYS.items() if key.status is status]


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("durable_object = 1", "durable_objects"),
        ("compatability_date = 1", "compatibility_date"),
        ("migration = 1", "migrations"),
        ("Vars = 1", "vars"),
        ('className = "x"', None),
    ],
)
def test_an_unknown_key_is_a_warning_with_the_one_that_may_be_meant(folder, line, meant):
    fix = f"did you mean `{meant}`?" if meant else "remove it, or correct its spelling"

    warning = folder.warning(FINE + line)

    key = line.split(" ")[0]
    assert warning == f"wrangler.toml:3: `{key}` is not a known key, so it has no effect; {fix}"


@pytest.mark.parametrize("key", sorted(with_status(Status.NOT_YET)))
def test_a_key_of_later_is_understood_and_said_to_have_no_effect(folder, key):
    assert folder.warning(FINE + f"{key} = 1") == (
        f"wrangler.toml:3: `{key}` is understood but not supported yet, so it has no effect"
    )


@pytest.mark.parametrize("key", sorted(with_status(Status.WITHOUT_MEANING)))
def test_a_key_without_meaning_here_gets_one_warning(folder, key):
    assert folder.warning(FINE + f"{key} = 1") == (
        f"wrangler.toml:3: `{key}` has no meaning here, so it has no effect; the line can be removed"
    )


@pytest.mark.parametrize(
    "line",
    [
        '"$schema" = "x"',
        "send_metrics = false",
        'compatibility_date = "2026-11-24"',
        'compatibility_flags = ["python_workers"]',
    ],
)
def test_what_does_no_harm_is_passed_over_in_silence(folder, line):
    assert folder.load(FINE + line).warnings == ()


def test_an_environment_without_a_worker_of_its_own_does_not_exist_any_more(folder):
    problem = folder.problem(FINE + "legacy_env = false")

    assert problem.startswith(
        "wrangler.toml:3: `legacy_env` is false, and what that meant does not exist any more; remove the line"
    )
    assert "<name>-<environment>" in problem


def test_an_unknown_key_in_a_section_lists_the_known_ones(folder):
    warning = folder.warning(FINE + "[dev]\nxyz = 1")

    assert warning.startswith("wrangler.toml:4: `dev.xyz` is not a known key, so it has no effect; known here: ")
    assert "ip" in warning and "port" in warning


def test_a_key_of_the_whole_file_below_a_table_is_told_where_to_go(folder):
    assert folder.warning(FINE + '[dev]\ncompatibility_date = "2026-11-24"') == (
        "wrangler.toml:4: `dev.compatibility_date` is not a known key, so it has no effect; "
        "it belongs to the whole file: move it to there, above the first [table] of the file"
    )
