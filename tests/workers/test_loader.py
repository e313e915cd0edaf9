"""A main module is read, and all that is wrong with it is said before anything runs (API-1, API-2, API-3, API-5)."""

import sys
from pathlib import Path

import pytest

from perdure.model.errors import LoadFailed
from perdure.workers.loader import load_program
from tests.workers.world import load, write_project

FETCH = "def fetch(request): return None\n"


def fails(folder, source, **options) -> str:
    with pytest.raises(LoadFailed) as raised:
        load(folder, source, **options)
    assert not [name for name in sys.modules if name.startswith("<hits")], "a failed load leaves no module behind"
    return str(raised.value)


@pytest.fixture(autouse=True)
def forget_modules():
    yield
    for name in [name for name in sys.modules if name.startswith("<hits")]:
        del sys.modules[name]
    sys.meta_path[:] = [finder for finder in sys.meta_path if type(finder).__name__ != "ImportSpace"]


# What a main module may be


def test_api_1_the_default_entry_point_is_a_module_level_fetch(tmp_path):
    program = load(tmp_path, FETCH)

    assert program.handler is not None
    assert program.handler.label == "fetch of main"


@pytest.mark.parametrize(
    "source",
    ["async def fetch(request, env, ctx): ...", "def on_fetch(request): ...", "fetch = lambda request: None"],
)
def test_api_3_a_handler_may_be_plain_async_or_spelt_like_the_original(tmp_path, source):
    assert load(tmp_path, source).handler is not None


def test_api_1_or_a_class_default(tmp_path):
    program = load(
        tmp_path,
        """
        from perdure import WorkerEntrypoint
        class Default(WorkerEntrypoint):
            async def fetch(self, request): ...
        """,
    )

    assert program.handler is not None
    assert program.handler.label == "Default.fetch"


def test_api_1_every_other_entry_point_has_its_own_name(tmp_path):
    program = load(
        tmp_path,
        """
        from perdure import WorkerEntrypoint
        class Auth(WorkerEntrypoint):
            def check(self, token): ...
        """,
    )

    assert list(program.entrypoints) == ["Auth"]
    assert program.entrypoints["Auth"].methods == {"check"}
    assert program.handler is None


def test_a_worker_may_have_object_classes_only(tmp_path):
    program = load(tmp_path, "class Plain:\n    def __init__(self, ctx, env): ...", class_names=("Plain",))

    assert program.handler is None
    assert list(program.classes) == ["Plain"]


def test_api_2_a_handler_and_classes_may_be_re_exported_from_other_modules_of_the_project(tmp_path):
    program = load(
        tmp_path,
        "from rooms import Room, fetch",
        rooms="from perdure import DurableObject\nclass Room(DurableObject): ...\ndef fetch(request): ...",
        class_names=("Room",),
    )

    assert program.handler is not None
    assert program.classes["Room"].cls.__module__ == "<hits>.rooms"


def test_an_object_made_by_a_tool_may_be_a_handler(tmp_path):
    program = load(
        tmp_path,
        """
        import functools
        def answer(text, request): ...
        fetch = functools.partial(answer, "hello")
        """,
    )

    assert program.handler is not None


def test_modules_are_found_beside_main_and_in_the_projects_folder(tmp_path):
    root = write_project(tmp_path, {"src/main.py": "import near, far\n" + FETCH, "src/near.py": "", "far.py": ""})

    program = load_program("hits", root / "src/main.py", root=root)

    assert program.main.near.__file__ == str(root / "src/near.py")
    assert program.main.far.__file__ == str(root / "far.py")


def test_a_main_module_in_a_package_has_relative_imports(tmp_path):
    root = write_project(
        tmp_path,
        {
            "src/app/__init__.py": "",
            "src/app/main.py": "from . import models\nfrom app.models import x\n" + FETCH,
            "src/app/models.py": "x = 1",
        },
    )

    program = load_program("hits", root / "src/app/main.py", root=root)

    assert program.main.__name__ == "<hits>.app.main"
    assert program.main.x == program.main.models.x


# What it may not be


def test_a_missing_main_module_is_named_with_the_config(tmp_path):
    with pytest.raises(
        LoadFailed, match=r"src/main\.py does not exist \(wrangler\.toml\); create it, or correct `main`"
    ):
        load_program("hits", tmp_path / "src/main.py", root=tmp_path, config=Path("wrangler.toml"))


def test_a_main_module_is_a_python_file_with_a_plain_name(tmp_path):
    write_project(tmp_path, {"index.js": "", "a.b.py": ""})

    for name in ("index.js", "a.b.py"):
        with pytest.raises(LoadFailed, match="it has to be a Python file with a plain name"):
            load_program("hits", tmp_path / name, root=tmp_path)


def test_a_module_that_raises_is_reported_with_its_own_frames_and_the_cause(tmp_path):
    write_project(tmp_path, {"bank.py": "balance = 1\nshare = balance / 0\n"})

    with pytest.raises(LoadFailed) as raised:
        load(tmp_path, "import bank\n" + FETCH)

    said = str(raised.value)
    assert said.startswith(
        f"main.py could not be imported ({tmp_path / 'bank.py'}:2): ZeroDivisionError: division by zero"
    )
    assert f'File "{tmp_path / "main.py"}", line 1, in <module>\n    import bank' in said
    assert "share = balance / 0" in said
    assert "importlib" not in said
    assert "perdure" not in said.replace(str(tmp_path), "")
    assert isinstance(raised.value.__cause__, ZeroDivisionError)


def test_a_syntax_error_is_reported_with_its_line(tmp_path):
    said = fails(tmp_path, "x = 1\ndef fetch(request:\n    pass\n")

    assert f"main.py could not be imported ({tmp_path / 'main.py'}:2): SyntaxError: " in said
    assert "`def fetch(request:`" in said


def test_a_syntax_error_without_a_line_of_text_is_reported_too(tmp_path):
    (tmp_path / "main.py").write_bytes(b"x = '\xff'\n")

    with pytest.raises(LoadFailed, match=r"SyntaxError: .*utf-8"):
        load_program("hits", tmp_path / "main.py", root=tmp_path)


def test_a_missing_package_is_named(tmp_path):
    assert "install what provides 'perdure_test_missing'" in fails(tmp_path, "import perdure_test_missing")


def test_a_module_that_exits_does_not_end_the_process(tmp_path):
    assert "SystemExit: 3" in fails(tmp_path, "import sys\nsys.exit(3)")


def test_a_module_without_handler_and_class_cannot_be_a_worker(tmp_path):
    assert "main.py cannot be a Worker: it defines no handler and no class" in fails(tmp_path, "x = 1")


def test_api_1_both_fetch_and_default_is_an_error_at_load(tmp_path):
    source = "from perdure import WorkerEntrypoint\nclass Default(WorkerEntrypoint): ...\n" + FETCH

    assert "it has both a function `fetch` and a class `Default`" in fails(tmp_path, source)


def test_api_1_default_is_an_entry_point_of_the_project(tmp_path):
    assert "write `class Default(WorkerEntrypoint)`" in fails(tmp_path, "class Default: ...")
    assert "`Default` is a value of type int" in fails(tmp_path, "Default = 3")
    imported = fails(tmp_path, "from perdure import WorkerEntrypoint as Default")
    assert "`Default` is imported from perdure.workers.entrypoint" in imported


def test_api_2_an_imported_function_under_a_handlers_name_is_an_error_at_load(tmp_path):
    said = fails(tmp_path, "from json import dumps as fetch")

    assert "`fetch` is imported from json, and only what the project defines can be a handler" in said
    assert "write `import json` and `json.dumps(url)`" in said


def test_api_2_so_is_a_module_or_a_value(tmp_path):
    assert "`scheduled` is imported from json" in fails(tmp_path, FETCH + "import json as scheduled")
    assert "`fetch` is a value of type int, not a function" in fails(tmp_path, "fetch = 3")
    assert "`fetch` is the class fetch, not a function" in fails(tmp_path, "class fetch: ...")


def test_api_3_a_handler_under_two_spellings_is_an_error_at_load(tmp_path):
    said = fails(tmp_path, FETCH + "on_fetch = fetch")

    assert "it defines its fetch handler twice, as fetch and on_fetch; keep `fetch`" in said


def test_api_3_two_spellings_in_a_class_are_an_error_at_load(tmp_path):
    source = FETCH + "class Room:\n  def __init__(self, ctx, env): ...\n  def fetch(self): ...\n  on_fetch = fetch"

    assert "Room defines its fetch handler twice" in fails(tmp_path, source, class_names=("Room",))


def test_a_bound_class_that_is_absent_is_named_with_the_nearest_one(tmp_path):
    source = FETCH + "class Counter: ...\nfrom decimal import Decimal"

    said = fails(tmp_path, source, class_names=("Conuter",))

    assert "a binding names the class 'Conuter', which it does not define (its classes: Counter)" in said
    assert "did you mean 'Counter'?" in said
    assert "(its classes: none); define it there, or import it there from its module" in fails(
        tmp_path, FETCH, class_names=("Counter",)
    )


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("Room = 3", "names 'Room' as a class, but it is a value of type int"),
        ("import json as Room", "names 'Room' as a class, but it is the module json"),
        ("from decimal import Decimal as Room", "the class 'Room' is imported from decimal"),
        ("import perdure\nclass Room(perdure.WorkerEntrypoint): ...", "the class 'Room' is an entry point"),
        ("class Room: ...", "the constructor of 'Room' has to take two arguments: `def __init__(self, ctx, env)`"),
        (
            "class Room:\n def __init__(self, ctx, env, more): ...",
            "the constructor of 'Room' has to take two arguments",
        ),
        ("class Room:\n def __init__(self, ctx, env): ...\n def queue(self): ...", "Room.queue has a reserved name"),
    ],
)
def test_api_2_and_5_what_is_bound_is_an_object_class_of_the_project(tmp_path, source, said):
    assert said in fails(tmp_path, FETCH + source, class_names=("Room",))


def test_a_class_whose_constructor_shows_no_signature_is_tried_when_it_starts(tmp_path):
    source = FETCH + "class Room(int): ..."

    try:
        load(tmp_path, source, class_names=("Room",))
    except LoadFailed as failed:
        assert "has to take two arguments" in str(failed)  # Pythons that do know it


def test_all_that_is_wrong_is_said_at_once(tmp_path):
    said = fails(
        tmp_path,
        """
        import perdure
        fetch = 3
        class Room(perdure.DurableObject):
            def test(self): ...
        class Auth(perdure.WorkerEntrypoint):
            def alarm(self): ...
        """,
        class_names=("Room", "Hall"),
    )

    assert said.count("\n- ") == 4
    for part in ("`fetch` is a value", "Room.test has a reserved name", "Auth.alarm has a reserved name", "'Hall'"):
        assert part in said


def test_a_project_loads_again_after_it_was_mended(tmp_path):
    fails(tmp_path, "x = 1 / 0")

    assert load(tmp_path, FETCH).handler is not None


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ("Limits(idel=timedelta(1))", "unexpected keyword argument 'idel'"),
        ("Limits(idle=timedelta(0))", "Limits.idle must be positive"),
        ("Limits(queue=-1)", "Limits.queue must be positive, not -1"),
        ("Limits(queue=2.5)", "Limits.queue must be of type int, not float; write queue=10_000"),
        ("{'queue': 3}", "Room.limits is dict, not Limits"),
    ],
)
def test_api_44_limits_that_are_none_are_an_error_at_load_with_the_place(tmp_path, limits, said):
    source = f"""
        from datetime import timedelta
        from perdure import DurableObject, Limits
        class Room(DurableObject):
            limits = {limits}
    """
    message = fails(tmp_path, source, class_names=("Room",))

    assert said in message
    assert "Room.limits" in message or "main.py:5" in message
