"""One cell of the reference as a process that the benchmark drives: configuration in argv, commands and results as JSON lines.

The commands are those of the Rust peers (tests/src/bench/cell/peer/), so that each column does the same work.
"""

import json
import logging
import os
import socket
import sys
import threading
import time

import numpy as np
from nvflare.app_common.decomposers import numpy_decomposers
from nvflare.fuel.f3.cellnet.cell import Cell
from nvflare.fuel.f3.cellnet.defs import CellChannel, MessageHeaderKey, ReturnCode
from nvflare.fuel.f3.cellnet.utils import make_reply
from nvflare.fuel.f3.drivers.driver_params import DriverParams
from nvflare.fuel.f3.message import Message

# A channel that the reference sends as it is, and one that it sends as a stream.
PLAIN = CellChannel.SERVER_MAIN
STREAMED = CellChannel.AUX_COMMUNICATION
# Behind a small request beside a transfer, in seconds.
PAUSE = 0.002


def tell(**values):
    sys.stdout.write(json.dumps(values) + "\n")
    sys.stdout.flush()


class Count:
    """One-way messages as they come: how many, when the last, how many behind one that was sent later."""

    def __init__(self):
        self.lock = threading.Lock()
        self.reset(0)

    def reset(self, expected):
        with self.lock:
            self.expected, self.received, self.inverted, self.highest, self.last = expected, 0, 0, -1, 0
            self.complete = threading.Event()

    def add(self, message):
        sequence = int.from_bytes(bytes(message.payload[:8]), "big")
        with self.lock:
            self.received += 1
            if sequence < self.highest:
                self.inverted += 1
            else:
                self.highest = sequence
            if self.received == self.expected:
                self.last = time.time_ns()
                self.complete.set()
        return None


class Blobs:
    """Blobs as they become whole: how many, how many bytes, when the last."""

    def __init__(self):
        self.changed = threading.Condition()
        self.reset()

    def reset(self):
        with self.changed:
            self.number, self.bytes, self.last = 0, 0, 0

    def add(self, size):
        with self.changed:
            self.number += 1
            self.bytes += size
            self.last = time.time_ns()
            self.changed.notify_all()

    def wait(self, number, timeout):
        with self.changed:
            self.changed.wait_for(lambda: self.number >= number, timeout)
            return {"number": self.number, "bytes": self.bytes, "last": self.last}


class Peer:
    def __init__(self, config):
        self.count = Count()
        self.blobs = Blobs()
        kit = config.get("kit")
        credentials = {}
        if kit:
            credentials[DriverParams.CA_CERT.value] = os.path.join(kit, "rootCA.pem")
            own = "server" if config["name"] == "server" else "client"
            both = {
                "server": (DriverParams.SERVER_CERT, DriverParams.SERVER_KEY),
                "client": (DriverParams.CLIENT_CERT, DriverParams.CLIENT_KEY),
            }
            for key, ending in zip(both[own], ("crt", "key")):
                credentials[key.value] = os.path.join(kit, f"{own}.{ending}")
        parent = config.get("parent")
        self.cell = Cell(
            fqcn=config["name"],
            root_url=None if parent else config.get("dial") or config.get("listen"),
            parent_url=config["dial"] if parent else None,
            secure=bool(kit),
            credentials=credentials,
            create_internal_listener=bool(config.get("relay")),
        )
        for topic, cb in (("echo", self.echo), ("count", self.count.add), ("block", self.block)):
            self.cell.register_request_cb(channel=PLAIN, topic=topic, cb=cb)
        self.cell.register_request_cb(channel=STREAMED, topic="sink", cb=self.sink)
        self.cell.register_request_cb(channel=STREAMED, topic="echo", cb=self.echo)
        self.cell.register_request_cb(channel=STREAMED, topic="model", cb=self.model)
        self.cell.register_blob_cb(STREAMED, "blob", self.blob)
        self.made = {}
        self.cell.start()
        if config.get("dial"):
            while not self.cell.core_cell.agents:
                time.sleep(0.005)
        elif config.get("listen"):
            self.wait_for_listener(config["listen"])
        tell(event="ready", url=self.cell.get_internal_listener_url() if config.get("relay") else config.get("listen"))

    @staticmethod
    def wait_for_listener(url):
        """Start returns before the listener is bound."""
        host, port = url.split("://")[1].split(":")
        while True:
            try:
                socket.create_connection((host, int(port))).close()
                return
            except ConnectionRefusedError:
                time.sleep(0.005)

    def echo(self, message):
        return make_reply(ReturnCode.OK, body=message.payload)

    def sink(self, message):
        return make_reply(ReturnCode.OK, body=len(message.payload).to_bytes(8, "big"))

    def block(self, message):
        time.sleep(int.from_bytes(bytes(message.payload[:8]), "big") / 1000)
        return None

    def model(self, message):
        """Says how many bytes the arrays and byte strings of an object have, all of them being here."""
        total = sum(value.nbytes if hasattr(value, "nbytes") else len(value) for value in message.payload.values())
        return make_reply(ReturnCode.OK, body=total.to_bytes(8, "big"))

    def blob(self, future):
        self.blobs.add(len(future.result()))

    def ask(self, topic, payload, channel=PLAIN, timeout=60.0):
        reply = self.cell.send_request(
            channel=channel, topic=topic, target="server", request=Message(payload=payload), timeout=timeout
        )
        code = reply.get_header(MessageHeaderKey.RETURN_CODE)
        if code != ReturnCode.OK:
            raise RuntimeError(f"request {topic} ended with {code}")
        return reply

    def fire(self, topic, payload):
        self.cell.fire_and_forget(channel=PLAIN, topic=topic, targets="server", message=Message(payload=payload))

    def round_trips(self, size, count, channel=PLAIN, pause=0.0):
        payload, times = bytes(size), []
        for _ in range(count):
            started = time.perf_counter_ns()
            reply = self.ask("echo", payload, channel=channel)
            times.append(time.perf_counter_ns() - started)
            if len(reply.payload) != size:
                raise RuntimeError("the echo has another size")
            if pause:
                time.sleep(pause)
        return times

    def do_round_trip(self, size, count, streamed=False, pauses=False):
        channel = STREAMED if streamed else PLAIN
        return {"nanoseconds": self.round_trips(size, count, channel, PAUSE if pauses else 0.0)}

    def do_outstanding(self, size, count, outstanding, streamed=False):
        payload, failures = bytes(size), []
        channel = STREAMED if streamed else PLAIN

        def work(share):
            try:
                for _ in range(share):
                    self.ask("echo", payload, channel=channel)
            except Exception as error:
                failures.append(str(error))

        threads = [threading.Thread(target=work, args=(count // outstanding,)) for _ in range(outstanding)]
        started = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        seconds = time.perf_counter() - started
        if failures:
            raise RuntimeError(failures[0])
        return {"seconds": seconds, "done": count // outstanding * outstanding}

    def do_expect_blobs(self):
        self.blobs.reset()
        return {}

    def do_await_blobs(self, number, timeout):
        return self.blobs.wait(number, timeout)

    def bulk(self, size):
        """Bytes that are made before the clock runs."""
        if size not in self.made:
            self.made = {size: bytes(bytearray(b"\x5a") * size)}
        return self.made[size]

    def do_prepare(self, size):
        self.bulk(size)
        return {}

    def do_push(self, size, streams, reliable=False):
        """Blobs of that size in all, as so many streams at a time."""
        payload = self.bulk(size // streams)
        started = time.time_ns()
        futures = [
            self.cell.send_blob(STREAMED, "blob", "server", Message(payload=payload), reliable=reliable)
            for _ in range(streams)
        ]
        for future in futures:
            future.result(300.0)
        return {"started": started}

    def do_model(self, size, items, arrays, timeout=300.0):
        """A request with a dictionary of arrays, or of byte strings; until the other end has all of it."""
        key = (size, items, arrays)
        if key not in self.made:
            each = size // items
            make = (lambda: np.ones(each // 4, dtype=np.float32)) if arrays else (lambda: b"\x5a" * each)
            self.made = {key: {f"layer{index}": make() for index in range(items)}}
        body = dict(self.made[key])
        started = time.perf_counter()
        reply = self.ask("model", body, channel=STREAMED, timeout=timeout)
        seconds = time.perf_counter() - started
        if int.from_bytes(bytes(reply.payload), "big") != size:
            raise RuntimeError("not all of the model has arrived")
        return {"seconds": seconds}

    def do_expect(self, count):
        self.count.reset(count)
        return {}

    def do_counted(self, timeout):
        self.count.complete.wait(timeout)
        with self.count.lock:
            last = self.count.last or time.time_ns()
            return {"received": self.count.received, "inverted": self.count.inverted, "last": last}

    def do_one_way(self, size, count):
        rest, started = bytes(size - 8), time.time_ns()
        for sequence in range(count):
            self.fire("count", sequence.to_bytes(8, "big") + rest)
        return {"started": started}

    def do_blocked(self, handlers, milliseconds):
        for _ in range(handlers):
            self.fire("block", milliseconds.to_bytes(8, "big"))
        return {"nanoseconds": self.round_trips(64, 1)}

    def do_during_bulk(self, size, small=64, streamed=False, streams=1):
        """Small requests with pauses, for as long as large requests are on their way."""
        payload, seconds = bytes(size // streams), []
        started = time.perf_counter()

        def transfer():
            reply = self.ask("sink", payload, channel=STREAMED, timeout=120.0)
            assert int.from_bytes(bytes(reply.payload), "big") == len(payload)
            seconds.append(time.perf_counter() - started)

        threads = [threading.Thread(target=transfer) for _ in range(streams)]
        for thread in threads:
            thread.start()
        times = []
        while any(thread.is_alive() for thread in threads):
            times += self.round_trips(small, 1, STREAMED if streamed else PLAIN, PAUSE)
        if len(seconds) < streams:
            raise RuntimeError("a large request failed")
        return {"nanoseconds": times, "seconds": max(seconds)}


def main():
    logging.basicConfig(level=os.environ.get("BENCH_LOG", "CRITICAL"), stream=sys.stderr)
    numpy_decomposers.register()
    peer = Peer(json.loads(sys.argv[1]))
    for line in sys.stdin:
        command = json.loads(line)
        try:
            tell(event="done", **getattr(peer, "do_" + command.pop("do"))(**command))
        except Exception as error:
            tell(event="failed", error=f"{type(error).__name__}: {error}")
    os._exit(0)


if __name__ == "__main__":
    main()
