"""What objects and Workers print is logged as theirs; everybody else's prints are left alone."""

import asyncio
import io
import logging
import sys
from pathlib import Path

import pytest

from perdure.host.log_context import LogContext
from perdure.host.printed import LINE_CHARS_MAX, PARTIAL_LINE_S, prints_as_records
from perdure.web import Request
from tests.workers.world import WorkersWorld

PRINTING = """
import asyncio, contextvars, logging, sys, threading

class Room(DurableObject):
    async def say(self, code):
        exec(code, {"asyncio": asyncio, "sys": sys})

    async def in_thread(self):
        thread = threading.Thread(target=contextvars.copy_context().run, args=(print, "from a thread"))
        thread.start()
        thread.join()

    async def begin(self, text):
        print(text, end="")
        await asyncio.sleep(0)
        print("!")

    async def log_to_stdout(self):
        handler = logging.StreamHandler(sys.stdout)
        logging.getLogger("own").addHandler(handler)
        logging.getLogger("own").propagate = False
        logging.getLogger("own").error("through logging")
        logging.getLogger("own").removeHandler(handler)

async def fetch(request, env):
    print("of the Worker")
    await env.ROOMS["lobby"].say("print('of the object')")
    return Response()
"""


class Prints:
    """What was printed under the capture: `records` of objects and Workers, and `out`, what went to the stream itself."""

    def __init__(self) -> None:
        self.records: list[logging.LogRecord] = []
        self.out = ""

    @property
    def lines(self) -> list[str]:
        return [record.getMessage() for record in self.records]


class Recorder(logging.Handler):
    def __init__(self, prints: Prints) -> None:
        super().__init__()
        self.addFilter(LogContext())
        self._prints = prints

    def emit(self, record: logging.LogRecord) -> None:
        self._prints.records.append(record)


@pytest.fixture
def printed(tmp_path: Path, monkeypatch):
    """Runs steps on a Worker while prints are captured."""

    def run(steps) -> Prints:
        prints, out = Prints(), io.StringIO()
        monkeypatch.setattr(sys, "stdout", out)
        logger, recorder = logging.getLogger("perdure.print"), Recorder(prints)
        logger.addHandler(recorder)

        world = WorkersWorld(tmp_path)

        async def scenario() -> None:
            worker = await world.worker(PRINTING, bindings={"ROOMS": "Room"})
            with prints_as_records():
                await steps(worker)

        try:
            world.run(scenario)
        finally:
            logger.removeHandler(recorder)
        prints.out = out.getvalue()
        return prints

    return run


def says(printed, *codes: str) -> Prints:
    async def steps(worker):
        for code in codes:
            await worker.env.ROOMS["lobby"].say(code)

    return printed(steps)


def test_a_print_of_an_object_is_a_record_with_its_class_and_name(printed):
    (record,) = says(printed, "print('hello', 7)").records

    assert record.getMessage() == "hello 7"
    assert (record.name, record.levelname) == ("perdure.print", "INFO")
    assert (record.perdure_class, record.perdure_object) == ("Room", "lobby")


def test_a_print_of_a_worker_carries_its_request_and_so_does_that_of_the_object_it_calls(printed):
    async def steps(worker):
        await asyncio.create_task(worker.fetch(Request("http://localhost/")))

    worker, of_object = printed(steps).records

    assert worker.getMessage() == "of the Worker"
    assert of_object.getMessage() == "of the object"
    assert worker.perdure_request == of_object.perdure_request != ""


def test_the_record_names_the_line_that_printed(printed):
    async def steps(worker):
        await asyncio.create_task(worker.fetch(Request("http://localhost/")))

    record = printed(steps).records[0]

    assert (Path(record.pathname).name, record.funcName) == ("main.py", "fetch")


def test_other_codes_prints_pass_as_they_are(printed):
    async def steps(worker):
        print("of the host program", end="")

    prints = printed(steps)

    assert (prints.out, prints.lines) == ("of the host program", [])


@pytest.mark.parametrize(
    ("code", "lines"),
    [
        ("print('a\\nb')", ["a", "b"]),
        ("print()", [""]),
        ("print('a', end=''); print('b', end=''); print('c')", ["abc"]),
        ("print('a', 'b', sep='\\n')", ["a", "b"]),
        ("sys.stdout.write('written\\n')", ["written"]),
        ("print('to it', file=sys.stdout)", ["to it"]),
        ("sys.stdout.writelines(['one\\n', 'two\\n'])", ["one", "two"]),
        ("print('now', end='', flush=True); print('later')", ["now", "later"]),
        ("print('100 %s {}')", ["100 %s {}"]),
    ],
)
def test_each_line_is_one_record(printed, code, lines):
    prints = says(printed, code)

    assert (prints.lines, prints.out) == (lines, "")


def test_what_is_printed_elsewhere_goes_there(printed, capsys):
    prints = says(printed, "print('a problem', file=sys.stderr)")

    assert (prints.lines, prints.out) == ([], "")
    assert capsys.readouterr().err == "a problem\n"


def test_a_line_without_an_end_is_said_a_moment_later(printed):
    seen = []

    async def steps(worker):
        await worker.env.ROOMS["lobby"].say("print('unfinished', end='')")
        await asyncio.sleep(PARTIAL_LINE_S * 2)
        seen.append("slept")

    prints = printed(steps)

    assert prints.lines == ["unfinished"]
    assert prints.records[0].perdure_object == "lobby"


def test_lines_that_two_objects_write_in_turns_do_not_mix(printed):
    async def steps(worker):
        await asyncio.gather(worker.env.ROOMS["a"].begin("of a"), worker.env.ROOMS["b"].begin("of b"))

    assert sorted(printed(steps).lines) == ["of a!", "of b!"]


def test_a_thread_that_an_object_asks_prints_as_the_object(printed):
    async def steps(worker):
        await worker.env.ROOMS["lobby"].in_thread()

    (record,) = printed(steps).records

    assert (record.getMessage(), record.perdure_object) == ("from a thread", "lobby")


def test_a_line_that_never_ends_is_cut_where_it_would_fill_the_memory(printed):
    prints = says(printed, f"print('x' * {LINE_CHARS_MAX + 1}, end='')", "print('y')")

    assert [len(line) for line in prints.lines] == [LINE_CHARS_MAX + 1, 1]


def test_what_logging_writes_to_the_standard_output_is_no_print(printed):
    async def steps(worker):
        await worker.env.ROOMS["lobby"].log_to_stdout()

    prints = printed(steps)

    assert (prints.lines, prints.out) == ([], "through logging\n")


def test_a_handler_that_prints_its_records_does_not_go_round_in_circles(printed):
    class Printing(logging.Handler):
        def emit(self, record):
            print(f"shown: {record.getMessage()}")

    handler = Printing()
    logging.getLogger("perdure.print").addHandler(handler)
    try:
        prints = says(printed, "print('once')")
    finally:
        logging.getLogger("perdure.print").removeHandler(handler)

    assert prints.lines == ["once"]
    assert prints.out == "shown: once\n"


def test_a_project_that_configures_logging_loses_no_prints(printed):
    # What dictConfig and fileConfig do to every logger that they do not name.
    turned_off = "import logging; logging.getLogger('perdure.print').disabled = True; print('still here')"

    prints = says(printed, turned_off)

    assert prints.lines == ["still here"]


def test_after_the_block_print_is_print_again():
    before = sys.stdout

    with prints_as_records():
        assert sys.stdout is not before

    assert sys.stdout is before
