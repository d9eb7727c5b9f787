//! Keys of the maps that FOBS itself writes.

use crate::table::wire_table;

wire_table! {
    /// Keys of an envelope: the map that stands for an object which msgpack does not know.
    ///
    /// A map that has the first key is an envelope, wherever it stands, as the key of another map too. The reference
    /// writes the three in this order and ignores further ones.
    names EnvelopeKey(str) in "fobs.envelope";

    /// Name of the object's type, see [`TypeName`](super::TypeName). Text.
    TYPE = "__fobs_type__", from "nvflare.fuel.utils.fobs.fobs:FOBS_TYPE";
    /// The reduced form; its shape depends on the type. An envelope without it is refused.
    DATA = "__fobs_data__", from "nvflare.fuel.utils.fobs.fobs:FOBS_DATA";
    /// Name of the class that reduced it, see [`DecomposerName`](super::DecomposerName). Text; looked at only when
    /// the receiver does not know the type.
    DECOMPOSER = "__fobs_dc__", from "nvflare.fuel.utils.fobs.fobs:FOBS_DECOMPOSER";
}

wire_table! {
    /// Keys of the map that an instance of a data class is reduced to.
    names DataClassKey(str) in "fobs.data_class";

    /// The instance's attributes, a map from name to value.
    DATA = "data", from "nvflare.fuel.utils.fobs.decomposer:DATA_CONTENT";
    /// The entries, if the class is a kind of dict.
    DICT = "dict", from "nvflare.fuel.utils.fobs.decomposer:DICT_CONTENT";
    /// The items, if the class is a kind of list.
    LIST = "list", from "nvflare.fuel.utils.fobs.decomposer:LIST_CONTENT";
}

wire_table! {
    /// Keys of the map that an array or a tensor is reduced to.
    names ArrayKey(str) in "fobs.array";

    /// In which form it travels, see [`ArrayForm`]. Text.
    TYPE = "type", from "nvflare.fuel.utils.fobs.decomposers.via_downloader:EncKey.TYPE";
    /// The bytes, or the item id (`T0`, `T1`, … in the order of first use within the message), depending on the
    /// form. Empty is refused.
    DATA = "data", from "nvflare.fuel.utils.fobs.decomposers.via_downloader:EncKey.DATA";
    /// Datum object type of the download batch to which a passed-on reference belongs. Number; only in the envelope
    /// that a forwarding cell writes.
    LAZY_DOT = "lazy_dot", from "literal:nvflare.fuel.utils.fobs.decomposers.via_downloader";
}

wire_table! {
    /// Forms in which an array or a tensor travels.
    names ArrayForm(str) in "fobs.array_form", from "nvflare.fuel.utils.fobs.decomposers.via_downloader:EncType";

    /// The bytes are here: a `.npy` file for an array, a safetensors file with the one name `t` for a tensor.
    NATIVE = "native";
    /// The bytes are at the cell that the message's download datum names; what is here is the item id.
    REF = "ref";
}

wire_table! {
    /// Keys of the JSON object in a download datum: where the arrays of the message are.
    names DownloadRefKey(str) in "fobs.download_ref", from "nvflare.fuel.utils.fobs.decomposers.via_downloader:_RefKey";

    /// Id of the batch at its source. Text, a UUID.
    REF_ID = "ref_id";
    /// Address of the cell that has the batch. Text.
    FQCN = "fqcn";
}

wire_table! {
    /// Attributes of `DatumRef` and `Datum`.
    ///
    /// A `DatumRef` stands in the main body in the place of a value that was set aside. A `Datum` never crosses the
    /// wire as an envelope of itself: an application's datum leaves a reference and becomes a section.
    names DatumField(str) in "fobs.datum", from "attribute:nvflare.fuel.utils.fobs.datum:Datum";

    /// Id of the datum, a UUID as text with hyphens.
    DATUM_ID = "datum_id";
    /// Whether the receiver puts the plain value back (the encoder set it aside by its size) or hands out a datum
    /// object (the application made one). Boolean; a file stays a datum either way.
    UNWRAP = "unwrap", from "attribute:nvflare.fuel.utils.fobs.datum:DatumRef";
    /// Kind of the datum, a member of [`DatumType`](super::DatumType).
    DATUM_TYPE = "datum_type";
    /// Datum object type, see [`DatumObjectType`](super::DatumObjectType).
    DOT = "dot";
    /// The text, the bytes, or the path of the file.
    VALUE = "value";
}

wire_table! {
    /// Keys of one property in a reduced `FLContext`.
    names ContextKey(str) in "fobs.context";

    /// The property's value.
    VALUE = "value", from "nvflare.apis.fl_context:V";
    /// Its visibility, bits of [`ContextMask`]. Number.
    MASK = "mask", from "nvflare.apis.fl_context:M";
}

wire_table! {
    /// Bits of a context property's mask. Neither set: public, and only of this context.
    names ContextMask(u8) in "fobs.context_mask";

    /// The property goes on into every later context of the run.
    STICKY = 1, from "nvflare.apis.fl_context:MASK_STICKY";
    /// The property is for local components; without this bit it is shown to peers.
    PRIVATE = 2, from "nvflare.apis.fl_context:MASK_PRIVATE";
}

wire_table! {
    /// Attributes of the admin message, the data class in which a server tells a site what to do and a site answers.
    names MessageField(str) in "fobs.message", from "attribute:nvflare.private.admin_defs:Message";

    /// Id of this message, a UUID as text.
    ID = "id";
    /// Topic, by which the receiver finds the processor; `reply` in an answer.
    TOPIC = "topic";
    /// Body: text, bytes or any object, depending on the topic.
    BODY = "body";
    /// Headers, a map from text to text.
    HEADERS = "headers";
}

wire_table! {
    /// Attributes of `Client`, the server's record of a client, which it sends to the processes of a job.
    names ClientField(str) in "fobs.client", from "attribute:nvflare.apis.client:Client";

    /// Name of the client.
    NAME = "name";
    /// Its token.
    TOKEN = "token";
    /// When it was last heard of, seconds since 1970 as a float.
    LAST_CONNECT_TIME = "last_connect_time";
    /// Properties, a map: address, place in the hierarchy, whether it is a leaf, organization.
    PROPS = "props";
}

wire_table! {
    /// Attributes of `Signal`, the abort flag.
    names SignalField(str) in "fobs.signal", from "attribute:nvflare.apis.signal:Signal";

    /// What was given when it was triggered, or none.
    VALUE = "_value";
    /// When it was triggered, seconds since 1970 as a float; or none.
    TRIGGER_TIME = "_trigger_time";
    /// Whether it was.
    TRIGGERED = "_triggered";
    /// A signal that counts as well, or none.
    PARENT = "_parent";
}

wire_table! {
    /// Attributes of `RunInfo`, a server job's answer to the question what it is running.
    names RunInfoField(str) in "fobs.run_info", from "attribute:nvflare.private.fed.server.run_info:RunInfo";

    /// Id of the job.
    JOB_ID = "job_id";
    /// When it started, seconds since 1970 as a float.
    START_TIME = "start_time";
    /// Folder of the application.
    APP_PATH = "app_path";
    /// Status of the machine, text.
    STATUS = "status";
}

wire_table! {
    /// Attributes of `RunSnapshot`, the state of a run's components.
    names RunSnapshotField(str) in "fobs.run_snapshot", from "attribute:nvflare.apis.fl_snapshot:RunSnapshot";

    /// A map from component id to that component's state.
    COMPONENT_STATES = "component_states";
    /// Whether the run is complete.
    COMPLETED = "completed";
    /// Id of the job.
    JOB_ID = "job_id";
}

wire_table! {
    /// Keys of the header of a `.npy` file, a Python dict literal in which they stand in this order.
    names NpyKey(str) in "fobs.npy_key";

    /// Element type: byte order, kind and size, as in `<f4`. A list of pairs stands for a structure.
    DESCR = "descr", from "literal:numpy.lib._format_impl";
    /// `True` if the first index varies fastest.
    FORTRAN_ORDER = "fortran_order", from "literal:numpy.lib._format_impl";
    /// Tuple of whole numbers; empty for a single element.
    SHAPE = "shape", from "literal:numpy.lib._format_impl";
}
