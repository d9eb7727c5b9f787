//! Tables by numbers that this cell has given itself: nobody can choose such keys to collide, so their hash has no secret.

use std::collections::HashMap;

use foldhash::fast::FixedState;

/// A table whose keys are numbers of this cell's own. Not for keys that a peer chooses.
pub(crate) type ByNumber<K, V> = HashMap<K, V, FixedState>;
