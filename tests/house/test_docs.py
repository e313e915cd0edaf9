"""What users and engineers are told is complete and leads somewhere."""

import re
from pathlib import Path

import pytest
import typer

from perdure.cli.app import app

ROOT = Path(__file__).parents[2]
# The words that the design fixes; each has one meaning in code, documents and messages.
# fmt: off
WORDS = [
    "Worker", "class", "namespace", "object", "instance", "stub", "binding", "env", "state", "storage", "alarm",
    "input gate", "output gate", "step", "unit", "entry", "group", "layer", "apply", "fence", "generation", "pin",
    "bookmark", "migration", "tag", "schema step", "version", "deployment", "slot", "share", "lease", "epoch",
]
# fmt: on
PARTS = ("Context", "Decision", "Instead of", "Costs")
KIND = re.compile(r"[a-z0-9-]+\.(added|changed|fixed|removed)\.md")
WRITTEN = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "changes").glob("*.md")),
]


@pytest.mark.parametrize("word", WORDS)
def test_the_glossary_says_what_the_word_means_and_says_it_once(word: str) -> None:
    entries = re.findall(r"^- \*\*(.+?)\*\*: ", (ROOT / "docs" / "glossary.md").read_text(), re.MULTILINE)

    assert entries.count(word) == 1


@pytest.mark.parametrize("page", WRITTEN, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_to_a_file(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text())

    assert not [link for link in links if "://" not in link and not (page.parent / link).exists()]


def test_every_flag_of_every_command_is_documented_and_no_other() -> None:
    documented = set(re.findall(r"`(--?[a-z][a-z-]*)", (ROOT / "docs" / "command-line.md").read_text()))

    def with_inner(command: object) -> list[object]:
        return [command, *(each for inner in getattr(command, "commands", {}).values() for each in with_inner(inner))]

    flags = {
        flag
        for command in with_inner(typer.main.get_command(app))
        for parameter in getattr(command, "params", ())
        for flag in (*parameter.opts, *parameter.secondary_opts)
        if flag.startswith("-")
    }

    assert documented == flags | {"-h", "--help"}


def test_every_flag_and_argument_says_what_it_is_for() -> None:
    commands = typer.main.get_command(app)

    silent = [
        f"{command.name} {parameter.name}"
        for command in (commands, *getattr(commands, "commands", {}).values())
        for parameter in command.params
        if not getattr(parameter, "help", None)
    ]

    assert silent == []


def test_decision_records_have_a_number_of_their_own_and_keep_the_templates_shape() -> None:
    records = sorted((ROOT / "docs" / "decisions").glob("*.md"))

    numbers = [path.name.split("-")[0] for path in records]
    assert len(numbers) == len(set(numbers))
    for path in records:
        text = path.read_text()
        assert re.match(rf"# 0*{int(path.name[:4])}\.? ", text), path.name
        assert not [part for part in PARTS if f"**{part}" not in text], path.name


def test_change_fragments_are_named_by_kind_and_say_something() -> None:
    fragments = [path for path in (ROOT / "changes").iterdir() if path.name != "README.md"]

    assert not [path.name for path in fragments if not KIND.fullmatch(path.name)]
    assert not [path.name for path in fragments if not path.read_text().strip()]


def test_the_licence_is_apache_2() -> None:
    assert "Apache License" in (ROOT / "LICENSE").read_text()[:200]
