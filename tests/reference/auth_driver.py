"""The reference's own identity, token and cell cipher classes, driven over JSON lines.

Each line on standard input is a request {"op": ..., ...}; each gets one line back, {"ok": ...} or {"error": text}.
Bytes travel as hexadecimal text, certificates as PEM text.
"""

import datetime
import json
import logging
import pathlib
import sys

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from nvflare.fuel.f3.cellnet.cell_cipher import SimpleCellCipher
from nvflare.lighter.utils import Identity, generate_cert, load_crt_chain_bytes, serialize_cert, serialize_pri_key
from nvflare.private.fed.utils.identity_utils import IdentityAsserter, IdentityVerifier, TokenVerifier

logging.disable(logging.CRITICAL)

EKU = {"server": ExtendedKeyUsageOID.SERVER_AUTH, "client": ExtendedKeyUsageOID.CLIENT_AUTH}


class Driver:
    def __init__(self):
        self.dir = None
        self.asserters = {}
        self.ciphers = {}

    def world(self, dir, bits, kinds):
        """Makes a project: a root, an intermediate, and for each size and kind a server and a client."""
        self.dir = pathlib.Path(dir)
        root_key = new_key(2048)
        root_id = Identity("interop_project")
        self.write("rootCA.pem", certify(root_id, root_id, root_key, root_key, ca=True))
        middle_key = new_key(2048)
        middle_id = Identity("interop_department", "nvidia")
        middle = certify(middle_id, root_id, root_key, middle_key, ca=True)
        made = []
        for size in bits:
            for kind in kinds:
                for role in ("server", "client"):
                    name = f"{role}-{size}-{kind}"
                    key = new_key(size)
                    issuer = (middle_id, middle_key) if "intermediate" in kind else (root_id, root_key)
                    extra = usages(role) if "usages" in kind else None
                    chain = certify(Identity(name, "nvidia"), issuer[0], issuer[1], key, extra=extra)
                    if "intermediate" in kind:
                        chain += middle
                    self.write(f"{name}.crt", chain)
                    self.write(f"{name}.key", serialize_pri_key(key))
                    made.append(name)
        return made

    def write(self, name, data):
        (self.dir / name).write_bytes(data)

    def asserter(self, who):
        if who not in self.asserters:
            self.asserters[who] = IdentityAsserter(str(self.dir / f"{who}.key"), str(self.dir / f"{who}.crt"))
        return self.asserters[who]

    def sign_name(self, who, nonce):
        asserter = self.asserter(who)
        return {
            "cn": asserter.cn,
            "cert": asserter.cert_data.decode(),
            "signature": asserter.sign_common_name(nonce).hex(),
        }

    def verify_name(self, cert, cn, nonce, signature, role):
        chain = load_crt_chain_bytes(cert.encode())
        return IdentityVerifier(str(self.dir / "rootCA.pem")).verify_common_name(
            asserted_cn=cn,
            nonce=nonce,
            asserter_cert=chain[0],
            signature=bytes.fromhex(signature),
            intermediate_certs=chain[1:],
            expected_eku=EKU[role],
        )

    def sign_token(self, who, client, token):
        return self.asserter(who).sign(client + token, return_str=True)

    def verify_token(self, cert, client, token, signature):
        return TokenVerifier(load_crt_chain_bytes(cert.encode())[0]).verify(client, token, signature)

    def cipher(self, who):
        if who not in self.ciphers:
            root = x509.load_pem_x509_certificate((self.dir / "rootCA.pem").read_bytes())
            key = serialization.load_pem_private_key((self.dir / f"{who}.key").read_bytes(), password=None)
            chain = x509.load_pem_x509_certificates((self.dir / f"{who}.crt").read_bytes())
            self.ciphers[who] = SimpleCellCipher(root, key, chain)
        return self.ciphers[who]

    def seal(self, who, target, plaintext):
        chain = x509.load_pem_x509_certificates(target.encode())
        return self.cipher(who).encrypt(bytes.fromhex(plaintext), chain).hex()

    def open(self, who, origin, envelope):
        chain = x509.load_pem_x509_certificates(origin.encode())
        return self.cipher(who).decrypt(bytes.fromhex(envelope), chain).hex()


def new_key(bits):
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


def certify(subject, issuer, issuer_key, key, ca=False, extra=None):
    # An hour back, so that a clock that is a little slow is no reason to fail.
    start = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(hours=1)
    return serialize_cert(
        generate_cert(
            subject, issuer, issuer_key, key.public_key(), ca=ca, not_valid_before=start, extra_extensions=extra
        )
    )


def usages(role):
    key_usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=True,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    return [(key_usage, True), (x509.ExtendedKeyUsage([EKU[role]]), False)]


def main():
    driver = Driver()
    for line in sys.stdin:
        request = json.loads(line)
        try:
            reply = {"ok": getattr(driver, request.pop("op"))(**request)}
        except Exception as ex:
            reply = {"error": f"{type(ex).__name__}: {ex}"}
        print(json.dumps(reply), flush=True)


if __name__ == "__main__":
    main()
