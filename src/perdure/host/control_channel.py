"""`control.sock`: where a process that has a data folder open can be asked about it, and how bytes go over it.

Each connection is one request and one answer, each a length of four bytes and so many of MessagePack; before the answer to
what takes long there may be others that say how far it is. Must stay true: the
socket is its owner's alone; a folder with a long path has one too. See tests/host/test_control.py.
"""

import asyncio
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from perdure.host.inspection_request import Request

SOCKET = "control.sock"

REQUEST_BYTES_MAX = 1024 * 1024
"""A statement of SQL is at most 100,000 characters."""
ANSWER_BYTES_MAX = 64 * 1024 * 1024
"""More than the rows of any answer: see `inspection_sql.RESULT_BYTES_MAX`."""

_LENGTH_BYTES = 4
_ADDRESS_BYTES_MAX = 100
"""What Unix takes for the path of a socket: 108 bytes on Linux, 104 elsewhere, with a zero at the end."""


class Refusal(msgspec.Struct, frozen=True):
    """An error instead of an answer."""

    code: str
    what: str
    where: str
    why: str
    next_step: str


class Answer(msgspec.Struct, frozen=True):
    """What a request gave, or why not, or how far it is."""

    result: dict[str, Any] | None = None
    refusal: Refusal | None = None
    progress: tuple[int, int] | None = None
    """Bytes that are done, of about so many: the answer follows."""


REQUESTS = msgspec.msgpack.Decoder(Request)
ANSWERS = msgspec.msgpack.Decoder(Answer)
_ENCODER = msgspec.msgpack.Encoder()


class TooLong(Exception):
    """A message is longer than its bound; nothing of it was read."""


async def receive(reader: asyncio.StreamReader, *, bytes_max: int) -> bytes:
    """One message. Raises TooLong, and asyncio.IncompleteReadError if the other side went away."""
    size = int.from_bytes(await reader.readexactly(_LENGTH_BYTES), "big")
    if size > bytes_max:
        raise TooLong(f"{size:,} bytes")
    return await reader.readexactly(size)


def message(value: Request | Answer) -> bytes:
    """As `receive` reads it on the other side."""
    packed = _ENCODER.encode(value)
    return len(packed).to_bytes(_LENGTH_BYTES, "big") + packed


@contextmanager
def socket_path(folder: Path) -> Iterator[str]:
    """A path to the folder's socket that is short enough; valid inside the block."""
    path = str(folder / SOCKET)
    if len(os.fsencode(path)) <= _ADDRESS_BYTES_MAX:
        yield path
        return
    # By a link: what is bound or connected to is the file, whatever it was called. /tmp: TMPDIR may be as long.
    short = tempfile.mkdtemp(prefix="perdure-", dir="/tmp")
    try:
        link = os.path.join(short, "d")
        os.symlink(os.path.abspath(folder), link)
        yield os.path.join(link, SOCKET)
    finally:
        shutil.rmtree(short)
