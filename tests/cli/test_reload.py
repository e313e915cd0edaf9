"""`perdure dev` reloads: an edit is served within a second, a broken one harms nobody, and no process outlives its parent."""

import concurrent.futures
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.host.dev_process import PATIENCE_S, DevProcess
from tests.host.projects import write_project

VERSIONED = """
import asyncio
import os
import lib
from perdure import DurableObject, Response

class Keeper(DurableObject):
    async def fetch(self, request):
        if request.method == "POST":
            self.ctx.storage.kv.put("text", await request.text())
        return Response(self.ctx.storage.kv.get("text", "nothing"))

async def endless():
    yield "begun"
    await asyncio.Event().wait()

async def fetch(request, env):
    if request.path == "/pid":
        return Response(str(os.getpid()))
    if request.path == "/die":
        os._exit(7)
    if request.path == "/hang":
        print("hanging", flush=True)
        while True: pass
    if request.path == "/greeting":
        return Response(env.GREETING)
    if request.path == "/stream":
        return Response(endless())
    if request.path == "/version":
        return Response(lib.VERSION)
    return await env.KEEPER["x"].fetch(request)
"""
GREETING = 'vars = {{ GREETING = "{}" }}'


@pytest.fixture
def project(tmp_path):
    write_project(tmp_path, VERSIONED, more=GREETING.format("hello"))
    write_version(tmp_path, "1")
    return tmp_path


@pytest.fixture
def dev(project):
    with DevProcess(project, reload=True) as dev:
        yield dev.wait_ready()


def write_version(folder: Path, version: str) -> None:
    (folder / "lib.py").write_text(f"VERSION = {version!r}\n")


def eventually(condition: Callable[[], bool], within_s: float = PATIENCE_S) -> bool:
    ends = time.monotonic() + within_s
    while not (met := condition()) and time.monotonic() < ends:
        time.sleep(0.01)
    return met


def is_there(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_reload_that_goes_well_says_nothing_of_errors(project, dev):
    write_version(project, "2")

    assert eventually(lambda: dev.get("/version").text == "2")
    assert dev.problems == []


def test_no_request_fails_over_several_reloads_and_what_was_stored_is_there(project, dev):
    dev.post("/", "kept")
    answers: list[tuple[int, str]] = []
    done = threading.Event()

    def ask() -> None:
        with httpx.Client(timeout=PATIENCE_S) as client:
            while not done.is_set():
                answer = client.get(f"{dev.url}/version")
                answers.append((answer.status_code, answer.text))

    with concurrent.futures.ThreadPoolExecutor(4) as threads:
        asking = [threads.submit(ask) for _ in range(4)]
        for version in ("2", "3", "4"):
            write_version(project, version)
            dev.wait_line("^Reloaded in .*: lib.py changed$")
        done.set()
        for each in asking:
            each.result()

    assert {status for status, _ in answers} == {200}
    assert sorted({text for _, text in answers}) == ["1", "2", "3", "4"]
    assert dev.get("/version").text == "4"
    assert dev.get("/").text == "kept"


def test_a_broken_edit_leaves_the_old_code_serving_and_mending_it_reloads(project, dev):
    (project / "lib.py").write_text("VERSION = '2'\nraise KeyError('broken')\n")
    dev.wait_line("^error: not reloaded")
    old = dev.get("/version").text
    write_version(project, "3")
    dev.wait_line("^Reloaded in")

    assert old == "1"
    assert dev.get("/version").text == "3"
    assert 'lib.py", line 2' in dev.said
    assert "importlib" not in dev.said


def test_an_edit_of_the_configuration_is_checked_and_its_bindings_are_shown_again(project, dev):
    config = (project / "wrangler.toml").read_text()
    (project / "wrangler.toml").write_text(config.replace("hello", "bonjour"))
    dev.wait_line("env.GREETING  'bonjour'")
    dev.wait_line("^Reloaded in .*: wrangler.toml changed$")
    greeting = dev.get("/greeting").text
    (project / "wrangler.toml").write_text(config.replace("name =", "name"))
    dev.wait_line("^error: not reloaded")

    assert greeting == "bonjour"
    assert dev.get("/greeting").text == "bonjour"


def test_an_env_that_the_code_does_not_fit_leaves_the_old_code_serving(project, dev):
    main = (project / "main.py").read_text()
    annotated = "from perdure import Env\nclass Wanted(Env):\n    MISSING: str\n" + main
    (project / "main.py").write_text(annotated.replace("fetch(request, env)", "fetch(request, env: Wanted)"))
    dev.wait_line("^error: not reloaded")

    assert dev.get("/version").text == "1"
    assert "MISSING" in dev.said


def test_migrations_that_do_not_fit_the_data_leave_the_old_code_serving(project, dev):
    dev.post("/", "kept")
    config = (project / "wrangler.toml").read_text()
    (project / "wrangler.toml").write_text(config.replace('tag = "v1"', 'tag = "v7"'))
    dev.wait_line("^error: not reloaded")

    assert dev.get("/").text == "kept"
    assert "v1" in dev.said


def test_a_child_that_dies_is_said_and_the_next_request_starts_another(dev):
    dev.post("/", "kept")
    with pytest.raises(httpx.HTTPError):
        dev.get("/die")
    dev.wait_line("^error: the process that served ended by itself, with exit code 7; ")

    assert dev.get("/").text == "kept"


def test_a_parent_that_is_killed_takes_its_child_along_within_a_second(dev):
    pid = int(dev.get("/pid").text)

    dev.process.kill()

    assert eventually(lambda: not is_there(pid), within_s=1.0)


def test_ctrl_c_at_a_terminal_which_reaches_both_processes_ends_them_with_0(dev):
    pid = int(dev.get("/pid").text)

    os.killpg(dev.process.pid, signal.SIGINT)

    assert dev.wait_end() == 0
    assert not is_there(pid)
    assert dev.problems == []


def test_ctrl_c_ends_a_first_start_whose_code_never_ends(tmp_path):
    main = "import os\nprint('loading', os.getpid(), flush=True)\nwhile True: pass\n"
    write_project(tmp_path, main, classes=())
    with DevProcess(tmp_path, reload=True) as dev:
        pid = int(dev.wait_line("loading ([0-9]+)$")[1])

        dev.interrupt()

        assert dev.wait_end() == 0
        assert not is_there(pid)


def test_a_second_ctrl_c_does_not_wait_for_code_that_never_ends_and_exits_130(project, dev):
    pid = int(dev.get("/pid").text)
    with concurrent.futures.ThreadPoolExecutor(1) as threads:
        hanging = threads.submit(dev.get, "/hang")
        dev.wait_line("hanging")

        dev.interrupt()
        dev.wait_line("^Stopping")
        dev.interrupt()

        assert dev.wait_end() == 130
        assert hanging.exception() is not None
    assert eventually(lambda: not is_there(pid), within_s=1.0)


def test_a_first_start_that_fails_ends_with_the_exit_code_of_its_reason(tmp_path):
    (tmp_path / "wrangler.toml").write_text("name =\n")
    with DevProcess(tmp_path, reload=True) as dev:
        code = dev.wait_end()

    assert code == 3
    assert "wrangler.toml" in dev.said


def test_while_the_files_are_broken_and_the_child_has_died_clients_get_a_503_that_says_what_is_broken(project, dev):
    dev.post("/", "kept")
    (project / "lib.py").write_text("raise KeyError('<broken>')\n")
    dev.wait_line("^error: not reloaded")
    os.kill(int(dev.get("/pid").text), signal.SIGKILL)
    dev.wait_line("^error: the process that served was ended by SIGKILL")

    plain = dev.get("/version")
    page = dev.request("GET", "/version", headers={"accept": "text/html"})
    dev.wait_line("^error: nobody serves")
    (project / "lib.py").write_text("import os\nos._exit(9)\n")
    dev.wait_line("^error: nobody serves")
    told_the_new_reason = eventually(lambda: "exit code 9" in dev.get("/version").text)
    write_version(project, "3")
    dev.wait_line("^Reloaded in")

    assert (plain.status_code, page.status_code) == (503, 503)
    assert plain.headers["content-type"] == "text/plain; charset=utf-8"
    assert "KeyError: '<broken>'" in plain.text
    assert 'lib.py", line 1' in plain.text
    assert "KeyError: &#x27;&lt;broken&gt;&#x27;" in page.text
    assert told_the_new_reason
    assert dev.get("/version").text == "3"
    assert dev.get("/").text == "kept"


def test_an_open_stream_does_not_hold_up_a_reload_and_ends_broken_off(project, dev):
    with httpx.stream("GET", f"{dev.url}/stream", timeout=PATIENCE_S) as answer:
        parts = answer.iter_text()
        begun = next(parts)
        write_version(project, "2")
        dev.wait_line("^Reloaded in [0-9]{1,4}ms")

        with pytest.raises(httpx.HTTPError):
            next(parts)
    assert begun == "begun"
    assert dev.get("/version").text == "2"


def test_a_warning_about_the_code_is_said_once_for_each_reload(project, dev):
    main = (project / "main.py").read_text()
    (project / "main.py").write_text(main.replace("fetch(request, env):", "fetch(request, env: 'Unheard'):"))
    dev.wait_line("^Reloaded in")

    assert eventually(lambda: "the env annotation" in dev.said)
    assert dev.said.count("the env annotation") == 1


def test_an_import_without_end_is_said_and_ended_by_the_next_change(project, dev):
    (project / "lib.py").write_text("while True: pass\n")
    dev.wait_line("importing for 3 s, and goes on; what was there before answers")
    before = dev.get("/version").text
    write_version(project, "2")
    dev.wait_line("^Reloaded in")

    assert (before, dev.get("/version").text) == ("1", "2")
