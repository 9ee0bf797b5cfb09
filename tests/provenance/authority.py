"""A certificate authority of the tests' own, and what it signs with."""

import datetime
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent / ".c2pa"))

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

Key = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
DAY = datetime.timedelta(days=1)


class Authority:
    """A root, and signers below it."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.root = self._certificate("Root of the tests", self._key, authority=True)

    def issue(self, folder: Path, key: Key | None = None, days: int = 30) -> tuple[Path, Path]:
        """Write a signer's chain and key; return where."""
        key = key or ec.generate_private_key(ec.SECP256R1())
        folder.mkdir(parents=True, exist_ok=True)
        chain, secret = folder / "chain.pem", folder / "key.pem"
        leaf = self._certificate("Signer of the tests", key, days=days)
        chain.write_bytes(b"".join(_pem(one) for one in (leaf, self.root)))
        secret.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        secret.chmod(0o600)
        return chain, secret

    def _certificate(
        self, name: str, key: Key, *, authority: bool = False, days: int = 30
    ) -> x509.Certificate:
        now, public, above = datetime.datetime.now(datetime.UTC), key.public_key(), self._key
        usage = x509.KeyUsage(
            digital_signature=not authority, content_commitment=False, key_encipherment=False,
            data_encipherment=False, key_agreement=False, key_cert_sign=authority,
            crl_sign=authority, encipher_only=False, decipher_only=False,
        )  # fmt: skip
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(above.public_key())
        draft = (
            x509.CertificateBuilder()
            .subject_name(_name(name))
            .issuer_name(_name("Root of the tests"))
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - 60 * DAY)
            .not_valid_after(now + days * DAY)
            .add_extension(x509.BasicConstraints(authority, None), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(issuer, critical=False)
        )
        if not authority:
            purpose = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION])
            draft = draft.add_extension(purpose, critical=False)
        return draft.sign(above, hashes.SHA256())


def _name(name: str) -> x509.Name:
    parts = (NameOID.ORGANIZATION_NAME, "Tests"), (NameOID.COMMON_NAME, name)
    return x509.Name([x509.NameAttribute(kind, value) for kind, value in parts])


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
