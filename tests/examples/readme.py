"""The commands of an example's README, and what it says that they answer."""

import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PORT = 8787
"""The one that the READMEs write."""


@dataclass(frozen=True, slots=True)
class Curl:
    """One `curl` line as the request that curl makes of it, and the answer that the README shows."""

    line: str
    method: str
    path: str
    headers: dict[str, str]
    data: str | None
    answer: str


@dataclass(slots=True)
class _Options:
    method: str | None = None
    url: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    data: str | None = None


def start_command(example: str) -> list[str]:
    """What the README's `sh` block says to run."""
    (command,) = [block.strip() for language, block in _blocks(example) if language == "sh"]
    return shlex.split(command)


def curls(example: str) -> list[Curl]:
    """The README's `console` block."""
    (console,) = [block for language, block in _blocks(example) if language == "console"]
    return curls_in(console)


def curls_in(console: str) -> list[Curl]:
    """The lines after each `$`, with what is shown below them."""
    steps = re.split(r"^\$ ", console, flags=re.MULTILINE)[1:]
    return [_curl(*step.rstrip("\n").split("\n", 1)) for step in steps]


def _blocks(example: str) -> list[tuple[str, str]]:
    return _BLOCK.findall((EXAMPLES / example / "README.md").read_text())


def _curl(line: str, answer: str = "") -> Curl:
    program, *words = shlex.split(line)
    assert program == "curl", f"only curl is understood here, not {line!r}"
    options = _Options()
    while words:
        word = words.pop(0)
        if word == "-X":
            options.method = words.pop(0)
        elif word == "-H":
            name, _, value = words.pop(0).partition(":")
            options.headers[name.lower()] = value.strip()
        elif word == "--data":
            options.data = words.pop(0)
        else:
            options.url = word
    host, slash, path = options.url.partition("/")
    assert host == f"localhost:{PORT}", f"the README is to use the default port: {line!r}"
    if options.data is not None:
        options.headers.setdefault("content-type", "application/x-www-form-urlencoded")
    method = options.method or ("GET" if options.data is None else "POST")
    return Curl(line, method, slash + path or "/", options.headers, options.data, answer)
