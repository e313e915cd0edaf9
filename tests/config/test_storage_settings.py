"""How long the past is kept, and how much of it."""

import pytest

from perdure.core.retention import DAY_MS, Retention
from tests.config.conftest import FINE


@pytest.mark.parametrize(
    ("lines", "retention"),
    [
        ("", Retention(30 * DAY_MS, None)),
        ("[storage]", Retention(30 * DAY_MS, None)),
        ("[storage]\npast_days = 1", Retention(DAY_MS, None)),
        ("[storage]\npast_days = 365\npast_bytes = 0", Retention(365 * DAY_MS, 0)),
        ("[storage]\npast_bytes = 5_000_000_000", Retention(30 * DAY_MS, 5_000_000_000)),
    ],
)
def test_days_and_bytes_are_read(folder, lines, retention):
    project = folder.load(FINE + lines)

    assert (project.retention, project.warnings) == (retention, ())


@pytest.mark.parametrize(
    ("value", "kind"), [("0", "a number"), ("3651", "a number"), ("1.5", "a number"), ("true", "true or false")]
)
def test_days_that_cannot_be_are_refused(folder, value, kind):
    assert folder.problem(FINE + f"[storage]\npast_days = {value}") == (
        f"wrangler.toml:4: `storage.past_days` is {value}, which is {kind}, but has to be a number from 1 to 3650; "
        "write:\n      past_days = 30"
    )


def test_bytes_below_none_are_refused(folder):
    assert "has to be a number from 0 to" in folder.problem(FINE + "[storage]\npast_bytes = -1")


def test_a_section_that_is_no_table_is_refused(folder):
    assert folder.problem(FINE + "storage = 30") == (
        "wrangler.toml:3: `storage` is 30, which is a number, but has to be a table; write:\n"
        "      [storage]\n      past_days = 30"
    )
