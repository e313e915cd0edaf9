"""A head whose fields are byte for byte those of the head before it: clients repeat themselves, and what was parsed once
means the same again.

Taken is less than the parser takes, never more: a request line of the plainest form, and fields that framed no body,
kept the connection and offered nothing. All else is left to the parser, so it alone refuses. See
tests/edge/test_repeated.py and tests/edge/test_bytes.py, where every case also arrives behind a request with its fields.
"""

from typing import Final, Self

import msgspec

from perdure.edge.head import Fields
from perdure.edge.limits import EdgeLimits
from perdure.web.method import METHODS

# What a connection keeps of a head while it idles; a browser's with its cookies is mostly below it.
BLOCK_BYTES_MAX: Final = 2 * 1024
# More than what stands around the target in a request line.
_LINE_BYTES: Final = 32


class RepeatedHead(msgspec.Struct, frozen=True, gc=False):
    """What the fields of a head without a body came to, for the heads that repeat them."""

    origin: str
    fields: Fields
    """As the handler sees them; nobody changes them."""
    client_ip: str | None
    _block: bytes
    _target_bytes_max: int

    @classmethod
    def of(cls, block: bytes, origin: str, fields: Fields, client_ip: str | None, limits: EdgeLimits) -> Self | None:
        """None if it is not worth keeping. block: from the end of the request line to the end of the head."""
        if len(block) > BLOCK_BYTES_MAX:
            return None
        target_bytes_max = min(limits.request_line_bytes, limits.head_bytes - len(block)) - _LINE_BYTES
        return cls(origin, fields, client_ip, block, target_bytes_max)

    def read(self, data: bytes, at: int) -> tuple[str, str, int] | None:
        """The method and the target of the head at `at`, and where it ends. None if only the parser can tell."""
        line_end = data.find(b"\r", at)
        end = line_end + len(self._block)
        if line_end < 0 or data[line_end:end] != self._block:
            return None
        try:
            method, target, version = data[at:line_end].decode("ascii").split(" ")
        except ValueError:  # other bytes, or other spaces
            return None
        plain = version == "HTTP/1.1" and target[:1] == "/" and target.isprintable() and "#" not in target
        if not plain or method not in METHODS or len(target) > self._target_bytes_max:
            return None
        return method, target, end
