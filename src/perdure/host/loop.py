"""The loop that a process of ours runs on, uvloop where there is one, and what that process sets for itself.

Only for processes that Perdure starts itself: embedded, it lives on whatever loop the host program runs.
See tests/host/test_loop.py.
"""

import asyncio
import sys
from collections.abc import Callable

try:
    import uvloop
except ImportError:  # Windows, or a Python that uvloop has no wheel for yet
    new_loop: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop
else:
    new_loop = uvloop.new_event_loop

if sys.platform != "win32":
    import resource

# Each connection is a descriptor, each namespace about ten. Above this, kernels start to charge for the table itself.
OPEN_FILES_WANTED = 65_536


# What one thread may keep the interpreter while another waits for it. A thread that commits has it for microseconds and
# needs it twice a group; at Python's own 5 ms, disk and loop would take turns instead of working side by side.
SWITCH_INTERVAL_S = 0.0005


def share_interpreter_often() -> None:
    """Lets the threads of this process take turns at the interpreter every SWITCH_INTERVAL_S."""
    sys.setswitchinterval(SWITCH_INTERVAL_S)


def raise_open_files_limit(wanted: int = OPEN_FILES_WANTED) -> int | None:
    """Lets this process open up to `wanted` files, as far as its hard limit allows; gives the limit that holds now.

    Lowers nothing. None where the system has no such limit.
    """
    if sys.platform == "win32":
        return None
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return None
    reachable = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if reachable > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (reachable, hard))
        return reachable
    return soft
