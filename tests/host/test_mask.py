"""No secret in what people get to see."""

import json
from urllib.parse import quote

from hypothesis import given
from hypothesis import strategies as st

from perdure.host.mask import HIDDEN, SECRET_CHARS_MIN, Mask

secrets = st.text(min_size=SECRET_CHARS_MIN, max_size=30).filter(lambda text: "*" not in text)


@given(secret=secrets, before=st.text(max_size=10), after=st.text(max_size=10))
def test_a_secret_is_hidden_as_it_is_and_as_reprs_json_and_urls_write_it(secret, before, after):
    mask = Mask([secret])

    for spelt in (secret, repr(secret)[1:-1], json.dumps(secret)[1:-1], quote(secret.encode("utf-8", "replace"))):
        assert spelt not in mask(f"{before}{spelt}{after}") or spelt in f"{before}{HIDDEN}{after}"


def test_a_short_secret_hides_nothing():
    assert Mask(["1234567"])("port 1234567") == "port 1234567"


def test_a_secret_that_begins_with_another_is_hidden_whole():
    assert Mask(["password1", "password1-long"])("a password1-long b password1") == "a *** b ***"


def test_each_line_of_a_key_in_several_lines_is_hidden():
    key = "-----BEGIN KEY-----\nMIIEvQIBADANBg\n-----END KEY-----"

    assert Mask([key])("it read MIIEvQIBADANBg and stopped") == "it read *** and stopped"


def test_without_secrets_every_text_stays():
    assert Mask()("as it is") == "as it is"
