"""Data folders with something in them, and what is stored of an object, for tests of commands on folders."""

import asyncio
import random
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import perdure
from perdure.host.export import export_object
from perdure.host.import_object import import_into
from perdure.host.stored_object import stored_class


class Box(perdure.DurableObject):
    """Does to its storage what a test says."""

    async def run(self, what: str) -> Any:
        scope = {"storage": self.ctx.storage, "kv": self.ctx.storage.kv, "sql": self.ctx.storage.sql}
        exec(what, scope)
        return scope.get("result")


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


def imported(folder: Path, name: str, file: Path, *, replace: bool = False) -> None:
    asyncio.run(import_into(folder, "Box", name, file, replace=replace))


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
