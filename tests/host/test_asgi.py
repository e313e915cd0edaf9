"""A Worker behind somebody else's server: opened and closed with it, alone or mounted in another application."""

import asyncio
import os
import re
import signal
import subprocess
import sys
import threading
import types
from datetime import timedelta

import httpx
import pytest
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.http import HttpResponse
from django.urls import path as django_path
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

import perdure
from tests.host import embedded_counter
from tests.host.asgi_client import client_of, lifespan_of
from tests.host.embedded_counter import Counter
from tests.host.embedded_counter import fetch as count_fetch
from tests.host.projects import write_project

# Far more than it takes: a loaded machine must not fail a test that is right.
PATIENCE_S = 30.0
MAIN = """
from perdure import DurableObject, Request, Response

class Counter(DurableObject):
    async def add(self) -> int:
        count = self.ctx.storage.kv.get("count", 0) + 1
        self.ctx.storage.kv.put("count", count)
        return count

async def fetch(request: Request, env) -> Response:
    return Response(f"{request.path} {await env.Counter[request.path].add()} {request.url}")
"""


@pytest.fixture
def main(tmp_path):
    (tmp_path / "main.py").write_text(MAIN)
    return tmp_path / "main.py"


async def is_free(folder) -> bool:
    try:
        async with perdure.open(folder, objects=[Counter], lock_timeout=timedelta(0)):
            return True
    except perdure.DataFolderLocked:
        return False


def test_a_path_is_opened_with_the_servers_lifespan_and_closed_with_it(main):
    data = main.parent / ".perdure" / "state"

    async def scenario():
        app = perdure.asgi(main)
        async with lifespan_of(app) as said, client_of(app) as client:
            answers = [(await client.get("/a")).text for _ in range(2)]
            held = not await is_free(data)
        return said["type"], answers, held, await is_free(data)

    said, answers, held, free = asyncio.run(scenario())

    assert said == "lifespan.startup.complete"
    assert answers == ["/a 1 http://shop.example/a", "/a 2 http://shop.example/a"]
    assert (held, free) == (True, True)


def test_without_a_lifespan_it_is_opened_once_at_the_first_request_and_closed_with_the_loop(main):
    async def scenario():
        async with client_of(perdure.asgi(str(main))) as client:
            return sorted((await asyncio.gather(*(client.get("/a") for _ in range(8)))), key=lambda r: r.text)

    answers = asyncio.run(scenario())

    assert [answer.text.split()[1] for answer in answers] == [str(count) for count in range(1, 9)]
    assert asyncio.run(is_free(main.parent / ".perdure" / "state"))


def test_a_first_request_that_is_given_up_does_not_spoil_the_opening(main):
    async def scenario():
        app = perdure.asgi(main)
        async with client_of(app) as client:
            first = asyncio.create_task(client.get("/a"))
            await asyncio.sleep(0)
            first.cancel()
            return (await client.get("/b")).text

    assert asyncio.run(scenario()).startswith("/b 1 ")


def test_an_opening_that_failed_is_tried_again_at_the_next_request(main):
    async def scenario():
        app = perdure.asgi(main)
        main.write_text("raise ValueError('broken')")
        async with client_of(app) as client:
            with pytest.raises(perdure.LoadFailed, match="broken"):
                await client.get("/a")
            main.write_text(MAIN)
            return (await client.get("/a")).text

    assert asyncio.run(scenario()).startswith("/a 1 ")


def test_a_start_that_fails_tells_the_server_why(tmp_path):
    async def scenario():
        async with lifespan_of(perdure.asgi(tmp_path / "main.py")) as said:
            return said

    said = asyncio.run(scenario())

    assert said["type"] == "lifespan.startup.failed"
    assert "the main module main.py does not exist" in said["message"]


def test_one_application_serves_one_loop_after_another(main):
    app = perdure.asgi(main)

    async def once():
        async with client_of(app) as client:
            return (await client.get("/a")).text.split()[1]

    assert [asyncio.run(once()) for _ in range(2)] == ["1", "2"]


def test_a_configuration_is_served_from_a_folder_of_its_own(tmp_path):
    write_project(tmp_path)

    async def scenario():
        app = perdure.asgi(tmp_path / "wrangler.toml", data=tmp_path / "elsewhere")
        async with lifespan_of(app), client_of(app) as client:
            await client.post("/a", content="kept")
            return (await client.get("/a")).text

    assert asyncio.run(scenario()) == "kept"
    assert (tmp_path / "elsewhere" / "catalog.db").is_file()


def test_a_runtime_that_is_given_stays_open_after_the_servers_lifespan(tmp_path):
    async def scenario():
        async with perdure.open(tmp_path, worker=count_fetch, env={"GREETING": "hi"}) as rt:
            app = perdure.asgi(rt)
            async with lifespan_of(app), client_of(app) as client:
                over_http = (await client.get("/a")).json()["count"]
            return over_http, await rt[Counter]["/a"].add()

    assert asyncio.run(scenario()) == (1, 2)


def test_a_module_is_served_as_it_is_imported(tmp_path):
    module = types.ModuleType("shop")
    exec("async def fetch(request):\n    return {'path': request.path}", vars(module))
    module.fetch.__module__ = "shop"

    async def scenario():
        async with client_of(perdure.asgi(module, data=tmp_path)) as client:
            return (await client.get("/a")).json()

    assert asyncio.run(scenario()) == {"path": "/a"}


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda path: perdure.asgi(3), "not int"),
        (lambda path: perdure.asgi(count_fetch), "not function"),
        (lambda path: perdure.asgi(types.ModuleType("typed")), "a module without a file"),
        (lambda path: perdure.asgi(embedded_counter, data=3), "a path, not int"),
    ],
)
def test_what_cannot_be_served_is_refused_by_the_call_itself(tmp_path, make, says):
    with pytest.raises(perdure.WrongType, match=says):
        make(tmp_path)


def test_a_runtime_has_its_folder_already(tmp_path):
    async def scenario():
        async with perdure.open(tmp_path, worker=count_fetch, env={"GREETING": ""}) as rt:
            with pytest.raises(perdure.WrongType, match="has its folder already"):
                perdure.asgi(rt, data=tmp_path)

    asyncio.run(scenario())


@pytest.mark.parametrize("extensions", [{}, {"websocket.http.response": {}}])
def test_a_websocket_is_refused_clearly(main, extensions):
    async def scenario():
        sent = []

        async def receive():
            return {"type": "websocket.connect"}

        async def send(message):
            sent.append(message)

        await perdure.asgi(main)({"type": "websocket", "extensions": extensions}, receive, send)
        return sent

    first, *rest = asyncio.run(scenario())

    if extensions:
        assert (first["status"], rest[0]["body"]) == (501, b"this application serves no WebSockets yet\n")
    else:
        assert (first["type"], first["code"]) == ("websocket.close", 1011)
        assert first["reason"] == "this application serves no WebSockets yet"


def test_what_is_neither_http_nor_a_websocket_is_refused(main):
    async def scenario():
        with pytest.raises(perdure.WrongType, match="'smtp'"):
            await perdure.asgi(main)({"type": "smtp"}, None, None)

    asyncio.run(scenario())


# In other applications


async def home(request):
    return PlainTextResponse("home")


def test_mounted_in_starlette_it_sees_the_path_below_the_mount(main):
    app = Starlette(routes=[Route("/", home), Mount("/objects", app=perdure.asgi(main))])

    async def scenario():
        async with lifespan_of(app), client_of(app) as client:
            return [(await client.get(path)).text for path in ("/", "/objects/a", "/objects/a", "/objects/")]

    assert asyncio.run(scenario()) == [
        "home",
        "/a 1 http://shop.example/a",
        "/a 2 http://shop.example/a",
        "/ 1 http://shop.example/",
    ]


def test_mounted_in_fastapi_its_runtime_is_shared_with_the_routes(tmp_path):
    async def scenario():
        async with perdure.open(tmp_path, worker=count_fetch, env={"GREETING": "hi"}) as rt:
            app = FastAPI()

            @app.get("/direct/{name}")
            async def direct(name: str) -> int:
                return await rt[Counter][f"/{name}"].add()

            app.mount("/objects", perdure.asgi(rt))
            async with client_of(app) as client:
                return (await client.get("/direct/a")).json(), (await client.get("/objects/a")).json()

    direct, mounted = asyncio.run(scenario())

    assert direct == 1
    assert mounted == {"greeting": "hi", "count": 2, "url": "http://shop.example/a"}


def test_beside_django_it_answers_what_is_passed_to_it(main):
    if not settings.configured:
        settings.configure(SECRET_KEY="x", ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"])
    site, objects = get_asgi_application(), perdure.asgi(main)

    async def app(scope, receive, send):
        if scope["type"] == "http" and scope["path"].startswith("/objects/"):
            await objects({**scope, "root_path": "/objects"}, receive, send)
        else:
            await site(scope, receive, send)

    async def scenario():
        async with client_of(app) as client:
            return [(await client.get(path)).text for path in ("/hello", "/objects/a", "/objects/a")]

    assert asyncio.run(scenario()) == ["of django", "/a 1 http://shop.example/a", "/a 2 http://shop.example/a"]


async def hello(request):
    return HttpResponse("of django")


urlpatterns = [django_path("hello", hello)]


# Under uvicorn


class Uvicorn:
    """uvicorn in a process of its own, on a port that the system gives."""

    def __init__(self, folder, *arguments: str) -> None:
        command = [sys.executable, "-m", "uvicorn", "app:app", "--host", "127.0.0.1", "--port", "0", *arguments]
        self.process = subprocess.Popen(
            command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
        )
        # Whatever goes wrong, reading its output ends.
        self._deadline = threading.Timer(PATIENCE_S, self._kill)
        self._deadline.start()
        self.log = ""

    def wait_for(self, pattern: str) -> re.Match[str]:
        while (found := re.search(pattern, self.log)) is None:
            line = self.process.stdout.readline()
            assert line, f"it ended without {pattern!r}:\n{self.log}"
            self.log += line
        return found

    def url(self) -> str:
        return self.wait_for(r"running on (http://[\d.:]+)")[1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.log += self.process.stdout.read()
        self.process.stdout.close()
        self.process.wait()
        self._deadline.cancel()

    def _kill(self) -> None:
        os.killpg(self.process.pid, signal.SIGKILL)


@pytest.fixture
def app_folder(main):
    (main.parent / "app.py").write_text("import perdure\napp = perdure.asgi('main.py')\n")
    return main.parent


def test_under_uvicorn_requests_are_answered_and_a_stop_is_clean(app_folder):
    with Uvicorn(app_folder) as server:
        url = server.url()
        first = httpx.get(f"{url}/a%20b?x=1")
        second = httpx.get(f"{url}/a%20b")
    log = server.log

    assert first.text == f"/a b 1 {url}/a%20b?x=1"
    assert second.text.startswith("/a b 2")
    assert "Application shutdown complete" in log and "Traceback" not in log


def test_under_uvicorn_with_two_workers_the_second_is_refused_with_what_to_do(app_folder):
    with Uvicorn(app_folder, "--workers", "2") as server:
        url = server.url()
        refusal = server.wait_for(r"the folder is in use by process (\d+) .*")
        answer = httpx.get(f"{url}/a").text

    assert "run one worker process only" in refusal[0]
    assert answer.startswith("/a 1")
