"""`perdure dev` as a process: it survives being killed, and stops as people and process managers expect."""

import concurrent.futures
import time

import httpx
import pytest

from perdure.host.loop import SWITCH_INTERVAL_S
from tests.host.dev_process import DevProcess
from tests.host.projects import write_project

SLOW = """
import asyncio
from perdure import Response

async def fetch(request):
    print("working")
    await asyncio.sleep(float(request.query["s"]))
    return Response("answered")
"""


SWITCHING = """
import sys
from perdure import Response

async def fetch(request):
    return Response(str(sys.getswitchinterval()))
"""


@pytest.fixture
def keeper(tmp_path):
    return write_project(tmp_path)


@pytest.fixture
def slow(tmp_path):
    return write_project(tmp_path, SLOW, classes=())


def test_everything_acknowledged_before_a_kill_is_there_after_a_restart(keeper):
    acknowledged: list[int] = []

    def keep(dev: DevProcess, client: httpx.Client, number: int) -> None:
        try:
            if client.post(f"{dev.url}/{number}", content=f"text {number}").text == "kept":
                acknowledged.append(number)
        except httpx.HTTPError:
            return  # it was killed meanwhile: nothing was promised

    with DevProcess(keeper) as dev, httpx.Client() as client, concurrent.futures.ThreadPoolExecutor(8) as threads:
        dev.wait_ready()
        for number in range(400):
            threads.submit(keep, dev, client, number)
        while len(acknowledged) < 50:
            time.sleep(0.001)
        dev.kill()

    with DevProcess(keeper) as dev, httpx.Client() as client:
        dev.wait_ready()
        kept = {number: client.get(f"{dev.url}/{number}").text for number in acknowledged}

    assert len(acknowledged) >= 50
    assert kept == {number: f"text {number}" for number in acknowledged}


def test_its_threads_share_the_interpreter_often(tmp_path):
    with DevProcess(write_project(tmp_path, SWITCHING, classes=())) as dev:
        dev.wait_ready()

        assert float(dev.get("/").text) == pytest.approx(SWITCH_INTERVAL_S)


@pytest.mark.parametrize("stop", [DevProcess.terminate, DevProcess.interrupt], ids=["SIGTERM", "Ctrl-C"])
def test_a_stop_lets_a_running_request_end_and_exits_0(slow, stop):
    with DevProcess(slow) as dev, concurrent.futures.ThreadPoolExecutor(1) as threads:
        dev.wait_ready()
        running = threads.submit(dev.get, "/?s=0.3")
        dev.wait_line("^working$")

        stop(dev)

        assert running.result().text == "answered"
        assert dev.wait_end() == 0
    assert any(line.startswith("GET /?s=0.3 200 ") for line in dev.lines)


def test_a_second_interrupt_does_not_wait_and_exits_130(slow):
    with DevProcess(slow) as dev, concurrent.futures.ThreadPoolExecutor(1) as threads:
        dev.wait_ready()
        running = threads.submit(dev.get, "/?s=1000")
        dev.wait_line("^working$")

        dev.interrupt()
        dev.wait_line("^Stopping")
        dev.interrupt()

        assert dev.wait_end() == 130
        with pytest.raises(httpx.HTTPError):
            running.result()


def test_interrupts_work_while_code_of_the_project_holds_the_loop(tmp_path):
    write_project(tmp_path, "print('loading', flush=True)\nwhile True: pass\n", classes=())

    with DevProcess(tmp_path) as dev:
        dev.wait_line("^loading$")
        dev.interrupt()
        dev.wait_line("^Stopping")
        dev.interrupt()

        assert dev.wait_end() == 130


def test_a_start_waits_for_one_that_is_going(keeper):
    with DevProcess(keeper) as going:
        going.wait_ready()
        with DevProcess(keeper) as coming:
            coming.wait_line("env.KEEPER")  # the last that it says before it asks for the folder

            going.terminate()
            coming.wait_ready()

            assert going.wait_end() == 0
            assert coming.get("/a").text == "nothing"


def test_without_a_terminal_lines_are_plain_and_name_method_path_status_and_time(keeper):
    with DevProcess(keeper) as dev:
        dev.wait_ready()
        dev.post("/a", "x")
        line = dev.wait_line("^POST")[0]
        dev.terminate()
        dev.wait_end()

    assert line
    assert "\x1b" not in dev.said
    assert dev.lines[0] == "perdure 0.1.0: test"
    assert dev.lines[2].split() == ["env.KEEPER", "objects", "of", "Keeper", "local"]
    assert dev.problems == []
