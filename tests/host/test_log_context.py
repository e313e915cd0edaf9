"""Records say whose they are: class, object, and the request that led to them."""

import asyncio
import logging
from pathlib import Path

import pytest

from perdure.host.log_context import LogContext, marked_records
from perdure.web import Request
from tests.workers.world import WorkersWorld

TALKING = """
import asyncio, contextvars, logging, threading

log = logging.getLogger("shop")

class Shelf(DurableObject):
    async def put(self, what):
        log.warning("put %s", what)
        thread = threading.Thread(target=contextvars.copy_context().run, args=(log.warning, "in a thread"))
        thread.start()
        thread.join()
        await asyncio.create_task(self.more())
        self.ctx.wait_until(self.later())
        await self.env.LEDGERS["2026"].note(what)

    async def more(self):
        log.warning("in a task")

    async def later(self):
        log.warning("in the background")

    def quiet(self):
        return 1

class Ledger(DurableObject):
    async def note(self, what):
        log.warning("noted")

async def fetch(request, env, ctx):
    log.warning("asked")
    await env.SHELVES["a"].put("cup")
    return Response()
"""


class Recorder(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.addFilter(LogContext())
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)

    def fields(self) -> dict[str, tuple[str, str, str]]:
        return {
            record.getMessage(): (record.perdure_class, record.perdure_object, record.perdure_request)
            for record in self.records
        }


@pytest.fixture
def world(tmp_path: Path) -> WorkersWorld:
    return WorkersWorld(tmp_path)


@pytest.fixture
def recorder():
    handler = Recorder()
    logging.getLogger("shop").addHandler(handler)
    yield handler
    logging.getLogger("shop").removeHandler(handler)


def ask(world, *paths: str):
    async def scenario():
        worker = await world.worker(TALKING, bindings={"SHELVES": "Shelf", "LEDGERS": "Ledger"})
        for path in paths:
            # A context for each, as a connection gives them.
            await asyncio.create_task(worker.fetch(Request(f"http://localhost{path}")))
        logging.getLogger("shop").warning("outside")
        unnamed = worker.env.SHELVES.get(worker.env.SHELVES.id_from_name("b"))
        return await unnamed.quiet()

    world.run(scenario)


def test_records_of_objects_say_class_object_and_the_request_that_led_to_them(world, recorder):
    ask(world, "/")

    said = recorder.fields()
    request = said["asked"][2]
    assert request
    assert said["asked"] == ("", "", request)
    assert said["put cup"] == said["in a thread"] == said["in a task"] == said["in the background"]
    assert said["put cup"] == ("Shelf", "a", request)
    assert said["noted"] == ("Ledger", "2026", request)


def test_records_of_other_code_have_the_fields_empty(world, recorder):
    ask(world, "/")

    assert recorder.fields()["outside"] == ("", "", "")


def test_each_request_has_a_number_of_its_own_and_only_those_count_that_say_something(world, recorder):
    ask(world, "/", "/")

    first, second = [record.perdure_request for record in recorder.records if record.getMessage() == "asked"]
    tag, number = first.split("-")
    assert (number, second) == ("1", f"{tag}-2")


def test_within_the_block_every_record_has_the_fields_whoever_shows_it():
    plain = logging.getLogRecordFactory()

    with marked_records():
        record = logging.getLogger("any").makeRecord("any", logging.INFO, "file", 1, "text", (), None)
        marked = logging.getLogRecordFactory()("any", logging.INFO, "file", 1, "text", (), None)

    assert marked.perdure_class == record.perdure_class == ""
    assert logging.getLogRecordFactory() is plain


def test_a_record_factory_that_a_project_set_meanwhile_stays():
    before = logging.getLogRecordFactory()
    with marked_records():
        inner = logging.getLogRecordFactory()

        def own(*args, **kwargs):
            record = inner(*args, **kwargs)
            record.own = True
            return record

        logging.setLogRecordFactory(own)
    try:
        assert logging.getLogRecordFactory() is own
    finally:
        logging.setLogRecordFactory(before)


def test_no_host_programs_logging_changes_by_importing_or_running_objects(world):
    before = (logging.getLogRecordFactory(), list(logging.getLogger().handlers), logging.getLogger().level)

    ask(world, "/")

    assert (logging.getLogRecordFactory(), list(logging.getLogger().handlers), logging.getLogger().level) == before
