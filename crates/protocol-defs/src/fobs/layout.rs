//! Sizes, offsets, thresholds and positions inside a FOBS container.

use crate::table::wire_table;

wire_table! {
    /// First byte of a section: what its body is.
    ///
    /// A container has exactly one main section, and it is the first. Any number of datum sections follow, in the
    /// order in which the sender set the values aside; a datum that nothing refers to is allowed.
    names SectionMarker(u8) in "fobs.section_marker";

    /// The object itself, one msgpack value. The dot byte of this section is zero and ignored.
    MAIN = 100, from "nvflare.fuel.utils.fobs.lobs:MARKER_MAIN";
    /// A text that was set aside: datum id, then UTF-8.
    DATUM_TEXT = 101, from "nvflare.fuel.utils.fobs.lobs:MARKER_DATUM_TEXT";
    /// Bytes that were set aside: datum id, then the bytes.
    DATUM_BLOB = 102, from "nvflare.fuel.utils.fobs.lobs:MARKER_DATUM_BLOB";
    /// Content of a file of the sender: datum id, then the content; the receiver keeps it as a file of its own.
    DATUM_FILE = 103, from "nvflare.fuel.utils.fobs.lobs:MARKER_DATUM_FILE";
}

wire_table! {
    /// Offsets and sizes, in bytes, of a section's header. The size field is unsigned and big endian.
    quantities SectionLayout in "fobs.section";

    /// Size of the whole header.
    HEADER_SIZE: usize = 10, from "nvflare.fuel.utils.fobs.lobs:HEADER_LEN";
    /// Offset of the marker, see [`SectionMarker`].
    MARKER_OFFSET: usize = 0, from "struct:nvflare.fuel.utils.fobs.lobs:HEADER_STRUCT:0:offset";
    /// Size of the marker.
    MARKER_SIZE: usize = 1, from "struct:nvflare.fuel.utils.fobs.lobs:HEADER_STRUCT:0:size";
    /// Offset of the datum object type, see [`DatumObjectType`](super::DatumObjectType).
    DOT_OFFSET: usize = 1, from "struct:nvflare.fuel.utils.fobs.lobs:HEADER_STRUCT:1:offset";
    /// Size of the datum object type.
    DOT_SIZE: usize = 1, from "struct:nvflare.fuel.utils.fobs.lobs:HEADER_STRUCT:1:size";
    /// Offset of the body's size, which counts a datum's id as well. A size of zero is refused, and so is a datum
    /// of nothing but its id.
    SIZE_OFFSET: usize = 2, from "struct:nvflare.fuel.utils.fobs.lobs:HEADER_STRUCT:2:offset";
    /// Size of the body's size.
    SIZE_SIZE: usize = 8, from "struct:nvflare.fuel.utils.fobs.lobs:HEADER_STRUCT:2:size";
    /// Size of a datum's id, a UUID as raw bytes, at the start of a datum's body. In the main body the same id is
    /// written as text with hyphens.
    DATUM_ID_SIZE: usize = 16, from "nvflare.fuel.utils.fobs.lobs:DATUM_ID_LEN";
}

wire_table! {
    /// Sizes at which an encoder sets a value aside or splits it.
    quantities Thresholds in "fobs.threshold";

    /// A text of this many characters, or a byte string of this many bytes, or more, becomes a datum, wherever it
    /// stands as a value of a map, an item of a list or a part of a reduced form; map keys never do. Default of the
    /// encoder's `max_value_size`.
    MAX_VALUE_SIZE: usize = 10485760, from "nvflare.fuel.utils.fobs.datum:TEN_MEGA";
    /// The smallest `max_value_size` that an encoder accepts.
    MIN_MAX_VALUE_SIZE: usize = 1024, from "nvflare.fuel.utils.fobs.datum:MIN_THRESHOLD";
    /// Bytes of one read when a file becomes a datum.
    FILE_READ_SIZE: usize = 1048576, from "nvflare.fuel.utils.fobs.lobs:MAX_BYTES_PER_READ";
    /// Bytes up to which several arrays are put into one reply of a download; an array that is larger goes alone.
    /// Zero, set in the configuration, switches download references off: arrays travel in their native form.
    ARRAY_CHUNK_SIZE: usize = 2097152, from "nvflare.app_common.np.np_downloader:_TWO_MB";
    /// Levels of lists and maps that the reference's msgpack decoder follows before it gives up. A container that
    /// nests deeper reaches no peer.
    NESTING: usize = 1024;
}

wire_table! {
    /// Fixed numbers of the `.npy` format, version 1.0, in which an array's native form is written.
    ///
    /// ```text
    ///  0        6    7    8         10                        a multiple of 64
    ///  ┌────────┬────┬────┬─────────┬─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─┬─ ─ ─ ─ ─ ─ ─ ─
    ///  │ magic  │ 1  │ 0  │ length  │ {'descr': …, }     \n   │ elements
    ///  └────────┴────┴────┴─────────┴─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─┴─ ─ ─ ─ ─ ─ ─ ─
    ///                       u16 LE    Python literal, spaces
    /// ```
    quantities NpyLayout in "fobs.npy";

    /// Size of the magic (`0x93`, then `NUMPY`) and the two version bytes.
    MAGIC_SIZE: usize = 8, from "numpy.lib.format:MAGIC_LEN";
    /// First byte of the magic.
    MAGIC_FIRST: u8 = 147;
    /// Major version that is written.
    VERSION_MAJOR: u8 = 1;
    /// Minor version that is written.
    VERSION_MINOR: u8 = 0;
    /// Offset of the header's length, little endian.
    LENGTH_OFFSET: usize = 8;
    /// Size of the header's length in version 1.
    LENGTH_SIZE: usize = 2;
    /// The elements start at a multiple of this; the header is filled up with spaces and one line feed.
    ALIGNMENT: usize = 64, from "numpy.lib.format:ARRAY_ALIGN";
    /// Spaces are left so that the first number of the shape (the last, in Fortran order) could grow to this many
    /// digits without moving the elements.
    GROWTH_DIGITS: usize = 21, from "numpy.lib._format_impl:GROWTH_AXIS_MAX_DIGITS";
    /// Largest header, in bytes, that the reference's reader accepts.
    MAX_HEADER_SIZE: usize = 10000, from "numpy.lib._format_impl:_MAX_HEADER_SIZE";
}

wire_table! {
    /// Positions in the list that a reduced `FLContext` is.
    quantities ContextLayout in "fobs.context_layout";

    /// The context's model, usually none.
    MODEL: usize = 0;
    /// The properties, a map from name to a map with the keys of [`ContextKey`](super::ContextKey).
    PROPS: usize = 1;
    /// Number of items.
    LEN: usize = 2;
}

wire_table! {
    /// Positions in the list that a reduced `Workspace` is; each item is a text.
    quantities WorkspaceLayout in "fobs.workspace_layout";

    /// Root folder.
    ROOT_DIR: usize = 0;
    /// Name of the site.
    SITE_NAME: usize = 1;
    /// Name of the configuration folder below an application's folder.
    CONFIG_FOLDER: usize = 2;
    /// Number of items.
    LEN: usize = 3;
}

wire_table! {
    /// Positions in the tuple that a bare `DXO` is reduced to.
    ///
    /// A DXO inside a shareable is a plain map instead; only one that travels by itself is an envelope.
    quantities DxoLayout in "fobs.dxo_layout";

    /// Data kind, an enum member or its text.
    KIND: usize = 0;
    /// Meta properties, a map.
    META: usize = 1;
    /// The data, a map unless the kind is application defined.
    DATA: usize = 2;
    /// Number of items.
    LEN: usize = 3;
}

wire_table! {
    /// Positions in the tuple that an `FLModel` is reduced to.
    quantities FlModelLayout in "fobs.fl_model_layout";

    /// Type of the parameters, an enum member, or none if there are no parameters.
    PARAMS_TYPE: usize = 0;
    /// Parameters, usually a map from name to array; or none.
    PARAMS: usize = 1;
    /// Parameters of the optimizer, or none.
    OPTIMIZER_PARAMS: usize = 2;
    /// Metrics, a map from name to number; or none.
    METRICS: usize = 3;
    /// First round, or none.
    START_ROUND: usize = 4;
    /// Current round, or none.
    CURRENT_ROUND: usize = 5;
    /// Number of rounds, or none.
    TOTAL_ROUNDS: usize = 6;
    /// Meta properties, a map.
    META: usize = 7;
    /// Number of items.
    LEN: usize = 8;
}
