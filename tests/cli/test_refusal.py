"""How a command says that it could not do it: to people with the next step, to programs as one object."""

import io
import json

from perdure.cli.console import Console
from perdure.cli.exit_code import ExitCode
from perdure.cli.refusal import refuse
from perdure.model.errors import ConfigError, WrongValue


def said(error, *, as_json):
    out, err = io.StringIO(), io.StringIO()
    code = refuse(error, Console(out, err), as_json=as_json, code=ExitCode.ERROR)
    assert code is ExitCode.ERROR
    return out.getvalue(), err.getvalue()


def test_people_read_it_on_stderr_with_the_next_step():
    out, err = said(WrongValue(what="no", where="there", why="because", next_step="do this"), as_json=False)

    assert out == ""
    assert err == "error: no (there)\n  because\n  next: do this\n"


def test_programs_read_one_object_on_stdout():
    out, err = said(ConfigError(what="no", problems=["one", "two"]), as_json=True)

    assert err == ""
    assert out.count("\n") == 1
    assert json.loads(out)["error"] == {
        "code": "PERDURE_CONFIG_ERROR",
        "what": "no",
        "where": "",
        "why": "",
        "next_step": "",
        "problems": ["one", "two"],
    }
