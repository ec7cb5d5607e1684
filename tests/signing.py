"""Certificates made on the spot, and files signed with them."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import c2pa
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

GENERATED = "trainedAlgorithmicMedia"
IPTC = "http://cv.iptc.org/newscodes/digitalsourcetype/"


@dataclass(frozen=True)
class Signed:
    """Who signs: a certificate chain, its key, and the authority above it, all as PEM."""

    chain: bytes
    key: bytes
    authority: str


@functools.cache
def identity(name: str) -> Signed:
    """A signer called `name`, vouched for by an authority of its own."""
    top, own = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    authority = _certificate("Test Authority", "Test Authority", top, top)
    leaf = _certificate(name, "Test Authority", own, top)
    pem = [one.public_bytes(serialization.Encoding.PEM) for one in (leaf, authority)]
    key = own.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return Signed(b"".join(pem), key, pem[1].decode())


def sign(
    path: Path, out: Path, *, source: str = "digitalCapture", name: str = "Test Newsroom"
) -> Path:
    """`path` with content credentials that declare its digital `source`."""
    created = {"action": "c2pa.created", "digitalSourceType": IPTC + source}
    manifest = {
        "claim_generator_info": [{"name": "test camera", "version": "1"}],
        "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": [created]}}],
    }
    who = identity(name)
    info = c2pa.C2paSignerInfo(c2pa.C2paSigningAlg.ES256, who.chain, who.key, None)
    with c2pa.Signer.from_info(info) as signer:
        c2pa.Builder(manifest).sign_file(str(path), str(out), signer)
    return out


def _certificate(
    subject: str,
    issuer: str,
    key: ec.EllipticCurvePrivateKey,
    issuer_key: ec.EllipticCurvePrivateKey,
) -> x509.Certificate:
    """An authority's where `subject` is `issuer`, else a signer's, as C2PA wants them."""
    authority = subject == issuer
    now = datetime.now(UTC)
    keys = dict.fromkeys(
        (
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "content_commitment",
            "encipher_only",
            "decipher_only",
        ),
        False,
    )
    usage = x509.KeyUsage(
        digital_signature=not authority, key_cert_sign=authority, crl_sign=authority, **keys
    )
    above = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
    builder = (
        x509.CertificateBuilder()
        .subject_name(_named(subject))
        .issuer_name(_named(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=2))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(above, critical=False)
    )
    if not authority:
        signs = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION])
        builder = builder.add_extension(signs, critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


def _named(name: str) -> x509.Name:
    parts = ((NameOID.COMMON_NAME, name), (NameOID.ORGANIZATION_NAME, "Test Organisation"))
    return x509.Name([x509.NameAttribute(kind, value) for kind, value in parts])
