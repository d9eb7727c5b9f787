//! Names of the classes that reduce objects.

use crate::table::wire_table;

wire_table! {
    /// Decomposer names in envelopes.
    ///
    /// A sender writes the class that reduced the object. A receiver looks at it only if it does not know the type,
    /// and then refuses all but those that the reference lists as built in. The download decomposers are not in that
    /// list: they work because their types are registered.
    names DecomposerName(str) in "fobs.decomposer";

    /// Tuples.
    TUPLE = "nvflare.fuel.utils.fobs.decomposers.core_decomposers.TupleDecomposer", from "type:";
    /// Sets.
    SET = "nvflare.fuel.utils.fobs.decomposers.core_decomposers.SetDecomposer", from "type:";
    /// Ordered dicts.
    ORDERED_DICT = "nvflare.fuel.utils.fobs.decomposers.core_decomposers.OrderedDictDecomposer", from "type:";
    /// Dates with times.
    DATETIME = "nvflare.fuel.utils.fobs.decomposers.core_decomposers.DatetimeDecomposer", from "type:";
    /// Any enum: the member's name.
    ENUM_TYPE = "nvflare.fuel.utils.fobs.decomposer.EnumTypeDecomposer", from "type:";
    /// Any data class: a map with the keys of [`DataClassKey`](super::DataClassKey).
    DATA_CLASS = "nvflare.fuel.utils.fobs.decomposer.DataClassDecomposer", from "type:";
    /// Kinds of dict, such as shareables and learnables: a plain map.
    DICT = "nvflare.fuel.utils.fobs.decomposer.DictDecomposer", from "type:";
    /// References that a forwarding cell passes on.
    LAZY_DOWNLOAD_REF = "nvflare.fuel.utils.fobs.decomposers.via_downloader.LazyDownloadRefDecomposer", from "type:";

    /// Contexts.
    CONTEXT = "nvflare.apis.utils.decomposers.flare_decomposers.ContextDecomposer", from "type:";
    /// Data exchange objects by themselves.
    DXO = "nvflare.apis.utils.decomposers.flare_decomposers.DXODecomposer", from "type:";
    /// Workspaces.
    WORKSPACE = "nvflare.apis.utils.decomposers.flare_decomposers.WorkspaceDecomposer", from "type:";
    /// Models.
    FL_MODEL = "nvflare.app_common.decomposers.common_decomposers.FLModelDecomposer", from "type:";

    /// Arrays.
    NUMPY_ARRAY = "nvflare.app_common.decomposers.numpy_decomposers.NumpyArrayDecomposer", from "type:";
    /// Scalars of 64-bit float.
    FLOAT64_SCALAR = "nvflare.app_common.decomposers.numpy_decomposers.Float64ScalarDecomposer", from "type:";
    /// Scalars of 32-bit float.
    FLOAT32_SCALAR = "nvflare.app_common.decomposers.numpy_decomposers.Float32ScalarDecomposer", from "type:";
    /// Scalars of 64-bit integer.
    INT64_SCALAR = "nvflare.app_common.decomposers.numpy_decomposers.Int64ScalarDecomposer", from "type:";
    /// Scalars of 32-bit integer.
    INT32_SCALAR = "nvflare.app_common.decomposers.numpy_decomposers.Int32ScalarDecomposer", from "type:";
    /// PyTorch tensors; its module needs PyTorch.
    TENSOR = "nvflare.app_opt.pt.decomposers.TensorDecomposer";
    /// Encrypted vectors; its module needs TenSEAL.
    CKKS_VECTOR = "nvflare.app_opt.he.decomposers.CKKSVectorDecomposer",
        from "literal:nvflare.fuel.utils.fobs.builtin_decomposers";

    /// Bins of histograms.
    BIN = "nvflare.app_common.statistics.statisitcs_objects_decomposer.BinDecomposer", from "type:";
    /// Ranges of histograms.
    BIN_RANGE = "nvflare.app_common.statistics.statisitcs_objects_decomposer.BinRangeDecomposer", from "type:";
    /// Types of features.
    DATA_TYPE = "nvflare.app_common.statistics.statisitcs_objects_decomposer.DataTypeDecomposer", from "type:";
    /// Features.
    FEATURE = "nvflare.app_common.statistics.statisitcs_objects_decomposer.FeatureDecomposer", from "type:";
    /// Histograms.
    HISTOGRAM = "nvflare.app_common.statistics.statisitcs_objects_decomposer.HistogramDecomposer", from "type:";
    /// Types of histograms.
    HISTOGRAM_TYPE = "nvflare.app_common.statistics.statisitcs_objects_decomposer.HistogramTypeDecomposer",
        from "type:";
    /// Wanted statistics.
    STATISTIC_CONFIG = "nvflare.app_common.statistics.statisitcs_objects_decomposer.StatisticConfigDecomposer",
        from "type:";

    /// An application's log of an evolution strategy, allowed by the reference and not part of it.
    CMA_DATA_LOGGER = "cma_decomposer.CMADataLoggerDecomposer",
        from "literal:nvflare.fuel.utils.fobs.builtin_decomposers";
    /// The same application's options.
    CMA_OPTIONS = "cma_decomposer.CMAOptionsDecomposer", from "literal:nvflare.fuel.utils.fobs.builtin_decomposers";
    /// The same application's sampler.
    GAUSS_FULL_SAMPLER = "cma_decomposer.GaussFullSamplerDecomposer",
        from "literal:nvflare.fuel.utils.fobs.builtin_decomposers";
}
