"""The README shows the program that is shipped and the commands that exist. Its curl lines run in test_demo.py."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def test_the_program_of_the_readme_is_the_example() -> None:
    assert blocks("python") == [(ROOT / "examples/get-started/get_started.py").read_text()]
    assert blocks("toml") == [(ROOT / "examples/get-started/wrangler.toml").read_text()]


def test_the_two_commands_of_the_readme_exist() -> None:
    commands = [block.split() for block in blocks("sh")]

    assert commands == [["make", "demo"], ["make", "test"]]
    assert {target for _, target in commands} <= make_targets()


def test_the_commands_of_the_contributors_page_exist() -> None:
    named = set(re.findall(r"`make ([a-z]+)", (ROOT / "CONTRIBUTING.md").read_text()))

    assert named <= make_targets()


def test_every_target_first_sets_up() -> None:
    rules = re.findall(r"^([a-z]+):(.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)

    assert not [target for target, needs in rules if target != "setup" and "setup" not in needs.split()]
