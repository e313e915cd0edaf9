"""What `perdure check` reads in source: each mistake is found, with its line and the fix, and good code is left alone."""

import ast
import textwrap

import pytest

from perdure.cli.check_calls import Source, check_calls
from perdure.cli.check_classes import check_classes
from perdure.cli.check_finding import Rule

HEAD = """\
import asyncio, os, subprocess, time, urllib.request
import requests
import requests as r
from asyncio import TaskGroup, gather
from time import sleep
from urllib.request import urlopen
from perdure import DurableObject, WorkerEntrypoint
"""
METHOD = "class Room(DurableObject):\n    async def post(self, name, stub):\n"


def found_in(body, *, python=(3, 11), on_loop=(), **of_classes):
    tree = ast.parse(HEAD + textwrap.dedent(body))
    names = {"object_classes": set(), "plain_methods": set(), "unbound": set(), "is_main": True} | of_classes
    source = Source("main.py", tree, {"ROOMS"}, set(on_loop), python)
    return [*check_classes("main.py", tree, **names), *check_calls(source)]


def rules_in(body, **more):
    return [finding.rule for finding in found_in(body, **more)]


def in_method(*lines):
    return METHOD + "".join(f"        {line}\n" for line in lines)


@pytest.mark.parametrize(
    "line",
    [
        "await asyncio.gather(self.ctx.storage.get('a'), self.ctx.storage.get('b'))",
        "await gather(*[self.ctx.storage.put(key, 1) for key in 'ab'])",
        "await asyncio.gather(*(self.ctx.storage.get(key) for key in name))",
        "await asyncio.gather(*map(str, name), self.ctx.storage.delete('a'))",
        "task = asyncio.create_task(self.ctx.storage.put('a', 1))",
        "await asyncio.wait([asyncio.ensure_future(self.ctx.storage.get('a'))])",
        "await asyncio.wait_for(self.ctx.storage.get('a'), 1)",
    ],
)
def test_storage_operations_in_tasks_of_their_own_end_the_unit(line):
    assert rules_in(in_method(line)) == [Rule.STORAGE_IN_TASK]


def test_storage_is_known_by_another_name_and_in_a_task_group():
    body = in_method(
        "storage = self.ctx.storage",
        "async with TaskGroup() as group:",
        "    group.create_task(storage.put('a', 1))",
    )

    (finding,) = found_in(body)

    assert finding.rule is Rule.STORAGE_IN_TASK
    assert finding.line == HEAD.count("\n") + 5
    assert "put({...})" in finding.fix


@pytest.mark.parametrize(
    "lines",
    [
        ["await asyncio.gather(stub.value(), stub.other())"],
        ["await self.ctx.storage.get(['a', 'b'])"],
        ["await asyncio.wait_for(self.ctx.storage.sync(), 1)"],
        ["await asyncio.gather(stub.set(await self.ctx.storage.get('a')), stub.other())"],
        ["await asyncio.gather(*(stub.set(self.ctx.storage.kv.get(key)) for key in name))"],
        ["async with self.ctx.storage.transaction() as txn:", "    await asyncio.gather(txn.get('a'), txn.get('b'))"],
        ["group = {}", "group.create_task(self.ctx.storage.put('a', 1))"],
    ],
)
def test_what_keeps_the_unit_is_left_alone(lines):
    assert rules_in(in_method(*lines)) == []


def test_wait_for_keeps_the_unit_from_python_3_12_on():
    assert rules_in(in_method("await asyncio.wait_for(self.ctx.storage.get('a'), 1)"), python=(3, 12)) == []


@pytest.mark.parametrize(
    ("line", "called"),
    [
        ("time.sleep(1)", "time.sleep"),
        ("sleep(1)", "time.sleep"),
        ("requests.get(name)", "requests.get"),
        ("r.post(name)", "requests.post"),
        ("urllib.request.urlopen(name)", "urllib.request.urlopen"),
        ("urlopen(name)", "urllib.request.urlopen"),
        ("subprocess.run([name])", "subprocess.run"),
        ("os.system(name)", "os.system"),
        ("answer = input()", "input"),
    ],
)
def test_what_holds_the_loop_is_named_with_what_to_write_instead(line, called):
    (finding,) = found_in(in_method(line))

    assert finding.rule is Rule.BLOCKING_CALL
    assert finding.what.startswith(f"{called} holds the loop")
    assert "await" in finding.fix


def test_a_plain_method_that_runs_on_the_loop_must_not_hold_it_either():
    body = "class Room:\n    def post(self):\n        time.sleep(1)\n"

    assert rules_in(body, on_loop=["Room.post"]) == [Rule.BLOCKING_CALL]
    assert rules_in(body) == []


@pytest.mark.parametrize(
    "lines",
    [
        ["await asyncio.sleep(1)"],
        ["await asyncio.to_thread(requests.get, name)"],
        ["await asyncio.to_thread(lambda: requests.get(name))"],
        ["def fetch_it():", "    return requests.get(name)", "await asyncio.to_thread(fetch_it)"],
        ["text = open(name).read()"],
        ["session = requests.Session()"],
    ],
)
def test_what_runs_on_a_thread_or_soon_ends_is_left_alone(lines):
    assert rules_in(in_method(*lines)) == []


@pytest.mark.parametrize(
    "lines",
    [
        ["self.env.ROOMS[name].post('hi')"],
        ["self.env['ROOMS'][name].post('hi')"],
        ["self.env.ROOMS.get_by_name(name).post('hi')"],
        ["room = self.env.ROOMS[name]", "room.post('hi')"],
        ["rooms = self.ctx.namespace(Room)", "rooms[name].post('hi')"],
    ],
)
def test_a_stubs_call_that_nobody_waits_for_is_reported(lines):
    (finding,) = found_in(in_method(*lines))

    assert finding.rule is Rule.DROPPED_CALL
    assert "await it" in finding.fix


@pytest.mark.parametrize(
    "line",
    [
        "text = f'{self.env.ROOMS[name].size()} guests'",
        "if self.env.ROOMS[name].size() > 3: pass",
        "n = 1 + self.env.ROOMS[name].size()",
    ],
)
def test_a_stubs_call_used_as_its_result_is_reported(line):
    assert rules_in(in_method(line)) == [Rule.UNAWAITED_CALL]


@pytest.mark.parametrize(
    "lines",
    [
        ["await self.env.ROOMS[name].post('hi')"],
        ["call = self.env.ROOMS[name].post('hi')", "await call"],
        ["self.ctx.wait_until(self.env.ROOMS[name].post('hi'))"],
        ["return self.env.ROOMS[name].post('hi')"],
        ["room = self.env.ROOMS[name]", "room = []", "room.append(1)"],
        ["self.env.OTHER[name].post('hi')"],
        ["self.ctx.storage.put('a', 1)"],
        ["self.ctx.storage.kv.put('a', 1)"],
        ["text = f'{await self.env.ROOMS[name].size()} guests'"],
    ],
)
def test_calls_that_are_awaited_kept_or_handed_on_are_left_alone(lines):
    assert rules_in(in_method(*lines)) == []


@pytest.mark.parametrize(
    "name", ["on_fech", "fecth", "Fetch", "web_socket_message", "websocket_mesage", "set_up", "pre_shutdwon"]
)
def test_a_method_that_is_almost_a_handler_is_reported(name):
    (finding,) = found_in(f"class Room(DurableObject['Env']):\n    async def {name}(self, a): ...\n")

    assert finding.rule is Rule.MISSPELT_HANDLER
    assert finding.line == HEAD.count("\n") + 2


@pytest.mark.parametrize(
    "name",
    [
        "fetch",
        "on_fetch",
        "webSocketMessage",
        "fetch_all",
        "alarms",
        "setups",
        "match",
        "reset",
        "stop",
        "schedule",
        "patch",
        "_fech",
        "fetches",
        "get_alarm",
    ],
)
def test_a_method_with_a_name_of_its_own_is_left_alone(name):
    assert rules_in(f"class Room(DurableObject):\n    async def {name}(self, a): ...\n") == []


def test_a_function_of_the_main_module_and_a_method_of_an_entry_point_are_looked_at_too():
    body = "async def fecth(request): ...\nclass Default(WorkerEntrypoint):\n    async def onFech(self, request): ...\n"

    assert rules_in(body) == [Rule.MISSPELT_HANDLER] * 2
    assert rules_in("async def fecth(request): ...\n", is_main=False) == []
    assert rules_in("class Plain:\n    def fecth(self): ...\n") == []


@pytest.mark.parametrize(
    "name", ["schedule", "fetch2", "fetchs", "reschedule", "rescheduled", "unscheduled", "fetch_page", "patch"]
)
def test_a_function_of_the_main_module_with_a_name_of_its_own_is_left_alone(name):
    assert rules_in(f"async def {name}(request): ...\n") == []


def test_very_deep_expressions_are_no_trouble():
    assert rules_in("n = " + " + ".join(["1"] * 900) + "\n") == []


def test_a_class_that_has_the_handler_may_have_one_that_sounds_like_it():
    assert (
        rules_in("class Room(DurableObject):\n    async def fetch(self, r): ...\n    async def fetch_(self): ...\n")
        == []
    )


def test_a_handler_that_is_imported_into_the_main_module_is_an_error():
    body = "from perdure import fetch\n"

    (finding,) = found_in(body)

    assert (finding.rule, finding.is_error) == (Rule.IMPORTED_HANDLER, True)
    assert "await perdure.fetch(url)" in finding.fix
    assert rules_in(body, is_main=False) == []
    assert rules_in("from perdure import fetch as get\n") == []


def test_plain_methods_and_classes_without_a_binding_are_reported_where_they_stand():
    body = "class Room(DurableObject):\n    def size(self): ...\n"

    plain, unbound = (found_in(body, plain_methods={"Room.size"}), found_in(body, unbound={"Room"}))

    assert [(each.rule, each.line) for each in plain] == [(Rule.PLAIN_METHOD, HEAD.count("\n") + 2)]
    assert [(each.rule, each.line) for each in unbound] == [(Rule.UNBOUND_CLASS, HEAD.count("\n") + 1)]
