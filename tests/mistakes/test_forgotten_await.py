"""An operation that was not awaited is never taken for its result: the line is named, with what to write."""

import pytest

from tests.mistakes.mistake import Mistake, check, in_object, in_worker, said_by_a_request
from tests.workers.world import WorkersWorld

WHY = "calls of stubs and storage give an operation, which has its result once it is awaited"


def used(made: str, program: str, how: str, write: str) -> Mistake:
    return Mistake(made, program, f"an operation was used {how}, and not its result", WHY, f"await it: {write}")


MISTAKES = [
    used("if", in_object("if storage.get('x'):  # here\n    return 5"), "as a condition", "if await ...:"),
    used("not", in_worker("if not counter.increment():  # here\n    pass"), "as a condition", "if await ...:"),
    used("plus", in_worker("counter.increment() + 1  # here"), "in an expression", "(await ...) + x"),
    used("plus on the right", in_worker("1 + counter.increment()  # here"), "in an expression", "x + (await ...)"),
    used("less than", in_worker("counter.increment() < 3  # here"), "in a comparison", "(await ...) < x"),
    used("equal", in_object("return storage.get('x') == 3  # here"), "in a comparison", "(await ...) == x"),
    used("equal to None", in_object("return storage.get('x') != None  # here"), "in a comparison", "(await ...) == x"),
    used("item", in_object("return storage.get('x')['name']  # here"), "for an item", "(await ...)[...]"),
    used("loop", in_object("for key in storage.list(): pass  # here"), "in a loop", "for each in await ...:"),
    used("length", in_object("return len(storage.list())  # here"), "for its length", "len(await ...)"),
    used("number", in_worker("int(counter.increment())  # here"), "as a number", "int(await ...)"),
    used("text", in_worker("Response(f'{counter.increment()}')  # here"), "as text", 'f"{await ...}"'),
    Mistake(
        "attribute",
        in_object("return storage.get('x').name  # here"),
        what="'Op' object has no attribute 'name'",
        why="an operation has its result once it is awaited",
        next_step="write `(await ...).name`",
    ),
    *(
        Mistake(
            made,
            in_worker(f"{program}  # here"),
            what=what,
            why="an operation has its result once it is awaited",
            next_step="write `(await ...)`",
        )
        for made, program, what in [
            ("negated", "-counter.increment()", "bad operand type for unary -: 'Op'"),
            ("in text with %d", "'%d' % counter.increment()", "a real number is required, not Op"),
            ("joined to text", "''.join([counter.increment()])", "expected str instance, Op found"),
            ("in json.dumps", "json.dumps([counter.increment()])", "Object of type Op is not JSON serializable"),
            (
                "iterated with async for",
                "async for item in counter.increment(): pass",
                "'async for' requires an object",
            ),
        ]
    ),
    Mistake(
        "stored",
        in_object("storage.put('copy', storage.get('x'))  # here"),
        what="a perdure.objects.op.Op cannot be stored or sent",
        where='put("copy")',
        why="what crosses is a copy, made of plain values and of classes with fields",
        next_step="await it and store the result",
    ),
    Mistake(
        "as an argument",
        in_worker("await counter.echo(counter.increment())  # here"),
        what="a perdure.objects.op.Op cannot be stored or sent",
        where="echo() argument 1",
        why="what crosses is a copy, made of plain values and of classes with fields",
        next_step="await it and store the result",
    ),
    Mistake(
        "as a body",
        in_worker("return Response(counter.increment())  # here"),
        what="a body cannot be Op",
        why="a body is str, bytes, FormData or an async iterable of these",
        next_step="await it first",
    ),
    Mistake(
        "in JSON",
        in_worker("return {'counts': [counter.increment()]}"),
        what="fetch of main returned what cannot be sent as JSON: an Op has no JSON form",
        where="$.counts[0] of it",
        why="JSON has text, numbers, true, false, null, lists and dicts",
        next_step="await it and send the result",
    ),
    Mistake(
        "as the answer",
        in_worker("return counter.fetch(request)"),
        what="fetch of main returned Op instead of a Response",
        where="main.py:",
        why="a handler answers with a Response, or with a dict or list that is sent as JSON",
        next_step="and await it",
    ),
    Mistake(
        "a method that was not even called",
        in_worker("return counter.increment"),
        what="fetch of main returned Remote instead of a Response",
        where="main.py:",
        why="a handler answers with a Response, or with a dict or list that is sent as JSON",
        next_step="call it, if it is a method, and await it: return Response(str(await stub.method()))",
    ),
    Mistake(
        "a coroutine",
        in_worker("name = request.json()['name']  # here"),
        what="'coroutine' object is not subscriptable",
        why="an async method gives a coroutine, which has its result once it is awaited",
        next_step="write `(await ...)`",
    ),
    Mistake(
        "calls given to asyncio.wait",
        in_worker("await asyncio.wait([counter.increment()])  # here"),
        what="Passing coroutines is forbidden",
        why="`asyncio.wait` takes tasks, and a call of an object becomes one",
        next_step="asyncio.create_task(call)",
    ),
]


@pytest.mark.parametrize("mistake", MISTAKES, ids=str)
@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")  # Python says it too
def test_an_operation_that_was_not_awaited_is_not_taken_for_its_result(world: WorkersWorld, mistake: Mistake) -> None:
    check(said_by_a_request(world, mistake.program), mistake, world.folder / "hits-0" / "main.py")


def test_an_operation_that_is_printed_says_to_await_it(world: WorkersWorld) -> None:
    program = in_worker("return Response(repr(counter.increment()))")

    assert "<Op pending: await it>" in said_by_a_request(world, program)
