"""The examples of docs/values.md do what the page says: all of them are one module, and each class is called."""

import re
from pathlib import Path

import pytest

from perdure.model.limits import KEY_VALUE_BYTES_MAX, RPC_BYTES_MAX, UNIT_BYTES_MAX, VALUE_DEPTH_MAX
from perdure.workers.stub import stub_of

PAGE = Path(__file__).parents[2] / "docs" / "values.md"
TEXT = PAGE.read_text()
MODULE = "\n\n".join(re.findall(r"^```python\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL))
SHOWN = re.findall(r"^class (\w+)\(DurableObject[^\n]*\n    async def show", MODULE, re.MULTILINE)


@pytest.mark.parametrize("name", SHOWN)
def test_each_example_of_the_page_holds(world, name):
    async def main():
        bindings = {"SHOPS": "Shop", **{shown.upper(): shown for shown in SHOWN}}
        worker = await world.worker(MODULE, bindings=bindings)
        await stub_of(worker.env[name.upper()]["a"]).show()

    world.run(main)


def test_every_row_of_the_table_leads_to_an_example():
    sections = dict(re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL))
    anchors = {title.lower().replace(" ", "-"): text for title, text in sections.items()}
    rows = re.findall(r"^\| .*?\[.*?\]\(#([\w-]+)\)", TEXT, re.MULTILINE)

    assert len(rows) == 7
    assert all("```python" in anchors[row] for row in rows)
    assert len(SHOWN) == 8


def test_the_limits_on_the_page_are_those_of_the_code():
    mebibytes = [limit // 2**20 for limit in (KEY_VALUE_BYTES_MAX, RPC_BYTES_MAX, UNIT_BYTES_MAX)]

    assert [f"{number} MiB" in TEXT for number in mebibytes] == [True] * 3
    assert f"more than {VALUE_DEPTH_MAX} levels" in TEXT
