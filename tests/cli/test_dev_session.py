"""What `perdure dev` shows when the project's code is broken, and that it serves on after "Ready" whatever that code does."""

import asyncio
import io
import os
import re
import signal
import ssl
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import pytest

from perdure.cli.console import Console
from perdure.cli.dev_options import DevOptions
from perdure.cli.dev_session import DevSession
from perdure.cli.exit_code import ExitCode
from perdure.host.host import Host
from perdure.host.loop import new_loop
from perdure.store.folder_lock import try_lock
from tests.host.projects import write_project

PEM = Path(__file__).resolve().parents[1] / "edge" / "pem"


@dataclass
class Outcome:
    code: ExitCode
    out: str
    err: str
    answers: list[tuple[int, str]]


@pytest.fixture
def dev(tmp_path, monkeypatch):
    """Runs a session on a project; once it is ready, asks for each path in turn, then stops it."""
    monkeypatch.chdir(tmp_path)

    def run(*paths: str, **options: object) -> Outcome:
        out, err = io.StringIO(), io.StringIO()
        session = DevSession(DevOptions(port=0, **options), Console(out, err))

        async def scenario() -> Outcome:
            running = asyncio.create_task(session.run())
            while "Ready on " not in out.getvalue() and not running.done():
                await asyncio.sleep(0.001)
            answers = []
            if not running.done():
                scheme, port = out.getvalue().split("Ready on ")[1].split()[0].split("://localhost:")
                for path in paths:
                    answers.append(await asyncio.to_thread(answer, f"{scheme}://127.0.0.1:{port}{path}"))
                os.kill(os.getpid(), signal.SIGTERM)
            return Outcome(await running, out.getvalue(), err.getvalue(), answers)

        with asyncio.Runner(loop_factory=new_loop) as runner:
            return runner.run(scenario())

    return run


def answer(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, context=ssl._create_unverified_context()) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


BROKEN_MODULES = {
    "raises": ("def work():\n    return {}['key']\n\nwork()\n", "KeyError: 'key'"),
    "has a syntax error": ("def work(:\n", "SyntaxError"),
    "exits": ("raise SystemExit(4)\n", "SystemExit"),
    "imports what is not there": ("import not_there_at_all\n", "not_there_at_all"),
    "has no handler": ("x = 1\n", "fetch"),
    "has a handler that is none": ("fetch = 1\n", "fetch"),
}


@pytest.mark.parametrize("broken", BROKEN_MODULES)
def test_a_main_module_that_cannot_serve_ends_it_with_the_reason(dev, tmp_path, broken):
    main, reason = BROKEN_MODULES[broken]
    write_project(tmp_path, main, classes=())

    outcome = dev()

    assert outcome.code == ExitCode.ERROR
    assert reason in outcome.err
    assert "Ready" not in outcome.out


def test_a_main_module_that_is_missing_is_a_problem_of_the_configuration(dev, tmp_path):
    write_project(tmp_path, None, classes=())

    outcome = dev()

    assert outcome.code == ExitCode.CONFIG
    assert "main.py" in outcome.err


def test_a_module_that_raises_is_shown_with_its_own_frames_only(dev, tmp_path):
    write_project(tmp_path, "def work():\n    return {}['key']\n\nwork()\n", classes=())

    said = dev().err

    assert 'main.py", line 4' in said
    assert 'main.py", line 2, in work' in said
    assert "importlib" not in said
    assert "perdure/workers" not in said


def test_a_bound_class_that_is_absent_ends_it_with_the_nearest_spelling(dev, tmp_path):
    write_project(tmp_path, "class Counter:\n    def __init__(self, ctx, env): ...\n", classes=("Countre",))

    outcome = dev()

    assert outcome.code == ExitCode.ERROR
    assert "'Countre'" in outcome.err
    assert "did you mean 'Counter'?" in outcome.err


OBJECTS = """
import asyncio
from datetime import timedelta
from perdure import Limits, Response

class Fine:
    def __init__(self, ctx, env): ...
    async def fetch(self, request): return Response("fine")

class Raises(Fine):
    def __init__(self, ctx, env):
        raise ValueError("no start")

class Returns(Fine):
    def __init__(self, ctx, env):
        return 7

class Hangs(Fine):
    limits = Limits(critical_section=timedelta(milliseconds=50))
    def __init__(self, ctx, env):
        ctx.block_concurrency_while(lambda: asyncio.Event().wait())

async def fetch(request, env):
    if request.path == "/worker":
        raise KeyError("of the Worker")
    return await env[request.path[1:].upper()]["x"].fetch(request)
"""


@pytest.mark.parametrize(
    ("constructor", "reason"),
    [("raises", "ValueError: no start"), ("returns", "TypeError"), ("hangs", "TimeLimitExceeded")],
)
def test_a_constructor_that_fails_is_a_500_and_the_server_lives_on(dev, tmp_path, constructor, reason):
    write_project(tmp_path, OBJECTS, classes=("Fine", "Raises", "Returns", "Hangs"))

    outcome = dev(f"/{constructor}", "/fine")

    assert [status for status, _ in outcome.answers] == [500, 200] or [s for s, _ in outcome.answers] == [503, 200]
    assert outcome.answers[1] == (200, "fine")
    assert reason in outcome.err
    assert outcome.code == ExitCode.OK


def test_an_exception_of_the_handler_is_a_500_shown_with_the_projects_frames(dev, tmp_path):
    write_project(tmp_path, OBJECTS, classes=("Fine", "Raises", "Returns", "Hangs"))

    outcome = dev("/worker", "/fine")

    (status, text), fine = outcome.answers
    assert (status, fine) == (500, (200, "fine"))
    assert text.startswith("Internal Server Error\n")
    assert "main.py" in text
    assert "perdure/workers" not in text
    assert "error: GET /worker failed" in outcome.err
    assert 'main.py", line' in outcome.err
    assert "KeyError: 'of the Worker'" in outcome.err
    assert "perdure/edge" not in outcome.err
    assert [line.rsplit(" ", 1)[0] for line in outcome.out.splitlines()[-2:]] == ["GET /worker 500", "GET /fine 200"]


def test_the_banner_names_the_worker_its_bindings_and_its_variables(dev, tmp_path):
    write_project(tmp_path, more=f'vars = {{ GREETING = "hello", LONG = "{"x" * 100}" }}')

    shown = dev().out.splitlines()

    assert shown[0] == "perdure 0.1.0: test"
    assert [re.split(r"\s{2,}", line.strip()) for line in shown[1:5]] == [
        ["binding", "is", "mode"],
        ["env.KEEPER", "objects of Keeper", "local"],
        ["env.GREETING", "'hello'", "local"],
        ["env.LONG", f"'{'x' * 38}…", "local"],
    ]
    assert shown[5].startswith("Ready on http://localhost:")


def test_warnings_of_the_configuration_are_shown_and_it_goes_on(dev, tmp_path):
    write_project(tmp_path, more="naem = 1")

    outcome = dev("/a")

    assert outcome.answers == [(200, "nothing")]
    assert "warning: " in outcome.err
    assert "naem" in outcome.err


@pytest.mark.parametrize("elsewhere", [None, "there"])
def test_data_is_kept_beside_the_configuration_or_where_it_is_told(dev, tmp_path, elsewhere):
    write_project(tmp_path / "project")

    dev(config=tmp_path / "project" / "wrangler.toml", persist_to=None if elsewhere is None else tmp_path / elsewhere)

    assert (tmp_path / (elsewhere or "project/.perdure/state") / "catalog.db").exists()


def test_the_nearest_configuration_upwards_is_used(dev, tmp_path, monkeypatch):
    write_project(tmp_path)
    (tmp_path / "deep" / "down").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "deep" / "down")

    assert dev("/a").answers == [(200, "nothing")]


def test_a_folder_in_use_is_refused_with_who_has_it(dev, tmp_path, monkeypatch):
    write_project(tmp_path)
    monkeypatch.setitem(Host.run.__kwdefaults__, "lock_timeout_s", 0)
    (tmp_path / ".perdure" / "state").mkdir(parents=True)
    held = try_lock(tmp_path / ".perdure" / "state", now_ms=0)
    assert held is not None

    outcome = dev()
    held.release()

    assert outcome.code == ExitCode.ERROR
    assert "in use by this very process" in outcome.err
    assert "next: " in outcome.err


def test_a_certificate_serves_https(dev, tmp_path):
    write_project(tmp_path)

    outcome = dev("/a", cert=PEM / "localhost.crt", key=PEM / "localhost.key")

    assert "Ready on https://localhost:" in outcome.out
    assert outcome.answers == [(200, "nothing")]


def test_background_work_that_fails_is_shown_with_the_projects_frames(dev, tmp_path):
    main = """
    from perdure import Response

    async def work():
        raise ValueError("in the background")

    async def fetch(request, env, ctx):
        ctx.wait_until(work())
        return Response("done")
    """
    write_project(tmp_path, main, classes=())

    outcome = dev("/")

    assert outcome.answers == [(200, "done")]
    assert "ValueError: in the background" in outcome.err
    assert "in work" in outcome.err
