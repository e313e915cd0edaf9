"""The front door: what programs may import. Growing or shrinking it is a decision, made in public_surface.txt."""

from pathlib import Path

import perdure

PINNED = Path(__file__).with_name("public_surface.txt")


def test_the_public_names_are_those_decided_on() -> None:
    assert sorted(perdure.__all__) == PINNED.read_text().splitlines()
