"""A Worker from source text, on the real store and gates, with virtual time.

def test_...(world):
    async def scenario():
        worker = await world.worker("class Room: ...", bindings={"ROOMS": "Room"})
        ...
    world.run(scenario)
"""

import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from perdure.web.request import Request
from perdure.web.response import Response
from perdure.workers.loader import Program, load_program
from perdure.workers.worker import Housing, Worker
from tests.objects.world import World, open_store

IMPORTS = "from perdure import *\n"


def write_project(folder: Path, files: Mapping[str, str]) -> Path:
    """Write a project's files, by path in it, and give its folder."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
    return folder


def load(folder: Path, source: str, *, class_names: tuple[str, ...] = (), name: str = "hits", **more: str) -> Program:
    """Load a project whose main module has this source; `bank="..."` writes `bank.py` beside it."""
    root = write_project(folder, {"main.py": source, **{f"{module}.py": text for module, text in more.items()}})
    return load_program(name, root / "main.py", root=root, class_names=class_names)


class WorkersWorld(World):
    """A world that runs Workers."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._workers: list[Worker] = []

    async def worker(
        self,
        source: str,
        *,
        bindings: Mapping[str, str] | None = None,
        variables: Mapping[str, Any] | None = None,
        name: str = "hits",
        **more: str,
    ) -> Worker:
        """A running Worker. Every name of `perdure` is imported into its main module already."""
        bindings = bindings or {}
        source = IMPORTS + textwrap.dedent(source)
        folder = self.folder / f"{name}-{len(self._workers)}"
        program = load(folder, source, class_names=tuple(bindings.values()), name=name, **more)
        housing: dict[str, Housing] = {}
        for class_name in program.classes:
            key = f"{name}-{class_name}"
            if key not in self._stores:
                self._stores[key] = await open_store(self.folder / key, self.clock, self.disk)
            housing[class_name] = Housing(self._stores[key], key)
        try:
            worker = Worker(
                name,
                program,
                housing=housing,
                bindings=bindings,
                variables=variables or {},
                clock=self.clock,
                random_bytes=Numbered(),
                config=folder / "wrangler.toml",
            )
        except BaseException:
            program.modules.close()
            raise
        self._workers.append(worker)
        return worker

    async def stop(self) -> None:
        self.disk.go_on()
        for worker in self._workers:
            await worker.close(grace_s=0)
        self._workers.clear()
        await super().stop()


class InterpreterModules:
    """The modules of a program that was imported as usual: what the tests' own exceptions are known by."""

    def find_imported(self, plain_name: str, /) -> ModuleType | None:
        return sys.modules.get(plain_name)


class Numbered:
    """Bytes that differ at each call, and are the same in each run."""

    def __init__(self) -> None:
        self._calls = 0

    def __call__(self, number: int) -> bytes:
        self._calls += 1
        return self._calls.to_bytes(number, "big")


async def get(worker: Worker, path: str = "/", **options: Any) -> Response:
    return await worker.fetch(Request(f"http://localhost{path}", **options))


async def text_of(worker: Worker, path: str = "/", **options: Any) -> str:
    return await (await get(worker, path, **options)).text()
