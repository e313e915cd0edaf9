"""What the edge answers by itself: a status and one plain line, and never a word of what the client sent.

See tests/edge/test_bytes.py.
"""

from perdure.edge.outgoing import status_line


class Refused(Exception):
    """This request, or what claims to be one, does not reach a Worker; the connection ends after the answer."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(status, why)
        self.status = status
        self.why = why


def refusal_bytes(refused: Refused, *, date_line: str, head_only: bool) -> bytes:
    """The response to a refused request."""
    text = f"{refused.why}\n"
    head = (
        f"{status_line(refused.status, '')}{date_line}content-type: text/plain;charset=UTF-8\r\n"
        f"content-length: {len(text)}\r\nconnection: close\r\n\r\n"
    )
    return (head if head_only else head + text).encode("latin-1")
