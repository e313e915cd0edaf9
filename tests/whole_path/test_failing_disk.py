"""A disk that is full or fails under a whole server: who was concerned is told why, the others are served, nothing told is lost.

Each fault is followed by a cut of power, once before the next commit and once after it.
"""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import apsw
import httpx
import pytest

from perdure.host.host import Host
from perdure.model.errors import PerdureError, StorageBroken, StorageFull
from perdure.store import checkpoints, upkeep
from perdure.testing.power_cut import DiskError, Operation, PowerCutDisk
from tests.whole_path.lives import PROJECT

LARGE = "x" * 1_500_000


@dataclass(slots=True)
class Running:
    host: Host
    client: httpx.AsyncClient
    errors: list[BaseException] = field(default_factory=list)

    async def post(self, ledger: str, note: str) -> int:
        return (await self.client.post(f"/{ledger}/rpc", content=note)).status_code

    async def notes(self, ledger: str) -> list[str]:
        answer = await self.client.get(f"/{ledger}/notes")
        assert answer.status_code == 200
        return answer.text.splitlines()


@contextlib.asynccontextmanager
async def running(disk: PowerCutDisk) -> AsyncIterator[Running]:
    host = await Host.start(PROJECT, disk.folder, file_system=disk.file_system)
    listening = socket.create_server(("127.0.0.1", 0))
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{listening.getsockname()[1]}", timeout=60) as client:
        server = Running(host, client)
        await host.serve([listening], on_error=lambda error, request: server.errors.append(error))
        try:
            yield server
        finally:  # a test that fails leaves no open sockets to the next one
            await client.aclose()
            await host.close(grace_s=1)


def after_the_cut(folder: Path, *ledgers: str) -> list[list[str]]:
    async def look(disk: PowerCutDisk) -> list[list[str]]:
        async with running(disk) as server:
            return [await server.notes(ledger) for ledger in ledgers]

    with contextlib.closing(PowerCutDisk(folder)) as disk:
        return asyncio.run(look(disk))


def explained(error: BaseException) -> bool:
    return isinstance(error, PerdureError) and all((error.what, error.where, error.why, error.next_step))


@pytest.mark.parametrize("commit_first", [False, True], ids=["cut before the next commit", "cut after it"])
@pytest.mark.parametrize(
    ("operation", "error", "told"),
    [
        pytest.param(Operation.WRITE, DiskError.FULL, StorageFull, id="full disk"),
        pytest.param(Operation.WRITE, DiskError.IO, StorageBroken, id="I/O error in write"),
        pytest.param(Operation.SYNC, DiskError.IO, StorageBroken, id="I/O error in sync"),
        pytest.param(None, None, StorageBroken, id="shared memory that cannot grow"),
    ],
)
def test_a_write_that_fails_is_told_to_its_client_and_to_nobody_else(
    tmp_path, monkeypatch, operation, error, told, commit_first
):
    # Groups are all that is written: a fault that meets apply is told to nobody, for nothing is lost by it, and a checkpoint
    # would begin the write-ahead log anew, so that its shared memory has no need to grow.
    monkeypatch.setattr(checkpoints, "CHECKPOINT_PAGES_MIN", 1_000_000)
    monkeypatch.setattr(upkeep, "APPLY_BYTES_MIN", 1_000_000_000)
    monkeypatch.setattr(upkeep, "APPLY_IDLE_S", 60.0)
    (tmp_path / "before").mkdir()

    async def life(disk: PowerCutDisk) -> None:
        async with running(disk) as server:
            assert [await server.post("here", "kept"), await server.post("there", "kept too")] == [200, 200]
            if operation is None:
                with disk.shared_memory_fails():
                    statuses = await asyncio.gather(*(server.post(f"large {n}", LARGE) for n in range(20)))
                assert 500 in statuses
            else:
                disk.fail_next(operation, error, files="store.db-wal")
                assert await server.post("here", "lost") == 500
            assert server.errors and all(isinstance(error, told) and explained(error) for error in server.errors)
            assert await server.notes("here") == ["kept"]
            assert await server.notes("there") == ["kept too"]
            if commit_first:
                assert await server.post("here", "after") == 200
            disk.cut(1, tmp_path / "after")

    with contextlib.closing(PowerCutDisk(tmp_path / "before")) as disk:
        asyncio.run(life(disk))

    kept = ["kept", "after"] if commit_first else ["kept"]
    assert after_the_cut(tmp_path / "after", "here", "there") == [kept, ["kept too"]]


def test_while_the_disk_is_full_what_is_stored_is_read_and_once_there_is_space_all_goes_on(tmp_path):
    (tmp_path / "before").mkdir()

    async def life(disk: PowerCutDisk) -> None:
        async with running(disk) as server:
            assert await server.post("here", "kept") == 200
            disk.full = True
            assert [await server.post("here", LARGE), await server.post("there", LARGE)] == [500, 500]
            assert {type(error) for error in server.errors} == {StorageFull}
            disk.full = False
            assert await server.post("here", "after") == 200
            disk.cut(2, tmp_path / "after")

    with contextlib.closing(PowerCutDisk(tmp_path / "before")) as disk:
        asyncio.run(life(disk))

    assert after_the_cut(tmp_path / "after", "here", "there") == [["kept", "after"], []]


@pytest.mark.parametrize(
    "operation", [Operation.TRUNCATE, Operation.SYNC, Operation.WRITE], ids=lambda o: o.name.lower()
)
def test_a_stop_whose_last_checkpoint_fails_loses_nothing(tmp_path, operation):
    (tmp_path / "before").mkdir()

    async def life(disk: PowerCutDisk) -> None:
        # SQLite closes all the same, without a word; only a file system in Python is asked what it raised.
        with contextlib.suppress(apsw.IOError):
            async with running(disk) as server:
                assert await server.post("here", "kept") == 200
                disk.fail_next(operation, DiskError.IO, files="store.db")
        disk.cut(3, tmp_path / "after")

    with contextlib.closing(PowerCutDisk(tmp_path / "before")) as disk:
        asyncio.run(life(disk))

    assert after_the_cut(tmp_path / "after", "here") == [["kept"]]
