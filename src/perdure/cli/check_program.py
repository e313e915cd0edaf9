"""What a project's code turns out to be when it is started, found out in a process of its own (DEP-8).

Must stay true: code that prints, exits, hangs or dies ends neither `perdure check` nor its output. See tests/cli/test_check.py.
"""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from perdure.config import Project

IMPORT_S_MAX = 20.0
"""How long a start may take: far more than any should, since nobody serves a request meanwhile."""
# Then the child says by itself that the time is over, unless something holds the whole interpreter: that long it may be silent.
SILENCE_S = 10.0

Place = tuple[str, str]
"""A file, and a qualified name in it."""


@dataclass(frozen=True, slots=True)
class Started:
    """What was found."""

    error: Mapping[str, Any] | None = None
    """Why it does not start, with the keys of a PerdureError."""
    files: Sequence[str] = ()
    handlers: Sequence[str] = ()
    classes: Sequence[Mapping[str, Any]] = ()
    entrypoints: Sequence[Mapping[str, Any]] = ()
    on_loop: frozenset[Place] = field(default_factory=frozenset)
    """Functions that are no `async def` and run on the loop."""
    plain_methods: frozenset[Place] = field(default_factory=frozenset)
    unbound: frozenset[Place] = field(default_factory=frozenset)


def start_program(project: Project, *, seconds: float = IMPORT_S_MAX) -> Started:
    """Import the project's main module and check its `env`, as `perdure dev` does; no data of the project is touched."""
    command = [sys.executable, "-P", "-m", "perdure.cli.check_child", str(project.config_file), str(seconds)]
    # A session of its own: Ctrl-C is for this process, which ends the other one.
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, start_new_session=True, cwd=project.root
    ) as child:
        try:
            told, _ = child.communicate(timeout=seconds + SILENCE_S)
        except subprocess.TimeoutExpired:
            child.kill()
            return _no_answer(project, f"it gave no sign for {seconds + SILENCE_S:g} s, and was ended")
        except BaseException:
            child.kill()
            child.wait()
            raise
    if not told:
        return _no_answer(project, f"its process ended with {child.returncode}")
    found = json.loads(told)
    for key in ("on_loop", "plain_methods", "unbound"):
        found[key] = frozenset((file, name) for file, name in found.get(key, ()))
    return Started(**found)


def _no_answer(project: Project, why: str) -> Started:
    error = {
        "code": "PERDURE_LOAD_FAILED",
        "what": f"{project.main.name} could not be imported",
        "where": str(project.main),
        "why": why,
        "next_step": "run it alone: python " + project.main.name,
    }
    return Started(error=error, files=(str(project.main),))
