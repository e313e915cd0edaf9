"""A project's modules have their plain names in the project, and exist nowhere else."""

import dataclasses
import os
import sys
import time
import traceback
import typing

import msgspec
import pytest

from perdure.workers.import_space import BYTECODE_TRUSTED_AFTER_S, ImportSpace, plain_name
from tests.workers.world import write_project


@pytest.fixture
def spaces():
    opened: list[ImportSpace] = []
    before = set(sys.modules)

    def open_space(folder, name="hits"):
        space = ImportSpace(name, [folder])
        opened.append(space)
        return space

    yield open_space
    for space in opened:
        space.close()
    assert {name for name in set(sys.modules) - before if name.startswith("<")} == set()


def test_modules_are_imported_under_their_plain_names(tmp_path, spaces):
    write_project(
        tmp_path,
        {
            "main.py": """
                import bank
                import shop.cart as cart
                import shop.cart
                from shop import cart as same, price
                from shop.cart import total
                from bank import *
                import main
                def later():
                    import bank
                    return bank
                exec("import bank as in_exec")
            """,
            "bank.py": "balance = 3\n__all__ = ['balance']",
            "shop/__init__.py": "from . import price",
            "shop/cart.py": "from ..shop import price as p\nfrom .price import euro\ntotal = 7",
            "shop/price.py": "euro = 1",
        },
    )

    main = spaces(tmp_path).load("main")

    assert main.bank.balance == main.balance == 3
    assert main.cart is main.same is main.shop.cart
    assert (main.total, main.cart.euro) == (7, 1)
    assert main.cart.p is main.price
    assert main.later() is main.in_exec is main.bank
    assert main.main is main


def test_two_projects_with_equal_module_names_do_not_meet(tmp_path, spaces):
    one = write_project(tmp_path / "one", {"main.py": "import bank", "bank.py": "owner = 'one'"})
    two = write_project(tmp_path / "two", {"main.py": "import bank", "bank.py": "owner = 'two'"})

    first, second = spaces(one).load("main"), spaces(two).load("main")

    assert (first.bank.owner, second.bank.owner) == ("one", "two")


def test_one_project_loaded_twice_shares_nothing(tmp_path, spaces):
    write_project(tmp_path, {"main.py": "import bank\nstate = []", "bank.py": "class Account: pass"})

    first, second = spaces(tmp_path).load("main"), spaces(tmp_path).load("main")

    assert first.state is not second.state
    assert first.bank.Account is not second.bank.Account
    assert first.bank.Account.__module__ != second.bank.Account.__module__


def test_the_host_programs_modules_are_neither_hidden_nor_replaced(tmp_path, spaces, monkeypatch):
    host, project = tmp_path / "host", tmp_path / "project"
    write_project(host, {"perdure_test_bank.py": "owner = 'host'"})
    write_project(project, {"main.py": "import perdure_test_bank", "perdure_test_bank.py": "owner = 'project'"})
    monkeypatch.syspath_prepend(str(host))
    import_of_host = __import__("perdure_test_bank")

    main = spaces(project).load("main")

    assert main.perdure_test_bank.owner == "project"
    assert sys.modules["perdure_test_bank"] is import_of_host
    assert import_of_host.owner == "host"
    monkeypatch.delitem(sys.modules, "perdure_test_bank")


def test_a_project_module_may_have_the_name_of_an_installed_one(tmp_path, spaces):
    write_project(tmp_path, {"main.py": "import json\nimport string", "string.py": "mine = True"})

    main = spaces(tmp_path).load("main")

    assert main.string.mine
    assert main.json.loads("1") == 1
    assert not hasattr(sys.modules["string"], "mine")


def test_a_folder_without_code_hides_no_installed_package_but_is_one_itself_otherwise(tmp_path, spaces):
    write_project(
        tmp_path, {"main.py": "import wsgiref\nimport views.home", "views/home.py": "", "wsgiref/dump.rdb": ""}
    )

    main = spaces(tmp_path).load("main")

    assert main.wsgiref.__file__ is not None
    assert main.views.home.__name__ == "<hits>.views.home"


def test_a_project_cannot_replace_perdure_for_itself(tmp_path, spaces):
    write_project(tmp_path, {"main.py": "import perdure", "perdure.py": "DurableObject = object"})

    main = spaces(tmp_path).load("main")

    assert main.perdure is sys.modules["perdure"]


def test_classes_resolve_their_annotations_and_show_where_they_are_from(tmp_path, spaces):
    write_project(
        tmp_path,
        {
            "main.py": """
                from __future__ import annotations
                import dataclasses, msgspec
                @dataclasses.dataclass
                class Message:
                    side: Side
                    again: list[Message] = dataclasses.field(default_factory=list)
                class Side(msgspec.Struct):
                    name: str
                def fail():
                    raise ValueError("no")
            """
        },
    )

    main = spaces(tmp_path).load("main")

    assert typing.get_type_hints(main.Message)["side"] is main.Side
    assert msgspec.convert({"side": {"name": "a"}}, main.Message).side == main.Side("a")
    assert dataclasses.fields(main.Message)[0].name == "side"
    assert f"{main.Message.__module__}.{main.Message.__qualname__}" == "<hits>.main.Message"
    with pytest.raises(ValueError, match="no") as raised:
        main.fail()
    frame = traceback.extract_tb(raised.tb)[-1]
    assert (frame.filename, frame.line) == (str(tmp_path / "main.py"), 'raise ValueError("no")')


def test_names_are_plain_for_people_and_for_other_workers(tmp_path, spaces):
    write_project(tmp_path, {"main.py": "import bank, json", "bank.py": ""})
    space = spaces(tmp_path)
    main = space.load("main")

    assert space.owns(main.bank.__name__)
    assert not space.owns("json")
    assert (plain_name(main.bank.__name__), plain_name("json.decoder")) == ("bank", "json.decoder")
    assert space.find_imported("bank") is main.bank
    assert space.find_imported("json") is sys.modules["json"]
    assert space.find_imported("never_imported") is None


def test_a_missing_module_is_a_missing_module(tmp_path, spaces):
    write_project(tmp_path, {"main.py": "import perdure_test_missing"})

    with pytest.raises(ModuleNotFoundError, match="No module named 'perdure_test_missing'"):
        spaces(tmp_path).load("main")


def test_an_edit_is_loaded_even_within_the_same_second_and_of_the_same_size(tmp_path, spaces, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    write_project(tmp_path, {"main.py": "version = 1"})
    path = tmp_path / "main.py"
    versions = [spaces(tmp_path).load("main").version]
    stamp = path.stat().st_mtime_ns

    path.write_text("version = 2")
    os.utime(path, ns=(stamp, stamp))
    versions.append(spaces(tmp_path).load("main").version)

    assert versions == [1, 2]


def test_older_files_are_loaded_from_bytecode(tmp_path, spaces, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.setattr(sys, "pycache_prefix", None)
    write_project(tmp_path, {"main.py": "version = 1"})
    past = time.time() - BYTECODE_TRUSTED_AFTER_S - 10
    os.utime(tmp_path / "main.py", (past, past))

    spaces(tmp_path).load("main")

    assert list((tmp_path / "__pycache__").glob("main.*.pyc"))


def test_a_closed_space_leaves_nothing_in_the_interpreter_and_may_be_closed_again(tmp_path):
    write_project(tmp_path, {"main.py": "import bank\ndef f():\n    return bank.x", "bank.py": "x = 1"})
    space = ImportSpace("hits", [tmp_path])
    main = space.load("main")

    space.close()
    space.close()

    assert not [name for name in sys.modules if name.startswith(space.prefix)]
    assert space not in sys.meta_path
    assert main.f() == 1
