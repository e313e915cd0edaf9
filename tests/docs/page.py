"""A page of the documents as a test sees it: its blocks, in order, and the file that the line above a block names."""

import re
from dataclasses import dataclass
from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "docs"
_BLOCK = re.compile(
    r"(?:^`(?P<file>[\w./-]+)`:\n\n)?^```(?P<language>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Block:
    """file: empty if the page names none."""

    language: str
    text: str
    file: str


def blocks(page: Path) -> list[Block]:
    """All of them; one that is not closed is none."""
    return [Block(found["language"], found["text"], found["file"] or "") for found in _BLOCK.finditer(page.read_text())]


def module_of(page: Path) -> str:
    """The page's Python as one module: what a reader has who types it from top to bottom."""
    return "\n\n".join(block.text for block in blocks(page) if block.language == "python")
