"""Makes the archives of this folder that are not published vectors: run with numpy installed, in this folder."""

import io
import sys
import zipfile

import numpy as np

ARRAYS = {"a": np.asfortranarray(np.arange(6.0).reshape(2, 3)), "b": np.zeros(0)}
np.savez("several.npz", **ARRAYS)
np.savez_compressed("compressed.npz", **ARRAYS)


class Pipe(io.RawIOBase):
    """Something that cannot seek."""

    def __init__(self):
        self.content = b""

    def writable(self):
        return True

    def write(self, data):
        self.content += bytes(data)
        return len(data)


pipe = Pipe()
with zipfile.ZipFile(pipe, "w") as archive:
    for name, array in ARRAYS.items():
        with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w") as member:
            np.lib.format.write_array(member, array)
with open("piped.npz", "wb") as out:
    out.write(pipe.content)


class Hole(io.RawIOBase):
    """A file whose long middle is not kept."""

    def __init__(self):
        self.at, self.end, self.tail = 0, 0, {}

    def writable(self):
        return True

    def seekable(self):
        return True

    def seek(self, at, whence=0):
        self.at = at if whence == 0 else self.end + at
        return self.at

    def tell(self):
        return self.at

    def write(self, data):
        if len(data) < 4096:
            for index, byte in enumerate(bytes(data)):
                self.tail[self.at + index] = byte
        self.at += len(data)
        self.end = max(self.end, self.at)
        return len(data)


# 3 GiB of zeros; the sum is set to zero afterwards, since the test does not have the content.
hole = Hole()
chunk = bytes(1 << 24)
header = io.BytesIO()
np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": (3 << 30,)})
with zipfile.ZipFile(hole, "w", allowZip64=True) as archive:
    with archive.open("T0.npy", "w", force_zip64=True) as member:
        member.write(header.getvalue())
        for _ in range(3 << 6):
            member.write(chunk)
start = archive.start_dir
tail = bytearray(hole.tail[at] for at in range(start, hole.end))
tail[16:20] = bytes(4)
with open("long_tail.hex", "w") as out:
    out.write(tail.hex() + "\n")
