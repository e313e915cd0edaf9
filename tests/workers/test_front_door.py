"""What programs import: growing it is a decision, and asking for little costs little."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import perdure
from tests.checkers import MYPY_CACHE


def test_everything_public_is_there_by_name():
    for name in perdure.__all__:
        assert getattr(perdure, name) is not None
        assert name in dir(perdure)
    assert sorted(perdure.__all__, key=lambda name: (not name.isupper(), name)) == perdure.__all__
    assert len(set(perdure.__all__)) == len(perdure.__all__)


def test_what_checkers_see_is_what_programs_get():
    tree = ast.parse(Path(perdure.__file__).read_text())
    imported: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            for statement in node.body:
                assert isinstance(statement, ast.ImportFrom)
                imported |= {alias.name: str(statement.module) for alias in statement.names}

    assert imported == perdure._HOME_OF


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'perdure' has no attribute 'Counter'"):
        _ = perdure.Counter


def test_import_perdure_alone_brings_no_loop_no_parser_and_no_sqlite():
    heavy = {"asyncio", "apsw", "httptools", "ada_url", "python_multipart", "typer"}
    code = "import sys, perdure; print(*sys.modules)"

    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()

    assert heavy.isdisjoint(loaded)


def test_type_checkers_see_the_class_behind_a_namespace(tmp_path):
    pytest.importorskip("mypy", reason="the development tools are not installed for this Python")
    program = tmp_path / "program.py"
    program.write_text(
        "from perdure import DurableObject, Env, Namespace\n"
        "class Counter(DurableObject['MyEnv']):\n"
        "    async def add(self, by: int) -> int:\n"
        "        return by + self.ctx.storage.kv.get_as(int, 'n', 0)\n"
        "class MyEnv(Env):\n"
        "    COUNTER: Namespace[Counter]\n"
        "async def use(env: MyEnv) -> int:\n"
        "    await env.COUNTER['a'].add('wrong')\n"
        "    return await env.COUNTER['a'].add(1)\n"
    )

    checked = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--cache-dir", MYPY_CACHE, str(program)],
        capture_output=True,
        text=True,
        check=False,
    )

    errors = checked.stdout.splitlines()
    assert len(errors) == 1, checked.stdout + checked.stderr
    assert ':8: error: Argument 1 to "add" of "Counter" has incompatible type "str"' in errors[0]
