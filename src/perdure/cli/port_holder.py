"""Which process listens on a port, as far as this user may know: for a message, never for a decision.

Linux tells in /proc; elsewhere, and for other users' processes, the answer is None. See tests/cli/test_address.py.
"""

from contextlib import suppress
from pathlib import Path

_PROC = Path("/proc")
_LISTEN = "0A"  # TCP_LISTEN, as /proc/net/tcp writes it


def holder_of(port: int) -> str | None:
    """`python3 (pid 4711)`."""
    links = {f"socket:[{inode}]" for inode in _listening_inodes(port)}
    if not links:
        return None
    for process in _PROC.glob("[0-9]*"):
        with suppress(OSError):  # it ended meanwhile, or belongs to another user
            if any(str(descriptor.readlink()) in links for descriptor in (process / "fd").iterdir()):
                return f"{(process / 'comm').read_text().strip()} (pid {process.name})"
    return None


def _listening_inodes(port: int) -> list[str]:
    inodes: list[str] = []
    for table in ("tcp", "tcp6"):
        with suppress(OSError):
            rows = (_PROC / "net" / table).read_text().splitlines()[1:]
            for fields in map(str.split, rows):
                local, state, inode = fields[1], fields[3], fields[9]
                if state == _LISTEN and int(local.rpartition(":")[2], 16) == port:
                    inodes.append(inode)
    return inodes
