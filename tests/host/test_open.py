"""`perdure.open` takes classes and Workers as people have them, and says at once what it cannot take."""

import asyncio
import json
import os
import subprocess
import sys
import textwrap
from datetime import timedelta
from pathlib import Path

import pytest

import perdure
from perdure import DurableObject, Response
from tests.host import embedded_counter
from tests.host.embedded_counter import Counter
from tests.host.embedded_counter import fetch as count_fetch
from tests.host.projects import write_project

NO_WAIT = timedelta(0)


class Note(DurableObject):
    async def write(self, text: str) -> None:
        self.ctx.storage.kv.put("text", text)

    async def read(self) -> str | None:
        return self.ctx.storage.kv.get("text")


class Plain:
    """Any class that takes `ctx` and `env` will do."""

    def __init__(self, ctx, env):
        self.env = env

    async def names_in_env(self) -> list[str]:
        return list(self.env)


class Lonely:
    def __init__(self, ctx):
        pass


class NotAllowed(Exception):
    pass


class Strict(DurableObject):
    async def fail(self) -> None:
        raise NotAllowed("no")


def test_an_object_that_was_written_is_there_in_the_next_run(tmp_path):
    async def first():
        async with perdure.open(tmp_path / "data", objects=[Note]) as rt:
            await rt[Note]["a"].write("kept")

    async def second():
        rt = await perdure.open(tmp_path / "data", objects=[Note])
        kept = await rt[Note]["a"].read()
        await rt.aclose()
        return kept

    asyncio.run(first())

    assert asyncio.run(second()) == "kept"


def test_classes_are_bound_under_their_own_names_or_under_those_that_a_mapping_gives(tmp_path):
    async def names(objects, **options):
        async with perdure.open(tmp_path, objects=objects, **options) as rt:
            return await rt[Plain]["a"].names_in_env(), list(rt.env)

    assert asyncio.run(names([Plain, Note])) == (["Note", "Plain"], ["Note", "Plain"])
    assert asyncio.run(names({"NOTES": Note, "IT": Plain})) == (["IT", "NOTES"], ["IT", "NOTES"])
    assert asyncio.run(names(iter([Plain]), env={"KEY": "x"})) == (["KEY", "Plain"], ["KEY", "Plain"])


def test_a_class_may_be_defined_in_a_function_of_the_program(tmp_path):
    class Local(DurableObject):
        async def double(self, number: int) -> int:
            return number * 2

    async def scenario():
        async with perdure.open(tmp_path, objects=[Local]) as rt:
            return await rt[Local]["a"].double(4)

    assert asyncio.run(scenario()) == 8


def test_an_exception_class_of_the_program_arrives_as_itself(tmp_path):
    async def scenario():
        async with perdure.open(tmp_path, objects=[Strict]) as rt:
            with pytest.raises(NotAllowed, match="no"):
                await rt[Strict]["a"].fail()

    asyncio.run(scenario())


def test_a_class_that_is_gone_from_objects_keeps_its_data(tmp_path):
    async def scenario():
        async with perdure.open(tmp_path, objects=[Note, Counter]) as rt:
            await rt[Note]["a"].write("patient")
        async with perdure.open(tmp_path, objects=[Counter]) as rt:
            await rt[Counter]["a"].add()
        async with perdure.open(tmp_path, objects=[Note]) as rt:
            return await rt[Note]["a"].read()

    assert asyncio.run(scenario()) == "patient"


def test_a_fetch_function_is_a_worker_and_its_env_says_what_is_bound(tmp_path):
    async def scenario():
        async with perdure.open(tmp_path, worker=count_fetch, env={"GREETING": "hi"}) as rt:
            await rt.fetch("/a")
            response = await rt.fetch("/a?x=1")
            return list(rt.env), await response.json(), await rt[Counter]["/a"].add()

    names, answer, count = asyncio.run(scenario())

    assert names == ["COUNTS", "Counter", "GREETING"]
    assert answer == {"greeting": "hi", "count": 2, "url": "http://localhost/a?x=1"}
    assert count == 3


def test_a_module_that_is_imported_is_used_as_it_is(tmp_path):
    async def scenario():
        async with perdure.open(tmp_path, worker=embedded_counter, env={"GREETING": "hi"}) as rt:
            return (await (await rt.fetch("/a")).json())["count"], await rt[Counter]["/a"].add(), list(rt.env)

    assert asyncio.run(scenario()) == (1, 2, ["COUNTS", "Counter", "GREETING"])


def test_a_path_to_a_main_module_is_loaded_apart_and_found_by_the_class_that_the_program_imports(tmp_path):
    path = Path(embedded_counter.__file__)

    async def scenario():
        async with perdure.open(tmp_path, worker=path, env={"GREETING": "hi"}) as rt:
            count = (await (await rt.fetch("/a")).json())["count"]
            with pytest.raises(perdure.WrongType, match="Note is not an object class of this runtime"):
                rt[Note]
            return count, len([name for name in sys.modules if name.startswith("<embedded")])

    assert asyncio.run(scenario()) == (1, 2)
    assert not [name for name in sys.modules if name.startswith("<embedded")]


def test_a_configuration_brings_its_worker_its_bindings_and_its_variables(tmp_path):
    write_project(tmp_path, more='vars = { GREETING = "from the file", OTHER = "there" }')

    async def scenario():
        async with perdure.open(
            tmp_path / "data", worker=tmp_path / "wrangler.toml", objects=[Note], env={"GREETING": "given"}
        ) as rt:
            await rt.fetch("/a", method="POST", body="kept")
            await rt[Note]["a"].write("too")
            kept = await (await rt.fetch("/a")).text()
            return kept, await rt[Note]["a"].read(), rt.env.GREETING, rt.env.OTHER

    assert asyncio.run(scenario()) == ("kept", "too", "given", "there")


def test_a_python_file_with_a_configuration_in_it_is_one(tmp_path):
    (tmp_path / "hello.py").write_text(
        "# /// wrangler\n# name = 'hello'\n# vars = { WHO = 'file' }\n# ///\n"
        "from perdure import Response\nasync def fetch(request, env):\n    return Response('hello ' + env.WHO)\n"
    )

    async def scenario():
        async with perdure.open(tmp_path / "data", worker=str(tmp_path / "hello.py")) as rt:
            return await (await rt.fetch("/")).text()

    assert asyncio.run(scenario()) == "hello file"


def test_one_program_of_a_project_finds_the_data_that_another_way_of_opening_made(tmp_path):
    async def scenario():
        async with perdure.open(tmp_path, objects=[Counter]) as rt:
            await rt[Counter]["/a"].add(10)
        async with perdure.open(tmp_path, worker=count_fetch, env={"GREETING": ""}) as rt:
            return (await (await rt.fetch("/a")).json())["count"]

    assert asyncio.run(scenario()) == 11


# What is refused


@pytest.mark.parametrize(
    ("objects", "says"),
    [
        (Note, "write objects=[Note]"),
        ("Note", "write perdure.open('data/', objects=[Counter])"),
        (3, "write perdure.open('data/', objects=[Counter])"),
        ([Note(None, None)], "give the class itself"),
        (["Note"], "give the class itself"),
        ([Lonely], "Lonely, which cannot be made with two arguments"),
        ([type("Default", (perdure.WorkerEntrypoint,), {})], "entry point"),
        ({1: Note}, "its keys are names"),
        ({"NOTE": "Note"}, "give the class itself"),
        ([Note, type("Note", (DurableObject,), {})], "two classes are called Note"),
    ],
)
def test_what_can_be_no_object_class_is_refused_by_the_call_itself(tmp_path, objects, says):
    with pytest.raises((perdure.WrongType, perdure.WrongValue)) as refusal:
        perdure.open(tmp_path, objects=objects)

    assert says in str(refusal.value)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"path": 3}, "a path, not int"),
        ({"path": ""}, "not the path of a data folder"),
        ({"path": "a\0b"}, "not the path of a data folder"),
        ({"worker": 3}, "worker= is a value of type int"),
        ({"worker": Note}, "worker= is the class Note"),
        ({"env": ["A"]}, "env= is a dict"),
        ({"env": {1: "A"}}, "env= is a dict"),
        ({"lock_timeout": 5}, "timedelta(seconds=5)"),
        ({"lock_timeout": timedelta(seconds=-1)}, "negative"),
    ],
)
def test_a_wrong_argument_is_refused_by_the_call_itself(tmp_path, arguments, says):
    with pytest.raises((perdure.WrongType, perdure.WrongValue)) as refusal:
        perdure.open(**{"path": tmp_path, **arguments})

    assert says in str(refusal.value)


def test_a_forgotten_await_says_how_to_write_it(tmp_path):
    opening = perdure.open(tmp_path, objects=[Note])

    for use in (lambda: opening[Note], lambda: opening.env, lambda: opening.fetch("/"), lambda: opening.aclose()):
        with pytest.raises(perdure.WrongType, match="rt = await perdure.open"):
            use()
    with pytest.raises(AttributeError):
        _ = opening.nothing


def test_what_open_gave_opens_once(tmp_path):
    async def scenario():
        opening = perdure.open(tmp_path, objects=[Note])
        async with opening:
            with pytest.raises(perdure.WrongType, match="used twice"):
                await opening

    asyncio.run(scenario())


def test_a_folder_that_is_open_in_this_process_is_refused_as_that(tmp_path):
    async def scenario():
        async with perdure.open(tmp_path, objects=[Note]):
            with pytest.raises(perdure.DataFolderLocked, match="this very process") as refusal:
                await perdure.open(tmp_path, objects=[Note], lock_timeout=NO_WAIT)
        return refusal.value

    error = asyncio.run(scenario())

    assert error.pid == os.getpid()
    assert "use what opened it, or close that first" in str(error)


def test_a_folder_that_is_open_in_this_process_and_stays_so_is_refused_without_a_wait(tmp_path):
    async def scenario():
        async with perdure.open(tmp_path, objects=[Note]):
            async with asyncio.timeout(5):
                with pytest.raises(perdure.DataFolderLocked, match="this very process"):
                    await perdure.open(tmp_path, objects=[Note], lock_timeout=timedelta(hours=1))

    asyncio.run(scenario())


def test_a_second_process_is_told_who_has_the_folder_since_when_and_what_to_do(tmp_path):
    program = tmp_path / "second.py"
    program.write_text(
        textwrap.dedent("""
        import asyncio, datetime, json, perdure, sys
        async def main():
            try:
                await perdure.open(sys.argv[1], lock_timeout=datetime.timedelta(0))
            except perdure.DataFolderLocked as error:
                print(json.dumps([error.pid, error.program, error.since.isoformat(), str(error)]))
        asyncio.run(main())
        """)
    )

    async def scenario():
        async with perdure.open(tmp_path / "data", objects=[Note]):
            process = await asyncio.create_subprocess_exec(
                sys.executable, program, tmp_path / "data", stdout=subprocess.PIPE
            )
            out, _ = await process.communicate()
            return json.loads(out)

    pid, holder, since, text = asyncio.run(scenario())

    assert pid == os.getpid()
    assert holder in text and since.endswith("+00:00") and str(tmp_path / "data") in text
    assert "run one worker process only and call that over HTTP" in text


def test_an_open_waits_for_a_holder_that_is_going(tmp_path):
    async def scenario():
        first = await perdure.open(tmp_path, objects=[Note])
        await first[Note]["a"].write("by the first")
        going = asyncio.create_task(first.aclose())
        await asyncio.sleep(0)
        rt = await perdure.open(tmp_path, objects=[Note])
        await going
        kept = await rt[Note]["a"].read()
        await rt.aclose()
        return kept

    assert asyncio.run(scenario()) == "by the first"


def test_the_folder_of_a_project_is_refused_without_its_configuration(tmp_path):
    write_project(tmp_path, name="shop")

    async def scenario():
        async with perdure.open(tmp_path / "data", worker=tmp_path):
            pass
        with pytest.raises(perdure.WrongValue, match="holds the data of a project: shop") as refusal:
            await perdure.open(tmp_path / "data", objects=[Note])
        async with perdure.open(tmp_path / "data", worker=tmp_path, lock_timeout=NO_WAIT):
            pass
        return str(refusal.value)

    assert "worker=" in asyncio.run(scenario())


def test_an_env_that_lacks_what_the_code_asks_for_leaves_the_folder_free(tmp_path):
    async def scenario():
        with pytest.raises(perdure.EnvMismatch, match="GREETING"):
            await perdure.open(tmp_path, worker=count_fetch)
        async with perdure.open(tmp_path, worker=count_fetch, env={"GREETING": "hi"}, lock_timeout=NO_WAIT):
            pass

    asyncio.run(scenario())


@pytest.mark.parametrize("text", ["raise ValueError('broken')", "x = (", "x = 1", None])
def test_a_main_module_that_is_no_worker_leaves_nothing_open_or_loaded(tmp_path, text):
    main = tmp_path / "main.py"
    if text is not None:
        main.write_text(text)

    async def scenario():
        with pytest.raises(perdure.LoadFailed, match=r"main\.py"):
            await perdure.open(tmp_path / "data", worker=main)
        async with perdure.open(tmp_path / "data", lock_timeout=NO_WAIT):
            pass

    asyncio.run(scenario())
    assert not [name for name in sys.modules if name.startswith("<embedded")]


def test_a_name_of_env_cannot_mean_two_classes(tmp_path):
    async def scenario():
        with pytest.raises(perdure.WrongValue, match=r"env\.COUNTS would be two classes"):
            await perdure.open(tmp_path, worker=count_fetch, objects={"COUNTS": Note}, env={"GREETING": ""})

    asyncio.run(scenario())


def test_a_worker_may_be_any_callable_and_plain(tmp_path):
    def shout(request):
        return Response(request.path.upper())

    async def scenario():
        async with perdure.open(tmp_path, worker=shout) as rt:
            return await (await rt.fetch("/a")).text()

    assert asyncio.run(scenario()) == "/A"
