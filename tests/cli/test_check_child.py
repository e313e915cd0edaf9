"""What `perdure check` learns from the running code: its classes, and which of their methods are plain functions."""

import asyncio

import pytest

from perdure.cli.check_child import found_in
from perdure.config import load_project
from tests.host.projects import write_project

BASE = """
import asyncio
from typing import Optional
from collections.abc import Awaitable, Iterator
from perdure import DurableObject, Op

class Task: ...

class Base(DurableObject):
    def inherited(self): ...
    async def right(self): ...
    def says_so(self) -> Awaitable[int]: ...
    def gives_op(self) -> "Op[int]": ...
    def task(self) -> asyncio.Task[int]: ...
    def maybe(self) -> Optional[int]: ...
    def todo(self) -> Task: ...
    def _private(self): ...
    @property
    def size(self): return 1
    @staticmethod
    def helper(): ...
    async def stream(self):
        yield 1
"""
MAIN = """
from base import Base
from perdure import DurableObject, WorkerEntrypoint

class Abstract(Base):
    def abstract(self): ...

class Keeper(Abstract):
    def setup(self): ...
    def fetch(self, request): ...
    def own(self): ...

class Forgotten(DurableObject): ...

class Admin(WorkerEntrypoint):
    def clear(self): ...

def fetch(request): ...
"""


@pytest.fixture
def found(tmp_path):
    (tmp_path / "base.py").write_text(BASE)
    return asyncio.run(found_in(load_project(write_project(tmp_path, MAIN))))


def names(places):
    return {name for _, name in places}


def test_public_plain_methods_are_named_where_they_are_defined(found, tmp_path):
    assert names(found["plain_methods"]) == {
        "Base.inherited",
        "Base.maybe",
        "Base.todo",
        "Abstract.abstract",
        "Keeper.own",
    }
    assert [str(tmp_path / "base.py"), "Base.inherited"] in found["plain_methods"]


def test_what_runs_on_the_loop_without_being_async_is_known_handlers_and_entry_points_too(found):
    assert {"Keeper.setup", "Keeper.fetch", "Admin.clear", "fetch"} <= names(found["on_loop"])
    assert not {"Base.right", "Base._private", "Base.helper"} & names(found["on_loop"])


def test_only_a_class_that_nothing_names_or_derives_from_is_unbound(found):
    assert names(found["unbound"]) == {"Forgotten"}


def test_classes_entry_points_and_files_are_told(found, tmp_path):
    (keeper,), (admin,) = found["classes"], found["entrypoints"]

    assert (keeper["name"], keeper["module"], keeper["handlers"]) == ("Keeper", "main", ["fetch", "setup"])
    assert admin["methods"] == ["clear"]
    assert set(found["files"]) == {str(tmp_path / "main.py"), str(tmp_path / "base.py")}
    assert found["handlers"] == ["fetch of main"]


def test_code_that_cannot_be_loaded_is_told_with_all_of_its_error(tmp_path):
    told = asyncio.run(found_in(load_project(write_project(tmp_path, "raise ValueError('not yet')"))))

    assert told["error"]["code"] == "PERDURE_LOAD_FAILED"
    assert "ValueError: not yet" in told["error"]["why"]
    assert told["files"] == [str(tmp_path / "main.py")]


SCHEDULED = {
    "a function": (
        "async def fetch(request): ...\nasync def scheduled(event): ...\n",
        ["fetch of main", "scheduled of main"],
    ),
    "one in another spelling": (
        "def fetch(request): ...\nasync def on_scheduled(event): ...\n",
        ["fetch of main", "scheduled of main"],
    ),
    "a method": (
        "from perdure import WorkerEntrypoint\nclass Default(WorkerEntrypoint):\n"
        "    async def fetch(self, request): ...\n    async def scheduled(self, event): ...\n",
        ["Default.fetch", "Default.scheduled"],
    ),
}


@pytest.mark.parametrize("written", SCHEDULED)
def test_a_handler_for_schedules_is_told_beside_fetch(tmp_path, written):
    main, handlers = SCHEDULED[written]

    told = asyncio.run(found_in(load_project(write_project(tmp_path, main, classes=()))))

    assert told.get("handlers") == handlers, told
