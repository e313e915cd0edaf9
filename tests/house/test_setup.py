"""`scripts/setup` on machines of all kinds: which Python it takes, what it says when there is none, and that it heals.

The Pythons here are stand-ins that keep a record instead of fetching packages; scripts/fresh runs the real ones.
"""

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOOLS = ("cat", "chmod", "cp", "dirname", "grep", "mkdir", "mv", "rm", "sync")

# Answers as a Python of version $VERSION would; making an environment copies this very file into it.
STAND_IN = """#!/bin/sh
case "$*" in
    *version_info\\[:3\\]*) echo {version} ;;
    *"version_info < (3, 11)"*) exit {too_old} ;;
    *realpath*) echo "$0" ;;
    *"import ensurepip"*) test -e "{ensurepip}" ;;
    "-m venv .venv") mkdir -p .venv/bin && cp "$0" .venv/bin/python && echo "venv {version}" >>record ;;
    "-m pip"*) echo "$*" >>record; test ! -e no-network ;;
    *) exec {python} "$@" ;;
esac
"""


@dataclass
class Machine:
    tree: Path
    path: Path

    def add(self, name: str, script: str) -> None:
        tool = self.path / name
        tool.write_text(script)
        tool.chmod(0o755)

    def add_python(self, name: str, version: str, *, has_ensurepip: bool = True) -> None:
        too_old = int(tuple(map(int, version.split("."))) < (3, 11))
        ensurepip = self.tree / f"{name}.ensurepip"
        if has_ensurepip:
            ensurepip.touch()
        self.add(name, STAND_IN.format(version=version, too_old=too_old, ensurepip=ensurepip, python=sys.executable))

    def set_up(self, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["/bin/sh", str(self.tree / "scripts" / "setup")],
            env={"PATH": str(self.path), **environment},
            capture_output=True,
            text=True,
            check=False,
        )

    def change_the_project(self) -> None:
        project = self.tree / "pyproject.toml"
        project.write_text(project.read_text() + "# changed\n")

    @property
    def record(self) -> list[str]:
        return (self.tree / "record").read_text().splitlines() if (self.tree / "record").exists() else []

    @property
    def is_ready(self) -> bool:
        return (self.tree / ".venv" / ".ready").exists()


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    tree, path = tmp_path / "tree", tmp_path / "bin"
    (tree / "scripts").mkdir(parents=True)
    path.mkdir()
    shutil.copy(ROOT / "scripts" / "setup", tree / "scripts")
    shutil.copy(ROOT / "pyproject.toml", tree)
    for tool in TOOLS:
        (path / tool).symlink_to(shutil.which(tool) or tool)
    bare = Machine(tree, path)
    bare.add("id", "#!/bin/sh\necho 1000\n")
    return bare


def test_the_newest_python_of_the_path_is_taken(machine: Machine) -> None:
    machine.add_python("python3.13", "3.13.1")
    machine.add_python("python3.11", "3.11.9")
    machine.add_python("python3", "3.11.2")

    assert machine.set_up().returncode == 0

    assert machine.record[0] == "venv 3.13.1"
    assert machine.is_ready


def test_a_python_named_by_the_user_comes_first(machine: Machine) -> None:
    machine.add_python("python3.13", "3.13.1")
    machine.add_python("my python", "3.12.4")

    assert machine.set_up(PYTHON=str(machine.path / "my python")).returncode == 0

    assert machine.record[0] == "venv 3.12.4"


def test_a_python_that_does_not_start_is_passed_over(machine: Machine) -> None:
    machine.add("python3.14", "#!/bin/sh\nexit 127\n")
    machine.add_python("python3", "3.11.2")

    assert machine.set_up().returncode == 0

    assert machine.record[0] == "venv 3.11.2"


def test_without_a_python_new_enough_it_names_what_it_found(machine: Machine) -> None:
    machine.add("python3.12", "#!/bin/sh\nexit 127\n")
    machine.add_python("python3", "3.9.18")

    refusal = machine.set_up()

    assert refusal.returncode == 1
    assert "python3.12 (does not start), python3 (3.9.18)" in refusal.stderr
    assert not (machine.tree / ".venv").exists()


def test_a_machine_without_any_python_is_told_so(machine: Machine) -> None:
    refusal = machine.set_up()

    assert refusal.returncode == 1
    assert "found no Python at all" in refusal.stderr


def test_a_python_named_by_the_user_that_is_too_old_is_refused_by_name(machine: Machine) -> None:
    machine.add_python("python3.13", "3.13.1")
    machine.add_python("python3.9", "3.9.18")

    refusal = machine.set_up(PYTHON="python3.9")

    assert refusal.returncode == 1
    assert "PYTHON is 'python3.9': python3.9 (3.9.18)" in refusal.stderr


def test_packages_come_as_wheels_and_perdure_needs_no_network(machine: Machine) -> None:
    machine.add_python("python3", "3.11.2")

    machine.set_up()

    packages, perdure = machine.record[1:]
    assert "--only-binary :all:" in packages
    assert "--no-index" in perdure and "--no-build-isolation" in perdure and perdure.endswith("--editable .")


def test_a_second_run_does_nothing(machine: Machine) -> None:
    machine.add_python("python3", "3.11.2")
    machine.set_up()
    before = machine.record

    second = machine.set_up()

    assert second.returncode == 0
    assert (machine.record, second.stdout) == (before, "")


def test_a_run_that_was_cut_during_the_install_heals(machine: Machine) -> None:
    machine.add_python("python3", "3.11.2")
    (machine.tree / "no-network").touch()
    assert machine.set_up().returncode != 0
    assert not machine.is_ready
    (machine.tree / ".venv" / "half").touch()

    (machine.tree / "no-network").unlink()
    assert machine.set_up().returncode == 0

    assert machine.is_ready
    assert not (machine.tree / ".venv" / "half").exists()


def test_a_run_that_was_cut_while_removing_the_old_environment_heals(machine: Machine) -> None:
    machine.add_python("python3", "3.11.2")
    machine.set_up()
    machine.change_the_project()
    machine.add("rm.whole", f'#!/bin/sh\n[ "$1" = -f ] || exit 1\nexec {shutil.which("rm")} "$@"\n')
    (machine.path / "rm").unlink()
    (machine.path / "rm.whole").rename(machine.path / "rm")

    assert machine.set_up().returncode != 0

    assert not machine.is_ready


def test_a_change_of_the_project_file_makes_the_environment_anew(machine: Machine) -> None:
    machine.add_python("python3", "3.11.2")
    machine.set_up()

    machine.change_the_project()
    machine.set_up()

    assert machine.record.count("venv 3.11.2") == 2


def test_a_tree_that_was_moved_makes_its_environment_anew(machine: Machine) -> None:
    machine.add_python("python3", "3.11.2")
    machine.set_up()

    machine.tree = machine.tree.rename(machine.tree.parent / "elsewhere")
    (machine.tree.parent / "tree").mkdir()
    (machine.tree.parent / "tree" / "python3.ensurepip").touch()
    machine.set_up()

    assert machine.record.count("venv 3.11.2") == 2


def test_another_python_named_by_the_user_makes_the_environment_anew(machine: Machine) -> None:
    machine.add_python("python3", "3.11.2")
    machine.add_python("python3.12", "3.12.4")
    machine.set_up(PYTHON="python3")

    machine.set_up(PYTHON="python3.12")

    assert [line for line in machine.record if line.startswith("venv")] == ["venv 3.11.2", "venv 3.12.4"]


def test_a_user_without_ensurepip_is_told_the_command_that_brings_it(machine: Machine) -> None:
    machine.add_python("python3", "3.11.2", has_ensurepip=False)
    machine.add("apt-get", "#!/bin/sh\necho apt-get >>record\n")

    refusal = machine.set_up()

    assert refusal.returncode == 1
    assert "apt-get install -y --no-install-recommends python3-venv" in refusal.stderr
    assert machine.record == []


def test_root_without_ensurepip_gets_it_also_where_the_package_lists_are_missing(machine: Machine) -> None:
    machine.add_python("python3", "3.11.2", has_ensurepip=False)
    machine.add("id", "#!/bin/sh\necho 0\n")
    machine.add(
        "apt-get",
        '#!/bin/sh\necho "apt-get $*" >>record\n'
        'case "$1" in update) : >lists ;; *) test -e lists && : >python3.ensurepip ;; esac\n',
    )

    assert machine.set_up().returncode == 0

    install = "apt-get install -y --no-install-recommends python3-venv"
    assert machine.record[:4] == [install, "apt-get update", install, "venv 3.11.2"]


def test_a_python_that_apt_cannot_complete_is_named(machine: Machine) -> None:
    machine.add_python("python3", "3.11.2", has_ensurepip=False)
    machine.add("id", "#!/bin/sh\necho 0\n")
    machine.add("apt-get", "#!/bin/sh\n")

    refusal = machine.set_up()

    assert refusal.returncode == 1
    assert "still has no ensurepip" in refusal.stderr
