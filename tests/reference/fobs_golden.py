"""Makes the golden containers of crates/fobs/testdata/golden with the reference.

    python tests/reference/fobs_golden.py crates/fobs/testdata/golden

For each object: NAME.bin, the container, and a line in manifest.json: the object in the notation of fobs_notation.py,
what the file shows, and whether an encoder can be expected to make the same bytes. The ids of datums, and those of
admin messages, count up instead of being random, so that a second run makes the same files.
"""

import argparse
import collections
import datetime
import json
import math
import os
import struct
import sys
import time
import uuid

import msgpack
import numpy as np

counter = 0


def counted():
    global counter
    counter += 1
    return uuid.UUID(f"11111111-1111-4111-8111-{counter:012x}")


uuid.uuid4 = counted
time.time = lambda: 1767323045.25
os.environ["NVFLARE_DATUM_DIR"] = os.environ.get("TMPDIR", "/tmp") + "/fobs-golden-datums"

from fobs_notation import note, register  # noqa: E402
from nvflare.apis.analytix import AnalyticsDataType, LogWriterName  # noqa: E402
from nvflare.apis.client import Client  # noqa: E402
from nvflare.apis.dxo import DXO, DataKind, MetaKey  # noqa: E402
from nvflare.apis.fl_constant import ReturnCode  # noqa: E402
from nvflare.apis.fl_context import FLContext  # noqa: E402
from nvflare.apis.fl_snapshot import RunSnapshot  # noqa: E402
from nvflare.apis.job_def import JobMetaKey  # noqa: E402
from nvflare.apis.shareable import ReservedHeaderKey, Shareable, make_reply  # noqa: E402
from nvflare.apis.signal import Signal  # noqa: E402
from nvflare.apis.workspace import Workspace  # noqa: E402
from nvflare.app_common.abstract.fl_model import FLModel, ParamsType  # noqa: E402
from nvflare.app_common.abstract.learnable import Learnable  # noqa: E402
from nvflare.app_common.abstract.model import make_model_learnable  # noqa: E402
from nvflare.app_common.abstract.statistics_spec import (  # noqa: E402
    Bin,
    BinRange,
    DataType,
    Feature,
    Histogram,
    HistogramType,
    StatisticConfig,
)
from nvflare.edge.web.models.device_info import DeviceInfo  # noqa: E402
from nvflare.fuel.utils import fobs  # noqa: E402
from nvflare.fuel.utils.fobs import FOBSContextKey  # noqa: E402
from nvflare.fuel.utils.fobs.datum import Datum  # noqa: E402
from nvflare.fuel.utils.fobs.decomposers.via_downloader import LazyDownloadRef  # noqa: E402
from nvflare.private.admin_defs import Message, ok_reply  # noqa: E402
from nvflare.private.fed.server.run_info import RunInfo  # noqa: E402
from nvflare.private.fed.server.server_state import HotState  # noqa: E402

DTYPES = "b1 i1 i2 i4 i8 u1 u2 u4 u8 f2 f4 f8".split()


class StandInCell:
    """What the download decomposer asks of a cell while it encodes: its address, and a service that takes arrays."""

    def get_fqcn(self):
        return "server.job1"

    def register_request_cb(self, *args, **kwargs):
        pass

    def get_fobs_context(self, props=None):
        return {}


class Plain:
    """A data class that the reference does not know."""

    def __init__(self, **attributes):
        self.__dict__.update(attributes)


def natives():
    yield "none", None, "nothing"
    yield "true", True, "truth"
    yield "false", False, "truth"
    for edge in (0, 127, 128, 255, 256, 65535, 65536, 2**32 - 1, 2**32, 2**63 - 1, 2**63, 2**64 - 1):
        yield f"int_{edge}", edge, "an edge of the integer forms"
    for edge in (1, 32, 33, 128, 129, 32768, 32769, 2**31, 2**31 + 1, 2**63):
        yield f"int_minus_{edge}", -edge, "an edge of the integer forms"
    for name, number in {
        "zero": 0.0,
        "minus_zero": -0.0,
        "smallest": 5e-324,
        "largest": sys.float_info.max,
        "infinite": math.inf,
        "minus_infinite": -math.inf,
        "nan": math.nan,
        "nan_payload": struct.unpack(">d", bytes.fromhex("fff80000deadbeef"))[0],
    }.items():
        yield f"float_{name}", number, "always in 64 bits"
    for length in (0, 1, 31, 32, 38, 39, 255, 256, 65535, 65536):
        yield f"text_{length}", "t" * length, "an edge of the text forms"
    yield "text_unicode", "h\u00e9llo \u2603 \U0001f600 \x00 \u202e", "utf-8"
    for length in (0, 1, 255, 256, 65536):
        yield f"bytes_{length}", bytes(at % 251 for at in range(length)), "an edge of the byte string forms"
    yield "bytes_of_bytearray", bytearray(b"ab"), "comes back as bytes"
    yield "bytes_of_memoryview", memoryview(b"ab"), "comes back as bytes"
    for length in (0, 15, 16, 40):
        yield f"list_{length}", list(range(length)), "an edge of the list forms; long ones of numbers"
        yield f"map_{length}", {f"k{at}": at for at in range(length)}, "an edge of the map forms"
    yield "list_65536", [None] * 65536, "an edge of the list forms"
    yield "list_of_floats", [at / 7 for at in range(100)], "numbers"
    yield "list_mixed", [1] * 40 + ["not a number"], "long, and not of numbers only"
    yield "nested", [1, [2, [3, None]], {"a": {"b": b"c"}}], "containers in containers"
    yield "map_keys", {1: "a", None: "b", 1.5: "c", True: "hidden", b"x": "d", (1, "t"): "e"}, "keys of many kinds"
    yield "map_enum_key", {JobMetaKey.JOB_CLIENTS: ["site-1"]}, "a key that is an envelope"
    yield "ext", msgpack.ExtType(5, b"zz"), "msgpack extension"
    yield "timestamp", msgpack.Timestamp(1, 2), "msgpack timestamp"


def builtins():
    yield "tuple", (1, "a", (2,), ()), "nested tuples"
    yield "tuple_long", tuple(range(50)), "a tuple of many numbers"
    yield "set", {7}, "one member, so that the order is known"
    yield "set_empty", set(), "no member"
    yield "ordered_dict", collections.OrderedDict([("b", 1), ("a", {"x": (1,)}), (3, None)]), "list of pairs"
    yield "datetime", datetime.datetime(2026, 1, 2, 3, 4, 5, 678), "no zone"
    yield "datetime_utc", datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc), "zone"
    zone = datetime.timezone(-datetime.timedelta(hours=3, minutes=30, seconds=1))
    yield "datetime_zone", datetime.datetime(2024, 2, 29, 23, 59, 59, 999999, tzinfo=zone), "odd zone"
    yield "enum_data_kind", DataKind.WEIGHT_DIFF, "an enum that is a text as well"
    yield "enum_params_type", ParamsType.DIFF, "enum"
    yield "enum_analytics", AnalyticsDataType.SCALAR, "enum"
    yield "enum_log_writer", LogWriterName.TORCH_TB, "enum"


def arrays():
    for name in DTYPES:
        yield f"array_{name}", np.arange(6).reshape(2, 3).astype(name), "every element type"
        if np.dtype(name).itemsize > 1:
            yield f"array_{name}_big_endian", np.arange(3).astype(">" + name), "every element type, big endian"
        yield f"array_{name}_0d", np.array(1).astype(name), "a single element"
        yield f"array_{name}_empty", np.zeros((0, 3), name), "no elements"
        yield f"array_{name}_fortran", np.asfortranarray(np.arange(6).reshape(2, 3).astype(name)), "column by column"
    yield "array_c8", np.array([1 + 2j], "c8"), "complex"
    yield "array_c16", np.array([1 + 2j, -1j], "c16"), "complex"
    yield "array_bytes", np.array([b"a", b"bc"]), "byte strings"
    yield "array_text", np.array(["a", "b\u2603"]), "texts"
    yield "array_moment", np.array(["2026-01-01"], "M8[D]"), "moments"
    yield "array_duration", np.array([5, 6], "m8[25us]"), "durations"
    yield "array_void", np.array([b"abc"], "V3"), "void"
    yield "array_strided", np.arange(12, dtype="f4").reshape(3, 4)[:, ::2], "not contiguous; sent as if it were"
    yield "array_nan", np.frombuffer(bytes.fromhex("efbeadde0000f8ff0000f87f0000807f"), "<f4"), "NaN payloads"
    yield "array_5d", np.arange(32, dtype="i2").reshape(2, 2, 2, 2, 2), "five axes"
    yield "array_long_axis", np.zeros((1, 1234567, 0), "u1"), "digits of an axis"
    yield "array_1k", np.arange(1000, dtype="f4"), "larger than what is copied into the main body's buffer"
    for scalar in (np.float64(1.5), np.float32(0.1), np.int64(-(2**63)), np.int32(2**31 - 1), np.float64("nan")):
        yield f"scalar_{scalar.dtype}_{str(scalar)[:4].strip('-')}", scalar, "numpy scalar"


def domain():
    yield "shareable_empty", Shareable(), "headers only"
    shareable = Shareable()
    shareable.set_header(ReservedHeaderKey.TASK_NAME, "train")
    shareable.set_header(ReservedHeaderKey.TASK_ID, "2f1c2b3a-0000-4000-8000-1234567890ab")
    shareable.add_cookie("__task_id__", "abc")
    shareable.set_peer_props({"__run_num__": "job1", "__identity_name__": "site-1"})
    shareable.set_return_code(ReturnCode.EXECUTION_EXCEPTION)
    shareable["body"] = {"x": [1, 2, 3]}
    yield "shareable", shareable, "headers, cookies, peer properties, return code, body"
    yield "shareable_reply", make_reply(ReturnCode.TASK_ABORTED, {"why": "because"}), "reply"

    context = FLContext()
    context.put("__identity_name__", "site-1", private=False, sticky=True)
    context.put("__run_num__", "job1", private=False, sticky=False)
    context.put("secret", {"deep": (1, 2)}, private=True, sticky=False)
    context.put("both", 5, private=True, sticky=True)
    yield "fl_context", context, "properties of every visibility"
    with_context = Shareable()
    with_context.set_peer_context(context)
    yield "shareable_peer_context", with_context, "a context in a header"

    meta = {MetaKey.NUM_STEPS_CURRENT_ROUND: 12, MetaKey.FILTER_HISTORY: ["a"]}
    weights = {"w": np.arange(4, dtype="f4"), "b": np.float64(0.5)}
    yield "dxo", DXO(DataKind.WEIGHTS, data=weights, meta=meta), "by itself"
    yield "dxo_in_shareable", DXO(DataKind.WEIGHT_DIFF, data=weights, meta=meta).to_shareable(), "in a shareable"
    yield "dxo_text_kind", DXO("METRICS", data={"acc": 0.5}).to_shareable(), "kind as text"
    collection = DXO(DataKind.COLLECTION, data={"one": DXO(DataKind.METRICS, data={"a": 1})})
    yield "dxo_collection", collection.to_shareable(), "of others"
    yield "fl_model", FLModel(
        params_type=ParamsType.FULL,
        params={"w": np.arange(2.0)},
        optimizer_params={"lr": 0.1},
        metrics={"acc": 0.5},
        start_round=0,
        current_round=1,
        total_rounds=3,
        meta={"k": "v"},
    ), "all fields"
    yield "fl_model_metrics", FLModel(metrics={"loss": 1.0}), "no parameters"
    yield "learnable", Learnable({"a": 1}), "learnable"
    yield "model_learnable", make_model_learnable(weights, {"round": 1}), "weights and meta"
    yield "signal", Signal(), "not triggered"
    triggered = Signal(Signal())
    triggered.trigger("stop")
    yield "signal_triggered", triggered, "triggered, with a parent"
    workspace = Workspace.__new__(Workspace)
    workspace.root_dir, workspace.site_name, workspace.config_folder = "/w", "site-1", "config"
    yield "workspace", workspace, "folders"
    yield "client", Client("site-1", "token-1"), "record of a client"
    yield "admin_message", Message("train.start_job", {JobMetaKey.JOB_ID: "j"}), "request"
    yield "admin_reply", ok_reply(body="done", meta={"status": "ok"}), "reply"
    yield "run_info", RunInfo("job1", "/a"), "what runs"
    yield "run_snapshot", RunSnapshot("job1"), "state of components"
    yield "hot_state", HotState("h", "1", "s"), "state of a server"
    yield "namespace", argparse.Namespace(a=1, b=[2]), "arguments"
    yield "unknown_type", Plain(a=1, b={"c": (1, 2)}), "a type that the reader does not know"
    yield "statistics", {
        "histogram": Histogram(HistogramType.STANDARD, [Bin(0.0, 1.0, 5)], "h"),
        "range": BinRange(0.0, 2.0),
        "feature": Feature("age", DataType.FLOAT),
        "wanted": StatisticConfig("count", {}),
    }, "statistics"
    yield "edge_device", DeviceInfo("dev", "app", platform="p"), "a data class that is a dict"


def set_aside():
    yield "datum_threshold_below", {"b": b"A" * 1023, "t": "t" * 1023}, "one short of the threshold"
    yield "datum_text", "s" * 1024, "a text at the threshold"
    yield "datum_text_characters", {"short": "\u2603" * 1023, "long": "\u2603" * 1024}, "characters count, not bytes"
    yield "datum_blob", {"b": bytes(range(256)) * 4}, "bytes at the threshold"
    yield "datum_key", {"k" * 2000: 1}, "keys stay"
    yield "datum_array", {"w": np.arange(1024, dtype="f4")}, "an array's file at the threshold"
    big = [b"%d" % at * 1100 for at in range(10)]
    yield "datum_order", {
        "first": big[0],
        "tuple": (big[1], [big[2]], (big[3],), {"x": big[4]}),
        "array": np.frombuffer(big[5], "u1"),
        "ordered": collections.OrderedDict([("o", big[6])]),
        "shareable": Shareable({"s": big[7]}),
        "dxo": DXO(DataKind.APP_DEFINED, data={"d": big[8]}),
        "last": big[9],
    }, "order of datums: those of an envelope before those of envelopes within"
    yield "datum_of_application", [
        Datum.text_datum("text"),
        Datum.blob_datum(b"blob"),
        {"in": Datum.blob_datum(b"x" * 2000)},
    ], "datums that an application made"


def downloads(cell):
    array = np.arange(3, dtype="f4")
    context = {FOBSContextKey.CELL: cell}
    yield "remote", Shareable({"w": array, "b": np.ones(1), "again": array}), context, "arrays by reference"
    lazy = [LazyDownloadRef("server.job1", "ref-1", f"T{at}", 3) for at in range(2)]
    yield "remote_passed_on", {"w": lazy[0], "v": (lazy[1],)}, {}, "references that go on"


def main(folder):
    register()
    os.makedirs(folder, exist_ok=True)
    manifest = []

    def keep(name, value, shows, noted=None, threshold=None, context=None, same=True):
        data = fobs.dumps(value, max_value_size=threshold, fobs_ctx=context)
        if noted is None:
            noted = note(fobs.loads(data))
        with open(os.path.join(folder, name + ".bin"), "wb") as file:
            file.write(data)
        entry = {"name": name, "shows": shows, "notation": noted, "same_bytes": same}
        if threshold:
            entry["max_value_size"] = threshold
        manifest.append(entry)

    fobs.add_type_name_whitelist()
    for source in (natives, builtins, arrays, domain):
        for name, value, shows in source():
            noted = None
            if name == "workspace":
                noted = note(value)
            keep(name, value, shows, noted)
    for name, value, shows in set_aside():
        keep(name, value, shows, threshold=1024)

    path = os.path.join(os.environ.get("TMPDIR", "/tmp"), "fobs-golden-file")
    with open(path, "wb") as file:
        file.write(b"file content")
    keep("datum_file", {"f": Datum.file_datum(path)}, "a file")
    keep("set_many", {1, "a", 2.5, (1,)}, "the order of a set is not defined", same=False)

    from nvflare.fuel.utils.fobs.decomposers import via_downloader

    via_downloader.ViaDownloaderDecomposer._finalize_download_tx = lambda self, mgr: None
    for name, value, context, shows in downloads(StandInCell()):
        data = fobs.dumps(value, fobs_ctx=dict(context))
        data_notation = note(fobs.loads(data, fobs_ctx={FOBSContextKey.PASS_THROUGH: True}))
        with open(os.path.join(folder, name + ".bin"), "wb") as file:
            file.write(data)
        manifest.append({"name": name, "shows": shows, "notation": data_notation, "same_bytes": name != "remote"})

    refused = []
    structured = np.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")])
    data = fobs.dumps(structured)
    with open(os.path.join(folder, "refused_structured.bin"), "wb") as file:
        file.write(data)
    for name, value in {
        "int_too_large": 2**64,
        "int_too_small": -(2**63) - 1,
        "array_of_objects": np.array([None], dtype=object),
        "scalar_int16": np.int16(1),
        "scalar_bool": np.bool_(True),
    }.items():
        try:
            fobs.dumps(value)
            raise SystemExit(f"{name} was expected to be refused")
        except RuntimeError as error:
            refused.append({"name": name, "error": str(error)[:200]})

    with open(os.path.join(folder, "manifest.json"), "w") as file:
        json.dump({"objects": manifest, "refused_by_the_reference": refused}, file, indent=1)
        file.write("\n")
    print(f"{len(manifest)} containers")


if __name__ == "__main__":
    main(sys.argv[1])
