"""The way to a value in a configuration. See tests/config/test_problem.py."""

KeyPath = tuple[str | int, ...]
"""Names of tables and positions in lists, from the outermost."""

# Far deeper than anybody follows, and far from where parsers and copies of the data run out of stack.
DEPTH_MAX = 50


def key_text(path: KeyPath) -> str:
    """A key path as one would write it."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text
