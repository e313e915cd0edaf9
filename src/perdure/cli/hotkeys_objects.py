"""The objects that are in memory, as a table: asked of the running project, since the parent has none.

See tests/cli/test_hotkeys.py.
"""

import http.client
import json
import ssl
from typing import Any
from urllib.parse import urlsplit

HEADINGS = ("object", "state", "queued", "does")
PATH = "/cdn-cgi/local/objects"
# Longer than a busy loop makes anyone wait; then the answer would no longer be of now.
ANSWER_S_MAX = 5.0


def object_lines(url: str) -> list[str]:
    """The table for what is served at `url`, or why there is none. Blocks: for a thread."""
    try:
        answer = _asked(url)
    except (OSError, http.client.HTTPException, ValueError) as error:
        return [f"The objects cannot be listed: {error or type(error).__name__}"]
    return object_table(answer)


def _asked(url: str) -> dict[str, Any]:
    where = urlsplit(url)
    # Ours, at an address of this machine: a certificate that one made for development proves nothing more.
    context = ssl._create_unverified_context() if where.scheme == "https" else None
    host = "127.0.0.1" if where.hostname == "localhost" else where.hostname or ""
    if context is not None:
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(
            host, where.port, timeout=ANSWER_S_MAX, context=context
        )
    else:
        connection = http.client.HTTPConnection(host, where.port, timeout=ANSWER_S_MAX)
    try:
        connection.request("GET", PATH, headers={"host": where.netloc, "connection": "close"})
        response = connection.getresponse()
        body = response.read()
        if response.status != http.HTTPStatus.OK:
            raise ValueError(f"the answer was {response.status}")
        answer: dict[str, Any] = json.loads(body)
        return answer
    finally:
        connection.close()


def object_table(answer: dict[str, Any]) -> list[str]:
    """The lines for an answer of `host.overview`."""
    objects: list[dict[str, Any]] = answer["objects"]
    if not objects:
        return ["No object is in memory"]
    rows = [HEADINGS, *map(_row, objects)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    lines = ["  " + "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)) for row in rows]
    if left_out := answer.get("objects_left_out"):
        lines.append(f"  and {left_out} more")
    return [line.rstrip() for line in lines]


def _row(shown: dict[str, Any]) -> tuple[str, ...]:
    queued = f"{shown['queued']}" + (f" for {shown['queued_for_s']}s" if shown["queued"] else "")
    does = [f"{each['event']} for {each['for_s']}s" for each in shown["running"]]
    does += [f"{name} in the background" for name in shown.get("background", ())]
    state = f"{shown['state']}, slow" if shown["slow"] else shown["state"]
    return (f"{shown['class']}/{shown['name'] or shown['id']}", state, queued, "; ".join(does))
