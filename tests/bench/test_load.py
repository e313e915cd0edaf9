"""The load generator believes no server: each test is a server that is right or wrong in one way."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from bench import load

Answer = Callable[[str, str], bytes]  # (method, path) -> the whole reply


def reply(body: str, status: str = "200 OK") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()


class Counters:
    """An honest server; the tests make it lie."""

    def __init__(self) -> None:
        self.held: dict[str, int] = {}
        self.lock = threading.Lock()
        self.posts = 0

    def __call__(self, method: str, path: str) -> bytes:
        with self.lock:
            if method == "POST":
                self.posts += 1
                self.held[path] = self.held.get(path, 0) + 1
            return reply(str(self.held.get(path, 0)))


@contextmanager
def served(answer: Answer, *, piece: int = 65_536) -> Iterator[int]:
    """Gives the port of a server that sends each reply in pieces of that many bytes; an empty reply closes."""

    def serve(connection: socket.socket) -> None:
        # The generator leaves at the first lie, whatever is still on its way to it.
        with suppress(ConnectionError), connection, connection.makefile("rb") as questions:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for line in questions:
                method, path, _ = line.decode().split()
                while questions.readline() != b"\r\n":
                    pass
                whole = answer(method, path)
                if not whole:
                    return
                for at in range(0, len(whole), piece):
                    connection.sendall(whole[at : at + piece])

    def accept() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:  # closed: the test is over
                return
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=accept, daemon=True).start()
        try:
            yield listening.getsockname()[1]
        finally:
            listening.shutdown(socket.SHUT_RDWR)


def run(answer: Answer, kind: str, *, piece: int = 65_536, requests: int = 200, connections: int = 4) -> load.Result:
    with served(answer, piece=piece) as port:
        return load.run(load.Plan(port, kind, connections, objects=5, seconds=20, requests_max=requests))


def test_counters_that_equal_the_requests_sent_are_a_result() -> None:
    counters = Counters()

    result = run(counters, "increment")

    assert result.requests == result.requests_all == counters.posts == sum(counters.held.values()) == 200
    assert 0 < result.median_us <= result.p99_us <= result.worst_us


def test_what_the_counters_held_before_is_not_counted() -> None:
    counters = Counters()
    counters.held = {"/object-0": 7, "/object-3": 1_000}

    assert run(counters, "increment").requests == 200


def test_when_time_is_up_every_answer_still_due_is_waited_for() -> None:
    counters = Counters()

    with served(counters) as port:
        result = load.run(load.Plan(port, "increment", 8, objects=5, seconds=0.1, warm_up_s=0.05))

    assert result.requests_all == counters.posts


def test_a_reply_in_small_pieces_is_one_reply() -> None:
    assert run(Counters(), "increment", piece=7, requests=50).requests == 50


def test_an_increment_lost_between_two_others_voids_the_run() -> None:
    counters = Counters()

    def forgets_one(method: str, path: str) -> bytes:
        answer = counters(method, path)
        if counters.posts == 60 and method == "POST":
            counters.held[path] -= 1
        return answer

    with pytest.raises(load.Void, match="increments"):
        run(forgets_one, "increment")


def test_one_value_answered_to_two_increments_voids_the_run() -> None:
    counters = Counters()

    def repeats_one(method: str, path: str) -> bytes:
        answer = counters(method, path)
        if counters.posts == 60 and method == "POST":
            return reply(str(counters.held[path] - 1))
        return answer

    with pytest.raises(load.Void, match="answered up to"):
        run(repeats_one, "increment")


def test_an_increment_answered_and_not_kept_voids_the_run() -> None:
    counters = Counters()

    def forgets_the_end(method: str, path: str) -> bytes:
        if method == "GET" and counters.posts == 200:
            return reply(str(counters.held.get(path, 0) - 1))
        return counters(method, path)

    with pytest.raises(load.Void, match="now holds"):
        run(forgets_the_end, "increment")


def test_a_read_of_another_value_voids_the_run() -> None:
    asked: list[str] = []

    def changes(method: str, path: str) -> bytes:
        asked.append(path)
        return reply("1" if len(asked) > 100 else "0")

    with pytest.raises(load.Void, match="holds 0 and answered"):
        run(changes, "read")


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (reply("no", "503 Service Unavailable"), "not 200"),
        (b"HTTP/1.1 200 OK\r\n\r\n1", "without Content-Length"),
        (reply("Hello, World!") + b"x", "1 bytes after"),
        (reply("Hello"), "hello answered"),
        (b"", "closed"),
    ],
    ids=["status", "no-length", "too-long", "wrong-body", "closed"],
)
def test_one_wrong_reply_voids_the_run(answer: bytes, why: str) -> None:
    asked: list[str] = []

    def one_wrong(method: str, path: str) -> bytes:
        asked.append(path)
        return answer if len(asked) == 50 else reply("Hello, World!")

    with pytest.raises(load.Void, match=why):
        run(one_wrong, "hello")


def test_new_objects_are_asked_once_each_and_read_again() -> None:
    counters = Counters()

    assert run(counters, "new-name").requests == 200
    assert set(counters.held.values()) == {1} and len(counters.held) == 200


def test_a_new_object_that_held_something_voids_the_run() -> None:
    counters = Counters()
    counters.held = {"/object-90": 1}

    with pytest.raises(load.Void, match="new object 90"):
        run(counters, "new-name")


def test_a_unique_id_given_twice_voids_the_run() -> None:
    with pytest.raises(load.Void, match="1 different ids"):
        run(lambda method, path: reply("a" * 64 + " 1"), "new-id")
