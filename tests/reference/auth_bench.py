"""Times the reference's identity, token and cell cipher classes, one measurement per line of standard input.

A request is {"case": name, "seconds": how long to measure}; the reply is {"ns": nanoseconds per operation}. The first
line of standard input is {"dir": folder}: a project is made there, with a server, a client and their keys of 2048 bits.
"""

import json
import logging
import pathlib
import sys
import time
import uuid
from unittest import mock

from cryptography import x509
from cryptography.hazmat.primitives import serialization

import nvflare.private.fed.authenticator as authenticator_module
from nvflare.apis.fl_context import FLContext
from nvflare.apis.shareable import Shareable
from nvflare.apis.signal import Signal
from nvflare.fuel.f3.cellnet.cell_cipher import SimpleCellCipher
from nvflare.fuel.f3.cellnet.core_cell import make_reply
from nvflare.fuel.f3.cellnet.defs import IdentityChallengeKey, ReturnCode
from nvflare.lighter.utils import load_crt_chain_bytes, load_private_key_file
from nvflare.private.defs import CellChannelTopic, CellMessageHeaderKeys
from nvflare.private.fed.authenticator import Authenticator
from nvflare.private.fed.utils.identity_utils import IdentityAsserter, IdentityVerifier, TokenVerifier

from auth_driver import EKU, Driver

logging.disable(logging.CRITICAL)

SERVER = "server-2048-legacy"
CLIENT = "client-2048-legacy"


class ServerWithoutNetwork:
    """Stands where the client's cell would: answers challenge and registration with the server's steps."""

    def __init__(self, folder):
        self.asserter = IdentityAsserter(str(folder / f"{SERVER}.key"), str(folder / f"{SERVER}.crt"))
        self.verifier = IdentityVerifier(str(folder / "rootCA.pem"))
        self.nonce = None

    def send_request(self, target, channel, topic, request, timeout, optional):
        if topic == CellChannelTopic.Challenge:
            self.nonce = str(uuid.uuid4())
            reply = Shareable()
            reply[IdentityChallengeKey.NONCE] = self.nonce
            reply[IdentityChallengeKey.SIGNATURE] = self.asserter.sign_common_name(
                request.get_header(IdentityChallengeKey.NONCE)
            )
            reply[IdentityChallengeKey.COMMON_NAME] = self.asserter.cn
            reply[IdentityChallengeKey.CERT] = self.asserter.cert_data
            return make_reply(rc=ReturnCode.OK, body=reply)
        name = request.get_header(CellMessageHeaderKeys.CLIENT_NAME)
        body = request.payload
        chain = load_crt_chain_bytes(body.get(IdentityChallengeKey.CERT))
        self.verifier.verify_common_name(
            asserted_cn=name,
            asserter_cert=chain[0],
            signature=body.get(IdentityChallengeKey.SIGNATURE),
            nonce=self.nonce,
            intermediate_certs=chain[1:],
            expected_eku=EKU["client"],
        )
        token = str(uuid.uuid4())
        result = {
            CellMessageHeaderKeys.TOKEN: token,
            CellMessageHeaderKeys.TOKEN_SIGNATURE: self.asserter.sign(name + token, return_str=True),
            CellMessageHeaderKeys.SSID: "NA",
        }
        return make_reply(rc=ReturnCode.OK, body=result)


def registration(folder, loaded):
    """Challenge and registration by the reference's own client; `loaded`: its key and certificates are at hand."""
    cell = ServerWithoutNetwork(folder)
    authenticator = Authenticator(
        cell=cell,
        project_name="interop_project",
        client_name=CLIENT,
        client_type="regular",
        expected_sp_identity=SERVER,
        secure_mode=True,
        root_cert_file=str(folder / "rootCA.pem"),
        private_key_file=str(folder / f"{CLIENT}.key"),
        cert_file=str(folder / f"{CLIENT}.crt"),
        msg_timeout=1.0,
        retry_interval=1.0,
    )
    if not loaded:
        return lambda: authenticator.authenticate(FLContext(), Signal())
    asserter = IdentityAsserter(str(folder / f"{CLIENT}.key"), str(folder / f"{CLIENT}.crt"))
    verifier = IdentityVerifier(str(folder / "rootCA.pem"))

    def run():
        with (
            mock.patch.object(authenticator_module, "IdentityAsserter", lambda **_: asserter),
            mock.patch.object(authenticator_module, "IdentityVerifier", lambda **_: verifier),
        ):
            authenticator.authenticate(FLContext(), Signal())

    return run


def cases(folder):
    asserter = IdentityAsserter(str(folder / f"{SERVER}.key"), str(folder / f"{SERVER}.crt"))
    token = str(uuid.uuid4())
    signature = asserter.sign(CLIENT + token, return_str=True)
    verifier = TokenVerifier(asserter.cert)
    root = x509.load_pem_x509_certificate((folder / "rootCA.pem").read_bytes())

    def cipher(who):
        key = serialization.load_pem_private_key((folder / f"{who}.key").read_bytes(), password=None)
        return SimpleCellCipher(root, key, x509.load_pem_x509_certificates((folder / f"{who}.crt").read_bytes()))

    sender, receiver = cipher(CLIENT), cipher(SERVER)
    to = x509.load_pem_x509_certificates((folder / f"{SERVER}.crt").read_bytes())
    origin = x509.load_pem_x509_certificates((folder / f"{CLIENT}.crt").read_bytes())
    small, large = bytes(1024), bytes(1 << 20)
    sealed_small, sealed_large = sender.encrypt(small, to), sender.encrypt(large, to)
    certificate = (folder / f"{CLIENT}.crt").read_bytes()
    return {
        "sign": lambda: asserter.sign_common_name(token),
        "verify": lambda: verifier.verify(CLIENT, token, signature),
        "seal 1 KiB": lambda: sender.encrypt(small, to),
        "open 1 KiB": lambda: receiver.decrypt(sealed_small, origin),
        "seal 1 MiB": lambda: sender.encrypt(large, to),
        "open 1 MiB": lambda: receiver.decrypt(sealed_large, origin),
        "load key": lambda: load_private_key_file(str(folder / f"{CLIENT}.key")),
        "load certificate": lambda: load_crt_chain_bytes(certificate),
        "register, files read": registration(folder, loaded=False),
        "register, files at hand": registration(folder, loaded=True),
    }


def measure(run, seconds):
    run()
    count = 0
    start = time.perf_counter_ns()
    end = start + int(seconds * 1e9)
    while True:
        run()
        count += 1
        now = time.perf_counter_ns()
        if now >= end:
            return (now - start) / count


def main():
    folder = pathlib.Path(json.loads(sys.stdin.readline())["dir"])
    Driver().world(str(folder), [2048], ["legacy"])
    known = cases(folder)
    print(json.dumps({"ready": sorted(known)}), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        print(json.dumps({"ns": measure(known[request["case"]], request["seconds"])}), flush=True)


if __name__ == "__main__":
    main()
