"""`env`: attributes and items, the same for all, changed by none (API-8)."""

import pytest

from perdure.model.errors import BindingNotFound, WrongType
from perdure.workers.env import Env, make_env

VALUES = {"GREETING": "hello", "COUNT": 3, "LIST": [1, {"a": 2}], "TABLE": {"on": True}}


@pytest.fixture
def env():
    return make_env(VALUES, where="wrangler.toml")


def test_api_8_a_binding_is_an_attribute_and_an_item(env):
    assert (env.GREETING, env["GREETING"]) == ("hello", "hello")
    assert (env.TABLE, env["LIST"]) == ({"on": True}, [1, {"a": 2}])


def test_api_8_env_can_be_looked_through(env):
    assert list(env) == ["COUNT", "GREETING", "LIST", "TABLE"]
    assert len(env) == 4
    assert "TABLE" in env
    assert "COUNT" in env
    assert "OTHER" not in env
    assert 3 not in env
    assert repr(env) == "<Env COUNT, GREETING, LIST, TABLE>"


@pytest.mark.parametrize("kind", [AttributeError, KeyError, BindingNotFound])
def test_api_8_an_unknown_name_is_an_attribute_error_and_a_key_error_that_lists_the_known_names(env, kind):
    with pytest.raises(kind, match="known bindings: COUNT, GREETING, LIST, TABLE"):
        _ = env.GRETING
    with pytest.raises(kind, match=r"did you mean 'GREETING'\?"):
        _ = env["GRETING"]
    with pytest.raises(kind, match=r"env\.3 is not bound"):
        _ = env[3]


def test_api_8_an_unknown_name_can_be_asked_for(env):
    assert not hasattr(env, "OTHER")
    assert getattr(env, "OTHER", "default") == "default"


def test_api_8_env_is_read_only(env):
    with pytest.raises(WrongType, match="env is read-only"):
        env.GREETING = "bye"
    with pytest.raises(WrongType, match="env is read-only"):
        del env.GREETING
    with pytest.raises(TypeError):
        env["GREETING"] = "bye"

    assert env.GREETING == "hello"


def test_changing_a_json_variable_changes_nothing_for_others(env):
    env.LIST[1]["a"] = "changed"
    env["TABLE"]["on"] = "changed"

    assert env.LIST == [1, {"a": 2}]
    assert env.TABLE == {"on": True}
    assert VALUES["LIST"] == [1, {"a": 2}]


def test_an_env_without_bindings_says_so():
    with pytest.raises(BindingNotFound, match="known bindings: none; add it to the configuration"):
        _ = Env().ANYTHING
    assert repr(Env()) == "<Env without bindings>"
