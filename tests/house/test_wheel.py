"""The wheel that people install: built here, put into a bare environment outside the tree, serving the first program.

The environment gets what the wheel declares that it needs, and what that needs, and nothing else: a dependency that only
the developers have would be missed here. No network: the packages are those of the environment that runs this test.
"""

import re
import shutil
import subprocess
import sys
import venv
import zipfile
from importlib.metadata import Distribution, distribution
from pathlib import Path

import httpx
import pytest
from packaging.requirements import Requirement

from tests.host.dev_process import DevProcess

ROOT = Path(__file__).parents[2]


def run(*command: object, cwd: Path | None = None) -> str:
    return subprocess.run(list(map(str, command)), cwd=cwd, check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT)
    (built,) = folder.glob("*.whl")
    return built


def needed(requirements: list[str]) -> dict[str, Distribution]:
    """The distributions that `requirements` ask for here, and those that they ask for in turn."""
    found: dict[str, Distribution] = {}
    waiting = [Requirement(line) for line in requirements]
    while waiting:
        requirement = waiting.pop()
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        name = re.sub(r"[-_.]+", "-", requirement.name).lower()
        if name not in found:
            found[name] = distribution(name)
            assert requirement.specifier.contains(found[name].version, prereleases=True), str(requirement)
            waiting += [Requirement(line) for line in found[name].requires or []]
    return found


def requirements_of(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        lines = archive.read(name).decode().splitlines()
    return [line.removeprefix("Requires-Dist: ") for line in lines if line.startswith("Requires-Dist: ")]


@pytest.fixture(scope="module")
def bare(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of an environment with the wheel and what it needs."""
    folder = tmp_path_factory.mktemp("bare")
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin" / "python"
    packages = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip())
    for package in needed(requirements_of(wheel)).values():
        for top in {file.parts[0] for file in package.files or [] if file.parts[0] not in ("..", "__pycache__")}:
            if not (packages / top).exists():
                (packages / top).symlink_to(Path(str(package.locate_file(top))).resolve())
    pip = [sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check"]
    run(*pip, "install", "--no-index", "--no-deps", wheel)
    return folder / "bin"


def test_the_wheel_holds_the_package_its_types_and_its_licence(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()

    files = (path for path in (ROOT / "src" / "perdure").rglob("*") if path.is_file() and path.suffix != ".pyc")
    here = {str(path.relative_to(ROOT / "src")) for path in files}
    packed = {name for name in names if not name.split("/")[0].endswith(".dist-info")}
    assert packed == here
    assert "perdure/py.typed" in here
    assert any(name.endswith("/licenses/LICENSE") for name in names)


def test_the_wheel_serves_the_first_program_from_a_bare_environment(
    bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tests.host.dev_process.PERDURE", bare / "perdure")
    project = shutil.copytree(
        ROOT / "examples/get-started", tmp_path / "project", ignore=shutil.ignore_patterns(".perdure")
    )
    location = run(bare / "python", "-c", "import perdure; print(perdure.__file__)", cwd=tmp_path).strip()
    assert Path(location).is_relative_to(bare.parent)

    with DevProcess(project).wait_ready() as served:
        assert served.post("/hello", "important data!").text == "127.0.0.1 stored important data!"
        assert served.get("/hello").text == "important data!"


def test_the_command_of_the_wheel_says_its_version(bare: Path) -> None:
    assert run(bare / "perdure", "--version") == f"perdure {distribution('perdure').version}\n"


def test_what_the_developers_have_is_not_in_the_bare_environment(bare: Path) -> None:
    with pytest.raises(subprocess.CalledProcessError):
        run(bare / "python", "-c", f"import {httpx.__name__}")
