"""Writes python_repr.json and typed_proofs.json beside this file, from Python's own repr, hashlib and hmac.

Run it with CPython 3.11 or later: python generate.py
The output does not depend on the machine or the time: all variety comes from a fixed seed.
"""

import hashlib
import hmac
import itertools
import json
import pathlib
import random

HERE = pathlib.Path(__file__).parent
TAG = "nvflare.client_api.hello_proof.v1"
FIELDS = ["job_id", "site_name", "attach_id", "target_fqcn", "trainer_fqcn", "rank_policy", "protocol_version"]


def netstring(text: str) -> bytes:
    data = text.encode()
    return str(len(data)).encode() + b":" + data + b","


def message(nonce: str, values: list) -> bytes:
    parts = [TAG, nonce] + [type(value).__name__ + ":" + repr(value) for value in values]
    return b"".join(netstring(part) for part in parts)


def texts():
    ascii_all = [chr(code) for code in range(128)]
    yield ""
    yield from ascii_all
    yield "".join(ascii_all)
    # Each character beside each kind of quote: the choice of the quotes changes what is escaped.
    for character in ascii_all:
        for quotes in ("'", '"', "'\""):
            yield character + quotes
            yield quotes + character
    for length in (2, 3, 4):
        for chosen in itertools.product("'\"\\x", repeat=length):
            yield "".join(chosen)
    dice = random.Random(20261122)
    for _ in range(400):
        yield "".join(dice.choice(ascii_all) for _ in range(dice.randrange(1, 40)))


def typed_cases():
    token = "5e" * 32
    nonce = "a7" * 16
    plain = ["17", "site-1", "attach-1", "site-1.17", "site-1.-client_api_attach-1", "0", 1]
    changes = {
        "job_id": [17, None, b"17", ["17"]],
        "site_name": [1, None, b"site-1", True],
        "attach_id": [1, None, b"attach-1", 1.5],
        "target_fqcn": [1, None, b"site-1.17", False],
        "trainer_fqcn": [1, None, b"site-1.-client_api_attach-1", {}],
        "rank_policy": [0, None, b"0", False],
        "protocol_version": ["1", None, True, 1.0, b"1", 2**70 + 1],
    }
    yield {"changed": None, "type": None, "python": None}, token, nonce, plain
    for field, values in changes.items():
        for value in values:
            scope = list(plain)
            scope[FIELDS.index(field)] = value
            yield {"changed": field, "type": type(value).__name__, "python": repr(value)}, token, nonce, scope


def write(name: str, content) -> None:
    (HERE / name).write_text(json.dumps(content, indent=0, ensure_ascii=True) + "\n")


write("python_repr.json", [[text, repr(text)] for text in dict.fromkeys(texts())])
write(
    "typed_proofs.json",
    [
        about
        | {
            "token": token,
            "nonce": nonce,
            "message_hex": message(nonce, values).hex(),
            "proof": hmac.new(token.encode(), message(nonce, values), hashlib.sha256).hexdigest(),
        }
        for about, token, nonce, values in typed_cases()
    ],
)
