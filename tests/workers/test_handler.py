"""How a Worker's code is called and what it may answer (API-1, API-3, API-4)."""

import json

import pytest

from perdure.model.errors import WrongType
from perdure.web.response import Response
from perdure.workers.class_spec import ClassSpec
from perdure.workers.entrypoint import WorkerEntrypoint
from perdure.workers.handler import EntrypointHandler, FunctionHandler, as_response
from perdure.workers.reserved import WORKER_HOOKS


@pytest.mark.parametrize(
    ("function", "received"),
    [
        (lambda: (), ()),
        (lambda request: (request,), ("request",)),
        (lambda request, env: (request, env), ("request", "env")),
        (lambda request, env, ctx: (request, env, ctx), ("request", "env", "ctx")),
        (lambda request, env, ctx, more="own": (request, env, ctx, more), ("request", "env", "ctx", "own")),
        (lambda *all: all, ("request", "env", "ctx")),
        (lambda request, *, option=1: (request, option), ("request", 1)),
    ],
)
def test_api_3_a_function_gets_as_many_arguments_as_it_declares(function, received):
    assert FunctionHandler(function, "fetch").call("request", "env", "ctx") == received


def test_api_1_an_entry_point_is_made_for_each_invocation():
    class Default(WorkerEntrypoint):
        def fetch(self, request):
            return self, self.ctx, self.env, request

    handler = EntrypointHandler(ClassSpec(Default, hooks=WORKER_HOOKS))

    first, *rest = handler.call("request", "env", "ctx")
    second, *_ = handler.call("request", "env", "ctx")

    assert first is not second
    assert rest == ["ctx", "env", "request"]


def test_api_4_a_response_goes_out_as_it_is():
    response = Response("text")

    assert as_response(response, "fetch of main") is response


@pytest.mark.parametrize("value", [{"a": 1}, [1, 2], {}, []])
def test_api_4_a_dict_or_list_is_sent_as_json(value):
    response = as_response(value, "fetch of main")

    assert json.loads(response.take_body()) == value
    assert response.headers["content-type"] == "application/json"


@pytest.mark.parametrize(("value", "kind"), [(None, "nothing"), ("text", "str"), (3, "int"), ((1,), "tuple")])
def test_api_4_anything_else_is_a_type_error_that_names_the_handler(value, kind):
    with pytest.raises(WrongType, match=f"fetch of main returned {kind} instead of a Response"):
        as_response(value, "fetch of main")


def test_a_coroutine_that_was_not_awaited_is_named_as_that():
    async def forgotten(): ...

    with pytest.raises(WrongType, match=r"returned coroutine instead of a Response.*; await it"):
        as_response(forgotten(), "Room.fetch")
