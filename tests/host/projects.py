"""Small projects for tests: a folder with a main module and a configuration."""

import json
import textwrap
from collections.abc import Sequence
from pathlib import Path

KEEPER = """
from perdure import DurableObject, Env, Namespace, Request, Response


class Keeper(DurableObject["KeeperEnv"]):
    async def fetch(self, request: Request) -> Response:
        kv = self.ctx.storage.kv
        if request.method == "POST":
            kv.put("text", await request.text())
            return Response("kept")
        return Response(kv.get("text", "nothing"))


class KeeperEnv(Env):
    KEEPER: Namespace[Keeper]


async def fetch(request: Request, env: KeeperEnv) -> Response:
    return await env.KEEPER[request.path].fetch(request)
"""
"""Keeps the text that is posted to a path."""


def write_project(
    folder: Path, main: str | None = KEEPER, *, classes: Sequence[str] = ("Keeper",), name: str = "test", more: str = ""
) -> Path:
    """Write `main.py` and a `wrangler.toml` that binds each class under its name in capitals; gives the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    if main is not None:
        (folder / "main.py").write_text(textwrap.dedent(main))
    bindings = ", ".join(f'{{ name = "{cls.upper()}", class_name = "{cls}" }}' for cls in classes)
    lines = [f'name = "{name}"', 'main = "main.py"', more]
    if classes:
        lines += [f"durable_objects.bindings = [{bindings}]", "[[migrations]]", 'tag = "v1"']
        lines += [f"new_classes = {json.dumps(list(classes))}"]
    (folder / "wrangler.toml").write_text("\n".join(lines) + "\n")
    return folder
