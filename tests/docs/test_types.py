"""Whatever Python the documents show passes both checkers under their strictest settings, as readers would have it checked."""

import json
import subprocess
import sys

import pytest

from tests.checkers import MYPY_CACHE
from tests.docs.page import DOCS, blocks, module_of

MODULES = ["coming-from-cloudflare.md", "values.md", *(f"guides/{name}.md" for name in ("gates", "objects", "storage"))]


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """All of it, each page as one module; of the pages that change a file as they go, one for each state of it."""
    pytest.importorskip("mypy", reason="one interpreter that has the type checkers is enough")
    folder = tmp_path_factory.mktemp("documents")
    for page in [*MODULES, "guides/testing.md"]:
        name = page.removesuffix(".md").replace("/", "_").replace("-", "_")
        (folder / f"{name}.py").write_text(module_of(DOCS / page))
    for page in (DOCS / "get-started.md", DOCS.parent / "README.md"):
        for number, block in enumerate(block for block in blocks(page) if block.language == "python"):
            (folder / f"{page.stem.replace('-', '_')}_{number}.py").write_text(block.text)
    for guide in ("embedding", "observability"):  # what follows on the first of these are fragments
        shown = next(block.text for block in blocks(DOCS / "guides" / f"{guide}.md") if block.language == "python")
        (folder / f"{guide}.py").write_text(shown)
    return folder


def check(folder, *command):
    return subprocess.run(
        [sys.executable, "-m", *command], cwd=folder, capture_output=True, text=True, check=False, timeout=120
    )


def test_the_documents_pass_mypy_in_strict_mode(written):
    said = check(written, "mypy", "--strict", "--cache-dir", MYPY_CACHE, ".")

    assert said.returncode == 0, said.stdout


def test_the_documents_pass_pyright_in_strict_mode(written):
    (written / "pyrightconfig.json").write_text(json.dumps({"typeCheckingMode": "strict"}))

    said = check(written, "pyright", "--pythonpath", sys.executable)

    assert said.returncode == 0, said.stdout
