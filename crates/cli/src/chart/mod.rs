//! The curve of a training run: as a picture, and in a terminal.

mod svg;
mod terminal;

pub(crate) use svg::svg;
pub(crate) use terminal::terminal;

/// What is drawn.
#[derive(Debug, Clone, Default)]
pub(crate) struct Curve {
    /// Stands above it.
    pub(crate) title: String,
    /// Accuracy after each round, from 0 to 1; the first is that of the model at the beginning.
    pub(crate) accuracy: Vec<f64>,
    /// Accuracy that is to be reached.
    pub(crate) target: Option<f64>,
}

impl Curve {
    /// Rounds and accuracies, of finite ones only.
    fn points(&self) -> Vec<(f64, f64)> {
        #[expect(clippy::cast_precision_loss, reason = "few rounds")]
        let numbered = self.accuracy.iter().enumerate().map(|(round, accuracy)| (round as f64, *accuracy));
        numbered.filter(|(_, accuracy)| accuracy.is_finite()).collect()
    }

    /// Number of the last round, at least 1 so that the axis has a length.
    #[expect(clippy::cast_precision_loss, reason = "few rounds")]
    fn last(&self) -> f64 {
        self.accuracy.len().saturating_sub(1).max(1) as f64
    }
}
