"""Each example does what its README says, command by command."""

import shutil

import pytest

from tests.examples.readme import EXAMPLES, curls, start_command
from tests.host.dev_process import DevProcess

NAMES = sorted(folder.name for folder in EXAMPLES.iterdir() if (folder / "README.md").exists())


@pytest.fixture
def copy_of(tmp_path):
    def copy(example: str):
        return shutil.copytree(EXAMPLES / example, tmp_path / example, ignore=shutil.ignore_patterns(".perdure"))

    return copy


def test_there_are_the_four_examples_that_the_documents_name():
    assert {"bank", "counter", "get-started", "hello"} <= set(NAMES)


@pytest.mark.parametrize("example", NAMES)
def test_an_example_answers_as_its_readme_says(example, copy_of):
    perdure, *command = start_command(example)
    assert perdure == "perdure"

    with DevProcess(copy_of(example), command=tuple(command)).wait_ready() as served:
        for step in curls(example):
            response = served.request(step.method, step.path, headers=step.headers, content=step.data)

            assert response.text == step.answer, step.line
