"""`[dev]`: what `perdure dev` does if the command line says nothing else. See tests/config/test_dev_settings.py."""

import re
from collections.abc import Mapping
from typing import Any

from perdure.config.known_keys import LOCAL_PROTOCOLS, PORT_MAX
from perdure.config.problem import Findings
from perdure.config.project import DevSettings
from perdure.config.shape import echo, table_at, text_at, wrong_shape
from perdure.config.snippet import Line, Section

_EXAMPLE = Section("dev", {"port": 8787})


def read_dev(data: Mapping[str, Any], findings: Findings) -> DevSettings:
    """Where to listen; what is wrong is reported."""
    if "dev" not in data:
        return DevSettings()
    section = table_at(("dev",), data["dev"], _EXAMPLE, findings)
    if section is None:
        return DevSettings()
    default = DevSettings()
    ip = text_at(("dev", "ip"), section["ip"], default.ip, findings) if "ip" in section else default.ip
    if "local_protocol" in section:
        _check_protocol(section["local_protocol"], findings)
    port = section.get("port")
    if "port" in section and not (isinstance(port, int) and not isinstance(port, bool) and 0 <= port <= PORT_MAX):
        is_digits = isinstance(port, str) and re.fullmatch(r"[0-9]{1,5}", port) and int(port) <= PORT_MAX
        wanted = f"a number from 0 (any port) to {PORT_MAX}"
        wrong_shape(("dev", "port"), port, wanted, Line("port", int(str(port)) if is_digits else 8787), findings)
        port = None
    return DevSettings(ip or default.ip, port)


def _check_protocol(value: object, findings: Findings) -> None:
    path = ("dev", "local_protocol")
    if value == "https":
        what = "is understood but not supported yet, so it has no effect"
        findings.ineffective(path, what, "for HTTPS give a certificate: perdure dev --cert FILE --key FILE")
    elif text_at(path, value, "http", findings) not in (None, *LOCAL_PROTOCOLS):
        what = f"is {echo(value, findings)}, which is none of {', '.join(LOCAL_PROTOCOLS)}"
        findings.error(path, what, "write", Line("local_protocol", "http"))
