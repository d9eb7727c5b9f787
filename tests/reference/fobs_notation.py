"""One text for one object: the notation in which the Rust and the Python side of the tests compare what they hold.

The Rust half is crates/fobs/tests/support/notation.rs; the two must say the same of the same object.
"""

import json
import struct
from collections import OrderedDict
from datetime import datetime
from enum import Enum

import numpy as np
from msgpack import ExtType, Timestamp
from nvflare.apis.utils.decomposers import flare_decomposers
from nvflare.app_common.decomposers import common_decomposers
from nvflare.app_common.statistics import statisitcs_objects_decomposer
from nvflare.fuel.utils import fobs
from nvflare.fuel.utils.class_loader import get_class_name
from nvflare.fuel.utils.fobs import fobs as fobs_module
from nvflare.fuel.utils.fobs.datum import Datum, DatumManager
from nvflare.fuel.utils.fobs.decomposer import DataClassDecomposer
from nvflare.fuel.utils.fobs.decomposers.via_downloader import LazyDownloadRef
from nvflare.private.fed.utils.decomposers import private_decomposers


def register():
    """Registers every type of the reference, as its processes do at the start."""
    flare_decomposers.register()
    common_decomposers.register()
    private_decomposers.register()
    statisitcs_objects_decomposer.fobs_registration()
    fobs_module._register_decomposers()


def text(value):
    return json.dumps(value, ensure_ascii=True)


def note(value):
    kind = type(value)
    if value is None:
        return "none"
    if kind is bool:
        return "true" if value else "false"
    if kind is int:
        return f"int {value}"
    if kind is float:
        return f"float {struct.pack('>d', value).hex()}"
    if kind is str:
        return text(value)
    if kind in (bytes, bytearray, memoryview):
        return f"bytes {bytes(value).hex()}"
    if kind is list:
        return "[" + ", ".join(map(note, value)) + "]"
    if kind is tuple:
        return "tuple (" + ", ".join(map(note, value)) + ")"
    if kind is set:
        return "set {" + ", ".join(sorted(map(note, value))) + "}"
    if kind is dict:
        return entries(value)
    if kind is OrderedDict:
        return "ordered " + entries(value)
    if kind is datetime:
        return f"datetime {value.isoformat()}"
    if kind is ExtType:
        return f"ext {value.code} {value.data.hex()}"
    if kind is Timestamp:
        return f"ext -1 {value.to_bytes().hex()}"
    if kind is np.ndarray:
        return array(value)
    if kind in (np.float64, np.float32):
        return f"scalar {value.dtype.str[1:]} {struct.pack('>d' if kind is np.float64 else '>f', value).hex()}"
    if kind in (np.int64, np.int32):
        return f"scalar {value.dtype.str[1:]} {int(value)}"
    if kind is LazyDownloadRef:
        return f"remote {value.dot} {text(value.fqcn)} {text(value.ref_id)} {text(value.item_id)}"
    if kind is Datum:
        return datum(value)
    name = get_class_name(kind)
    decomposer = fobs_module._decomposers.get(name)
    if isinstance(value, Enum) and name not in (
        "nvflare.app_common.abstract.statistics_spec.DataType",
        "nvflare.app_common.abstract.statistics_spec.HistogramType",
    ):
        return f"enum {name}.{value.name}"
    if decomposer is None:
        decomposer = DataClassDecomposer(kind)
    reduced = decomposer.decompose(value, DatumManager())
    return f"object {name} via {get_class_name(type(decomposer))} {note(reduced)}"


def entries(value):
    return "{" + ", ".join(f"{note(key)}: {note(item)}" for key, item in value.items()) + "}"


def array(value):
    fortran = value.flags.f_contiguous and not value.flags.c_contiguous
    shape = ", ".join(map(str, value.shape))
    order = "F" if fortran else "C"
    return f"array {np.lib.format.dtype_to_descr(value.dtype)} [{shape}] {order} {value.tobytes(order).hex()}"


def datum(value):
    kind = value.datum_type.name.lower()
    if kind == "file":
        with open(value.value, "rb") as file:
            held = note(file.read())
    else:
        held = note(value.value)
    return f"datum {kind} {value.dot} {held}"
