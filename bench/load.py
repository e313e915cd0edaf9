"""The load generator: as many keep-alive connections as asked, each waiting for its answer before it asks again.

What must stay true: every answer is checked, and at the end the counters of the server equal the requests sent,
exactly. At the deadline no connection asks again, and those that still wait are waited for, so there is nothing in
flight to guess about. One wrong status, one wrong body, one broken connection, and the run is void (`Void`, exit 1).

Plain sockets and epoll in one process of its own, because a counter that must be equal to the last request rules out
tools that stop by cutting connections (wrk), and because per request this costs hardly more than they do (README.md).
tests/bench/test_load.py runs it against servers that lie.
"""

from __future__ import annotations  # array[int] is a type only for checkers before 3.12

import gc
import json
import random
import resource
import select
import socket
import sys
import time
from array import array
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass

# A server that answers nothing for this long has hung; no row has an honest answer slower than this.
SILENCE_S_MAX = 20.0
RECEIVE_BYTES = 65_536
# Names and ids of new objects that are read again at the end; all of them would double the run.
SAMPLED_NEW_OBJECTS = 1_000


class Void(Exception):
    """The run counts for nothing, and why."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to ask of which server. `kind`: increment, read, hello, new-name, new-id."""

    port: int
    kind: str
    connections: int = 1
    objects: int = 1
    seconds: float = 5.0
    warm_up_s: float = 0.0
    seed: int = 1
    prefix: str = "object-"
    requests_max: int = 0  # 0: only time ends the run


@dataclass(frozen=True, slots=True)
class Result:
    """Rates count whole requests over the time from the first question to the last answer. `cpu_share`: of one core."""

    requests: int
    requests_all: int  # with those of the warm-up
    seconds: float
    per_second: float
    median_us: float
    p99_us: float
    worst_us: float
    cpu_share: float


class Judge:
    """Makes the requests of one kind and checks each answer and, at the end, the sum of them all."""

    def next(self) -> tuple[bytes, int]:
        """The next request and a token that comes back with its answer."""
        raise NotImplementedError

    def check(self, token: int, body: bytes) -> None:
        """Raises Void if `body` cannot be the answer."""
        raise NotImplementedError

    def before(self, ask: Callable[[bytes], bytes]) -> None:
        """Learn what the server holds already."""

    def after(self, ask: Callable[[bytes], bytes]) -> None:
        """Raises Void unless the server now holds exactly what its answers said."""


class Hello(Judge):
    def __init__(self, plan: Plan) -> None:
        self.request = request("GET", "/hello")

    def next(self) -> tuple[bytes, int]:
        return self.request, 0

    def check(self, token: int, body: bytes) -> None:
        if body != b"Hello, World!":
            raise Void(f"hello answered {body[:80]!r}")


class Counters(Judge):
    """Shared by increments and reads: `objects` counters, asked in an order drawn once."""

    def __init__(self, plan: Plan, method: str) -> None:
        names = [f"/{plan.prefix}{number}" for number in range(plan.objects)]
        self.reads = [request("GET", name) for name in names]
        self.requests = [request(method, name) for name in names]
        drawn = random.Random(plan.seed).choices(range(plan.objects), k=65_536)
        self.order = endless(drawn)
        self.held = [0] * plan.objects

    def next(self) -> tuple[bytes, int]:
        number = next(self.order)
        return self.requests[number], number

    def before(self, ask: Callable[[bytes], bytes]) -> None:
        self.held = [int(ask(read)) for read in self.reads]


class Increments(Counters):
    """n increments of a counter that held b answer b+1 ... b+n, each once, in whatever order; then it holds b+n."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan, "POST")
        self.count = [0] * plan.objects
        self.total = [0] * plan.objects
        self.top = [0] * plan.objects

    def check(self, token: int, body: bytes) -> None:
        value = int(body)
        self.count[token] += 1
        self.total[token] += value
        if value > self.top[token]:
            self.top[token] = value

    def after(self, ask: Callable[[bytes], bytes]) -> None:
        for number, held in enumerate(self.held):
            sent = self.count[number]
            expected_total = sent * held + sent * (sent + 1) // 2
            if sent and (self.top[number] != held + sent or self.total[number] != expected_total):
                raise Void(f"object {number} held {held}, got {sent} increments and answered up to {self.top[number]}")
            now = int(ask(self.reads[number]))
            if now != held + sent:
                raise Void(f"object {number} held {held}, got {sent} increments and now holds {now}")


class Reads(Counters):
    def __init__(self, plan: Plan) -> None:
        super().__init__(plan, "GET")

    def check(self, token: int, body: bytes) -> None:
        if int(body) != self.held[token]:
            raise Void(f"object {token} holds {self.held[token]} and answered {body[:80]!r}")


class NewByName(Judge):
    """Each request is the first that its object ever gets: created, counted to 1, stored."""

    def __init__(self, plan: Plan) -> None:
        self.prefix = f"/{plan.prefix}"
        self.sent = 0
        self.seed = plan.seed

    def next(self) -> tuple[bytes, int]:
        self.sent += 1
        return request("POST", f"{self.prefix}{self.sent}"), self.sent

    def check(self, token: int, body: bytes) -> None:
        if body != b"1":
            raise Void(f"new object {token} answered {body[:80]!r}")

    def after(self, ask: Callable[[bytes], bytes]) -> None:
        numbers = range(1, self.sent + 1)
        for number in random.Random(self.seed).sample(numbers, min(SAMPLED_NEW_OBJECTS, self.sent)):
            held = ask(request("GET", f"{self.prefix}{number}"))
            if held != b"1":
                raise Void(f"new object {number} holds {held!r} after its only increment")


class NewById(Judge):
    """Like NewByName, with an id that the server draws and answers."""

    def __init__(self, plan: Plan) -> None:
        self.request = request("POST", "/new")
        self.sent = 0
        self.ids: set[bytes] = set()
        self.seed = plan.seed

    def next(self) -> tuple[bytes, int]:
        self.sent += 1
        return self.request, 0

    def check(self, token: int, body: bytes) -> None:
        id_hex, _, value = body.partition(b" ")
        if len(id_hex) != 64 or value != b"1":
            raise Void(f"a new object answered {body[:80]!r}")
        self.ids.add(id_hex)

    def after(self, ask: Callable[[bytes], bytes]) -> None:
        if len(self.ids) != self.sent:
            raise Void(f"{self.sent} new objects got {len(self.ids)} different ids")
        for id_hex in random.Random(self.seed).sample(sorted(self.ids), min(SAMPLED_NEW_OBJECTS, self.sent)):
            held = ask(request("GET", f"/id/{id_hex.decode()}"))
            if held != b"1":
                raise Void(f"new object {id_hex.decode()} holds {held!r} after its only increment")


JUDGES: dict[str, Callable[[Plan], Judge]] = {
    "hello": Hello,
    "increment": Increments,
    "read": Reads,
    "new-name": NewByName,
    "new-id": NewById,
}


def request(method: str, path: str) -> bytes:
    length = "Content-Length: 0\r\n" if method == "POST" else ""
    return f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{length}\r\n".encode()


def endless(numbers: list[int]) -> Iterator[int]:
    while True:
        yield from numbers


def connect(port: int) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), timeout=SILENCE_S_MAX)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def body_of(reply: bytes) -> bytes | None:
    """The body of a whole 200 reply, None while bytes are missing. Raises Void for all else."""
    head_end = reply.find(b"\r\n\r\n")
    if head_end < 0:
        return None
    if not reply.startswith(b"HTTP/1.1 200 "):
        raise Void(f"a reply that is not 200: {reply[:300]!r}")
    head = reply[:head_end].lower() + b"\r\n"
    at = head.find(b"\r\ncontent-length: ")
    if at < 0:
        raise Void(f"a reply without Content-Length: {reply[:300]!r}")
    length = int(head[at + 18 : head.find(b"\r", at + 18)])
    missing = head_end + 4 + length - len(reply)
    if missing < 0:
        raise Void(f"{-missing} bytes after the reply: {reply[:300]!r}")
    return None if missing else reply[head_end + 4 :]


@contextmanager
def asking(port: int) -> Iterator[Callable[[bytes], bytes]]:
    """Gives a function that asks one thing at a time, on one connection, outside the measured time."""
    with connect(port) as connection:

        def ask(question: bytes) -> bytes:
            connection.sendall(question)
            reply = b""
            while True:
                more = connection.recv(RECEIVE_BYTES)
                if not more:
                    raise Void(f"the server closed a connection instead of answering {question[:60]!r}")
                reply += more
                body = body_of(reply)
                if body is not None:
                    return body

        yield ask


def run_phase(
    poll: select.epoll, connections: list[socket.socket], judge: Judge, *, seconds: float, requests_max: int
) -> array[int]:
    """Keeps every connection asking for `seconds`, then waits for the answers still due. Gives each time in ns."""
    by_number = {connection.fileno(): connection for connection in connections}
    partial: dict[int, bytes] = {}
    token_of: dict[int, int] = {}
    asked_ns: dict[int, int] = {}
    times_ns = array("Q")
    clock = time.perf_counter_ns
    deadline_ns = clock() + int(seconds * 1e9)
    left = requests_max or sys.maxsize
    for number, connection in by_number.items():
        question, token_of[number] = judge.next()
        asked_ns[number] = clock()
        connection.send(question)
        left -= 1

    while asked_ns:
        ready = poll.poll(SILENCE_S_MAX)
        # One reading for all that are ready: waiting for their turn here is our slowness, not the server's.
        now_ns = clock()
        if not ready:
            raise Void(f"no answer for {SILENCE_S_MAX} s with {len(asked_ns)} requests waiting")
        going_on = now_ns < deadline_ns
        for number, _ in ready:
            connection = by_number[number]
            reply = connection.recv(RECEIVE_BYTES)
            if not reply:
                raise Void("the server closed a connection")
            if partial and number in partial:
                reply = partial.pop(number) + reply
            body = body_of(reply)
            if body is None:
                partial[number] = reply
                continue
            times_ns.append(now_ns - asked_ns[number])
            judge.check(token_of[number], body)
            if going_on and left > 0:
                left -= 1
                question, token_of[number] = judge.next()
                asked_ns[number] = clock()
                connection.send(question)
            else:
                del asked_ns[number]
    return times_ns


def cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def run(plan: Plan) -> Result:
    judge = JUDGES[plan.kind](plan)
    with asking(plan.port) as ask:
        judge.before(ask)
    with ExitStack() as open_connections:
        poll = open_connections.enter_context(select.epoll())
        connections = [open_connections.enter_context(connect(plan.port)) for _ in range(plan.connections)]
        for connection in connections:
            poll.register(connection, select.EPOLLIN)
        warm = array("Q")
        if plan.warm_up_s:
            warm = run_phase(poll, connections, judge, seconds=plan.warm_up_s, requests_max=0)
        began, cpu_began = time.perf_counter(), cpu_s()
        times_ns = run_phase(poll, connections, judge, seconds=plan.seconds, requests_max=plan.requests_max)
        seconds, cpu_used = time.perf_counter() - began, cpu_s() - cpu_began
    with asking(plan.port) as ask:
        judge.after(ask)
    ordered = sorted(times_ns)
    return Result(
        requests=len(ordered),
        requests_all=len(ordered) + len(warm),
        seconds=seconds,
        per_second=len(ordered) / seconds,
        median_us=ordered[len(ordered) // 2] / 1e3,
        p99_us=ordered[len(ordered) * 99 // 100] / 1e3,
        worst_us=ordered[-1] / 1e3,
        cpu_share=cpu_used / seconds,
    )


def main() -> int:
    plan = Plan(**json.loads(sys.argv[1]))
    gc.disable()  # a pass over millions of small objects would be measured as the server's pause
    try:
        result = run(plan)
    except (Void, OSError, ValueError) as problem:
        print(json.dumps({"void": f"{type(problem).__name__}: {problem}"}))
        return 1
    print(json.dumps(asdict(result)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
