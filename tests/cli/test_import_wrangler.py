"""`perdure objects import --from-wrangler`, as run: what was brought over is said, and what was not, and why."""

import json
import shutil

import pytest
from typer.testing import CliRunner

from perdure.cli.app import app
from perdure.cli.exit_code import ExitCode
from perdure.model.object_id import IdKey
from tests.host.projects import write_project
from tests.host.test_wrangler_import import SHOP
from tests.wrangler.state import KEY, make_again

REFUSED = IdKey(KEY).from_name("without-counterpart").hex


@pytest.fixture
def shop(tmp_path, monkeypatch):
    folder = write_project(tmp_path / "shop", SHOP, classes=("Box", "Other"), name="shop")
    make_again(folder / ".wrangler/state/v3/do")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("NO_COLOR", "1")
    return folder


def run(*arguments):
    return CliRunner().invoke(app, ["objects", *map(str, arguments)])


def test_in_a_project_the_folder_of_the_tools_is_all_that_is_to_be_said(shop):
    result = run("import", "--from-wrangler", ".wrangler")

    assert result.exit_code == ExitCode.PARTIAL
    assert result.stdout.splitlines() == [
        "Imported 6 objects of Box, with the ids that they had",
        "  3 without a name; who knows it finds the object by it all the same",
        "  2 with an alarm",
        "Imported 1 object of Other, with the ids that they had",
    ]
    assert f"{KEY}/{REFUSED}.sqlite was left out: " in result.stderr
    assert "get('cycle')[\"self\"][0]" in result.stderr
    assert "named-lobby" in run("list", "Box").stdout


def test_programs_are_told_each_object_and_each_file(shop):
    shutil.move(".wrangler/state/v3/do/shop-Other", ".wrangler/state/v3/do/blog-Post")
    (shop / "names").write_text("quiet\n\nnobody\n")

    result = run("import", "--from-wrangler", ".wrangler", "--names", "names", "--json")

    (line,) = result.stdout.splitlines()
    told = json.loads(line)
    quiet = next(each for each in told["imported"] if each["name"] == "quiet")
    assert quiet == {"class": "Box", "name": "quiet", "id": quiet["old_id"], "old_id": quiet["id"], "alarm": None}
    assert {each["alarm"] for each in told["imported"]} == {None, "2100-01-01T00:00:00.000Z"}
    assert (told["empty"], told["no_class"], len(told["left_out"])) == (0, ["blog-Post"], 1)
    assert told["left_out"][0]["error"]["code"] == "PERDURE_UNSUPPORTED_VALUE"


def test_names_that_are_no_utf8_are_refused_in_words(shop):
    (shop / "names").write_bytes(b"caf\xe9\n")

    result = run("import", "--from-wrangler", ".wrangler", "--names", "names", "--json")

    assert result.exit_code == ExitCode.ERROR
    assert json.loads(result.stdout)["error"]["what"] == "names is not in UTF-8"


def test_a_class_alone_under_another_name_into_a_data_folder_by_its_path(shop):
    run("import", "--from-wrangler", ".wrangler")

    result = run("import", "Other", "--from-wrangler", f".wrangler/state/v3/do/{KEY}", "--data", ".perdure/state")

    assert result.exit_code == ExitCode.PARTIAL
    assert result.stdout.splitlines()[0] == "Imported 3 objects of Other, with new ids, made of their names"
    assert "the name of" in result.stderr


def test_nothing_that_could_be_brought_over_ends_with_1_and_a_mistake_with_2(shop):
    run("import", "--from-wrangler", ".wrangler")

    assert run("import", "--from-wrangler", ".wrangler").exit_code == ExitCode.ERROR
    assert run("import", "--from-wrangler", "nowhere").exit_code == ExitCode.ERROR
    assert run("import", "--from-wrangler", ".wrangler", "--names", "nowhere").exit_code == ExitCode.ERROR
    assert run("import", "Box", "lobby", "file", "--from-wrangler", ".wrangler").exit_code == ExitCode.USAGE
    assert run("import", "Box", "lobby", "file", "--names", "names").exit_code == ExitCode.USAGE
