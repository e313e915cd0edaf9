"""However much clients ask for, a server holds a bounded part of it in memory and answers the others."""

import shutil
import socket
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.host.dev_process import DevProcess
from tests.host.projects import write_project
from tests.whole_path import hostile_clients
from tests.whole_path.hostile_clients import Connect, may_open, rss_kib, upload
from tests.whole_path.test_bad_input import CLASSES

MIB = 1024 * 1024
OTHERS = 20
Attack = Callable[[Connect, int], AbstractContextManager[None]]
# What one client may cost in KiB, from the limits of the edge: a connection; a head of 32 KiB and what parsing holds; the
# requests read ahead; a stream's chunk and what is written ahead; a body's part that is read ahead and one read of a socket.
ATTACKS: dict[str, tuple[Attack, int, int, int]] = {
    "idle connections": (hostile_clients.idle_connections, 100, 2_000, 8),
    "heads that do not end": (hostile_clients.half_heads, 100, 2_000, 96),
    "requests whose answers nobody reads": (hostile_clients.pipelined_requests, 1_000, 10_000, 1),
    "streams that nobody reads": (hostile_clients.unread_streams, 10, 100, 512),
    "bodies that no handler reads": (hostile_clients.unread_bodies, 5, 100, 768),
}
# The process itself moves by this much, whoever asks.
NOISE_KIB = 8 * 1024


@pytest.fixture
def dev(tmp_path) -> Iterator[DevProcess]:
    folder = write_project(tmp_path, "", classes=CLASSES)
    shutil.copy(Path(__file__).with_name("faulty_worker.py"), folder / "main.py")
    with DevProcess(folder) as dev:
        dev.wait_ready()
        others_are_served(dev)
        yield dev


def others_are_served(dev: DevProcess, before: int = 0) -> None:
    answers = [dev.get("/count").text for _ in range(OTHERS)]
    assert answers == [str(number) for number in range(before + 1, before + OTHERS + 1)]


def connect_to(dev: DevProcess) -> Connect:
    address = ("127.0.0.1", urllib.parse.urlsplit(dev.url).port or 0)
    return lambda: socket.create_connection(address, timeout=60)


def judge_memory(dev: DevProcess, before_kib: int | None, allowed_kib: int) -> None:
    if before_kib is not None:
        grown_kib = (rss_kib(dev.process.pid) or 0) - before_kib
        print(f"grown by {grown_kib} KiB, allowed {allowed_kib}")
        assert grown_kib <= allowed_kib


def attack_is_borne(dev: DevProcess, attack: Attack, count: int, each_kib: int) -> None:
    if not may_open(count + 500):
        pytest.skip(f"this machine allows no {count} open files")
    before_kib = rss_kib(dev.process.pid)
    with attack(connect_to(dev), count):
        others_are_served(dev, OTHERS)
        judge_memory(dev, before_kib, count * each_kib + NOISE_KIB)
    others_are_served(dev, 2 * OTHERS)
    assert dev.problems == []


@pytest.mark.parametrize("name", ATTACKS)
def test_many_clients_that_take_without_giving_leave_room_for_others(dev, name):
    attack, few, _, each_kib = ATTACKS[name]

    attack_is_borne(dev, attack, few, each_kib)


@pytest.mark.slow
@pytest.mark.parametrize("name", ATTACKS)
def test_that_holds_for_a_hundred_times_the_usual(dev, name):
    attack, _, many, each_kib = ATTACKS[name]

    attack_is_borne(dev, attack, many, each_kib)


def test_of_an_upload_without_end_no_more_is_taken_than_a_body_may_have(dev):
    before_kib = rss_kib(dev.process.pid)

    answer = upload(connect_to(dev), 200 * MIB)

    assert answer.startswith(b"HTTP/1.1 413 ")
    judge_memory(dev, before_kib, 2 * 100 * 1024 + NOISE_KIB)
    others_are_served(dev, OTHERS)
