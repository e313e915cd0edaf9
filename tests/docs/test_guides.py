"""The Python of the guides is run: each page is one module; its classes show what the page says, its tests pass."""

import asyncio
import re
import subprocess
import sys

import pytest

import perdure
from perdure import stub_of
from tests.docs.page import DOCS, blocks, module_of

SHOWING = {"alarms": 2, "gates": 5, "objects": 4, "sql": 6, "storage": 6}


@pytest.mark.parametrize("guide", SHOWING)
def test_each_example_of_a_guide_holds(guide, tmp_path):
    text = module_of(DOCS / "guides" / f"{guide}.md")
    main = tmp_path / f"guide_{guide}.py"
    main.write_text(f"{text}\n\nasync def fetch():\n    return {{}}\n")
    classes = re.split(r"^class ", text, flags=re.MULTILINE)[1:]
    shown = [re.split(r"\W", each, maxsplit=1)[0] for each in classes if "    async def show(" in each]

    async def read() -> None:
        async with perdure.open(tmp_path / "data", worker=main) as rt:
            for name in shown:
                await stub_of(rt.env[name]["reader"]).show()

    asyncio.run(read())

    assert len(shown) == SHOWING[guide]


def test_the_tests_of_the_guide_to_testing_pass(tmp_path):
    (tmp_path / "test_guide.py").write_text(module_of(DOCS / "guides" / "testing.md"))

    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", "test_guide.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)

    assert done.returncode == 0, done.stdout
    assert "5 passed" in done.stdout


def test_the_script_of_the_guide_to_embedding_counts_from_run_to_run(tmp_path):
    script = next(block.text for block in blocks(DOCS / "guides" / "embedding.md") if block.language == "python")
    (tmp_path / "script.py").write_text(script)

    said = [
        subprocess.run([sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    ]

    assert said == ["1\n", "2\n"]


def test_the_copy_of_the_guide_to_embedding_is_tried_on(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    python = [block.text for block in blocks(DOCS / "guides" / "embedding.md") if block.language == "python"]
    program, tried = python[0], next(text for text in python if "rt.fork" in text)
    (tmp_path / "tried.py").write_text(
        f"{program.replace('asyncio.run(main())', '')}\n{tried}\n"
        "async def both():\n    async with perdure.open('data/', objects=[Counter]) as rt:\n"
        "        await rt[Counter]['ann'].add()\n        await try_it_on_a_copy(rt)\n\nasyncio.run(both())\n"
    )

    subprocess.run([sys.executable, "tried.py"], cwd=tmp_path, check=True, timeout=60)

    assert {path.name for path in tmp_path.iterdir()} == {"tried.py", "data", "ann.db", "monday.perdure"}


def test_the_program_for_those_who_come_from_cloudflare_counts(tmp_path):
    main = tmp_path / "from_cloudflare.py"
    main.write_text(module_of(DOCS / "coming-from-cloudflare.md"))

    async def ask() -> list[str]:
        async with perdure.open(tmp_path / "data", worker=main, objects=()) as rt:
            return [await (await rt.fetch("/a")).text() for _ in range(2)]

    assert asyncio.run(ask()) == ["1", "2"]


def test_each_alias_is_told_to_those_who_come_from_cloudflare():
    page = (DOCS / "coming-from-cloudflare.md").read_text()
    aliases = (DOCS.parent / "tests" / "surface" / "aliases.txt").read_text().splitlines()

    told = set(re.findall(r"\w+", page))

    assert not {line.split(".")[1] for line in aliases if line and line[0] != "#"} - told


def test_the_names_that_are_told_to_those_who_come_from_cloudflare_are_there():
    rows = [line for line in (DOCS / "coming-from-cloudflare.md").read_text().splitlines() if line.startswith("| ")]
    there = set(re.findall(r"\w+", (DOCS / "reference" / "python.md").read_text()))

    told = {name for row in rows for name in re.findall(r"\b[a-z]+(?:_[a-z]+)+\b", row.split(" | ", 2)[-1])}

    assert len(told) > 20
    assert not told - there - {"on_fetch"}
