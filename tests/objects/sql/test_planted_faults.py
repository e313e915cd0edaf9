"""Each rule of an object's connection, left out on purpose, is missed by a test: a checker that stays green is a broken checker.

The faults are planted into the classes that production runs. What they let happen was seen before the rules were made: code that
ended the runtime's transaction, a process that crashed, half of a step stored, reads of what never was.
"""

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from perdure.objects.rows import Rows
from perdure.objects.sql import connection, database, sql_storage
from perdure.objects.sql.database import Database
from perdure.objects.sql.page_file import PageFile
from perdure.objects.sql.refused import Failed
from tests.objects.sql import test_database, test_run
from tests.objects.sql.conftest import inside_of
from tests.objects.sql.shelf import Shelf
from tests.objects.world import World

Fault = Callable[[pytest.MonkeyPatch], None]


def own_statements_are_cached_as_code_may_write_them(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(connection, "COMMIT", "COMMIT")
    patch.setattr(database, "COMMIT", "COMMIT")


def nobody_asks_whether_the_transaction_has_ended(patch: pytest.MonkeyPatch) -> None:
    explained = database.explained
    patch.setattr(database, "explained", lambda error, failed: explained(error, Failed(*failed[:-1], lost=False)))


def pages_are_published_as_they_are_written(patch: pytest.MonkeyPatch) -> None:
    write = PageFile.write

    def published(self: PageFile, number: int, page: bytes) -> None:
        write(self, number, page)
        shelf: Shelf = self.stored.__self__
        shelf.pages[number] = page

    patch.setattr(PageFile, "write", published)


def the_connection_outlives_the_instance(patch: pytest.MonkeyPatch) -> None:
    """As one would do it to save the opening of another."""
    kept: dict[str, Database] = {}

    def database_of(label: str, *args: Any) -> Database:
        return kept.setdefault(label, Database(label, *args))

    def drop(self: Rows) -> None:
        self.sql = None

    patch.setattr(sql_storage, "Database", database_of)
    patch.setattr(Rows, "_drop_sql", drop)


def a_thread_opens_its_connection(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Database, "lend", lambda self: setattr(self, "_lent", True))


def what_a_thread_has_is_closed_for_want_of_room(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Database, "idle", property(lambda self: not (self._unit or self._busy or self._file.written)))


def with_threads(checker: Callable[[World, pytest.MonkeyPatch], None]) -> Callable[[World], None]:
    def check(world: World) -> None:
        world.loop_factory = asyncio.new_event_loop
        with pytest.MonkeyPatch.context() as patch:
            checker(world, patch)

    return check


FAULTS: list[tuple[Fault, Callable[[World], None]]] = [
    (
        own_statements_are_cached_as_code_may_write_them,
        lambda world: test_database.test_code_cannot_run_the_commit_that_the_runtime_ran_before(Shelf()),
    ),
    (
        nobody_asks_whether_the_transaction_has_ended,
        lambda world: test_database.test_when_sqlite_ends_the_transaction_the_rest_of_the_step_is_not_stored_alone(
            world, test_database.ENDLESS, 0.02
        ),
    ),
    (
        nobody_asks_whether_the_transaction_has_ended,
        lambda world: test_database.test_when_sqlite_ends_the_transaction_the_rest_of_the_step_is_not_stored_alone(
            world, "INSERT OR ROLLBACK INTO t VALUES (1, 1)", 60.0
        ),
    ),
    (
        pages_are_published_as_they_are_written,
        lambda world: test_database.test_what_a_unit_writes_is_nowhere_before_its_entry(Shelf()),
    ),
    (
        the_connection_outlives_the_instance,
        test_database.test_after_a_failed_group_an_object_reads_what_is_durable_and_not_what_its_connection_remembers,
    ),
    (
        the_connection_outlives_the_instance,
        lambda world: test_database.test_after_delete_all_nothing_of_the_database_is_remembered(inside_of(world)),
    ),
    (
        a_thread_opens_its_connection,
        with_threads(test_run.test_connections_are_opened_and_closed_on_the_loop_alone),
    ),
    (
        what_a_thread_has_is_closed_for_want_of_room,
        with_threads(
            lambda world, patch: test_run.test_a_database_that_is_lent_to_a_thread_is_not_closed_for_want_of_room(
                world, test_run.Stop(patch, "exec_elsewhere")
            )
        ),
    ),
]


@pytest.mark.parametrize(("fault", "checker"), FAULTS, ids=[fault.__name__ for fault, _ in FAULTS])
@pytest.mark.filterwarnings("ignore")
def test_a_planted_fault_is_caught_by_its_test(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Fault, checker: Callable[[World], None]
):
    checker(World(tmp_path / "sound"))
    fault(monkeypatch)

    with pytest.raises((AssertionError, pytest.fail.Exception, Exception)) as caught:
        checker(World(tmp_path / "faulty"))

    assert not isinstance(caught.value, AttributeError | NameError | TypeError), "the plant itself is broken"


@pytest.mark.parametrize("attack", test_database.FROM_INSIDE, ids=[outer for _, _, outer in test_database.FROM_INSIDE])
def test_that_anybody_may_enter_amid_a_statement_is_caught(attack: tuple[str, int, str]):
    """In a process of its own, which may crash."""
    done = run_with_anybody_entering(attack)

    assert done.returncode < 0 or "You cannot" in done.stderr or "AssertionError" in done.stderr, done.stderr


def run_with_anybody_entering(attack: tuple[str, int, str]) -> subprocess.CompletedProcess[str]:
    code = f"""
from perdure.objects.sql.database import Database
from tests.objects.sql import test_database
from tests.objects.sql.conftest import inside_of
from tests.objects.sql.shelf import Shelf
from tests.objects.world import World

Database._enter = lambda self: None
test_database.test_what_runs_inside_a_statement_does_not_enter_the_database(Shelf(), *{attack!r})
"""
    root = Path(__file__).parents[3]
    environment = {"PYTHONPATH": os.pathsep.join([str(root), *sys.path])}
    return subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
