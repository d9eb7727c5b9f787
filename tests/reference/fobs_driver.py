"""The reference's half of `cargo xtask interop fobs` and `cargo xtask bench fobs`, driven over standard input.

A message is a tag byte, a length of four bytes, big endian, and a body; each request gets one answer. A list of byte
strings is each with its length in four bytes before it.

    G  seed, eight bytes          -> a generated object: notation, container, threshold in decimal
    R  container, threshold       -> what the container holds: notation, the container that the reference makes of it
    X  name                       -> the error with which the reference refuses an object that it cannot send
    B  name, seconds, container   -> bytes of the reference's container, encodings a second, decodings a second
"""

import argparse
import collections
import datetime
import os
import random
import struct
import sys
import time

import msgpack
import numpy as np
from fobs_notation import note, register
from nvflare.apis.analytix import AnalyticsDataType
from nvflare.apis.dxo import DXO, DataKind
from nvflare.apis.fl_context import FLContext
from nvflare.apis.job_def import JobMetaKey
from nvflare.apis.shareable import Shareable
from nvflare.app_common.abstract.fl_model import FLModel, ParamsType
from nvflare.app_common.abstract.learnable import Learnable
from nvflare.fuel.utils import fobs
from nvflare.fuel.utils.fobs.datum import Datum
from nvflare.private.admin_defs import Message

EDGES = [0, 1, 127, 128, 255, 256, 2**15, 2**16, 2**31, 2**32, 2**63 - 1, 2**63, 2**64 - 1]
LETTERS = "abcXYZ_09 .\"\\\n\t\x00\x7f\u00e9\u2603\uffff\U0001f600\U0010ffff"
DTYPES = ["|b1", "|i1", "|u1", "<S3", "<U2", "<M8[s]", "<m8[D]", "<c8", "|V3"]
DTYPES += [order + kind for order in "<>" for kind in "i2 i4 i8 u2 u4 u8 f2 f4 f8".split()]


class Generator:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def text(self, longest=60):
        return "".join(self.random.choice(LETTERS) for _ in range(self.random.randrange(longest)))

    def integer(self):
        if self.random.random() < 0.5:
            return self.random.randrange(-300, 300)
        edge = self.random.choice(EDGES) + self.random.randrange(-2, 3)
        edge = edge if self.random.random() < 0.6 else -edge
        return min(max(edge, -(2**63)), 2**64 - 1)

    def real(self):
        return struct.unpack(">d", self.random.randbytes(8))[0]

    def array(self):
        dtype = np.dtype(self.random.choice(DTYPES))
        shape = tuple(self.random.randrange(5) for _ in range(self.random.randrange(4)))
        count = int(np.prod(shape)) if shape else 1
        if dtype.kind == "b":
            data = bytes(self.random.randrange(2) for _ in range(count))
        elif dtype.kind == "U":
            data = "".join(self.random.choice("ab\u2603") for _ in range(2 * count)).encode("utf-32-le")
        else:
            data = self.random.randbytes(count * dtype.itemsize)
        array = np.frombuffer(data, dtype, count).reshape(shape)
        return np.asfortranarray(array) if self.random.random() < 0.2 else array

    def leaf(self):
        which = self.random.randrange(17)
        if which < 3:
            return self.integer()
        if which < 5:
            return self.real()
        if which < 8:
            return self.text()
        return [
            lambda: None,
            lambda: self.random.random() < 0.5,
            lambda: self.random.randbytes(self.random.randrange(80)),
            lambda: msgpack.ExtType(self.random.randrange(128), self.random.randbytes(self.random.randrange(20))),
            lambda: self.moment(),
            lambda: self.random.choice([DataKind.WEIGHTS, ParamsType.DIFF, AnalyticsDataType.TEXT, JobMetaKey.JOB_ID]),
            lambda: self.scalar(),
            lambda: self.array(),
            lambda: self.large(),
        ][which - 8]()

    def moment(self):
        moment = datetime.datetime(
            self.random.randrange(1, 10000),
            self.random.randrange(1, 13),
            self.random.randrange(1, 29),
            self.random.randrange(24),
            self.random.randrange(60),
            self.random.randrange(60),
            self.random.choice([0, self.random.randrange(1000000)]),
        )
        if self.random.random() < 0.5:
            seconds = self.random.randrange(-86399, 86400)
            moment = moment.replace(tzinfo=datetime.timezone(datetime.timedelta(seconds=seconds)))
        return moment

    def scalar(self):
        data = self.random.randbytes(8)
        kind = self.random.choice([np.float64, np.int64, np.int32, np.float32])
        if kind is np.float32:
            # A signalling NaN becomes a quiet one on the way through 64 bits, on either side; left out.
            value = np.frombuffer(data, "<f4", 1)[0]
            return np.float32(1.5) if np.isnan(value) else value
        return np.frombuffer(data, kind, 1)[0]

    def large(self):
        length = self.random.choice([1023, 1024, 1500])
        return self.random.choice(["x" * length, "\u2603" * length, b"y" * length, np.zeros(length, "u1")])

    def key(self):
        which = self.random.randrange(12)
        if which == 0:
            return self.random.choice([1, True, 1.0, 0, False, -0.0, 2**53, float(2**53)])
        if which == 1:
            return self.integer()
        if which == 2:
            return self.random.randbytes(3)
        if which == 3:
            return (self.text(5), self.integer())
        if which == 4:
            return JobMetaKey.JOB_NAME
        return self.text(45)

    def dict(self, depth):
        return {self.key(): self.value(depth - 1) for _ in range(self.random.choice([0, 1, 3, 5, 20]))}

    def value(self, depth):
        if depth == 0 or self.random.random() < 0.3:
            return self.leaf()
        few = range(self.random.randrange(6))
        return self.random.choice(
            [
                lambda: [self.value(depth - 1) for _ in few],
                lambda: [self.integer() for _ in range(self.random.randrange(100))],
                lambda: tuple(self.value(depth - 1) for _ in few),
                lambda: {self.random.choice([self.text(9), self.integer()]) for _ in few},
                lambda: self.dict(depth),
                lambda: self.dict(depth),
                lambda: collections.OrderedDict(self.dict(depth)),
                lambda: self.domain(depth - 1),
            ]
        )()

    def domain(self, depth):
        which = self.random.randrange(7)
        if which == 0:
            shareable = Shareable(self.dict(depth + 1))
            shareable.set_header(self.text(20), self.value(depth))
            return shareable
        if which == 1:
            return DXO(self.random.choice([DataKind.WEIGHTS, "METRICS"]), data=self.dict(depth + 1), meta={"m": 1})
        if which == 2:
            context = FLContext()
            for _ in range(3):
                context.put(self.text(20), self.value(depth), self.random.random() < 0.5, self.random.random() < 0.5)
            return context
        if which == 3:
            return FLModel(params=self.dict(depth + 1), metrics={"a": self.real()}, current_round=self.random.randrange(9))
        if which == 4:
            return Message(self.text(20), self.value(depth))
        if which == 5:
            return argparse.Namespace(a=self.value(depth), b=self.value(depth))
        return Learnable(self.dict(depth + 1))


REFUSED = {
    "integer above 64 bits": lambda: 2**64,
    "integer below 64 bits": lambda: -(2**63) - 1,
    "array of objects": lambda: np.array([None], dtype=object),
    "scalar of 16 bits": lambda: np.int16(1),
    "half a surrogate pair": lambda: "\ud800",
}


def bench(name, seconds, container):
    make = {
        "100 arrays of 1 MB": lambda: weights(100, 1_000_000),
        "4 arrays of 25 MB": lambda: weights(4, 25_000_000),
        "headers only": lambda: fobs.loads(container),
    }[name]
    value = make()
    # The best form that the reference has: a list of buffers, as its cells write it.
    data = fobs.dumps(value, buffer_list=True)
    joined = b"".join(data) if isinstance(data, list) else data
    # What a receiver has: the chunks of a stream.
    received = [joined[at : at + 1048576] for at in range(0, len(joined), 1048576)] if len(joined) > 1048576 else joined
    encodings = rate(seconds, lambda: fobs.dumps(value, buffer_list=True))
    decodings = rate(seconds, lambda: fobs.loads(received))
    if isinstance(received, list):
        decodings = max(decodings, rate(seconds, lambda: fobs.loads(joined)))
    return len(joined), encodings, decodings


def weights(count, size):
    shareable = Shareable()
    shareable["weights"] = {f"layer-{at}": np.full(size // 4, at, np.float32) for at in range(count)}
    return shareable


def rate(seconds, action):
    action()
    done = 0
    start = time.perf_counter()
    while (spent := time.perf_counter() - start) < seconds or done < 3:
        for _ in range(1 if done < 100 else 100):
            action()
            done += 1
    return done / spent


def split(body):
    parts = []
    while body:
        (length,) = struct.unpack(">I", body[:4])
        parts.append(bytes(body[4 : 4 + length]))
        body = body[4 + length :]
    return parts


def join(*parts):
    parts = [part.encode() if isinstance(part, str) else part for part in parts]
    return b"".join(struct.pack(">I", len(part)) + part for part in parts)


def answer(tag, body):
    if tag == b"G":
        generator = Generator(int.from_bytes(body, "big"))
        value = generator.value(5)
        threshold = generator.random.choice([0, 1024, 2048])
        data = fobs.dumps(value, max_value_size=threshold or None)
        return join(note(fobs.loads(data)), data, str(threshold))
    if tag == b"R":
        container, threshold = split(body)
        value = fobs.loads(container)
        return join(note(value), fobs.dumps(value, max_value_size=int(threshold) or None))
    if tag == b"X":
        try:
            fobs.dumps(REFUSED[body.decode()]())
        except Exception as error:
            return str(error).encode("ascii", "backslashreplace")
        return b""
    if tag == b"B":
        name, seconds, container = split(body)
        return join(*map(str, bench(name.decode(), float(seconds), container)))
    raise ValueError(f"unknown tag {tag}")


def main():
    register()
    os.environ.setdefault("NVFLARE_DATUM_DIR", os.path.join(os.environ.get("TMPDIR", "/tmp"), "fobs-driver-datums"))
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    while True:
        head = requests.read(5)
        if len(head) < 5:
            return
        tag, length = head[:1], struct.unpack(">I", head[1:])[0]
        body = requests.read(length)
        try:
            tag, body = b"A", answer(tag, body)
        except Exception as error:
            tag, body = b"E", f"{type(error).__name__}: {error}".encode("utf-8", "backslashreplace")
        answers.write(tag + struct.pack(">I", len(body)) + body)
        answers.flush()


if __name__ == "__main__":
    main()
