"""What a real `perdure dev` says and shows of a project that talks, fails and holds the loop."""

import json
from pathlib import Path

import pytest

from tests.host.dev_process import DevProcess
from tests.host.projects import write_project

TALKS = """
import logging, logging.config, time
from perdure import DurableObject, Response

logging.config.dictConfig({"version": 1})  # turns off all loggers that it does not name
print("at import")
log = logging.getLogger(__name__)
log.disabled = False

class Room(DurableObject):
    async def talk(self):
        print("printed")
        log.warning("logged")

    async def fail(self, key):
        raise ValueError(f"refused {key}")

    async def hold(self):
        time.sleep(0.3)

async def fetch(request, env):
    room = env.ROOM["lobby"]
    if request.path == "/fail":
        await room.fail(env.KEY)
    elif request.path == "/hold":
        await room.hold()
    else:
        await room.talk()
    return Response("done")
"""
SECRET = "sk-123456789"
GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "observability.md"
BROWSER = {"accept": "text/html"}


@pytest.fixture
def project(tmp_path):
    (tmp_path / ".gitignore").write_text(".dev.vars\n")
    (tmp_path / ".dev.vars").write_text(f"KEY={SECRET}\n")
    return write_project(tmp_path, TALKS, classes=["Room"])


def test_a_program_reads_every_line_and_finds_the_request_in_each(project):
    with DevProcess(project, "--no-reload", "--log-format", "json") as dev:
        ready = json.loads(dev.wait_line('"event":"ready"').string)
        dev.url = ready["url"].replace("//localhost:", "//127.0.0.1:")
        dev.get("/talk")
        dev.get("/fail")
        dev.get("/hold")
        dev.terminate()
        dev.wait_end()

    said = [json.loads(line) for line in dev.lines]
    assert_documented({name for line in said for name in line})
    assert dev.problems == []
    assert "at import" in [line["message"] for line in said if line.get("logger") == "perdure.print"]
    of_room = [line for line in said if line.get("object") == "lobby"]
    assert [line["message"] for line in of_room[:2]] == ["printed", "logged"]
    (talked,) = [line for line in said if line["event"] == "request" and line["path"] == "/talk"]
    assert {line["request"] for line in of_room[:2]} == {talked["request"]}
    (failure,) = [line for line in said if line["event"] == "failure"]
    assert "refused ***" in failure["traceback"]
    (stall,) = [line for line in said if line.get("logger") == "perdure.watchdog"]
    assert (stall["class"], stall["object"]) == ("Room", "lobby")
    assert "hold() (main.py:" in stall["message"]
    assert SECRET not in "\n".join(dev.lines)


def test_a_browser_gets_a_page_a_tool_the_objects_and_another_name_nothing(project):
    with DevProcess(project, "--no-reload") as dev:
        dev.wait_ready()
        page = dev.request("GET", "/fail", headers=BROWSER)
        text = dev.get("/fail")
        seen = dev.get("/cdn-cgi/local/objects").json()
        rebound = dev.request("GET", "/cdn-cgi/local/objects", headers={"host": "evil.example"})
        unknown = dev.get("/cdn-cgi/local/")

    assert (page.status_code, text.status_code) == (500, 500)
    assert "<h1>ValueError: refused ***</h1>" in page.text
    assert "main.py:" in page.text
    assert "ValueError: refused ***" in text.text
    assert SECRET not in page.text + text.text + dev.said
    assert [(shown["class"], shown["name"], shown["state"]) for shown in seen["objects"]] == [("Room", "lobby", "idle")]
    assert_documented({*seen, *seen["classes"][0], *seen["objects"][0]})
    assert rebound.status_code == 403
    assert (unknown.status_code, unknown.json()["available"]) == (404, ["/cdn-cgi/local/objects"])


def assert_documented(fields: set[str]) -> None:
    guide = GUIDE.read_text(encoding="utf-8")

    assert {name for name in fields if f"`{name}`" not in guide} == set()
