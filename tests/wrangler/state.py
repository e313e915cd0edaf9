"""What Cloudflare's local tools leave of objects: made by workerd itself, or made again from state.sql, which it once made.

`python -m tests.wrangler.state` writes state.sql anew, of worker.js; bench/setup brings workerd.
"""

import http.client
import json
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from perdure.model.object_id import IdKey

HERE = Path(__file__).parent
STATE = HERE / "state.sql"
KEY = "shop-Box"
"""Of the namespace: the Worker and the class."""
UNIQUE = IdKey(KEY).unique(b"\1" * 16).hex
VISITS = [
    "Box/values",
    "Box/without-counterpart",
    "Box/named-lobby",
    "Box/named-waiting",
    "Box/waiting",
    "Box/quiet",
    f"Box/{UNIQUE}",
    "Other/named-é",
]

_WORKERDS = Path(__file__).parents[2] / "bench" / "node_modules" / "@cloudflare"
_FILE = "-- file: "
# Far more than it takes.
_PATIENCE_S = 30.0


def workerd() -> Path | None:
    """The program, where bench/setup put it."""
    return next(iter(sorted(_WORKERDS.glob("workerd-*/bin/workerd"))), None)


def make(folder: Path, program: Path, *, cut_off: bool = False) -> None:
    """Lets workerd fill `folder` as `.wrangler/state/v3/do`. cut_off: kill it, so that its write-ahead logs stay."""
    folder.mkdir(parents=True)
    command = [program, "serve", HERE / "config.capnp", "--control-fd=1", "--socket-addr=http=127.0.0.1:0"]
    with subprocess.Popen([*command, f"--directory-path=do={folder.resolve()}"], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            port = json.loads(process.stdout.readline())["port"]
            for visit in VISITS:
                _visit(port, f"/{visit}")
        finally:
            process.kill() if cut_off else process.terminate()


def _visit(port: int, path: str) -> None:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=_PATIENCE_S)) as connection:
        connection.request("GET", quote(path))
        reply = connection.getresponse()
        assert (reply.status, reply.read()) == (200, b"ok"), path


def make_again(folder: Path) -> None:
    """The same from state.sql, without workerd; as it ends when it is stopped, with no logs."""
    for part in STATE.read_text(encoding="utf-8").split(_FILE)[1:]:
        name, _, script = part.partition("\n")
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(file)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.executescript(script)


def dumped(folder: Path) -> str:
    """All of it as text that sqlite3 runs."""
    return "".join(_lines(folder))


def _lines(folder: Path) -> Iterator[str]:
    for file in sorted(folder.glob("*/*.sqlite")):
        yield f"{_FILE}{file.relative_to(folder)}\n"
        with closing(sqlite3.connect(file)) as connection:
            yield from (f"{line}\n" for line in connection.iterdump())


def values(folder: Path, object: str) -> dict[str, bytes]:
    """What the object has under each key, as V8 wrote it."""
    file = folder / KEY / f"{IdKey(KEY).from_name(object).hex}.sqlite"
    with closing(sqlite3.connect(file)) as connection:
        return dict(connection.execute("SELECT key, value FROM _cf_KV"))


if __name__ == "__main__":
    program = workerd()
    if program is None:
        raise SystemExit("workerd is not installed: run bench/setup")
    with tempfile.TemporaryDirectory() as folder:
        make(Path(folder, "do"), program)
        STATE.write_text(dumped(Path(folder, "do")), encoding="utf-8")
