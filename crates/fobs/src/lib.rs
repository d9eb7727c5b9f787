//! The payload codec: FOBS objects, read and written as the reference does, without copying a model.
