"""What a project's `env` has, as a table: each name with what it is and where it is; the values of secrets are not said.

See tests/cli/test_dev_session.py.
"""

from perdure.config import Project

HEADINGS = ("binding", "is", "mode")
LOCAL = "local"
# Of a variable's value: enough to recognise it, short enough for one line.
SHOWN_CHARS_MAX = 40
HIDDEN = "(hidden)"


def binding_table(project: Project) -> list[str]:
    """Its lines; none for a project without bindings."""
    rows = [(f"env.{binding.name}", f"objects of {binding.class_name}", LOCAL) for binding in project.objects]
    shown = {name: _shortened(repr(value)) for name, value in project.vars.items()}
    shown |= dict.fromkeys(project.secrets, f"secret {HIDDEN}")
    rows += [(f"env.{name}", meaning, LOCAL) for name, meaning in shown.items()]
    if not rows:
        return []
    names, meanings = (max(map(len, column)) for column in list(zip(HEADINGS, *rows, strict=True))[:2])
    return [f"  {name:<{names}}  {meaning:<{meanings}}  {mode}" for name, meaning, mode in (HEADINGS, *rows)]


def _shortened(text: str) -> str:
    return text if len(text) <= SHOWN_CHARS_MAX else f"{text[: SHOWN_CHARS_MAX - 1]}…"
