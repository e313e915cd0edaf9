"""The objects that are in memory, as a table: asked of the running project, since the parent has none.

See tests/cli/test_hotkeys.py.
"""

import http.client
import json
import ssl
from typing import Any
from urllib.parse import urlsplit

PATH = "/cdn-cgi/local/objects"
# Longer than a busy loop makes anyone wait; then the answer would no longer be of now.
ANSWER_S_MAX = 5.0


def object_lines(url: str) -> list[str]:
    """The table for what is served at `url`, or why there is none. Blocks: for a thread."""
    try:
        answer = _asked(url)
    except (OSError, http.client.HTTPException, ValueError) as error:
        return [f"The objects cannot be listed: {error or type(error).__name__}"]
    return _table(answer)


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


def _table(answer: dict[str, Any]) -> list[str]:
    objects: list[dict[str, Any]] = answer.get("objects", [])
    if not objects:
        return ["No object is in memory"]
    rows = [("object", "queued", "awake because")]
    for each in objects:
        name = f"{each.get('class', '?')}/{each.get('name') or each.get('id') or '?'}"
        queued = each.get("queued", 0)
        rows.append((name, str(queued.get("count", 0) if isinstance(queued, dict) else queued), _reasons(each)))
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    return [f"  {name:<{widths[0]}}  {queued:>{widths[1]}}  {why}" for name, queued, why in rows]


def _reasons(each: dict[str, Any]) -> str:
    why = each.get("why") or each.get("awake") or []
    return "; ".join(map(str, why)) if isinstance(why, list) else str(why)
