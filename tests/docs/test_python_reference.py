"""The page of public names has all of them, says something about each, and is what the code says."""

import perdure
from scripts.python_reference import ABOUT, GROUPS, PAGE, SURFACE, errors, page, undocumented


def test_the_page_is_what_the_code_says():
    written = (SURFACE.parents[1] / PAGE).read_text()

    assert written == page(), "run: .venv/bin/python scripts/python_reference.py"


def test_every_public_name_is_on_the_page_once():
    names = [name for group in GROUPS.values() for name in group] + errors()

    assert sorted(names) == sorted(perdure.__all__)


def test_every_public_name_and_member_says_what_it_is():
    assert undocumented() == []


def test_nothing_is_said_of_names_that_are_not_there():
    gone = [name for name in ABOUT if not hasattr(perdure, name.split(".")[0])]

    assert not gone
