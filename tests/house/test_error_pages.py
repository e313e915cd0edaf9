"""Every error code has a page that says what its class says."""

import importlib
import pkgutil
from collections.abc import Iterator

import perdure
from perdure.model.errors import PerdureError
from scripts.error_pages import FOLDER, error_classes, pages


def test_each_error_page_is_what_the_class_says() -> None:
    written = {path.name: path.read_text() for path in FOLDER.iterdir()}

    stale = [name for name, text in pages().items() if written.get(name) != text]

    assert not stale, "run: .venv/bin/python scripts/error_pages.py"


def descendants(kind: type[PerdureError]) -> Iterator[type[PerdureError]]:
    for each in kind.__subclasses__():
        yield each
        yield from descendants(each)


def test_no_error_class_is_without_a_page_wherever_it_is_defined() -> None:
    for module in pkgutil.walk_packages(perdure.__path__, "perdure."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)

    ours = {kind for kind in descendants(PerdureError) if kind.__module__.startswith("perdure.")}

    assert ours <= set(error_classes())


def test_no_error_page_is_left_over() -> None:
    assert {path.name for path in FOLDER.iterdir()} == pages().keys()


def test_every_error_class_says_what_it_means() -> None:
    own = [kind.__name__ for kind in error_classes() if not vars(kind).get("__doc__")]

    assert not own


def test_no_two_error_classes_share_a_code() -> None:
    codes = [kind.code for kind in error_classes()]

    assert len(codes) == len(set(codes))
