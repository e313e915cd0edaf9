"""What goes wrong through `perdure dev`: the error says what, where, why and what next; others are served; all is kept."""

import re
import shutil
import socket
import struct
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import apsw
import httpx
import pytest

from perdure.store.file_system import checksummed_file_system
from perdure.store.schema import FORMAT
from tests.host.dev_process import DevProcess
from tests.host.projects import write_project

CLASSES = ("Counter", "Faulty", "Raises", "Exits", "Returns")


class Served:
    """The faulty Worker's process, and what its counter has promised."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.dev = DevProcess(folder).wait_ready()
        self.promised = 0

    def must_serve_on(self) -> None:
        """Everybody else is served, by the same process, and what was stored is there."""
        assert self.dev.process.poll() is None, self.dev.said
        answer = self.dev.get("/count")
        self.promised += 1
        assert (answer.status_code, answer.text) == (200, str(self.promised))

    def must_say(self, *words: str) -> str:
        """Waits until it has said the first of the words and returns that line, which has all of them."""
        line = self.dev.wait_line(re.escape(words[0])).string
        assert not [word for word in words if word not in line], line
        return line

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", urllib.parse.urlsplit(self.dev.url).port or 0), timeout=30)


@pytest.fixture(scope="module")
def served(tmp_path_factory) -> Iterator[Served]:
    folder = write_project(tmp_path_factory.mktemp("faulty"), "", classes=CLASSES)
    shutil.copy(Path(__file__).with_name("faulty_worker.py"), folder / "main.py")
    served = Served(folder)
    served.must_serve_on()
    yield served
    # After all that went wrong: nothing that was promised meanwhile is lost.
    served.dev.kill()
    with DevProcess(folder) as dev:
        dev.wait_ready()
        assert dev.get("/count").text == str(served.promised + 1)


@pytest.mark.parametrize(
    ("path", "says"),
    [
        (
            "/store/function",
            ["UnsupportedValue: a function cannot be stored", 'put("x")', "call it and store the result"],
        ),
        (
            "/store/file-inside",
            ["_io.TextIOWrapper cannot be", 'put("x")["a"][1]["b"]', "belongs to this process", "store"],
        ),
        ("/store/cycle", ["UnsupportedValue: ", 'put("x")']),
        ("/store/large", ["TooLarge: ", "2,097,1", "at most 2,097,152 bytes (2 MiB)", "split the value"]),
        ("/store/number-as-key", ["a key must be a str, not int", "kv.put()", "ordered as text", "use str(1)"]),
        ("/store/surrogate-in-key", ["lone surrogate", "kv.put()", "no UTF-8 form", "decode with errors="]),
        ("/store/long-key", ["TooLarge: the key", "has 2,049 bytes", "at most 2,048 bytes", "use a digest"]),
        ("/store/65-mib", ["UnitTooLarge: ", "at most 67,108,864 bytes", "write in several steps"]),
        (
            "/construct/raises",
            ["ConstructorFailed: Raises/x", "no start", "the constructor or setup()", "mend the cause"],
        ),
        ("/construct/exits", ["ConstructorFailed: Exits/x", "SystemExit: 4", "mend the cause"]),
        ("/construct/returns", ["ConstructorFailed: Returns/x", "__init__() should return None", "mend the cause"]),
        ("/exit/method", ["an object raised SystemExit: 3", "ends nothing here", "raise an error of your own"]),
        ("/exit/task", ["an object raised SystemExit: 3", "ends nothing here", "raise an error of your own"]),
        (
            "/exit/blocking",
            ["ObjectReset: Faulty/x was reset", "SystemExit: 3", "a callback of block_concurrency_while()", "catch it"],
        ),
        ("/worker-exits", ["SystemExit: 3"]),
        ("/worker-raises", ["KeyError: 'of the Worker'"]),
        ("/nothing", ["fetch of main returned nothing instead of a Response", "return Response(...)"]),
        ("/not-bound", ["env.FAULTLESS is not bound", "wrangler.toml", "known bindings: COUNTER", "did you mean"]),
        ("/no-method", ["Faulty", "stroe", "did you mean", "store"]),
        ("/foreign-id", ["InvalidId: ", "is not an id of", "another namespace made it", "use the namespace"]),
    ],
)
def test_a_mistake_of_the_program_is_a_500_that_is_explained_and_touches_nobody_else(served, path, says):
    answer = served.dev.get(path)

    assert answer.status_code == 500
    assert answer.text.startswith("Internal Server Error\n")
    assert all(text in answer.text for text in says)
    assert served.must_say(f"error: GET {path} failed")
    served.must_say(*says)
    served.must_serve_on()


def test_an_object_that_exits_in_the_background_is_reported(served):
    assert served.dev.get("/exit/background").status_code == 200

    served.must_say("error: Faulty/x: a task of wait_until() failed")
    served.must_say("SystemExit: 3")
    served.must_serve_on()


def test_an_object_that_exits_in_its_stream_breaks_that_answer_off(served):
    with pytest.raises(httpx.RemoteProtocolError, match="incomplete"):
        served.dev.get("/exit-in-stream")

    served.must_say("error: GET /exit-in-stream failed")
    served.must_serve_on()


def test_a_forked_child_that_touches_a_store_is_refused_and_the_parent_goes_on(served):
    assert served.dev.get("/fork").text == "7"

    served.must_say(
        "the child got ForkedChild: this process was forked", str(served.folder), "open the folder after the fork"
    )
    served.must_serve_on()


def test_a_second_server_on_the_same_data_is_refused_and_the_first_goes_on(served):
    with DevProcess(served.folder) as second:
        assert second.wait_end() == 1

    assert f"in use by process {served.dev.process.pid}" in second.said
    assert "next: " in second.said
    served.must_serve_on()


def test_a_store_of_a_newer_format_is_refused_by_name_and_stays_as_it_is(tmp_path):
    folder = write_project(tmp_path)
    with DevProcess(folder) as dev:
        dev.wait_ready()
        assert dev.post("/a", "text").text == "kept"
        dev.terminate()
        dev.wait_end()
    (database,) = folder.glob(".perdure/state/namespaces/*/0/store.db")

    set_format(database, FORMAT + 1)
    written = database.read_bytes()
    with DevProcess(folder) as refused:
        assert refused.wait_end() == 1

    assert all(word in refused.said for word in (str(database.parent), "newer", "next: ")), refused.said
    assert database.read_bytes() == written
    set_format(database, FORMAT)
    with DevProcess(folder) as dev:
        assert dev.wait_ready().get("/a").text == "text"


def set_format(database: Path, number: int) -> None:
    connection = apsw.Connection(str(database), vfs=checksummed_file_system())
    connection.pragma("user_version", number)
    connection.close()


HOST = b"Host: x\r\n"


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, id="TLS on a plain port"),
        pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, id="HTTP/2"),
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", 400, id="no Host"),
        pytest.param(b"GET /\0 HTTP/1.1\r\n" + HOST + b"\r\n", 400, id="NUL in the path"),
        pytest.param(b"GET / HTTP/1.1\r\n" + HOST + b"a b: c\r\n\r\n", 400, id="space in a name"),
        pytest.param(b"POST /body HTTP/1.1\r\n" + HOST + b"Content-Length: -1\r\n\r\n", 400, id="negative length"),
        pytest.param(
            b"POST /body HTTP/1.1\r\n" + HOST + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            400,
            id="two lengths",
        ),
        pytest.param(
            b"POST /body HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400, id="no chunk size"
        ),
        pytest.param(b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 414, id="long target"),
        pytest.param(b"GET / HTTP/1.1\r\n" + HOST + b"a: " + b"b" * 40_000 + b"\r\n\r\n", 431, id="large field"),
        pytest.param(b"GET / HTTP/1.1\r\n" + HOST + b"a: b\r\n" * 101 + b"\r\n", 431, id="many fields"),
        pytest.param(b"POST /body HTTP/1.1\r\n" + HOST + b"Content-Length: 100000001\r\n\r\n", 413, id="large body"),
        pytest.param(b"POST /body HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: gzip\r\n\r\n", 400, id="unknown coding"),
    ],
)
def test_bytes_that_are_no_request_are_refused_and_the_connection_ends(served, sent, status):
    with served.connect() as client:
        client.sendall(sent)
        answer = b"".join(iter(lambda: client.recv(65_536), b""))

    assert answer.startswith(b"HTTP/1.1 %d " % status), answer[:200]
    assert b"connection: close" in answer.lower()
    served.must_serve_on()


STAGES = {
    "connected": b"",
    "half a head": b"GET /count HTTP/1.1\r\nHo",
    "half a body": b"POST /body HTTP/1.1\r\n" + HOST + b"Content-Length: 1000\r\n\r\nabc",
    "half a chunk": b"POST /body HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\nff\r\nabc",
    "waiting for the handler": b"GET /wait HTTP/1.1\r\n" + HOST + b"\r\n",
    "behind a running request": (b"GET /wait HTTP/1.1\r\n" + HOST + b"\r\n") * 3,
    "amid a stream": b"GET /stream HTTP/1.1\r\n" + HOST + b"\r\n",
}


@pytest.mark.parametrize("reset", [False, True], ids=["closes", "resets"])
@pytest.mark.parametrize("sent", STAGES.values(), ids=STAGES)
def test_a_client_that_leaves_at_any_stage_leaves_everybody_else_alone(served, sent, reset):
    with served.connect() as client:
        client.sendall(sent)
        if sent is STAGES["amid a stream"]:
            client.recv(1_000)
        else:
            served.must_serve_on()  # by now it has read what was sent
        if reset:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    served.must_serve_on()
