"""TLS from a certificate file and a key file, refused at start with the reason if the two cannot serve.

See tests/edge/test_tls.py.
"""

import ssl
from pathlib import Path

from perdure.model.errors import ConfigError


def tls_context(cert: Path, key: Path) -> ssl.SSLContext:
    """What `Server(ssl=...)` needs to serve TLS 1.2 and 1.3 with a PEM certificate chain and its unencrypted key.

    Raises ConfigError that says which file is missing, unreadable or wrong, or that the two do not belong together.
    """
    for option, path in (("--cert", cert), ("--key", key)):
        try:
            text = path.read_text("latin-1")
        except OSError as error:
            raise ConfigError(
                what=f"the file of {option} cannot be read",
                where=str(path),
                why=error.strerror or str(error),
                next_step=f"give the path of a {'certificate' if option == '--cert' else 'private key'} in PEM format",
            ) from error
        if "-----BEGIN " not in text:
            raise ConfigError(
                what=f"the file of {option} is not in PEM format",
                where=str(path),
                next_step="convert it with openssl, it begins with -----BEGIN",
            )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(cert, key, password=_no_password)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise ConfigError(
                what="the key does not belong to the certificate",
                where=f"{cert}, {key}",
                next_step="pass the key that the certificate was made for",
            ) from error
        raise ConfigError(
            what="the certificate or the key cannot be used",
            where=f"{cert}, {key}",
            why=error.reason or str(error),
            next_step="make both anew, or without a certificate leave both options out",
        ) from error
    except _KeyEncrypted as error:
        raise ConfigError(
            what="the key is encrypted", where=str(key), next_step="decrypt it: openssl pkey -in key.pem -out plain.pem"
        ) from error
    return context


class _KeyEncrypted(Exception):
    pass


def _no_password() -> str:
    # Without it OpenSSL would ask on the terminal, and a service would hang at start.
    raise _KeyEncrypted
