"""Where `perdure dev` listens if the command line does not say."""

import pytest

from perdure.config import DevSettings
from tests.config.conftest import FINE


@pytest.mark.parametrize(
    ("lines", "settings"),
    [
        ("", DevSettings("127.0.0.1", None)),
        ("port = 9000", DevSettings("127.0.0.1", 9000)),
        ("port = 0", DevSettings("127.0.0.1", 0)),
        ('ip = "0.0.0.0"\nport = 65535', DevSettings("0.0.0.0", 65535)),
    ],
)
def test_address_and_port_are_read(folder, lines, settings):
    assert folder.load(FINE + "[dev]\n" + lines).dev == settings


@pytest.mark.parametrize(
    ("value", "kind", "better"),
    [
        ("65536", "a number", 8787),
        ("-1", "a number", 8787),
        ("1.5", "a number", 8787),
        ("true", "true or false", 8787),
        ('"9000"', "text", 9000),
        ('"http"', "text", 8787),
    ],
)
def test_a_port_that_cannot_be_one_is_refused(folder, value, kind, better):
    assert folder.problem(FINE + f"[dev]\nport = {value}") == (
        f"wrangler.toml:4: `dev.port` is {value}, which is {kind}, but has to be a number from 0 (any port) to 65535; "
        f"write:\n      port = {better}"
    )


def test_an_address_that_is_no_text_is_refused(folder):
    assert "`dev.ip` is 1, which is a number, but has to be text" in folder.problem(FINE + "[dev]\nip = 1")


def test_a_section_that_is_no_table_is_refused(folder):
    assert folder.problem(FINE + "dev = 8787") == (
        "wrangler.toml:3: `dev` is 8787, which is a number, but has to be a table; write:\n"
        "      [dev]\n      port = 8787"
    )


def test_settings_that_come_later_are_said(folder):
    assert folder.warning(FINE + '[dev]\nlocal_protocol = "https"') == (
        "wrangler.toml:4: `dev.local_protocol` is understood but not supported yet, so it has no effect; "
        "for HTTPS give a certificate: perdure dev --cert FILE --key FILE"
    )


def test_the_protocol_that_there_is_may_be_said(folder):
    assert folder.load(FINE + '[dev]\nlocal_protocol = "http"').warnings == ()


def test_another_protocol_is_refused(folder):
    assert folder.problem(FINE + '[dev]\nlocal_protocol = "ftp"') == (
        'wrangler.toml:4: `dev.local_protocol` is "ftp", which is none of http, https; write:\n'
        '      local_protocol = "http"'
    )
