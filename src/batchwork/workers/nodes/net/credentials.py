"""By what the hub of one run is known to its nodes: a key and a certificate that live as long as it does."""

from __future__ import annotations

import datetime as dt
import os
import secrets
import ssl
from typing import Any

from batchwork.plugins import needed

_PURPOSE = "running items on other machines"
_YEARS = 10
"""Nobody keeps the certificate: it is trusted because it stands in the letter, and gone with the run."""


def new_token() -> str:
    """256 random bits."""
    return secrets.token_urlsafe(32)


def own_certificate() -> tuple[ssl.SSLContext, str]:
    """A context for the hub's side, and the certificate in PEM. Raises UsageError where the package for it is missing."""
    key, certificate = _key_and_certificate()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.num_tickets = 0
    _load(context, certificate + key)
    return context, certificate.decode("ascii")


def _load(context: ssl.SSLContext, chain: bytes) -> None:
    """Give the context its key, which needs a file: one without a name."""
    descriptor = os.memfd_create("batchwork", os.MFD_CLOEXEC)
    try:
        os.write(descriptor, chain)
        context.load_cert_chain(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)


def _key_and_certificate() -> tuple[bytes, bytes]:
    x509: Any = needed("cryptography.x509", _PURPOSE)
    hashes: Any = needed("cryptography.hazmat.primitives.hashes", _PURPOSE)
    serialization: Any = needed("cryptography.hazmat.primitives.serialization", _PURPOSE)
    curves: Any = needed("cryptography.hazmat.primitives.asymmetric.ec", _PURPOSE)
    key = curves.generate_private_key(curves.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "batchwork")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=366))  # clocks of nodes may be wrong
        .not_valid_after(now + dt.timedelta(days=366 * _YEARS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    plain = serialization.NoEncryption()
    return (
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain),
        certificate.public_bytes(pem),
    )
