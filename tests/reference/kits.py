"""Certificates of a project, made by the reference's own provisioning functions.

    python tests/reference/kits.py FOLDER < WANTED

Standard input is a JSON list of kits: `folder` (below FOLDER), `name` (the common name in the certificate), `files` (which
pairs the kit holds: `server`, `client`), and optionally `ca` (who signs it; another name is another authority), `trusts`
(whose root it holds; that of its own authority if not given) and `expired`. Each kit is written with the file names of a
real one: rootCA.pem, server.crt, server.key, client.crt, client.key.
"""

import datetime
import json
import os
import sys

from nvflare.lighter.utils import Identity, generate_cert, generate_keys, serialize_cert, serialize_pri_key

DAY = datetime.timedelta(days=1)


class Authority:
    def __init__(self, name):
        self.name = name
        self.key, public = generate_keys()
        self.cert = generate_cert(Identity(name), Identity(name), self.key, public, ca=True)

    def issue(self, name, serves, expired):
        key, public = generate_keys()
        now = datetime.datetime.now(datetime.timezone.utc)
        cert = generate_cert(
            Identity(name, "interop", "server" if serves else "client"),
            Identity(self.name),
            self.key,
            public,
            server_default_host="localhost" if serves else None,
            server_additional_hosts=["127.0.0.1", name] if serves else None,
            not_valid_before=now - (20 * DAY if expired else datetime.timedelta(minutes=5)),
            not_valid_after=now - 10 * DAY if expired else now + 30 * DAY,
        )
        return key, cert


def write(path, data, mode=0o644):
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:
        file.write(data)


def main():
    base = sys.argv[1]
    authorities = {}

    def authority_named(name):
        if name not in authorities:
            authorities[name] = Authority(name)
        return authorities[name]

    for kit in json.load(sys.stdin):
        name = kit.get("ca", "project")
        authority = authority_named(name)
        folder = os.path.join(base, kit["folder"])
        os.makedirs(folder, exist_ok=True)
        write(os.path.join(folder, "rootCA.pem"), serialize_cert(authority_named(kit.get("trusts", name)).cert))
        for side in kit["files"]:
            key, cert = authority.issue(kit["name"], side == "server", kit.get("expired", False))
            write(os.path.join(folder, f"{side}.crt"), serialize_cert(cert))
            write(os.path.join(folder, f"{side}.key"), serialize_pri_key(key), 0o600)


if __name__ == "__main__":
    main()
