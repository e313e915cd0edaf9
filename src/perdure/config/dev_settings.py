"""`[dev]`: what `perdure dev` does if the command line says nothing else. See tests/config/test_dev_settings.py."""

from collections.abc import Mapping
from typing import Any

from perdure.config.known_keys import DEV_NOT_YET, check_section
from perdure.config.problem import Findings
from perdure.config.project import DevSettings
from perdure.config.shape import table_at, text_at, wrong_shape

_EXAMPLE = "[dev]\nport = 8787"
PORT_MAX = 65_535


def read_dev(data: Mapping[str, Any], findings: Findings) -> DevSettings:
    """Where to listen; what is wrong is reported."""
    if "dev" not in data:
        return DevSettings()
    section = table_at(("dev",), data["dev"], _EXAMPLE, findings)
    if section is None:
        return DevSettings()
    check_section(("dev",), section, ("ip", "port"), findings, not_yet=DEV_NOT_YET)
    default = DevSettings()
    ip = text_at(("dev", "ip"), section["ip"], default.ip, findings) if "ip" in section else default.ip
    port = section.get("port")
    if port is not None and not (isinstance(port, int) and not isinstance(port, bool) and 0 <= port <= PORT_MAX):
        is_digits = isinstance(port, str) and port.isdigit() and int(port) <= PORT_MAX
        wanted = f"a number from 0 (any port) to {PORT_MAX}"
        wrong_shape(("dev", "port"), port, wanted, f"port = {port if is_digits else 8787}", findings)
        port = None
    return DevSettings(ip or default.ip, port)
