"""Mistakes around `perdure.open`: each is an error that says so, and the folder can be opened after it."""

import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import perdure
from tests.store.test_format import make_newer


class Counter(perdure.DurableObject[Any]):
    def __init__(self, ctx: Any, env: Any) -> None:
        super().__init__(ctx, env)

    async def increment(self) -> int:
        count: int = self.ctx.storage.kv.get("count", 0) + 1
        self.ctx.storage.kv.put("count", count)
        return count


class Other(perdure.DurableObject[Any]): ...


Made = Callable[[Path], Awaitable[object]]


@dataclass(frozen=True)
class Case:
    """Something done with a folder, and parts of the error that it raises."""

    made: str
    do: Made
    what: str
    where: str
    why: str
    next_step: str

    def __str__(self) -> str:
        return self.made.replace(" ", "-")


async def opened_with(folder: Path, **options: Any) -> None:
    async with perdure.open(folder, **options) as rt:
        await rt.env.COUNTER["a"].increment()


async def in_block(folder: Path, do: Callable[[perdure.Runtime], object]) -> None:
    async with perdure.open(folder, objects=[Counter]) as rt:
        done: Any = do(rt)
        if isinstance(done, Awaitable):
            await done


async def after_block(folder: Path) -> None:
    async with perdure.open(folder, objects=[Counter]) as rt:
        pass
    rt[Counter]


async def stub_after_block(folder: Path) -> None:
    async with perdure.open(folder, objects=[Counter]) as rt:
        counter = rt[Counter]["a"]
    await counter.increment()


async def opened_twice(folder: Path) -> None:
    async with perdure.open(folder, objects=[Counter]):
        await perdure.open(folder, objects=[Counter], lock_timeout=timedelta(0))


async def awaited_twice(folder: Path) -> None:
    opening = perdure.open(folder, objects=[Counter])
    await (await opening).aclose()
    await opening


async def of_a_newer_version(folder: Path) -> None:
    await (await perdure.open(folder, objects=[Counter])).aclose()
    for store in folder.glob("namespaces/*/*/store.db"):
        make_newer(store)
    await opened_with(folder, objects={"COUNTER": Counter})


async def on_a_file(folder: Path) -> None:
    folder.write_text("")
    await perdure.open(folder, objects=[Counter])


OBJECTS_WHY = "it is a list of object classes, or a dict from the name of a binding to its class"
CASES = [
    Case(
        "a class instead of a list",
        lambda folder: opened_with(folder, objects=Counter),
        "objects= is the class Counter",
        "objects=",
        OBJECTS_WHY,
        "write objects=[Counter]",
    ),
    Case(
        "the name of a class",
        lambda folder: opened_with(folder, objects=["Counter"]),
        "objects= is a list with a value of type str",
        "objects=",
        OBJECTS_WHY,
        "give the class itself",
    ),
    Case(
        "a class that no runtime can make",
        lambda folder: opened_with(folder, objects=[Path, Case]),
        "which cannot be made with two arguments",
        "objects=",
        OBJECTS_WHY,
        "(perdure.DurableObject)",
    ),
    Case(
        "a number as the folder",
        lambda _: opened_with(3, objects=[Counter]),  # that is the mistake
        "the data folder is a path, not int",
        "data folder",
        "the objects of this folder are kept in it",
        "write perdure.open('data/', objects=[Counter])",
    ),
    Case(
        "env as a list",
        lambda folder: opened_with(folder, objects=[Counter], env=["GREETING"]),
        "env= is a dict from names to values, and this is none",
        "env=",
        "each value is an attribute of env",
        "write env={'GREETING': 'hello'}",
    ),
    Case(
        "a number of seconds",
        lambda folder: opened_with(folder, objects=[Counter], lock_timeout=5),
        "lock_timeout is a timedelta, not int",
        "lock_timeout",
        "a number would not say its unit",
        "write timedelta(seconds=5)",
    ),
    Case(
        "a Worker that is none",
        lambda folder: opened_with(folder, worker=3),
        "worker= is a value of type int",
        "worker=",
        "it is a configuration's path, a main module or its path, or a function",
        "worker=fetch",
    ),
    Case(
        "await forgotten",
        lambda folder: in_future(lambda: perdure.open(folder, objects=[Counter])[Counter]),
        "what open() gave is not open yet",
        "P/data",
        "the folder is opened on the loop that runs, which takes an await",
        "write `rt = await perdure.open(...)`, or `async with perdure.open(...) as rt:`",
    ),
    Case(
        "opened twice",
        opened_twice,
        "the folder is in use by this very process",
        "P/data",
        "one process owns a folder, and opens it once",
        "use what opened it, or close that first",
    ),
    Case(
        "awaited twice",
        awaited_twice,
        "what open() gave was used twice",
        "P/data",
        "it opens the folder once, and its runtime ends with it",
        "call open() for each runtime",
    ),
    Case(
        "the runtime used after its block",
        after_block,
        "the runtime is closed",
        "P/data",
        "its block ended, or aclose() was called",
        "open the folder again: perdure.open(...)",
    ),
    Case(
        "a stub used after its block",
        stub_after_block,
        "the objects of Counter are being stopped",
        "Counter",
        "has closed the runtime that they live in",
        "after aclose(), open the runtime again",
    ),
    Case(
        "another class than those opened",
        lambda folder: in_block(folder, lambda rt: rt[Other]),
        "Other is not an object class of this runtime",
        "P/data",
        "its classes are: Counter",
        "open it with objects=[Other]",
    ),
    Case(
        "a name instead of a class",
        lambda folder: in_block(folder, lambda rt: rt["Counter"]),  # that is the mistake
        "a runtime is indexed by a class, not by 'Counter'",
        "P/data",
        "a class stands for all its objects",
        "write rt[Counter]['a'] for the object 'a'",
    ),
    Case(
        "fetch without a Worker",
        lambda folder: in_block(folder, lambda rt: rt.fetch("/")),
        "this runtime has no Worker to fetch from",
        "P/data",
        "it was opened with objects alone",
        "perdure.open(..., worker=fetch)",
    ),
    Case(
        "the runtime used from a thread",
        lambda folder: in_block(folder, lambda rt: asyncio.to_thread(lambda: rt[Counter])),
        "a runtime was used from another thread than the one that opened it",
        "P/data",
        "objects live on the thread of their loop",
        "asyncio.run_coroutine_threadsafe(work(), loop)",
    ),
    Case(
        "a folder of a newer version",
        of_a_newer_version,
        "store.db was written by a newer Perdure (9.9.9)",
        "P/data",
        "its format is 3, this program knows up to 2",
        "run that version or a later one, or open another folder; nothing was changed",
    ),
    Case(
        "a file instead of a folder",
        on_a_file,
        "the data folder cannot be opened",
        "P/data",
        "Not a directory",
        "give a folder that this user may write",
    ),
]


async def in_future(do: Callable[[], object]) -> None:
    do()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_mistake_around_open_is_told_and_the_folder_is_left_free(tmp_path: Path, case: Case) -> None:
    async def mistaken() -> None:
        await case.do(tmp_path / "data")

    with pytest.raises(perdure.PerdureError) as raised:
        asyncio.run(mistaken())

    said = str(raised.value).replace(str(tmp_path), "P")
    for part in (case.what, case.where, case.why, case.next_step):
        assert part in said, f"{part!r} is not in:\n{said}"


def test_a_second_process_is_told_which_one_has_the_folder(tmp_path: Path) -> None:
    keeper = "import asyncio, sys, perdure\nasync def main():\n    async with perdure.open(sys.argv[1]):\n"
    keeper += "        print('open', flush=True)\n        await asyncio.to_thread(sys.stdin.read)\nasyncio.run(main())"
    command = [sys.executable, "-c", keeper, str(tmp_path / "data")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as first:
        assert first.stdout is not None
        first.stdout.readline()

        async def second() -> None:
            await perdure.open(tmp_path / "data", objects=[Counter], lock_timeout=timedelta(0))

        with pytest.raises(perdure.DataFolderLocked) as raised:
            asyncio.run(second())
        assert first.stdin is not None
        first.stdin.close()

    said = str(raised.value)
    assert raised.value.pid == first.pid
    for part in (str(first.pid), str(tmp_path / "data"), "one process owns a folder", "run one worker process"):
        assert part in said, f"{part!r} is not in:\n{said}"


def test_a_runtime_of_one_loop_says_so_on_another(tmp_path: Path) -> None:
    async def opened() -> perdure.Runtime:
        return await perdure.open(tmp_path / "data", objects=[Counter])

    async def used(rt: perdure.Runtime) -> None:
        await rt[Counter]["a"].increment()

    loop = asyncio.new_event_loop()
    rt = loop.run_until_complete(opened())
    with pytest.raises(perdure.WrongThread) as raised:
        asyncio.run(used(rt))
    loop.run_until_complete(rt.aclose())
    loop.close()

    said = str(raised.value)
    assert "a runtime was used on another event loop than the one it lives on" in said
    assert str(tmp_path / "data") in said
    assert "each asyncio.run() makes a new one" in said
    assert "open and use it within one asyncio.run(main())" in said


def test_what_is_never_opened_is_a_warning_that_names_its_line(tmp_path):
    program = tmp_path / "main.py"
    program.write_text("import perdure\n\nperdure.open('data')  # here\n")

    run = subprocess.run([sys.executable, program], cwd=tmp_path, capture_output=True, text=True, timeout=60)

    assert f"{program}:3: RuntimeWarning: perdure.open({str(tmp_path / 'data')!r}) was never awaited" in run.stderr
    assert "write `async with perdure.open(...) as rt:`" in run.stderr
    assert not (tmp_path / "data").exists()
