"""A typed env is checked at start, with all that is wrong at once, and its variables have the types that it says (API-9)."""

import logging
import textwrap
from typing import Literal

import pydantic
import pytest

from perdure.model.errors import EnvMismatch
from perdure.model.secret import Secret
from perdure.workers.env import Env, make_env
from perdure.workers.env_check import fit
from perdure.workers.namespace import Namespace

HITS = """
    from dataclasses import dataclass

    class Counter(DurableObject["HitsEnv"]):
        def greeting(self):
            return [self.env.GREETING, type(self.env).__name__, isinstance(self.env, HitsEnv)]

    class Other(DurableObject):
        pass

    @dataclass
    class Site:
        title: str
        sizes: list[int]

    class HitsEnv(Env):
        COUNTER: Namespace[Counter]
        GREETING: str
        LIMIT: int = 3
        SITE: Site | None
        KEY: "Secret"

    async def fetch(request, env: HitsEnv):
        return await env.COUNTER["a"].greeting()
"""
SECRET = "from perdure.model.secret import Secret\n"
BOUND = {"bindings": {"COUNTER": "Counter", "OTHER": "Other"}}
GIVEN = {"GREETING": "hi", "KEY": Secret("s"), "UNSAID": [1], "SITE": {"title": "t", "sizes": [1, 2], "extra": 0}}


def start(world, source, *, variables=None, bindings=None):
    """The env of a Worker of this source, or what its start raised."""
    made = []

    async def scenario():
        worker = await world.worker(
            SECRET + textwrap.dedent(source), bindings=bindings or {}, variables=variables or {}
        )
        made.append((worker, worker.env))

    world.run(scenario)
    return made[0]


def test_api_9_env_is_an_instance_of_the_class_that_the_code_names_with_its_types(world):
    worker, env = start(world, HITS, variables=GIVEN, **BOUND)
    named = vars(worker.program.main)

    assert type(env) is named["HitsEnv"]
    assert (env.GREETING, env.LIMIT, env.UNSAID) == ("hi", 3, [1])
    assert named["Site"]("t", [1, 2]) == env.SITE
    assert env["SITE"] == env.SITE
    env.SITE.sizes.append(3)
    assert env.SITE.sizes == [1, 2]
    assert isinstance(env.KEY, Secret)
    assert "LIMIT" in env


def test_api_9_objects_have_the_same_env(world):
    async def scenario():
        worker = await world.worker(SECRET + textwrap.dedent(HITS), variables=GIVEN, **BOUND)

        assert await worker.env.COUNTER["a"].greeting() == ["hi", "HitsEnv", True]

    world.run(scenario)


def test_api_9_everything_that_is_missing_or_of_another_kind_is_said_at_once(world):
    variables = {"GRETING": "hi", "LIMIT": "many", "SITE": {"title": 3}, "KEY": "plain", "COUNTER": 1}

    with pytest.raises(EnvMismatch) as caught:
        start(world, HITS, variables=variables)

    said = "\n".join(caught.value.problems)
    assert len(caught.value.problems) == 5
    assert "HitsEnv" in str(caught.value)
    assert "wrangler.toml" in str(caught.value)
    assert "env.COUNTER (HitsEnv, main.py:19) is annotated Namespace[Counter] and is a JSON variable (int)" in said
    assert '[[durable_objects.bindings]]\n    name = "COUNTER"\n    class_name = "Counter"' in said
    assert "env.GREETING (HitsEnv, main.py:20) is not bound; did you mean 'GRETING'? Else add to wrangler.toml" in said
    assert 'under [vars]:\n    GREETING = "..."' in said
    assert "env.LIMIT (HitsEnv, main.py:21) is annotated int and is the text 'many'" in said
    assert "env.SITE (HitsEnv, main.py:22) is annotated Site" in said
    assert "$.title" in said
    assert "env.KEY (HitsEnv, main.py:23) is annotated Secret and is the text 'plain'; move it" in said
    assert ".dev.vars" in said


def test_a_binding_to_another_class_than_the_annotation_names_is_a_mismatch_one_to_a_subclass_is_not(world):
    source = """
        class Base(DurableObject): pass
        class Derived(Base): pass
        class Other(DurableObject): pass
        class E(Env):
            A: Namespace[Base]
            B: Namespace[Base]
            C: Namespace
        def fetch(request, env: E): ...
    """
    with pytest.raises(EnvMismatch) as caught:
        start(world, source, bindings={"A": "Derived", "B": "Other", "C": "Other"})

    [problem] = caught.value.problems
    assert "env.B" in problem
    assert "is annotated Namespace[Base] and is the objects of Other; annotate `B: Namespace[Other]`" in problem


def test_several_classes_make_one_env_that_is_an_instance_of_each(world):
    source = """
        class Rooms(Env):
            ROOM: Namespace["Room"]
        class Words(Env):
            WORDS: tuple[str, ...] = ("none",)
        class Room(DurableObject[Rooms]): pass
        class Default(WorkerEntrypoint[Words]):
            def fetch(self, request): return Response("")
    """
    worker, env = start(world, source, bindings={"ROOM": "Room"}, variables={"WORDS": ["a", "b"]})

    assert isinstance(env, worker.program.main.Rooms)
    assert isinstance(env, worker.program.main.Words)
    assert env.WORDS == ("a", "b")


def test_two_classes_that_give_one_variable_two_types_are_told_to_agree(world):
    source = """
        class A(Env):
            N: int
        class B(Env):
            N: float
        class Room(DurableObject[A]): pass
        def fetch(request, env: B): ...
    """
    with pytest.raises(EnvMismatch, match="annotated int, and float in .*: there is one env"):
        start(world, source, bindings={"ROOM": "Room"}, variables={"N": 1})


def test_a_default_that_could_be_changed_hides_no_variable_and_is_copied_like_one(world):
    source = """
        class E(Env):
            TAGS: list[str] = []
            MORE: list[str] = ["x"]
        def fetch(request, env: E): ...
    """
    _, env = start(world, source, variables={"TAGS": ["a"]})
    env.MORE.append("changed")

    assert (env.TAGS, env.MORE) == (["a"], ["x"])


@pytest.mark.parametrize(
    ("annotation", "said"), [("Odd", "Odd is not made of fields"), ('list["Later"]', "no variable can be read as list")]
)
def test_a_type_that_no_variable_can_become_is_a_mismatch_too(world, annotation, said):
    source = f"""
        class Odd: pass
        class E(Env):
            X: {annotation}
        def fetch(request, env: E): ...
    """
    with pytest.raises(EnvMismatch, match=said):
        start(world, source, variables={"X": 1})


def test_what_exists_for_type_checkers_only_is_not_checked_and_said_once(world, caplog):
    source = """
        from typing import TYPE_CHECKING
        if TYPE_CHECKING:
            from elsewhere import Absent
        class Room(DurableObject["Absent"]): pass
        class E(Env):
            X: "Absent"
            ROOM: "Namespace[Absent]"
        def fetch(request, env: E): ...
    """
    with caplog.at_level(logging.WARNING, logger="perdure.worker"):
        start(world, source, variables={"X": 1}, bindings={"ROOM": "Room"})

    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 2
    assert said[0].startswith("hits: the env annotation Absent of Room is not checked")
    assert said[1].startswith("hits: the env annotation X of E is not checked")


def test_a_worker_without_a_configuration_is_told_what_to_give(world, tmp_path):
    class Room:
        pass

    class E(Env):
        ROOM: Namespace[Room]
        WORD: str

    with pytest.raises(EnvMismatch) as in_code:
        fit({}, (E,), config=None)
    with pytest.raises(EnvMismatch) as in_json:
        fit({}, (E,), config=tmp_path / "wrangler.jsonc")

    assert "the class Room to `objects=`, under the name ROOM" in str(in_code.value)
    assert '`env={"WORD": "..."}`' in str(in_code.value)
    with pytest.raises(EnvMismatch) as in_pyproject:
        fit({}, (E,), config=tmp_path / "pyproject.toml")
    assert "[[tool.perdure.durable_objects.bindings]]" in str(in_pyproject.value)
    assert 'under [tool.perdure.vars]:\n    WORD = "..."' in str(in_pyproject.value)
    assert '"durable_objects": { "bindings": [{"name": "ROOM", "class_name": "Room"}] }' in str(in_json.value)
    assert '"vars": { "WORD": "..." } to wrangler.jsonc' in str(in_json.value)


def test_classes_that_python_cannot_make_one_of_are_checked_all_the_same():
    class X(Env):
        A: int

    class Y(Env):
        B: int

    class First(X, Y): ...

    class Second(Y, X): ...

    env = make_env(fit({"A": 1, "B": 2}, (First, Second), config=None), classes=(First, Second))

    assert (type(env).__name__, env.A, env.B) == ("Env", 1, 2)
    with pytest.raises(EnvMismatch, match=r"env\.B"):
        fit({"A": 1, "B": "2"}, (First, Second), config=None)


def test_what_may_be_none_is_none_when_it_is_missing():
    class E(Env):
        A: int | None
        B: str | None
        C: int | str | None

    env = make_env(fit({"C": "x"}, (E,), config=None), classes=(E,))

    assert (env.A, env.B, env.C) == (None, None, "x")


def test_a_variable_may_be_a_pydantic_model_and_what_does_not_fit_it_names_the_field():
    class Site(pydantic.BaseModel):
        title: str

    class E(Env):
        SITE: Site

    assert fit({"SITE": {"title": "t"}}, (E,), config=None)["SITE"] == Site(title="t")
    with pytest.raises(EnvMismatch, match="title"):
        fit({"SITE": {}}, (E,), config=None)


def test_a_secret_that_does_not_fit_is_not_shown():
    class E(Env):
        KEY: Literal["a", "b"]

    with pytest.raises(EnvMismatch, match="is a secret; correct the value, or the annotation") as caught:
        fit({"KEY": Secret("hush")}, (E,), config=None)
    assert "hush" not in str(caught.value)
