"""docs/reference/store-format.md says what a store that was just made is."""

import asyncio
import re
from datetime import timedelta
from pathlib import Path

import apsw
import msgspec
import pytest

import perdure
from perdure.core.entry import Entry
from perdure.store.file_system import checksummed_file_system
from perdure.store.schema import FORMAT

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "store-format.md").read_text()


class Kept(perdure.DurableObject):
    async def write(self, n: int) -> None:
        self.ctx.storage.kv.put("n", n)
        self.ctx.storage.sql.exec("CREATE TABLE IF NOT EXISTS t(a); INSERT INTO t VALUES(?)", n)
        await self.ctx.storage.set_alarm(timedelta(days=1))

    async def alarm(self, info: object) -> None: ...


@pytest.fixture(scope="module")
def databases(tmp_path_factory):
    """Those of a folder in which an object has written, changed and been closed twice."""
    folder = tmp_path_factory.mktemp("folder") / "data"

    async def write() -> None:
        async with perdure.open(folder, objects=[Kept]) as runtime:
            for n in range(2):
                await runtime.env.Kept.get_by_name("a").write(n)

    asyncio.run(write())
    asyncio.run(write())
    opened = {
        name: apsw.Connection(str(path), vfs=checksummed_file_system())
        for name, path in (("", next(folder.glob("namespaces/*/0/store.db"))), ("catalog: ", folder / "catalog.db"))
    }
    yield opened
    for connection in opened.values():
        connection.close()


def sections() -> dict[str, str]:
    return dict(re.findall(r"^### (.+)\n((?:(?!^#).*\n)*)", PAGE, re.MULTILINE))


def code_of(text: str) -> list[str]:
    return re.findall(r"`(\w+)`", text)


def test_every_table_with_its_columns_is_on_the_page_and_no_other(databases):
    there = {
        f"{prefix}{table}": [
            column for (column,) in connection.execute(f"SELECT name FROM pragma_table_info('{table}')")
        ]
        for prefix, connection in databases.items()
        for (table,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
    }

    written = {name: code_of(text.partition("Columns:")[2].partition(".")[0]) for name, text in sections().items()}

    assert written == there


def test_every_index_is_on_the_page_with_its_columns(databases):
    there = {
        index: [column for (column,) in databases[""].execute(f"SELECT name FROM pragma_index_info('{index}')")]
        for (index,) in databases[""]
        .execute("SELECT name FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL")
        .fetchall()
    }

    written = {name: code_of(columns) for name, columns in re.findall(r"Index `(\w+)` on ((?:`\w+`,?\s*)+)\.", PAGE)}

    assert written == there


def test_every_key_of_meta_is_on_the_page(databases):
    keys = {key for (key,) in databases[""].execute("SELECT key FROM meta")}

    assert keys <= set(code_of(sections()["meta"]))
    assert len(keys) > 3


def test_format_page_size_and_entry_are_as_the_page_says(databases):
    for connection in databases.values():
        assert connection.pragma("user_version") == FORMAT
        assert connection.pragma("page_size") == 4_096
        assert connection.reserve_bytes() == 8
    assert f"The format is number {FORMAT}:" in PAGE
    entry = sections()["log"].partition("An entry is an array of")[2].partition(".")[0]
    assert code_of(entry) == [field.name for field in msgspec.structs.fields(Entry)]
