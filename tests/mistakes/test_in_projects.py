"""Mistakes in configurations and main modules: `perdure dev` names file and line, and what to write instead."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.mistakes.project import BINDING, FETCH, MIGRATION, ROOM, TOML, WITH_ROOM, said_by_dev


@dataclass(frozen=True)
class Case:
    """A project with a mistake, and parts of what is said of it."""

    made: str
    files: Mapping[str, str]
    what: str
    where: str
    why: str
    next_step: str
    options: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.made.replace(" ", "-")


def configured(made: str, toml: str, *said: str, main: str = FETCH, **options: Any) -> Case:
    return Case(made, {"main.py": main, "wrangler.toml": toml}, *said, options=options)


def programmed(made: str, main: str, *said: str, toml: str = TOML) -> Case:
    return Case(made, {"main.py": main, "wrangler.toml": toml}, *said)


def room_with(member: str) -> str:
    return f"{FETCH}class Room(DurableObject):\n    {member}\n"


CONFIGURATIONS = [
    Case(
        "an empty folder",
        {},
        "there is no configuration here or in a folder above",
        "(P)",
        "looked for perdure.toml",
        'write wrangler.toml with the lines `name = "my-worker"`',
    ),
    Case(
        "another file than there is",
        {"wrangler.toml": TOML},
        "the configuration nowhere.toml does not exist",
        "P/nowhere.toml",
        "does not exist",
        "correct the path after -c; in P there is: wrangler.toml",
        options={"config": Path("nowhere.toml")},
    ),
    configured(
        "TOML without a quote",
        'name = shop\nmain = "main.py"\n',
        "this is not valid TOML",
        "wrangler.toml:1",
        "text has to stand in quotes",
        'name = "shop"',
    ),
    Case(
        "JSON without a colon",
        {"wrangler.jsonc": '{"name": "shop",\n "main" "main.py"}\n'},
        "this is not valid JSON",
        "wrangler.jsonc:2",
        'unexpected " at column 9',
        "is missing before it",
    ),
    configured(
        "a key misspelt",
        'mian = "main.py"\n' + TOML,
        "`mian` is not a known key",
        "wrangler.toml:1",
        "so it has no effect",
        "did you mean `main`?",
        strict_config=True,
    ),
    configured(
        "a name that is a number",
        'name = 7\nmain = "main.py"\n',
        "`name` is 7, which is a number",
        "wrangler.toml:1",
        "has to be text",
        'name = "7"',
    ),
    configured(
        "a name with a space",
        'name = "My Shop"\nmain = "main.py"\n',
        '`name` is "My Shop"',
        "wrangler.toml:1",
        "only lower-case letters, digits, - and _ may be in it",
        'name = "my-shop"',
    ),
    configured(
        "no main",
        'name = "shop"\n',
        "`main` is missing",
        "wrangler.toml:",
        "is missing",
        'main = "main.py"',
    ),
    Case(
        "a main that does not exist",
        {"wrangler.toml": TOML},
        '`main` is "main.py"',
        "wrangler.toml:2",
        "which does not exist",
        "create it, or name another file relative to P",
    ),
    Case(
        "a main in JavaScript",
        {"index.js": "", "wrangler.toml": 'name = "shop"\nmain = "index.js"\n'},
        '`main` is "index.js"',
        "wrangler.toml:2",
        "a main module is a Python file",
        "name one that ends in .py",
    ),
    configured(
        "a class that no migration creates",
        TOML + BINDING,
        "`durable_objects.bindings[0].class_name` is Room, which no migration creates",
        "wrangler.toml:5",
        "on a server it would not",
        'new_sqlite_classes = ["Room"]',
        main=ROOM,
    ),
    configured(
        "a class renamed without a migration",
        TOML + BINDING.replace("Room", "Hall") + MIGRATION,
        "`durable_objects.bindings[0].class_name` is Hall, which no migration creates",
        "wrangler.toml:5",
        "if Hall is the new name of Room",
        'renamed_classes = [{ from = "Room", to = "Hall" }]',
        main=ROOM.replace("Room", "Hall"),
    ),
    configured(
        "a binding without a class",
        TOML + '[[durable_objects.bindings]]\nname = "ROOMS"\n' + MIGRATION,
        "`durable_objects.bindings[0].class_name` is missing",
        "wrangler.toml:3",
        "is missing",
        'class_name = "Room"',
        main=ROOM,
    ),
    configured(
        "two bindings of one name",
        TOML + BINDING + BINDING + MIGRATION,
        'the second object binding called "ROOMS"',
        "wrangler.toml:7",
        "the first: line 4",
        "give one of them another name",
        main=ROOM,
    ),
    configured(
        "a port that there is not",
        TOML + "[dev]\nport = 99999\n",
        "`dev.port` is 99999",
        "wrangler.toml:4",
        "has to be a number from 0 (any port) to 65535",
        "port = 8787",
    ),
    configured(
        "a secret that is nowhere",
        TOML + '[secrets]\nrequired = ["API_KEY"]\n',
        "`secrets.required[0]` needs API_KEY",
        "wrangler.toml:4",
        "so env.API_KEY is not bound",
        "add to .dev.vars the line API_KEY=...",
    ),
    configured(
        "a variable of another type than the code says",
        TOML + "[vars]\nMAX = 'many'\n",
        "env.MAX",
        "(E, main.py:3)",
        "is annotated int and is the text 'many'",
        "correct the value",
        main="from perdure import *\nclass E(Env):\n    MAX: int\nasync def fetch(request, env: E): ...\n",
    ),
    configured(
        "a binding that the code says and the configuration does not",
        TOML,
        "env.GREETING",
        "(E, main.py:3)",
        "is not bound",
        'GREETING = "..."',
        main="from perdure import *\nclass E(Env):\n    GREETING: str\nasync def fetch(request, env: E): ...\n",
    ),
]

MODULES = [
    programmed(
        "a syntax error",
        "def fetch(request:\n    pass\n",
        "main.py could not be imported",
        "P/main.py:1",
        "SyntaxError: '(' was never closed",
        "correct the line",
    ),
    programmed(
        "a package that is not installed",
        "import nothing_like_it\n",
        "main.py could not be imported",
        "P/main.py:1",
        "No module named 'nothing_like_it'",
        "install what provides 'nothing_like_it', or correct the import",
    ),
    programmed(
        "a name that perdure has not",
        "from perdure import DurableObjekt\n",
        "main.py could not be imported",
        "P/main.py:1",
        "cannot import name 'DurableObjekt' from 'perdure'",
        "did you mean 'DurableObject'?",
    ),
    programmed(
        "fetch imported",
        "from json import dumps as fetch\n",
        "`fetch` is imported from json",
        "main.py cannot be a Worker",
        "only what the project defines can be a handler",
        "write `import json` and `json.dumps(url)`",
    ),
    programmed(
        "fetch of perdure imported",
        "from perdure import fetch\n",
        "main.py could not be imported",
        "P/main.py:1",
        "cannot import name 'fetch' from 'perdure'",
        "perdure has no 'fetch' in this version: leave it out",
    ),
    programmed(
        "a module that exits",
        "import sys\nsys.exit(3)\n",
        "main.py could not be imported",
        "P/main.py:2",
        "SystemExit: 3",
        "a Worker's module only defines things: remove the exit",
    ),
    programmed(
        "asyncio.run in the module",
        "import asyncio\nasyncio.run(None)\n",
        "main.py could not be imported",
        "P/main.py:2",
        "asyncio.run() cannot be called from a running event loop",
        "a Worker's module only defines things, and runs on a loop already: remove the call",
    ),
    programmed(
        "a class misspelt in the configuration",
        ROOM,
        "a binding names the class 'Romo', which it does not define",
        "main.py cannot be a Worker",
        "its classes: Room",
        "did you mean 'Room'?",
        toml=WITH_ROOM.replace("Room", "Romo"),
    ),
    programmed(
        "no handler",
        "x = 1\n",
        "it defines no handler and no class",
        "main.py cannot be a Worker",
        "no handler",
        "write `async def fetch(request, env): ...`",
    ),
    programmed(
        "a handler misspelt",
        "async def fetsh(request): ...\n",
        "it defines no handler and no class",
        "main.py cannot be a Worker",
        "no handler",
        "rename `fetsh`, if it was meant",
    ),
    programmed(
        "fetch and Default",
        FETCH + "class Default(WorkerEntrypoint): ...\n",
        "it has both a function `fetch` and a class `Default`",
        "main.py cannot be a Worker",
        "a Worker has one default entry point",
        "keep one",
    ),
    programmed(
        "two spellings of a handler",
        FETCH + "def on_fetch(request): ...\n",
        "it defines its fetch handler twice",
        "main.py cannot be a Worker",
        "as fetch and on_fetch",
        "keep `fetch`",
    ),
    programmed(
        "a handler with too many arguments",
        "async def fetch(request, env, ctx, more): ...\n",
        "`fetch` needs 4 arguments",
        "P/main.py:1",
        "a handler gets three at most",
        "write `async def fetch(request, env, ctx)`",
    ),
    programmed(
        "a class as a handler",
        "class fetch: ...\n",
        "`fetch` is the class fetch",
        "main.py cannot be a Worker",
        "not a function",
        "write `async def fetch(...)`",
    ),
    programmed(
        "two spellings of a hook",
        room_with("def fetch(self, request): ...\n    def on_fetch(self, request): ..."),
        "Room defines its fetch handler twice, as fetch and on_fetch",
        "main.py cannot be a Worker",
        "they are two spellings of one handler",
        "keep `fetch` and remove the other",
        toml=WITH_ROOM,
    ),
    programmed(
        "a reserved name",
        room_with("def connect(self): ..."),
        "Room.connect has a reserved name",
        "main.py cannot be a Worker",
        "`connect` means something to the runtime or to stubs",
        "rename it",
        toml=WITH_ROOM,
    ),
    programmed(
        "limits that are none",
        room_with("limits = {'queue': 3}"),
        "Room.limits is dict, not Limits",
        "main.py cannot be a Worker",
        "not Limits",
        "write `limits = Limits(",
        toml=WITH_ROOM,
    ),
    programmed(
        "a constructor without arguments",
        room_with("def __init__(self): ..."),
        "the constructor of 'Room'",
        "main.py cannot be a Worker",
        "has to take two arguments",
        "`def __init__(self, ctx, env)`",
        toml=WITH_ROOM,
    ),
    programmed(
        "a constructor that is async",
        room_with("async def __init__(self, ctx, env): ..."),
        "the constructor of 'Room' is `async def`",
        "P/main.py:4",
        "Python awaits none",
        "do what has to wait in `async def setup(self)`",
        toml=WITH_ROOM,
    ),
    programmed(
        "an entry point as an object",
        FETCH + "class Room(WorkerEntrypoint): ...\n",
        "the class 'Room' is an entry point",
        "main.py cannot be a Worker",
        "is an entry point",
        "an object class derives from DurableObject",
        toml=WITH_ROOM,
    ),
]

PLACES = [
    configured(
        "a certificate that is not there",
        TOML,
        "the file of --cert cannot be read",
        "nothing.pem",
        "No such file or directory",
        "give the path of a certificate in PEM format",
        cert=Path("nothing.pem"),
        key=Path("nothing.pem"),
    ),
    configured(
        "an address of another machine",
        TOML,
        "cannot listen on 8.8.8.8",
        "8.8.8.8",
        "Cannot assign requested address",
        "give an address of this machine with --ip",
        ip="8.8.8.8",
    ),
    configured(
        "a name with capitals",
        TOML,
        "--name 'My Shop' is no name for a Worker",
        "--name",
        "only lower-case letters, digits, - and _ may be in it",
        "write --name my-shop",
        name="My Shop",
    ),
    configured(
        "a file of secrets that does not exist",
        TOML,
        "the file nope.env does not exist",
        "P/nope.env",
        "does not exist",
        "correct the path after --env-file",
        env_files=(Path("nope.env"),),
    ),
    configured(
        "a file as the data folder",
        WITH_ROOM,
        "the data folder cannot be opened",
        "(main.py)",
        "Not a directory",
        "give a folder that this user may write, or one that can be made",
        main=ROOM,
        persist_to=Path("main.py"),
    ),
]


@pytest.mark.parametrize("case", [*CONFIGURATIONS, *MODULES, *PLACES], ids=str)
@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")  # of a refused asyncio.run
def test_a_mistake_in_a_project_is_named_with_its_place_and_the_fix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: Case
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")

    said = said_by_dev(tmp_path, case.files, **case.options).replace(str(tmp_path), "P")

    for part in (case.what, case.where, case.why, case.next_step):
        assert part in said, f"{part!r} is not in:\n{said}"
    assert 'File "P' in said or "  File " not in said, f"frames that are not the user's:\n{said}"
    assert "/perdure/cli" not in said and "/perdure/workers" not in said
