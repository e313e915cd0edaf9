"""Shell completion: the scripts for bash, zsh and fish, and the words that they are given."""

import os
import shutil
import subprocess
import sys

import pytest

RUN = "import sys; sys.argv[0] = 'perdure'; from perdure.cli.main import main; main()"


def perdure(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", RUN, *arguments], capture_output=True, text=True, env={**os.environ, **environment}
    )


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_has_a_script_that_asks_this_program_and_that_it_understands(shell, tmp_path):
    script = perdure(_PERDURE_COMPLETE=f"source_{shell}").stdout

    assert f"complete_{shell}" in script
    assert "_PERDURE_COMPLETE" in script
    if (program := shutil.which(shell)) is not None:
        file = tmp_path / "script"
        file.write_text(script)
        assert subprocess.run([program, "-n", str(file)], capture_output=True, text=True).stderr == ""


@pytest.mark.parametrize(
    ("shell", "typed", "offered", "not_offered"),
    [
        ("zsh", "perdure ", "check", "--strict"),
        ("fish", "perdure ty", "types", "check"),
        ("bash", "perdure check --st", "--strict-config", "--json"),
    ],
)
def test_commands_and_options_are_completed(shell, typed, offered, not_offered):
    asked = {
        "bash": {"COMP_WORDS": typed, "COMP_CWORD": str(typed.count(" "))},
        "zsh": {"_TYPER_COMPLETE_ARGS": typed},
        "fish": {"_TYPER_COMPLETE_ARGS": typed, "_TYPER_COMPLETE_FISH_ACTION": "get-args"},
    }

    said = perdure(_PERDURE_COMPLETE=f"complete_{shell}", **asked[shell]).stdout

    assert offered in said
    assert not_offered not in said


def test_the_script_completes_in_bash_itself(tmp_path):
    program = tmp_path / "perdure"
    program.write_text(f"#!{sys.executable}\n{RUN}\n")
    program.chmod(0o755)
    (tmp_path / "script").write_text(perdure(_PERDURE_COMPLETE="source_bash").stdout)
    lines = "source script; COMP_WORDS=(perdure ty); COMP_CWORD=1; _perdure_completion perdure; echo ${COMPREPLY[@]}"
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}

    done = subprocess.run(
        ["bash", "--norc", "-c", lines], capture_output=True, text=True, cwd=tmp_path, env=environment
    )

    assert done.stdout == "types\n"


def test_it_is_installed_for_the_shell_and_what_was_in_its_settings_stays(tmp_path):
    (tmp_path / ".bashrc").write_text("export MINE=1\n")
    # The option looks which shell it is run from; the second command keeps that shell from becoming this program.
    script = f'{sys.executable} -c "$RUN" --install-completion && echo done'

    done = subprocess.run(
        ["bash", "--norc", "-c", script],
        capture_output=True,
        text=True,
        env={**os.environ, "HOME": str(tmp_path), "RUN": RUN, "NO_COLOR": "1"},
    )

    assert done.returncode == 0, done.stderr
    settings = (tmp_path / ".bashrc").read_text()
    assert settings.startswith("export MINE=1\n")
    assert "perdure.sh" in settings
    assert "_PERDURE_COMPLETE=complete_bash" in (tmp_path / ".bash_completions" / "perdure.sh").read_text()
