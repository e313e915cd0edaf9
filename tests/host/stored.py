"""Data folders with something in them, and what is stored of an object, for tests of commands on folders."""

import asyncio
import random
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import perdure
from perdure.host.control_client import FolderAccess
from perdure.host.export import export_object
from perdure.host.inspection_request import ImportFile, Request
from perdure.host.stored_object import stored_class

Scenario = Callable[[Any], Awaitable[Any]]


class Box(perdure.DurableObject):
    """Does to its storage what a test says."""

    async def run(self, what: str) -> Any:
        scope = {"storage": self.ctx.storage, "kv": self.ctx.storage.kv, "sql": self.ctx.storage.sql}
        exec(what, scope)
        result = scope.get("result")
        return await result if isinstance(result, Awaitable) else result


class Other(Box):
    pass


def work(folder: Path, *steps: tuple[str, str]) -> list[Any]:
    """Each step is the name of a `Box` and what it does."""

    async def run() -> list[Any]:
        async with perdure.open(folder, objects=[Box, Other]) as runtime:
            return [await runtime.env.Box.get_by_name(name).run(what) for name, what in steps]

    return asyncio.run(run())


def exported(folder: Path, name: str, file: Path, *, force: bool = True) -> Path:
    of = stored_class(folder, "Box")
    export_object(of, of.id_of(name), file, force=force)
    return file


async def asked(folder: Path, request: Request) -> dict[str, Any]:
    """What whoever has the folder answers, or, if nobody has, what is found in it."""
    access = await FolderAccess.open(folder)
    try:
        return await access.ask(request)
    finally:
        await access.close()


def imported(folder: Path, name: str, file: Path, *, replace: bool = False) -> dict[str, Any]:
    return asyncio.run(asked(folder, ImportFile("Box", name, str(file), replace)))


def dump(file: Path) -> list[str]:
    connection = sqlite3.connect(file)
    try:
        return list(connection.iterdump())
    finally:
        connection.close()


def keys_of(file: Path) -> list[tuple[str, bytes]]:
    connection = sqlite3.connect(file)
    try:
        return connection.execute("SELECT key, value FROM _perdure_kv ORDER BY key").fetchall()
    finally:
        connection.close()


def random_steps(seed: int) -> str:
    """Keys, and tables of several kinds with rows of several types."""
    rng = random.Random(seed)
    lines = []
    for n in range(rng.randrange(60)):
        value = rng.choice(
            ["1", "'é\\n'", "{'a': [1, None]}", "(1, 2)", "b'\\0\\xff'", f"'x' * {rng.randrange(40_000)}", "{1, 2}"]
        )
        lines.append(f"kv.put({rng.choice(['k', 'é', '', chr(0x10FFFF)])!r} + '{n}', {value})")
    tables: list[tuple[str, Callable[[], str]]] = [
        ("CREATE TABLE plain(a, b REAL, c TEXT DEFAULT 'x''y')", lambda: "INSERT INTO plain(a, b) VALUES(?, ?)"),
        (
            "CREATE TABLE keyed(a TEXT, b, PRIMARY KEY(a, b)) WITHOUT ROWID",
            lambda: "INSERT OR IGNORE INTO keyed VALUES(?, ?)",
        ),
        ("CREATE VIRTUAL TABLE words USING fts5(a, b)", lambda: "INSERT INTO words VALUES(?, ?)"),
        (
            "CREATE TABLE strict_one(id INTEGER PRIMARY KEY, a ANY, b BLOB) STRICT",
            lambda: "INSERT INTO strict_one(a, b) VALUES(?, zeroblob(?))",
        ),
    ]
    for create, insert in rng.sample(tables, rng.randrange(len(tables) + 1)):
        lines.append(f"sql.exec({create!r})")
        for _ in range(rng.randrange(80)):
            first = rng.choice(["'text é'", "b'\\0' * 5000", "1.5", "'y' * 9000", str(rng.randrange(10**9))])
            lines.append(f"sql.exec({insert()!r}, {first}, {rng.randrange(20_000)})")
    if any("plain(" in line for line in lines):
        lines += ["sql.exec('CREATE INDEX by_b ON plain(b)')", "sql.exec('CREATE VIEW v AS SELECT a FROM plain')"]
        lines += ["sql.exec('DELETE FROM plain WHERE rowid % 3 = 0')"]
    return "\n".join([*lines, "kv.put('last', 1)"])


def box(runtime: Any, name: str = "one") -> Any:
    return runtime.env.Box.get_by_name(name)


def with_folder(who: str, folder: Path, prepare: Scenario, then: Callable[[Any], Awaitable[None]]) -> None:
    """Runs `prepare` with a runtime, then `then`: with it while it serves, or with None once nobody has the folder."""

    async def run() -> None:
        async with perdure.open(folder, objects=[Box, Other]) as runtime:
            await prepare(runtime)
            if who == "served":
                await then(runtime)
        if who == "alone":
            await then(None)

    asyncio.run(run())


async def run_in(folder: Path, runtime: Any, name: str, what: str) -> Any:
    """The same, of an object of a folder that is served by this runtime, or, if it is None, by nobody."""
    if runtime is not None:
        return await box(runtime, name).run(what)
    async with perdure.open(folder, objects=[Box, Other]) as opened:
        return await box(opened, name).run(what)
