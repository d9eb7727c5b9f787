"""Writes rsa1024.crt: a leaf with a key that is too short, signed by the root of the reference's test data."""

import datetime
import pathlib

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import NameOID

here = pathlib.Path(__file__).parent
keys = here.parent / "reference" / "keys"


def load_key(path):
    return serialization.load_pem_private_key(path.read_bytes(), password=None)


root = x509.load_pem_x509_certificate((keys / "rootCA.pem").read_bytes())
leaf = (
    x509.CertificateBuilder()
    .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "server1")]))
    .issuer_name(root.subject)
    .public_key(load_key(here / "rsa1024.key").public_key())
    .serial_number(1024)
    .not_valid_before(datetime.datetime(2025, 1, 1))
    .not_valid_after(datetime.datetime(2055, 1, 1))
    .add_extension(x509.SubjectAlternativeName([x509.DNSName("server1")]), critical=False)
    .sign(load_key(keys / "rootCA.key"), hashes.SHA256())
)
(here / "rsa1024.crt").write_bytes(leaf.public_bytes(serialization.Encoding.PEM))
