"""Secrets are text; only looking at them shows nothing."""

from dataclasses import dataclass

import perdure
from perdure.model.secret import Secret

SECRET = Secret("hunter2")


def test_its_repr_is_masked_wherever_it_is():
    @dataclass
    class Settings:
        key: Secret

    assert [repr(SECRET), f"{SECRET!r}", "%r" % SECRET] == ["Secret('***')"] * 3  # noqa: UP031  the way under test
    assert repr({"a": [SECRET]}) == "{'a': [Secret('***')]}"
    assert "hunter2" not in repr(Settings(SECRET))


def test_used_as_text_it_is_its_value():
    assert [str(SECRET), f"{SECRET}", "%s" % SECRET, "" + SECRET, SECRET + ""] == ["hunter2"] * 5  # noqa: UP031  as above
    assert SECRET == "hunter2"
    assert hash(SECRET) == hash("hunter2")
    assert "Bearer {}".format(SECRET) == "Bearer hunter2"  # noqa: UP032  the way under test


def test_what_is_made_from_it_is_plain_text_and_shows_itself():
    assert [type(each) for each in (str(SECRET), SECRET.upper(), SECRET[:3])] == [str] * 3
    assert repr(str(SECRET)) == "'hunter2'"


def test_it_is_imported_from_the_front_door():
    assert perdure.Secret is Secret
