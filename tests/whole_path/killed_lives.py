"""Lives of a `perdure dev` process with its data on disk, each ended by SIGKILL: at an answer, at a random moment under load, or
while it starts.

Several connections post and read, some with requests one behind the other; each life begins with a look at all that is there.
"""

import asyncio
import contextlib
import random
import shutil
import urllib.parse
from dataclasses import dataclass, field
from pathlib import Path

from tests.host.dev_process import PERDURE, DevProcess
from tests.whole_path.history import History, Post, other

HERE = Path(__file__).parent
LEDGERS = ("here", "there", "elsewhere")
WAYS = ("rpc", "twice", "there", "fetch")
CONNECTIONS_MAX = 8
ANSWERS_MAX = 60
ANSWER_BYTES_MAX = 1 << 24


@dataclass(slots=True)
class KilledLives:
    """One seed's run in an empty folder. `program` is what is started: the command, or one with a fault planted in it."""

    seed: int
    folder: Path
    kills: int
    program: tuple[str, ...] = (str(PERDURE),)
    history: History = field(default_factory=History)

    def run(self) -> History:
        chance = random.Random(self.seed)
        print(f"seed: {self.seed}")  # shown when a test fails
        self.folder.mkdir()
        for name in ("ledger_worker.py", "wrangler.toml"):
            shutil.copy(HERE / name, self.folder)
        for _ in range(self.kills):
            if chance.random() < 0.2:
                self._life_killed_while_it_starts(chance)
            with self._start() as dev:
                asyncio.run(self._life(chance, dev.wait_ready()))
        with self._start() as dev:
            asyncio.run(self._look(_port(dev.wait_ready())))
        return self.history

    def _start(self) -> DevProcess:
        return DevProcess(self.folder, program=self.program)

    def _life_killed_while_it_starts(self, chance: random.Random) -> None:
        with self._start() as dev:
            dev.kill_soon(chance.uniform(0, 0.6))
            dev.wait_end()

    async def _life(self, chance: random.Random, dev: DevProcess) -> None:
        port = _port(dev)
        await self._look(port)
        killed = asyncio.Event()
        # Half of them die on the very answer that promised something, half amid whatever they do a little later.
        delay_s = chance.choice([0, chance.uniform(0, 0.02)])
        enough = self.history.answers + chance.randrange(1, ANSWERS_MAX)

        def kill() -> None:
            killed.set()
            dev.process.kill()

        def answered(post: Post, number: int) -> None:
            self.history.answered(post, number)
            if self.history.answers == enough:
                if delay_s:
                    asyncio.get_running_loop().call_later(delay_s, kill)
                else:
                    kill()

        clients = [self._client(chance, port, answered, killed) for _ in range(chance.randrange(1, CONNECTIONS_MAX))]
        await asyncio.gather(*clients)
        dev.wait_end()

    async def _client(self, chance, port, answered, killed) -> None:
        """Send one to four requests at once, take their answers, and again, until the process is gone."""
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=ANSWER_BYTES_MAX)
        except ConnectionError:
            assert killed.is_set(), "the server takes no connection"
            return
        try:
            while not killed.is_set():
                sent = [self._send(chance, writer) for _ in range(chance.choice([1, 1, 1, 4]))]
                for post in sent:
                    if isinstance(post, Post):
                        answered(post, int(await _answer(reader)))
                    else:
                        ledger, moment = post
                        self.history.read(ledger, moment, (await _answer(reader)).splitlines())
        except (ConnectionError, asyncio.IncompleteReadError):
            assert killed.is_set(), "the server ended a connection by itself"
        finally:
            await _closed(writer)

    def _send(self, chance: random.Random, writer: asyncio.StreamWriter) -> Post | tuple[str, int]:
        ledger = chance.choice(LEDGERS)
        if chance.random() < 0.1:
            writer.write(_get(ledger))
            return ledger, self.history.now()
        note = f"note {len(self.history.posts)}" + "x" * chance.choice([0, 0, 0, 5_000])
        post = self.history.post(ledger, chance.choice(WAYS), note)
        body = note.encode()
        writer.write(
            b"POST /%b/%b HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n%b"
            % (ledger.encode(), post.way.encode(), len(body), body)
        )
        return post

    async def _look(self, port: int) -> None:
        """Read every ledger and judge; what was read is there from now on."""
        found: dict[str, list[str]] = {}
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=ANSWER_BYTES_MAX)
        try:
            for ledger in (*LEDGERS, *map(other, LEDGERS)):
                sent = self.history.now()
                writer.write(_get(ledger))
                found[ledger] = (await _answer(reader)).splitlines()
                self.history.read(ledger, sent, found[ledger])
        finally:
            await _closed(writer)
        self.history.judge(found)


async def _closed(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


def _port(dev: DevProcess) -> int:
    return urllib.parse.urlsplit(dev.url).port or 0


def _get(ledger: str) -> bytes:
    return b"GET /%b/notes HTTP/1.1\r\nhost: x\r\n\r\n" % urllib.parse.quote(ledger).encode()


async def _answer(reader: asyncio.StreamReader) -> str:
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
    body = await reader.readexactly(length)
    # Nothing is refused here: a process that is killed says nothing instead of something wrong.
    assert head.startswith(b"HTTP/1.1 200"), (head, body)
    return body.decode()
