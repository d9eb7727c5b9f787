"""One running cell of the reference with its streams and downloads, under remote control.

    python tests/reference/stream_node.py [--host]

The protocol is that of `cell_node.py`, whose commands it knows too. The configuration has two fields more: `settings`, the
reference's own settings by name (`streaming_window_size`, ...), and `scratch`, a folder for files.

Further commands: `take` (receive blobs or byte streams), `send` (one of either), `answer` (handle streamed requests),
`ask` (send one), `offer` and `fetch` (both ends of a download), `outcome` (of an offer), `taken`, `hand_on`; those of
`object_streams.py`. The module
`node` in `tests/src/interop/stream` is the same program on our side; both describe what they send and receive in the
same words: `len` and `sha256` of bytes, and of a tree the arrays by `dtype`, `shape` and `sha256`.
"""

import hashlib
import logging
import os
import tempfile
import threading
import time

import numpy as np
from nvflare.apis.dxo import DXO, DataKind, from_shareable
from nvflare.apis.shareable import Shareable
from nvflare.app_common.decomposers import numpy_decomposers
from nvflare.app_common.np.np_downloader import add_arrays, download_arrays
from nvflare.fuel.f3.cellnet.cell import Cell
from nvflare.fuel.f3.cellnet.defs import MessageHeaderKey as Key
from nvflare.fuel.f3.cellnet.utils import make_reply
from nvflare.fuel.f3.message import Message
from nvflare.fuel.f3.streaming.download_service import Consumer, Downloadable, DownloadService, ProduceRC, download_object
from nvflare.fuel.f3.streaming.file_downloader import add_file, download_file
from nvflare.fuel.f3.streaming.obj_downloader import ObjectDownloader
from nvflare.fuel.f3.streaming.stream_const import StreamHeaderKey
from nvflare.fuel.f3.streaming.stream_types import Stream
from nvflare.fuel.utils.fobs.decomposers.via_downloader import LazyDownloadRef

import cell_node
import object_streams

# No multiple of any chunk: bytes of two chunks never agree.
PERIOD = (1 << 20) + 7
RAW_CHUNK = 1 << 20


def content(size):
    """Bytes that no two chunks of share, and no two calls."""
    block = os.urandom(min(size, PERIOD))
    if size <= PERIOD:
        return block
    result = bytearray(size)
    for index, start in enumerate(range(0, size, PERIOD)):
        length = min(PERIOD, size - start)
        result[start : start + length] = block[:length]
        stamp = index.to_bytes(4, "big")[:length]
        result[start : start + len(stamp)] = stamp
    return bytes(result)


def told(data):
    """What bytes are."""
    if isinstance(data, list) or hasattr(data, "buffers"):
        data = b"".join(bytes(part) for part in data)
    return {"len": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def tree(value):
    """What an object is: arrays by their content, references by their address, all else as it stands."""
    if isinstance(value, np.ndarray):
        digest = hashlib.sha256(np.ascontiguousarray(value).data).hexdigest()
        return {"dtype": value.dtype.str, "shape": list(value.shape), "sha256": digest}
    if isinstance(value, LazyDownloadRef):
        return {"lazy": value.item_id, "fqcn": value.fqcn}
    if isinstance(value, dict):
        return {str(key): tree(item) for key, item in value.items() if key != "__headers__"}
    if isinstance(value, (list, tuple)):
        return [tree(item) for item in value]
    if isinstance(value, (bytes, bytearray, memoryview)):
        return told(bytes(value))
    if hasattr(value, "buffers") or value.__class__.__name__.endswith("BufferList"):
        return told(value)
    return value


def arrays(count, elements, dtype):
    """So many arrays that differ."""
    result = {}
    for index in range(count):
        base = np.frombuffer(content(elements * np.dtype(dtype).itemsize), dtype=np.uint8)
        result[f"layer{index}"] = base.view(dtype).reshape((elements,))
    return result


def describe(message):
    """What a received body is."""
    payload = message.payload
    if payload is None:
        return {"encoding": "none"}
    if isinstance(payload, (bytes, bytearray, memoryview)):
        return {"encoding": "bytes", **told(payload)}
    return {"encoding": "fobs", "value": tree(payload)}


class Pieces(Stream):
    """A byte stream that gives what is asked for at most, and says its size or not."""

    def __init__(self, data, known):
        super().__init__(len(data) if known else 0, {})
        self.data = memoryview(data)

    def read(self, size):
        piece = self.data[self.pos : self.pos + size]
        self.pos += len(piece)
        return piece


class Raw(Downloadable):
    """Bytes in pieces, by their place."""

    def __init__(self, data):
        super().__init__(data)
        self.produced = 0

    def produce(self, state, requester):
        start = state["place"] if state else 0
        if start >= len(self.base_obj):
            return ProduceRC.EOF, None, {}
        piece = self.base_obj[start : start + RAW_CHUNK]
        self.produced += len(piece)
        return ProduceRC.OK, piece, {"place": start + len(piece)}


class RawConsumer(Consumer):
    def __init__(self):
        super().__init__()
        self.pieces, self.error = [], None

    def consume(self, ref_id, state, data):
        self.pieces.append(bytes(data))
        return state

    def download_completed(self, ref_id):
        pass

    def download_failed(self, ref_id, reason):
        self.error = reason


class StreamNode(cell_node.Node):
    def __init__(self, config, out):
        for name, value in (config.get("settings") or {}).items():
            os.environ[f"NVFLARE_{name.upper()}"] = str(value)
        numpy_decomposers.register()
        self.kept_streams = {}
        self.offers = {}
        self.folder = tempfile.TemporaryDirectory(prefix="fedcell-node-", dir=config.get("scratch"))
        super().__init__(config, out)
        DownloadService.initialize(self.streams)
        self.objects = object_streams.ObjectStreams(self.streams, config["fqcn"], tree)

    def make_cell(self, **parameters):
        self.streams = Cell(**parameters)
        return self.streams.core_cell

    def stop(self):
        self.folder.cleanup()
        return super().stop()

    # Blobs and byte streams.

    def take(self, kind, channel, topic):
        """Receives `blob` or `stream`."""
        if kind == "blob":
            self.streams.register_blob_cb(channel, topic, self._blob, channel, topic)
        else:
            self.streams.register_stream_cb(channel, topic, self._stream, channel, topic)
        return {}

    def _keep(self, route, record):
        with self.changed:
            self.kept_streams.setdefault(route, []).append(record)
            self.changed.notify_all()

    def _blob(self, future, channel, topic):
        try:
            record = told(future.result())
        except Exception as error:
            record = {"error": str(error)}
        record["origin"] = future.headers.get(Key.ORIGIN)
        self._keep((channel, topic), record)

    def _stream(self, future, stream, _resume, channel, topic):
        threading.Thread(target=self._read, args=(future, stream, channel, topic), daemon=True).start()
        return 0

    def _read(self, future, stream, channel, topic):
        digest, length = hashlib.sha256(), 0
        record = {"origin": future.headers.get(Key.ORIGIN)}
        try:
            while True:
                piece = stream.read(RAW_CHUNK)
                if not piece:
                    break
                digest.update(piece)
                length += len(piece)
            record.update({"len": length, "sha256": digest.hexdigest()})
        except Exception as error:
            record["error"] = str(error)
        self._keep((channel, topic), record)

    def send(self, kind, target, channel, topic, size, reliable=False, secure=False, known=True, timeout=60.0):
        """Sends a blob or a byte stream; the answer comes when the sender is done with it."""
        data = content(size)
        message = Message({}, data if kind == "blob" else Pieces(data, known))
        way = self.streams.send_blob if kind == "blob" else self.streams.send_stream
        start = time.monotonic()
        future = way(channel, topic, target, message, secure=secure, reliable=reliable)
        failure = None
        try:
            future.result(timeout)
        except Exception as error:
            failure = f"{type(error).__name__}: {error}"
        return {"sent": told(data), "failure": failure, "seconds": time.monotonic() - start}

    def taken(self, channel, topic, count, timeout=60.0):
        """What came, each content once, when so many have."""
        route = (channel, topic)

        def different():
            # The reference takes a short stream for a new one if all of its chunks come once more after its end.
            return {(record.get("sha256"), record.get("error")): record for record in self.kept_streams.get(route, [])}

        met = self.wait(lambda: len(different()) >= count, timeout)
        with self.changed:
            return {"met": met, "taken": list(different().values())}

    # Requests.

    def answer(self, channel, topic, kind):
        """Handles requests of that topic: `echo`, `tell` (what came), `lazy` (as it came, unresolved)."""
        if kind == "lazy":
            self.streams.decode_pass_through_topics.add((channel, topic))
        self.streams.register_request_cb(channel=channel, topic=topic, cb=self._answer, kind=kind)
        return {}

    def _answer(self, message, kind):
        if kind == "tell":
            return make_reply("ok", body=describe(message))
        if kind.startswith("on:"):
            # Reads it lazily, sends it on, and answers with what the other end said of it.
            _, target, topic = kind.split(":")
            body = Message({}, message.payload)
            reply = self.streams.send_request(
                channel=message.get_header(StreamHeaderKey.CHANNEL), target=target, topic=topic, request=body, timeout=60.0
            )
            return make_reply(reply.get_header(Key.RETURN_CODE), body={"here": tree(message.payload), "there": reply.payload})
        return make_reply("ok", body=message.payload)

    def hand_on(self, channel, topic, target, other):
        """Handles requests of that topic by handing their body on, unresolved."""
        self.streams.decode_pass_through_topics.add((channel, topic))
        self.streams.register_request_cb(channel=channel, topic=topic, cb=self._answer, kind=f"on:{target}:{other}")
        return {}

    @staticmethod
    def _payload(fields):
        if "arrays" in fields:
            made = arrays(**fields["arrays"])
            if not fields.get("shareable"):
                return {"round": 3, "model": made}
            return DXO(data_kind=DataKind.WEIGHTS, data=made).to_shareable()
        if "random" in fields:
            return content(fields["random"])
        return cell_node.Node._payload(fields)

    def ask(self, target, channel, topic, payload, timeout=10.0, secure=False):
        """One request; the body's description stands beside that of the reply."""
        body = self._payload(payload)
        sent = describe(Message({}, body))
        start = time.monotonic()
        reply = self.streams.send_request(
            channel=channel, target=target, topic=topic, request=Message({}, body), timeout=timeout, secure=secure
        )
        seconds = time.monotonic() - start
        return {
            "sent": sent,
            "reply": describe(reply),
            "code": reply.get_header(Key.RETURN_CODE),
            "reason": reply.get_header(Key.ERROR),
            "seconds": seconds,
        }

    # Object streams.

    def consume_objects(self, channel, topic, refuse_at=None, fail_at=None):
        """Takes object streams, one consumer each."""
        return self.objects.consume(channel, topic, refuse_at, fail_at)

    def send_objects(self, target, channel, topic, count, size, fail_at=None, last=True):
        """Sends an object stream."""
        return self.objects.send(target, channel, topic, count, size, fail_at, last)

    def objects_taken(self, channel, topic, timeout=30.0):
        """The streams that have ended, as soon as one has."""
        return self.objects.taken(channel, topic, timeout)

    # Downloads.

    def offer(self, kind, payload, receivers=1, timeout=120.0):
        """Offers a `file`, `arrays` or `raw` bytes."""
        downloader = ObjectDownloader(cell=self.streams, timeout=timeout, num_receivers=receivers)
        if kind == "arrays":
            made = arrays(**payload["arrays"])
            ref, told_of = add_arrays(downloader, made), tree(made)
        else:
            data = content(payload["random"])
            told_of = told(data)
            if kind == "file":
                path = os.path.join(self.folder.name, f"offer-{len(self.offers)}")
                with open(path, "wb") as file:
                    file.write(data)
                ref = add_file(downloader, path)
            else:
                ref = downloader.add_object(Raw(data))
        self.offers[ref] = downloader.get_waiter()
        return {"fqcn": self.cell.get_fqcn(), "ref": ref, "sent": told_of}

    def outcome(self, ref, timeout=30.0):
        """How an offer went, seen from here."""
        found = self.offers[ref].wait(timeout)
        if found is None:
            return {"outcome": None}
        return {"outcome": found.status, "receivers": {k: v for r in found.refs for k, v in r.receiver_statuses.items()}}

    def fetch(self, kind, fqcn, ref, timeout=60.0):
        """Downloads an offer."""
        start = time.monotonic()
        if kind == "file":
            error, path = download_file(fqcn, ref, timeout, self.streams, location=self.folder.name)
            with open(path, "rb") as file:
                got = told(file.read())
            os.remove(path)
        elif kind == "arrays":
            error, result = download_arrays(fqcn, ref, timeout, self.streams)
            got = tree(result)
        else:
            consumer = RawConsumer()
            download_object(fqcn, ref, timeout, self.streams, consumer)
            error, got = consumer.error, told(b"".join(consumer.pieces))
        return {"got": got, "failure": error, "seconds": time.monotonic() - start}


if __name__ == "__main__":
    cell_node.main(StreamNode)
