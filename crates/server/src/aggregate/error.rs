//! Why a site's result does not count.

use fedcell_fobs::array::ArrayError;

/// Why a contribution was refused. Nothing of it has been added.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ContributionError {
    /// Another kind of data than the round is about.
    #[error("the result has data of the kind {found}, expected {expected}")]
    Kind {
        /// Kind of the round.
        expected: String,
        /// Kind of the result.
        found: String,
    },
    /// There is no data.
    #[error("the result has no data")]
    Empty,
    /// The site has contributed to this round already.
    #[error("{0} has contributed to this round already")]
    Twice(String),
    /// An entry's name is no text.
    #[error("an entry has {0} for a name, expected text")]
    Name(&'static str),
    /// An entry is nothing that can be averaged.
    #[error("{name} is {found}, expected an array of numbers or a number")]
    Value {
        /// The entry.
        name: String,
        /// What it is.
        found: String,
    },
    /// An array is elsewhere and must be downloaded first.
    #[error("the array {0} is still at the site: download it before it is added")]
    Remote(String),
    /// An entry that the model, or the other results, have not.
    #[error("{0} is not in the model")]
    Unknown(String),
    /// An entry is missing.
    #[error("{0} is missing from the result")]
    Missing(String),
    /// An array of another shape.
    #[error("{name} has the shape {found:?}, expected {expected:?}")]
    Shape {
        /// The entry.
        name: String,
        /// Shape in the model.
        expected: Vec<usize>,
        /// Shape in the result.
        found: Vec<usize>,
    },
    /// An array of another element type.
    #[error("the elements of {name} average to {found}, expected {expected}")]
    Elements {
        /// The entry.
        name: String,
        /// What they are in the model.
        expected: &'static str,
        /// What they are in the result.
        found: &'static str,
    },
    /// NaN or infinity.
    #[error("{0} holds what is not a finite number: the site's training has diverged")]
    NotFinite(String),
    /// The number of steps, or the site's own weight, cannot weigh anything.
    #[error("a weight of {0} cannot be used: expected a positive finite number of steps and weight of the site")]
    Weight(f64),
    /// The number of steps is no number.
    #[error("the number of steps is {0}, expected a number")]
    Steps(&'static str),
    /// More names or elements than may be.
    #[error("the result has {found} {what}, at most {limit} are taken")]
    TooLarge {
        /// Of what there is too much.
        what: &'static str,
        /// How much there may be.
        limit: usize,
        /// How much there is.
        found: usize,
    },
    /// The array's bytes cannot be read.
    #[error("the elements of {name} cannot be read")]
    Array {
        /// The entry.
        name: String,
        /// Why not.
        source: ArrayError,
    },
}

/// Why there is no average.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AggregationError {
    /// Nothing was contributed.
    #[error("there is no result to average")]
    Nothing,
    /// Weights so large that the sum is infinite.
    #[error("the weighted sum of {0} is too large for its elements: lower the weights of the sites")]
    Overflow(String),
    /// An array that cannot be made.
    #[error("the average of {name} cannot be made into an array")]
    Array {
        /// The entry.
        name: String,
        /// Why not.
        source: ArrayError,
    },
}
