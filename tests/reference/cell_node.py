"""One running cell of the reference under remote control.

    python tests/reference/cell_node.py [--host]

`remote.py` tells how it is driven.

Configuration: `fqcn`; `root` (URL to dial, or to listen on if the cell is the root server; port 0 is any), a list of them,
or null; `parent` (URL to dial) or null; `listen` ({"security", "port", "scheme"}) or null for cells that take children;
`security` of the backbone connection; `parent_security` of the connection to the parent; `credentials` (folder of a kit)
or null; `identities` (address to certificate name); `adhoc` if direct connections are made; `unchecked` if the cell shall
not look at its own certificate first, so that the other end has to turn it away.

Commands (`do`): `handle`, `request`, `multi`, `fire`, `queue`, `release`, `watch`, `wait_peer`, `wait_count`, `wait_byes`,
`wait_attempts`, `ask`, `net`, `change_root`, `report`, `stop`; their fields are the parameters of the methods of `Node` below. The module
`node` in `tests/src/interop/cell` is the same program on our side.
"""

import hashlib
import json
import logging
import os
import threading
import time

import remote
from nvflare.apis.utils.decomposers import flare_decomposers
from nvflare.fuel.f3.cellnet import defs
from nvflare.fuel.f3.cellnet.cell_cipher import SimpleCellCipher
from nvflare.fuel.f3.cellnet.core_cell import CoreCell, TargetMessage
from nvflare.fuel.f3.cellnet.defs import MessageHeaderKey as Key
from nvflare.fuel.f3.cellnet.net_agent import NetAgent
from nvflare.fuel.f3.cellnet.utils import make_reply
from nvflare.fuel.f3.communicator import load_comm_drivers
from nvflare.fuel.f3.drivers.driver_params import DriverParams
from nvflare.fuel.f3.message import Message

NET_CHANNEL = "_net_manager"
START_LIMIT = 120.0

REFUSALS = {
    "service_unavailable": defs.ServiceUnavailable,
    "invalid_session": defs.InvalidSession,
    "invalid_request": defs.InvalidRequest,
    "authentication_error": defs.AuthenticationError,
    "abort_run": defs.AbortRun,
    "process_exception": RuntimeError,
}


class AttemptLog(logging.Handler):
    """Counts connection attempts that came to an end: the reference tells of them in its log only."""

    def __init__(self, node):
        super().__init__(logging.DEBUG)
        self.node = node

    def emit(self, record):
        text = record.getMessage()
        if text.startswith("Retrying "):
            self.node.attempt_ended()
        elif "failed with exception" in text or "Error processing frame" in text:
            self.node.last_failure = text


def digest(payload):
    if payload is None:
        return {"encoding": "none", "len": 0}
    if isinstance(payload, (bytes, bytearray, memoryview)):
        data = bytes(payload)
        return {"encoding": "bytes", "len": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    return {"encoding": "fobs", "value": payload}


def hops(message):
    return [hop[0] for hop in message.get_header(Key.ROUTE, [])]


def kit(folder, security, serves):
    """The credentials as the reference's own start-up code fills them in."""
    if not folder:
        return {}
    result = {DriverParams.CA_CERT.value: os.path.join(folder, "rootCA.pem")}
    name = "server" if serves else "client"
    pair = [os.path.join(folder, f"{name}.crt"), os.path.join(folder, f"{name}.key")]
    if all(os.path.exists(path) for path in pair):
        keys = (
            (DriverParams.SERVER_CERT, DriverParams.SERVER_KEY)
            if serves
            else (DriverParams.CLIENT_CERT, DriverParams.CLIENT_KEY)
        )
        result[keys[0].value], result[keys[1].value] = pair
    result[DriverParams.CONNECTION_SECURITY.value] = security
    return result


class Node(remote.Program):
    def __init__(self, config, out):
        super().__init__(out)
        self.stopped = threading.Event()
        self.received = {}
        self.seen = []
        self.kept = []
        self.passed = []
        self.byes = 0
        self.attempts = 0
        self.last_failure = ""
        self.serves = config["fqcn"] == "server"
        logging.getLogger("nvflare.fuel.f3.sfm.conn_manager").setLevel(logging.DEBUG)
        logging.getLogger("nvflare.fuel.f3.sfm.conn_manager").addHandler(AttemptLog(self))

        if config.get("unchecked"):
            SimpleCellCipher._validate_cert_chain = lambda *_: None

        if config.get("adhoc"):
            # How a process is told so where there is no file of settings.
            os.environ["NVFLARE_ALLOW_ADHOC_CONNS"] = "true"
        security = config.get("security", "clear")
        resources = None
        if config.get("parent_security"):
            resources = {DriverParams.CONNECTION_SECURITY.value: config["parent_security"]}
        self.cell = self.make_cell(
            fqcn=config["fqcn"],
            root_url=config.get("root"),
            secure=security != "clear",
            credentials=kit(config.get("credentials"), security, self.serves),
            parent_url=config.get("parent"),
            parent_resources=resources,
            auth_identity_map=config.get("identities") or None,
        )
        self.agent = NetAgent(self.cell, change_root_cb=self.cell.change_server_root)
        self.cell.set_cell_connected_cb(self._peer_up)
        self.cell.set_cell_disconnected_cb(self._peer_down)
        self.cell.add_incoming_filter(defs.CellChannel.CELLNET, defs.CellChannelTopic.Bye, self._bye)
        listen = config.get("listen")
        if listen:
            wanted = {"host": "localhost", DriverParams.CONNECTION_SECURITY.value: listen.get("security", "clear")}
            if listen.get("port"):
                wanted["port"] = listen["port"]
            self.cell.make_internal_listener(listen.get("scheme", "tcp"), wanted)

    # Life of the cell.

    def make_cell(self, **parameters):
        """The reference's cell without streams; `stream_node.py` has one with."""
        return CoreCell(**parameters)

    def live(self):
        self.cell.start()
        threading.Thread(target=self._announce, daemon=True).start()
        self.stopped.wait()

    def _announce(self):
        end = time.monotonic() + START_LIMIT
        while time.monotonic() < end and not remote.is_listening(self.cell):
            time.sleep(remote.TICK)
        addresses = {
            "root": [self._address(url, data) for url, data in self.cell.ext_listeners.items()],
            "internal": self.cell.get_internal_listener_url(),
        }
        self.out.put(event="started", fqcn=self.cell.get_fqcn(), pid=os.getpid(), **addresses)
        while time.monotonic() < end and not self.cell.is_backbone_ready():
            time.sleep(remote.TICK)
        if self.cell.is_backbone_ready():
            self.out.put(event="ready", fqcn=self.cell.get_fqcn(), pid=os.getpid(), **addresses)

    def _address(self, url, data):
        scheme, _, rest = url.partition("://")
        host = rest.rpartition(":")[0]
        return f"{scheme}://{host}:{remote.listening_socket(self.cell, data).getsockname()[1]}"

    def stop(self):
        self.agent.close()
        self.cell.stop()
        return {}

    # What happens to it.

    def _peer_up(self, agent):
        self.seen.append(agent.get_fqcn())
        self.notify()

    def _peer_down(self, _agent):
        self.notify()

    def _bye(self, _message):
        self.byes += 1
        self.notify()
        return None

    def attempt_ended(self):
        self.attempts += 1
        self.notify()

    def _take(self, message, route, kind):
        channel, topic = route
        record = digest(message.payload)
        record["origin"] = message.get_header(Key.ORIGIN)
        record["route"] = hops(message)
        record["secure"] = bool(message.get_header(Key.SECURE, False))
        record["sealed"] = message.get_header(Key.CLEAR_PAYLOAD_LEN) is not None
        with self.changed:
            self.received.setdefault((channel, topic), []).append(record)
            if kind == "keep":
                self.kept.append((record["origin"], message.get_header(Key.REQ_ID), message.payload, record["secure"]))
            self.changed.notify_all()
        if kind == "echo":
            return Message(payload=message.payload)
        if kind.startswith("refuse:"):
            raise REFUSALS[kind.partition(":")[2]]("asked to refuse")
        return None

    # What it is told to do.

    def handle(self, channel, topic, kind):
        """Answers requests with their payload (`echo`), with an error (`refuse:CODE`), later (`keep`), never (`note`)."""
        self.cell.register_request_cb(channel, topic, self._take, (channel, topic), kind)
        return {}

    @staticmethod
    def _payload(fields):
        if "fobs" in fields:
            return fields["fobs"]
        if "text" in fields:
            return fields["text"].encode()
        if "random" in fields:
            return os.urandom(fields["random"])
        return None

    def request(self, targets, channel, topic, payload, timeout=10.0, secure=False, optional=False, headers=None):
        """One request to each target; the digest of what was sent stands beside the replies."""
        body = self._payload(payload)
        sent = digest(body)
        start = time.monotonic()
        replies = self.cell.broadcast_request(
            channel, topic, targets, Message(headers or {}, body), timeout=timeout, secure=secure, optional=optional
        )
        result = {}
        for target, reply in replies.items():
            entry = digest(reply.payload)
            entry["code"] = reply.get_header(Key.RETURN_CODE)
            entry["error"] = reply.get_header(Key.ERROR)
            entry["route"] = hops(reply)
            entry["sealed"] = reply.get_header(Key.CLEAR_PAYLOAD_LEN) is not None
            result[target] = entry
        return {"sent": sent, "replies": result, "seconds": time.monotonic() - start}

    def fire(self, targets, channel, topic, payload, count=1, secure=False, optional=False):
        """Messages that want no answer."""
        failures = {}
        digests = []
        for _ in range(count):
            body = self._payload(payload)
            digests.append(digest(body))
            errors = self.cell.fire_and_forget(
                channel, topic, targets, Message(payload=body), secure=secure, optional=optional
            )
            failures.update({target: error for target, error in errors.items() if error})
        return {"sent": digests, "failures": failures}

    def queue(self, targets, channel, topic, payload, count=1):
        """Messages that travel together, when the cell gets round to it."""
        digests = []
        for _ in range(count):
            body = self._payload(payload)
            digests.append(digest(body))
            for target in targets:
                self.cell.queue_message(channel, topic, target, Message(payload=body))
        return {"sent": digests}

    def multi(self, messages, timeout=10.0):
        """Another message for each target, all replies awaited together."""
        batch = {}
        for entry in messages:
            body = Message(payload=self._payload(entry["payload"]))
            batch[entry["target"]] = TargetMessage(entry["target"], entry["channel"], entry["topic"], body)
        replies = self.cell.broadcast_multi_requests(batch, timeout=timeout)
        codes = {target: reply.get_header(Key.RETURN_CODE) for target, reply in replies.items()}
        return {"replies": {target: {**digest(reply.payload), "code": codes[target]} for target, reply in replies.items()}}

    def watch(self, channel, topic):
        """Notes what of that topic comes in, as it comes, whoever it is for."""
        self.cell.add_incoming_filter(channel, topic, self._pass)
        return {}

    def _pass(self, message):
        record = digest(message.payload or b"")
        record["destination"] = message.get_header(Key.DESTINATION)
        record["encrypted"] = bool(message.get_header(Key.ENCRYPTED, False))
        self.passed.append(record)
        return None

    def release(self):
        """Answers every kept request with its payload."""
        with self.changed:
            kept, self.kept = self.kept, []
        failures = []
        for origin, req_id, payload, secure in kept:
            reply = make_reply(defs.ReturnCode.OK, body=payload)
            error = self.cell.send_reply(reply, origin, [req_id], secure=secure)
            if error:
                failures.append(error)
        return {"released": len(kept), "failures": failures}

    def wait_peer(self, fqcn, up=True, timeout=30.0):
        return {"met": self.wait(lambda: (fqcn in self.cell.agents) == up, timeout)}

    def wait_count(self, channel, topic, count, timeout=15.0):
        return {"met": self.wait(lambda: len(self.received.get((channel, topic), [])) >= count, timeout)}

    def wait_byes(self, count, timeout=10.0):
        return {"met": self.wait(lambda: self.byes >= count, timeout)}

    def wait_attempts(self, count, timeout=15.0):
        return {"met": self.wait(lambda: self.attempts >= count, timeout), "last": self.last_failure}

    def ask(self, what, arguments, timeout=None):
        """Calls the reference's own operator functions; what cannot be JSON becomes its text."""
        result = getattr(self.agent, what)(*arguments)
        return {"result": json.loads(json.dumps(result, default=str))}

    def net(self, target, topic, body=None, timeout=5.0):
        """Asks a cell one of the in-band network commands; its answer as it came."""
        request = Message(payload=body)
        reply = self.cell.send_request(NET_CHANNEL, topic, target, request, timeout=timeout)
        answer = json.loads(json.dumps(reply.payload, default=str))
        return {
            "code": reply.get_header(Key.RETURN_CODE),
            "problem": reply.get_header(Key.ERROR),
            "answer": answer,
        }

    def change_root(self, url):
        """Sends all cells below to another server."""
        self.agent.change_root(url)
        return {}

    def report(self):
        with self.changed:
            received = [
                {"channel": channel, "topic": topic, "messages": list(messages)}
                for (channel, topic), messages in self.received.items()
            ]
        return {
            "received": received,
            "peers": sorted(self.cell.agents),
            "seen": list(self.seen),
            "passed": list(self.passed),
            "byes": self.byes,
            "attempts": self.attempts,
            "waiting": len(self.cell.waiters),
        }


def main(kind=Node):
    flare_decomposers.register()
    load_comm_drivers()
    remote.main(kind)


if __name__ == "__main__":
    main()
