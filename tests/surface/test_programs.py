"""Programs as people write them run as they stand, and type-check under the strictest settings of both checkers."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import httpx

import perdure
from tests.checkers import MYPY_CACHE
from tests.surface.programs import rate_limiter

PROGRAMS = Path(__file__).with_name("programs")


def answers(tmp_path, program, *requests):
    """What the program says to each (method, path, body) in turn: (status, text)."""

    async def run():
        said = []
        async with perdure.open(tmp_path / "data", worker=PROGRAMS / program) as rt:
            for method, path, body in requests:
                response = await rt.fetch(path, method=method, body=body)
                said.append((response.status, await response.text()))
        return said

    return asyncio.run(run())


def test_named_counters_count(tmp_path):
    said = answers(
        tmp_path,
        "counter.py",
        ("POST", "/a/increment?by=5", None),
        ("POST", "/a/decrement", None),
        ("GET", "/a", None),
        ("GET", "/b", None),
        ("GET", "/a?by=x", None),
        ("GET", "/", None),
    )

    assert [status for status, _ in said] == [200, 200, 200, 200, 400, 404]
    assert [json.loads(text)["value"] for status, text in said if status == 200] == [5, 4, 4, 0]


def test_a_text_that_was_posted_to_a_path_is_there_the_next_time(tmp_path):
    answers(tmp_path, "get_started.py", ("POST", "/notes", "important data!"))

    assert answers(
        tmp_path, "get_started.py", ("GET", "/notes", None), ("GET", "/else", None), ("PATCH", "/", "x")
    ) == [
        (200, "important data!"),
        (404, "nothing stored here"),
        (405, "use GET or POST"),
    ]


def test_a_script_keeps_its_objects_from_run_to_run(tmp_path):
    def visit(*names):
        ran = subprocess.run(
            [sys.executable, PROGRAMS / "visits.py", *names], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert ran.returncode == 0, ran.stderr
        return [line.partition(",")[0] for line in ran.stdout.splitlines()]

    assert visit("ann", "bob", "ann") == ["ann was here 2 times", "bob was here 1 time"]
    assert visit("bob") == ["ann was here 2 times", "bob was here 2 times"]


def test_a_fastapi_application_limits_its_clients(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    app = rate_limiter.app

    async def ask(times):
        async with app.router.lifespan_context(app) as state:

            async def with_state(scope, receive, send):
                await app({**scope, "state": dict(state)}, receive, send)

            async with httpx.AsyncClient(transport=httpx.ASGITransport(with_state), base_url="http://test") as client:
                return [await client.get("/") for _ in range(times)]

    replies = asyncio.run(ask(6))
    after_a_restart = asyncio.run(ask(1))

    assert [reply.status_code for reply in replies] == [200] * 5 + [429]
    assert [reply.json()["left"] for reply in replies[:5]] == [4, 3, 2, 1, 0]
    assert int(replies[5].headers["retry-after"]) == 1
    assert after_a_restart[0].status_code == 429


def test_the_programs_type_check_strictly_by_mypy(tmp_path):
    programs = sorted(map(str, PROGRAMS.glob("*.py")))
    options = ["--strict", "--cache-dir", MYPY_CACHE, "--namespace-packages", "--explicit-package-bases"]
    checked = run(tmp_path, "mypy", *options, *programs)

    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert f"no issues found in {len(programs)} source files" in checked.stdout


def test_the_programs_type_check_strictly_by_pyright(tmp_path):
    settings = tmp_path / "pyrightconfig.json"
    include = [os.path.relpath(PROGRAMS, tmp_path)]
    settings.write_text(json.dumps({"include": include, "typeCheckingMode": "strict"}))
    checked = run(tmp_path, "pyright", "--project", str(settings), "--pythonpath", sys.executable, "--outputjson")

    said = json.loads(checked.stdout)
    assert said["generalDiagnostics"] == []
    assert said["summary"]["filesAnalyzed"] == len(list(PROGRAMS.glob("*.py")))


def run(folder, *command):
    return subprocess.run([sys.executable, "-m", *command], cwd=folder, capture_output=True, text=True, check=False)
