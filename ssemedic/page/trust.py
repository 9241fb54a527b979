"""A certificate of a private authority, made known to a browser that cannot be given the authority.

The chain is verified here, with the operator's own certificates; the browser is then told to take
that one key, and no other that it does not trust.
"""

from __future__ import annotations

import base64
import hashlib
import socket
import ssl

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ssemedic.page.chromium import BrowserError
from ssemedic.probe.request import Request, address_of

_SECONDS = 10.0


def key_hash(request: Request, through: str | None) -> str:
    """The base64 SHA-256 of the server's public key, once its certificate is verified.

    ``through`` is where to connect, "host:port"; None for the URL's own host.
    Raises `BrowserError`.
    """
    where = address_of(through) if through else request.dial
    context = ssl.create_default_context(cafile=request.ca_file)
    try:
        with (
            socket.create_connection(where, timeout=_SECONDS) as plain,
            context.wrap_socket(plain, server_hostname=request.host) as secured,
        ):
            found = secured.getpeercert(binary_form=True)
    except OSError as error:
        raise BrowserError(f"{request.authority}: {error}") from error
    assert found is not None
    key = x509.load_der_x509_certificate(found).public_key()
    info = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(hashlib.sha256(info).digest()).decode("ascii")
