"""Lives of a whole server between cuts of power: HTTP in, HTTP out, the real store on a disk that loses what is not synced.

Clients post notes until the power is cut in the middle of things; the next life starts from what the disk kept, and must have
every note that a client or a caller was told of, whole and in order.
"""

import asyncio
import random
import shutil
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from perdure.config import load_project
from perdure.host.host import Host
from perdure.model.errors import PerdureError
from perdure.testing.power_cut import DiskError, Operation, PowerCutDisk
from perdure.workers.stub import stub_of

PROJECT = load_project(Path(__file__).parent / "wrangler.toml")
WAYS = ("rpc", "twice", "there", "fetch")
# A sync fails as an I/O error, whatever the system says: SQLite has no other word for it.
FAULTS = (
    (Operation.SYNC, DiskError.IO),
    (Operation.SYNC, DiskError.IO),
    (Operation.WRITE, DiskError.IO),
    (Operation.WRITE, DiskError.FULL),
    (Operation.TRUNCATE, DiskError.IO),
)


class Lost(AssertionError):
    """Something that was acknowledged is not there, or there in part."""


@dataclass(slots=True)
class Told:
    """What clients were told: by ledger, the number and the last note that it stands for."""

    acknowledged: dict[str, dict[int, str]] = field(default_factory=dict)
    sent: int = 0
    replies: int = 0

    def reply(self, ledger: str, number: int, note: str) -> None:
        self.replies += 1
        self.acknowledged.setdefault(ledger, {})[number] = note


@dataclass(slots=True)
class Lives:
    """One seed's run. `after_start` may plant a fault in each life."""

    seed: int
    folder: Path
    cuts: int = 3
    failures: bool = False
    after_start: Callable[[Host], None] = lambda host: None
    told: Told = field(default_factory=Told)

    def run(self) -> Told:
        rng = random.Random(self.seed)
        here = self.folder / "0"
        here.mkdir(parents=True)
        for life in range(self.cuts):
            disk = PowerCutDisk(here)
            after = self.folder / str(life + 1)
            asyncio.run(self._life(rng, disk, after))
            disk.close()
            shutil.rmtree(here)
            here = after
        disk = PowerCutDisk(here)
        asyncio.run(self._last_look(disk))
        disk.close()
        shutil.rmtree(self.folder)
        return self.told

    async def _life(self, rng: random.Random, disk: PowerCutDisk, after: Path) -> None:
        asyncio.get_running_loop().set_exception_handler(
            lambda loop, context: None
        )  # the power goes: everything may fail
        host = await Host.start(PROJECT, disk.folder, file_system=disk.file_system)
        try:
            clients = await self._work(rng, disk, after, host)
        finally:
            await host.close(grace_s=0)
        for client in clients:
            client.result()

    async def _work(
        self, rng: random.Random, disk: PowerCutDisk, after: Path, host: Host
    ) -> list[asyncio.Future[None]]:
        """Clients are served until the power goes; what they do then is theirs to end."""
        self.after_start(host)
        await self._check(host)
        listening = socket.create_server(("127.0.0.1", 0))
        await host.serve([listening])
        if self.failures:
            operation, error = rng.choice(FAULTS)
            disk.fail_next(operation, error, skip=rng.randrange(8), files="store.db-wal")
        cut = asyncio.Event()
        enough = self.told.replies + rng.randrange(1, 25)

        def replied() -> None:
            if self.told.replies >= enough and not cut.is_set():
                cut.set()
                disk.cut(rng.randrange(1 << 30), after)

        port = listening.getsockname()[1]
        clients = [asyncio.ensure_future(self._client(rng, port, replied, cut)) for _ in range(rng.randrange(1, 7))]
        clients += [asyncio.ensure_future(self._caller(rng, host, replied, cut))]
        await asyncio.wait(clients)
        if not cut.is_set():
            cut.set()
            disk.cut(rng.randrange(1 << 30), after)
        return clients

    def _note(self, rng: random.Random) -> tuple[str, str, str]:
        self.told.sent += 1
        return f"ledger{rng.randrange(4)}", rng.choice(WAYS), f"note {self.told.sent}" + " " * rng.choice([0, 0, 5000])

    async def _client(self, rng: random.Random, port: int, replied: Callable[[], None], cut: asyncio.Event) -> None:
        """Post one note after another over one connection, until the power goes."""
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            for _ in range(40):
                ledger, way, note = self._note(rng)
                body = note.encode()
                writer.write(
                    b"POST /%b/%b HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n%b"
                    % (ledger.encode(), way.encode(), len(body), body)
                )
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
                answer = await reader.readexactly(length)
                if cut.is_set():
                    break
                if head.startswith(b"HTTP/1.1 200"):
                    self._told(ledger, way, int(answer), note)
                    replied()
            writer.close()
        except (ConnectionError, asyncio.IncompleteReadError):
            return

    async def _caller(self, rng: random.Random, host: Host, replied: Callable[[], None], cut: asyncio.Event) -> None:
        """The same without HTTP: results of stubs."""
        while not cut.is_set():
            ledger, _, note = self._note(rng)
            try:
                async with asyncio.timeout(5):
                    number = await stub_of(host.worker.env.LEDGER[ledger]).add(note)
            except (PerdureError, TimeoutError):
                await asyncio.sleep(0.001)
                if rng.random() < 0.02:
                    return
                continue
            if cut.is_set():
                return
            self._told(ledger, "rpc", number, note)
            replied()

    def _told(self, ledger: str, way: str, number: int, note: str) -> None:
        if way == "twice":
            self.told.reply(ledger, number - 1, f"{note} first")
            note = f"{note} second"
        self.told.reply(ledger, number, note)

    async def _check(self, host: Host) -> None:
        for ledger, acknowledged in self.told.acknowledged.items():
            notes = await host.worker.env.LEDGER[ledger].notes()
            for number, note in acknowledged.items():
                if number > len(notes) or notes[number - 1] != note:
                    raise Lost(
                        f"seed {self.seed}: {ledger} has lost its note {number}, {note!r:.40}: {len(notes)} are left"
                    )
            # What another object was told of is older than what it was told.
            heard = await host.worker.env.LEDGER[f"{ledger} other"].notes()
            for note in heard:
                if note.removesuffix(" heard") not in notes:
                    raise Lost(f"seed {self.seed}: {ledger} told of {note!r:.40} and has lost it")

    async def _last_look(self, disk: PowerCutDisk) -> None:
        host = await Host.start(PROJECT, disk.folder, file_system=disk.file_system)
        try:
            await self._check(host)
        finally:
            await host.close()
