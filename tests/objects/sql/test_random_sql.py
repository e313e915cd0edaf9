"""Random SQL of several objects, through the store, equals plain SQLite: whatever is applied, closed, refused or crashed amid it.

Each object has a model beside it, an SQLite in memory that gets the same statements. The model forgets what the object
must forget: a reset or a failed group takes it back to what was durable or sealed. A seed replays exactly.
"""

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest

from perdure.model.errors import PerdureError
from perdure.model.object_id import IdKey
from perdure.objects.rows import Rows
from perdure.objects.sql.database import Database
from perdure.objects.sql.pool import SqlPool
from tests.store.world import World

OBJECTS = 3
TURNS = 500
TABLES = ("plain", "keyed", "notes", "made")
NEVER = float("inf")
IDS = IdKey("Random")

MAKING = {
    "plain": "CREATE TABLE plain (id INTEGER PRIMARY KEY AUTOINCREMENT, u UNIQUE, body)",
    "keyed": "CREATE TABLE keyed (k TEXT, n INTEGER NOT NULL CHECK (n >= 0), v, PRIMARY KEY (k, n)) WITHOUT ROWID",
    "notes": "CREATE VIRTUAL TABLE notes USING fts5(title, body)",
    "made": "CREATE TABLE made (id INTEGER PRIMARY KEY, a REFERENCES plain (id) ON DELETE SET NULL, b AS (a * 2) STORED)",
}

Statement = tuple[str, tuple[Any, ...]]


class Statements:
    """Statements by chance; some fail."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance

    def __call__(self) -> Statement:
        kinds: list[tuple[Callable[[], Statement], int]] = [
            (self.schema, 5),
            (self.insert, 12),
            (self.update, 6),
            (self.delete, 3),
            (self.many, 2),
            (self.large, 1),
            (self.failing, 3),
        ]
        return self.chance.choices([kind for kind, _ in kinds], [weight for _, weight in kinds])[0]()

    def number(self) -> int:
        return self.chance.randrange(60)

    def words(self) -> str:
        return " ".join(
            self.chance.choices(["gate", "stub", "lease", "fence", "page", "é😀"], k=self.chance.randrange(1, 40))
        )

    def schema(self) -> Statement:
        table = self.chance.choice(TABLES)
        n = self.chance.randrange(3)
        return self.chance.choice([
            MAKING[table],
            MAKING[table],
            f"DROP TABLE IF EXISTS {table}",
            f"CREATE INDEX plain_{n} ON plain (body, u)",
            f"DROP INDEX IF EXISTS plain_{n}",
            f"ALTER TABLE keyed ADD COLUMN c{n} DEFAULT 'as of {n}'",
            f"ALTER TABLE keyed DROP COLUMN c{n}",
            f"CREATE VIEW seen_{n} AS SELECT k, v FROM keyed",
            f"DROP VIEW IF EXISTS seen_{n}",
            "CREATE TRIGGER told AFTER INSERT ON plain BEGIN INSERT OR REPLACE INTO keyed (k, n) VALUES (new.u, 1); END",
            "DROP TRIGGER IF EXISTS told",
            "INSERT INTO notes (notes) VALUES ('optimize')",
            "ANALYZE",
            "REINDEX",
        ]), ()  # fmt: skip

    def insert(self) -> Statement:
        return self.chance.choice([
            ("INSERT INTO plain (u, body) VALUES (?, ?) RETURNING id", (self.number(), self.words())),
            ("REPLACE INTO plain (id, u, body) VALUES (?, ?, ?)", (self.number(), self.number(), self.words())),
            ("INSERT INTO keyed (k, n, v) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET v = excluded.v",
             (self.words()[:20], self.number(), self.words())),
            ("INSERT INTO notes (title, body) VALUES (?, ?)", (self.words()[:10], self.words())),
            ("INSERT OR IGNORE INTO made (id, a) VALUES (?, ?)", (self.number(), self.number())),
        ])  # fmt: skip

    def update(self) -> Statement:
        return self.chance.choice([
            ("UPDATE plain SET body = ? WHERE id % 7 = ?", (self.words(), self.number() % 7)),
            ("UPDATE keyed SET n = n + 1 WHERE k > ?", (self.words(),)),
            ("UPDATE notes SET body = ? WHERE notes MATCH ?", (self.words(), self.chance.choice(["gate", "stub"]))),
            ("UPDATE made SET a = NULL WHERE id < ? RETURNING b", (self.number(),)),
        ])  # fmt: skip

    def delete(self) -> Statement:
        table = self.chance.choice(TABLES)
        return (
            f"DELETE FROM {table} WHERE rowid % 5 = ?" if table != "keyed" else "DELETE FROM keyed WHERE n % 5 = ?",
            (self.number() % 5,),
        )

    def many(self) -> Statement:
        return (
            "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < ?)"
            " INSERT OR REPLACE INTO keyed (k, n, v) SELECT 'row' || i, i, zeroblob(i * 7) FROM c",
            (self.chance.randrange(200),),
        )

    def large(self) -> Statement:
        size = self.chance.choice([5_000, 20_000, 200_000])
        return "INSERT INTO plain (u, body) VALUES (?, ?)", (self.number() + 1_000, self.chance.randbytes(size))

    def failing(self) -> Statement:
        return self.chance.choice([
            ("INSERT INTO keyed (k, n) VALUES ('bad', -1)", ()),
            ("INSERT INTO keyed (k, n) VALUES ('bad', NULL)", ()),
            ("INSERT INTO plain (u) SELECT 5 FROM (SELECT 1 UNION ALL SELECT 2)", ()),
            ("SELEC 1", ()),
            ("SELECT * FROM missing", ()),
            ("UPDATE plain SET u = 1", ()),
        ])  # fmt: skip


class Model:
    """Plain SQLite, and the states to which it may have to go back."""

    def __init__(self) -> None:
        self.db = apsw.Connection(":memory:")
        self.sealed: list[tuple[int, bytes]] = []
        """Positions of units that are not durable yet, and what the database was after each."""
        self.durable = self._begin()

    def _begin(self) -> bytes:
        self.db.execute("PRAGMA foreign_keys = on; BEGIN")
        return self.db.serialize("main") if self.db.execute("SELECT 1 FROM sqlite_schema").fetchall() else b""

    def seal(self, position: int) -> None:
        self.db.execute("COMMIT")
        self.sealed.append((position, self.db.serialize("main")))
        self.db.execute("BEGIN")

    def note_durable(self, position: int) -> None:
        while self.sealed and self.sealed[0][0] <= position:
            self.durable = self.sealed.pop(0)[1]

    def forget_unit(self) -> None:
        self._become(self.sealed[-1][1] if self.sealed else self.durable)

    def forget_what_is_not_durable(self) -> None:
        self.sealed.clear()
        self._become(self.durable)

    def _become(self, state: bytes) -> None:
        self.db.close(True)
        self.db = apsw.Connection(":memory:")
        if state:
            self.db.deserialize("main", state)
        self._begin()


class Object:
    """One object: its data in the store, and its model."""

    def __init__(self, name: str) -> None:
        self.id = IDS.from_name(name)
        self.model = Model()
        self.rows: Rows
        self.depth = 0


class Ticks:
    """Real time for the pool: passes with every look."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1
        return self.now


class Run:
    """One seed."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        self.turns = 0
        self.chance = random.Random(seed)
        self.statement = Statements(self.chance)
        self.world = World(folder)
        self.pool = self._pool()
        self.objects = [Object(f"{n}") for n in range(OBJECTS)]
        for object in self.objects:
            self.awake(object)

    def _pool(self) -> SqlPool:
        return SqlPool(now_ms=lambda: 0, monotonic=Ticks(), open_max=self.chance.choice([1, 2, 5]))

    def awake(self, object: Object) -> None:
        """A new instance."""
        object.rows, object.depth = Rows(object.id, self.world.store, self.world.clock), 0

    def database(self, object: Object) -> Database:
        rows = object.rows
        if rows.sql is None:
            rows.sql = Database("Random/x", rows.stored_page, self.pool)
        return rows.sql

    # What happens

    def turn(self) -> None:
        self.turns += 1
        object = self.chance.choice(self.objects)
        what: dict[Callable[[Object], None], int] = {
            self.run_statement: 60,
            self.read: 8,
            self.run_many: 3,
            self.begin: 6,
            self.end: 8,
            self.seal: 18,
            self.pass_time: 12,
            self.apply: 2,
            self.interrupt: 1,
            self.reset: 1,
            self.evict: 2,
            self.fail_group: 3,
            self.crash: 1,
        }
        self.chance.choices(list(what), list(what.values()))[0](object)

    def run_statement(self, object: Object) -> None:
        text, values = self.statement()
        there = {name for (name,) in object.model.db.execute("SELECT name FROM sqlite_schema")}
        missing = [name for name in TABLES if name not in there]
        if missing and self.chance.random() < 0.8:
            text, values = MAKING[missing[0]], ()
        if object.depth and text in (MAKING["notes"], "DROP TABLE IF EXISTS notes"):
            return  # SQLite's own: one that is made in a savepoint which is rolled back makes the commit a "logic error"
        object.rows.write_sql()
        self.both(
            object,
            lambda: self.database(object).exec(text, values, depth=object.rows.depth).rows,
            lambda: object.model.db.execute(text, values).fetchall(),
        )

    def read(self, object: Object) -> None:
        text = self.chance.choice([
            "SELECT count(*), sum(length(body)) FROM plain",
            "SELECT rowid FROM notes WHERE notes MATCH 'gate' ORDER BY rank, rowid",
            "SELECT k, n FROM keyed ORDER BY v, k, n LIMIT 5",
            "SELECT changes(), total_changes() >= 0",
        ])  # fmt: skip
        self.both(
            object,
            lambda: self.database(object).exec(text, (), depth=object.rows.depth).rows,
            lambda: object.model.db.execute(text).fetchall(),
            compares="changes" not in text,
        )

    def run_many(self, object: Object) -> None:
        text = "INSERT INTO plain (u, body) VALUES (?, ?)"
        values = [(self.chance.randrange(2_000), self.statement.words()) for _ in range(self.chance.randrange(6))]
        object.rows.write_sql()

        def of_model() -> None:
            with object.model.db:
                object.model.db.executemany(text, values).fetchall()

        self.both(
            object,
            lambda: self.database(object).exec_many(text, values, depth=object.rows.depth),
            of_model,
            compares=False,
        )

    def both(
        self, object: Object, real: Callable[[], Any], of_model: Callable[[], Any], *, compares: bool = True
    ) -> None:
        expected: Any
        try:
            expected = of_model()
        except apsw.Error as error:
            expected = error
        try:
            given = real()
        except PerdureError as error:
            assert not error.object_reset, error
            assert isinstance(expected, apsw.Error), f"{error} and the model gave {expected}"
        else:
            assert not isinstance(expected, apsw.Error), f"{expected!r} and the object gave {given}"
            assert not compares or given == expected

    def begin(self, object: Object) -> None:
        if object.depth < 4:
            object.rows.begin(spans_steps=object.depth == 0 and self.chance.random() < 0.5)
            object.model.db.execute(f"SAVEPOINT d{object.depth}")
            object.depth += 1

    def end(self, object: Object) -> None:
        if object.depth:
            object.depth -= 1
            assert object.rows.savepoints is not None
            if self.chance.random() < 0.5:
                object.rows.commit(object.rows.savepoints[-1])
            else:
                object.rows.roll_back(object.rows.savepoints[-1])
                object.model.db.execute(f"ROLLBACK TO d{object.depth}")
            object.model.db.execute(f"RELEASE d{object.depth}")

    def seal(self, object: Object) -> None:
        if not object.depth:
            object.rows.seal()
            object.model.seal(object.rows.written_position)

    def pass_time(self, _object: Object) -> None:
        for _ in range(self.chance.randrange(4)):
            self.world.step()
        self.note_durable()

    def apply(self, _object: Object) -> None:
        self.world.quiet()
        self.note_durable()

    def note_durable(self) -> None:
        for object in self.objects:
            object.model.note_durable(self.world.store.durable)

    def interrupt(self, object: Object) -> None:
        """A statement that writes for too long; SQLite drops all of the unit."""
        object.rows.write_sql()
        database = self.database(object)
        database.exec("CREATE TABLE IF NOT EXISTS endless (a)", (), depth=object.rows.depth)
        with pytest.raises(PerdureError) as raised:
            database.exec(
                "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c) INSERT INTO endless SELECT i FROM c",
                (),
                depth=object.rows.depth,
                seconds_max=self.chance.randrange(1, 6),
            )
        assert raised.value.object_reset
        self.reset(object)

    def reset(self, object: Object) -> None:
        object.rows.shut(RuntimeError("reset"))
        object.model.forget_unit()
        self.awake(object)

    def evict(self, object: Object) -> None:
        """The instance leaves when all it wrote is durable, and comes again."""
        if not object.depth:
            self.seal(object)
            self.world.settle()
            self.note_durable()
            object.rows.shut(RuntimeError("evicted"))
            self.awake(object)
            self.check(object)

    def fail_group(self, _object: Object) -> None:
        self.world.clock.turn()
        self.note_durable()
        failed_before = len(self.world.failures)
        if self.world.committer.jobs:
            _, done = self.world.committer.jobs.popleft()
            done(apsw.FullError("database or disk is full"))
        self.world.clock.turn()
        failed = {id for objects, _ in self.world.failures[failed_before:] for id in objects}
        for object in self.objects:
            if object.id.raw in failed:
                object.rows.shut(RuntimeError("the group failed"))
                object.model.forget_what_is_not_durable()
                self.awake(object)
                self.check(object)

    def crash(self, _object: Object) -> None:
        for object in self.objects:
            if object.rows.sql is not None:
                object.rows.sql.close()
        self.pool.close()
        self.note_durable()
        self.world.abandon()
        self.world, self.pool = World(self.folder), self._pool()
        for object in self.objects:
            object.model.forget_what_is_not_durable()
            self.awake(object)
            self.check(object)

    # What must be

    def check(self, object: Object) -> None:
        database = self.database(object)
        assert database.own("PRAGMA integrity_check") == [("ok",)]
        ours, theirs = dump(database.own), dump(lambda text: object.model.db.execute(text).fetchall())
        for (what, our), (of_what, their) in zip(ours, theirs, strict=True):
            assert (what, our) == (of_what, their)

    def finish(self) -> None:
        for object in self.objects:
            while object.depth:
                self.end(object)
            self.seal(object)
            self.check(object)
        self.world.quiet()
        self.note_durable()
        self.crash(self.objects[0])
        self.world.close()
        self.pool.close()


def dump(query: Callable[[str], list[Any]]) -> Iterator[tuple[str, list[Any]]]:
    schema = query("SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY name")
    yield "schema", schema
    for kind, name, _, _ in schema:
        # Inside, a full-text index depends on when it was flushed, which savepoints do; so do statistics of its tables.
        if kind == "table" and not name.startswith(("notes_", "sqlite_stat")):
            yield name, query(f'SELECT * FROM "{name}"')
        if name == "notes":
            yield "gate", query("SELECT rowid FROM notes WHERE notes MATCH 'gate OR é😀' ORDER BY rank, rowid")


def run(folder: Path, seed: int) -> None:
    made = Run(folder, seed)
    try:
        for _ in range(TURNS):
            made.turn()
        made.finish()
    except BaseException as error:
        error.add_note(f"seed {seed}, turn {made.turns}")
        raise


@pytest.mark.parametrize("seed", range(20))
def test_random_sql_equals_plain_sqlite(tmp_path: Path, seed: int):
    run(tmp_path, seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20, 520))
def test_random_sql_equals_plain_sqlite_with_many_seeds(tmp_path: Path, seed: int):
    run(tmp_path, seed)
