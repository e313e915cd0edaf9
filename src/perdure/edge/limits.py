"""How much one client may ask of the edge before it is refused; every number is bounded and says why (deploy DEV-16).

See tests/edge/test_bytes.py and tests/edge/test_timeouts.py.
"""

from dataclasses import dataclass

KIB = 1024


@dataclass(frozen=True, slots=True)
class EdgeLimits:
    """Sizes in bytes, times in seconds."""

    request_line_bytes: int = 16 * KIB
    """Past it: 414. Browsers and proxies stop at 8 KiB or less."""
    head_bytes: int = 32 * KIB
    """Request line and fields; past it: 431."""
    fields: int = 100
    """Header fields; past it: 431."""
    body_bytes: int = 100_000_000
    """As soon as it is known to be more: 413."""
    head_s: float = 10
    """From the first byte of a head to its last; later: 408. A slow phone on a bad link needs 2 s."""
    body_idle_s: float = 30
    """Between two pieces of a body that is being read; later: 408."""
    keep_alive_s: float = 75
    """A connection without a request; later it is closed. Above the 60 s after which load balancers give up theirs, so
    that they close first."""
    write_stall_s: float = 60
    """Without a byte taken by a client that has more to read; later the connection is dropped."""
    linger_s: float = 2
    """For a refused client to read the answer while it still sends: closing at once would reset the connection and
    could destroy the answer on its way."""
    read_ahead_bytes: int = 64 * KIB
    """Of a body that nobody reads yet, and of requests behind the running one; then the client has to wait. One read of
    a socket may go beyond it."""
    write_ahead_bytes: int = 64 * KIB
    """Of a response that the client has not taken; then the handler's stream has to wait."""
    discard_bytes: int = 256 * KIB
    """Of a body left unread when its response is complete; a client with more to send needs a new connection."""
    connections: int = 20_000
    """Open at once; past it: 503. An idle connection costs 3 to 5 KiB, with the head that it keeps."""
