//! Kinds of datums, and the objects that a datum may stand for.

use crate::table::wire_table;

wire_table! {
    /// Datum object type, the *dot* byte of a datum section: what the datum's value stands for.
    ///
    /// Not zero means that the receiver hands the datum to the handler of that number before it reads the main body;
    /// a number without a handler is refused.
    names DatumObjectType(u8) in "fobs.dot", from "nvflare.fuel.utils.fobs.dots";

    /// Nothing but its own value.
    NONE = 0, from "default:nvflare.fuel.utils.fobs.datum:Datum.__init__:dot";
    /// Arrays as bytes; reserved by the reference and not sent.
    NUMPY_BYTES = 1;
    /// Arrays in a file; reserved by the reference and not sent.
    NUMPY_FILE = 2;
    /// Arrays to be downloaded: the value is JSON with the keys of [`DownloadRefKey`](super::DownloadRefKey).
    NUMPY_DOWNLOAD = 3;
    /// Tensors as bytes; reserved by the reference and not sent.
    TENSOR_BYTES = 4;
    /// Tensors in a file; reserved by the reference and not sent.
    TENSOR_FILE = 5;
    /// Tensors to be downloaded; value as for arrays.
    TENSOR_DOWNLOAD = 6;
}

wire_table! {
    /// Kind of a datum, as the datum object itself says it.
    names DatumType(u8) in "fobs.datum_type", from "nvflare.fuel.utils.fobs.datum:DatumType";

    /// Text.
    TEXT = 1;
    /// Bytes.
    BLOB = 2;
    /// A file; the value is its path.
    FILE = 3;
}
