"""The examples of embedding do what they say: a script, a dependency of FastAPI, and an ordinary test."""

import asyncio
import importlib.util
import os
import signal
import subprocess
import sys

import httpx

import perdure
from tests.examples.readme import EXAMPLES
from tests.host.asgi_client import client_of, lifespan_of
from tests.host.embedded_counter import Counter

EMBEDDING = EXAMPLES / "embedding"


def guests(folder, *names: str, **options) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(EMBEDDING / "guests.py"), *names]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, **options)


def loaded(name: str):
    spec = importlib.util.spec_from_file_location(name, EMBEDDING / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # its classes look their annotations up there
    try:
        spec.loader.exec_module(module)
    finally:
        del sys.modules[name]
    return module


def test_a_script_counts_on_from_where_it_was(tmp_path):
    first, second = guests(tmp_path, "ann", "bob", "ann"), guests(tmp_path, "bob")

    assert (first.stdout, first.stderr, first.returncode) == ("ann: 2 visits\nbob: 1 visit\n", "", 0)
    assert (second.stdout, second.stderr) == ("bob: 2 visits\n", "")


def test_a_second_run_beside_the_first_ends_with_who_has_the_folder(tmp_path):
    async def scenario():
        async with perdure.open(tmp_path / "guests-data", objects=[Counter]):
            process = await asyncio.create_subprocess_exec(
                sys.executable, EMBEDDING / "guests.py", "ann", cwd=tmp_path, stderr=subprocess.PIPE
            )
            _, errors = await process.communicate()
            return process.returncode, errors.decode()

    code, errors = asyncio.run(scenario())

    assert code == 1
    assert f"the folder is in use by process {os.getpid()}" in errors
    assert "Traceback" not in errors


def test_what_was_acknowledged_survives_a_kill_of_the_program(tmp_path):
    program = """
import asyncio, sys
sys.path.insert(0, sys.argv[1])
from tests.host.embedded_counter import Counter
import perdure
async def main():
    async with perdure.open("data/", objects=[Counter]) as rt:
        while True:
            print(await rt[Counter]["a"].add(), flush=True)
asyncio.run(main())
"""
    root = str(EXAMPLES.parent)
    process = subprocess.Popen(
        [sys.executable, "-c", program, root], cwd=tmp_path, stdout=subprocess.PIPE, text=True, bufsize=1
    )
    told = 0
    for line in process.stdout:
        told = int(line)
        if told >= 50:
            os.kill(process.pid, signal.SIGKILL)
            break
    told = max([told, *(int(line) for line in process.stdout.read().split()[:-1])])
    process.stdout.close()
    process.wait()

    async def scenario():
        async with perdure.open(tmp_path / "data", objects=[Counter]) as rt:
            return await rt[Counter]["a"].add(0)

    assert asyncio.run(scenario()) >= told >= 50


def test_a_program_that_forgets_to_close_ends_and_keeps_what_was_acknowledged(tmp_path):
    program = """
import asyncio, sys
sys.path.insert(0, sys.argv[1])
from tests.host.embedded_counter import Counter
import perdure
async def main():
    rt = await perdure.open("data/", objects=[Counter])
    print(await rt[Counter]["a"].add(7))
asyncio.run(main())
"""
    command = [sys.executable, "-c", program, str(EXAMPLES.parent)]
    runs = [subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60) for _ in range(2)]

    assert [run.stdout for run in runs] == ["7\n", "14\n"]
    assert [run.returncode for run in runs] == [0, 0]


def test_a_rate_limit_is_a_dependency_of_fastapi_and_outlives_the_server(tmp_path, monkeypatch):
    monkeypatch.setenv("DATA", str(tmp_path / "data"))
    app = loaded("rate_limiter").app

    async def statuses(count: int) -> list[httpx.Response]:
        state = {}
        async with lifespan_of(app, state), client_of(app, state) as client:
            return [await client.get("/") for _ in range(count)]

    before, after = asyncio.run(statuses(4)), asyncio.run(statuses(1))

    assert [response.status_code for response in before] == [200, 200, 200, 429]
    assert before[0].json() == "hello"
    assert before[3].headers["retry-after"] == "1"
    assert [response.status_code for response in after] == [429]


async def used_by(rt: perdure.Runtime) -> list[int]:
    """Code of an application as its test calls it."""
    return [await rt[Counter][name].add() for name in ("a", "b", "a")]


def test_an_ordinary_test_opens_a_folder_of_its_own(tmp_path):
    async def scenario():
        async with perdure.open(tmp_path, objects=[Counter]) as rt:
            return await used_by(rt)

    assert asyncio.run(scenario()) == [1, 1, 2]
