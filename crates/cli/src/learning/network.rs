//! A network of 64 inputs, 32 hidden units with a rectifier, and 10 outputs with a softmax, trained by stochastic
//! gradient descent.

use anyhow::{Context as _, ensure};
use fedcell_fobs::array::Array;
use fedcell_server::Model;

use super::digits::{CLASSES, Image, PIXELS};
use super::random::Random;

/// Hidden units.
const HIDDEN: usize = 32;

/// Names of the arrays of a model, and their shapes.
const ARRAYS: [(&str, &[usize]); 4] = [
    ("hidden.weight", &[PIXELS, HIDDEN]),
    ("hidden.bias", &[HIDDEN]),
    ("output.weight", &[HIDDEN, CLASSES]),
    ("output.bias", &[CLASSES]),
];

/// How a site trains in one round.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Training {
    /// Passes over the share.
    pub(crate) epochs: usize,
    /// Images per step.
    pub(crate) batch: usize,
    /// Step along the gradient.
    pub(crate) rate: f32,
}

impl Default for Training {
    fn default() -> Self {
        Self { epochs: 3, batch: 16, rate: 0.15 }
    }
}

/// How well a network reads images.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Evaluation {
    /// Part of the images that are read rightly.
    pub(crate) accuracy: f64,
    /// Mean cross entropy, in nats.
    pub(crate) loss: f64,
}

/// The network.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Network {
    /// The weights of a pixel stand together.
    hidden: Vec<f32>,
    hidden_bias: [f32; HIDDEN],
    /// The weights of a hidden unit stand together.
    output: Vec<f32>,
    output_bias: [f32; CLASSES],
}

/// What an image makes of the network.
struct Activations {
    hidden: [f32; HIDDEN],
    /// Sum to 1.
    outputs: [f32; CLASSES],
}

impl Network {
    /// Random weights, as He and others have them for rectifiers.
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = Random::new(seed, &[2]);
        let mut weights = |inputs: usize, outputs: usize| {
            #[expect(clippy::cast_precision_loss, reason = "small numbers")]
            let deviation = (2.0 / inputs as f64).sqrt();
            #[expect(clippy::cast_possible_truncation, reason = "weights have 32 bits")]
            (0..inputs * outputs).map(|_| (random.normal() * deviation) as f32).collect::<Vec<_>>()
        };
        Self {
            hidden: weights(PIXELS, HIDDEN),
            hidden_bias: [0.0; HIDDEN],
            output: weights(HIDDEN, CLASSES),
            output_bias: [0.0; CLASSES],
        }
    }

    /// The weights as a model.
    ///
    /// # Errors
    ///
    /// None as long as the table of arrays is right.
    pub(crate) fn to_model(&self) -> anyhow::Result<Model> {
        let values = [&self.hidden[..], &self.hidden_bias, &self.output, &self.output_bias];
        let arrays = ARRAYS
            .iter()
            .zip(values)
            .map(|((name, shape), values)| Ok(((*name).to_owned(), Array::from_elements(shape.to_vec(), values)?)));
        Ok(Model::new(arrays.collect::<anyhow::Result<_>>()?)?)
    }

    /// The network with the weights of a model.
    ///
    /// # Errors
    ///
    /// An array is missing, or of another shape or type.
    pub(crate) fn from_model(model: &Model) -> anyhow::Result<Self> {
        let array = |at: usize| {
            let (name, shape) = ARRAYS[at];
            let array = model.get(name).with_context(|| format!("the model has no array {name}"))?;
            ensure!(array.shape() == shape, "{name} has the shape {:?}, expected {shape:?}", array.shape());
            array.to_vec::<f32>().with_context(|| format!("{name} cannot be read"))
        };
        let bias = |at: usize| array(at).map(Vec::into_iter);
        let mut network =
            Self { hidden: array(0)?, hidden_bias: [0.0; HIDDEN], output: array(2)?, output_bias: [0.0; CLASSES] };
        network.hidden_bias.iter_mut().zip(bias(1)?).for_each(|(slot, value)| *slot = value);
        network.output_bias.iter_mut().zip(bias(3)?).for_each(|(slot, value)| *slot = value);
        Ok(network)
    }

    /// Trains on images in an order that the seed decides; returns the number of steps.
    pub(crate) fn train(&mut self, images: &[Image], training: Training, seed: u64, purpose: &[u64]) -> usize {
        let mut random = Random::new(seed, purpose);
        let mut order: Vec<usize> = (0..images.len()).collect();
        let mut steps = 0;
        for _ in 0..training.epochs {
            random.shuffle(&mut order);
            for batch in order.chunks(training.batch.max(1)) {
                self.step(batch.iter().filter_map(|at| images.get(*at)), batch.len(), training.rate);
                steps += 1;
            }
        }
        steps
    }

    /// One step along the mean gradient of a batch.
    fn step<'a>(&mut self, batch: impl Iterator<Item = &'a Image>, count: usize, rate: f32) {
        let mut slope = Self {
            hidden: vec![0.0; PIXELS * HIDDEN],
            hidden_bias: [0.0; HIDDEN],
            output: vec![0.0; HIDDEN * CLASSES],
            output_bias: [0.0; CLASSES],
        };
        for image in batch {
            self.add_slope(image, &mut slope);
        }
        #[expect(clippy::cast_precision_loss, reason = "a batch is small")]
        let factor = rate / count.max(1) as f32;
        let pairs: [(&mut [f32], &[f32]); 4] = [
            (&mut self.hidden, &slope.hidden),
            (&mut self.hidden_bias, &slope.hidden_bias),
            (&mut self.output, &slope.output),
            (&mut self.output_bias, &slope.output_bias),
        ];
        for (weights, slopes) in pairs {
            weights.iter_mut().zip(slopes).for_each(|(weight, slope)| *weight -= factor * slope);
        }
    }

    /// Adds the gradient of the cross entropy of one image.
    fn add_slope(&self, image: &Image, slope: &mut Self) {
        let Activations { hidden, outputs } = self.activations(image);
        let mut errors = outputs;
        if let Some(error) = errors.get_mut(usize::from(image.digit)) {
            *error -= 1.0;
        }
        let mut behind = [0.0; HIDDEN];
        let rows = self.output.chunks_exact(CLASSES).zip(slope.output.chunks_exact_mut(CLASSES));
        for (((weights, slopes), activation), behind) in rows.zip(hidden).zip(&mut behind) {
            for ((weight, slope), error) in weights.iter().zip(slopes).zip(errors) {
                *slope += activation * error;
                *behind += weight * error;
            }
            // The rectifier lets a slope through where it lets a signal through.
            if activation <= 0.0 {
                *behind = 0.0;
            }
        }
        slope.output_bias.iter_mut().zip(errors).for_each(|(slope, error)| *slope += error);
        for (slopes, pixel) in slope.hidden.chunks_exact_mut(HIDDEN).zip(image.pixels) {
            slopes.iter_mut().zip(behind).for_each(|(slope, behind)| *slope += pixel * behind);
        }
        slope.hidden_bias.iter_mut().zip(behind).for_each(|(slope, behind)| *slope += behind);
    }

    fn activations(&self, image: &Image) -> Activations {
        let mut hidden = self.hidden_bias;
        for (weights, pixel) in self.hidden.chunks_exact(HIDDEN).zip(image.pixels) {
            hidden.iter_mut().zip(weights).for_each(|(sum, weight)| *sum += pixel * weight);
        }
        hidden.iter_mut().for_each(|sum| *sum = sum.max(0.0));
        let mut outputs = self.output_bias;
        for (weights, activation) in self.output.chunks_exact(CLASSES).zip(hidden) {
            outputs.iter_mut().zip(weights).for_each(|(sum, weight)| *sum += activation * weight);
        }
        // Without the largest, no exponential overflows.
        let largest = outputs.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        outputs.iter_mut().for_each(|sum| *sum = (*sum - largest).exp());
        let total: f32 = outputs.iter().sum();
        outputs.iter_mut().for_each(|output| *output /= total);
        Activations { hidden, outputs }
    }

    /// How well it reads these images.
    pub(crate) fn evaluate(&self, images: &[Image]) -> Evaluation {
        let (mut right, mut loss) = (0.0, 0.0);
        for image in images {
            let outputs = self.activations(image).outputs;
            let digit = usize::from(image.digit);
            let best = (0..CLASSES).max_by(|a, b| outputs[*a].total_cmp(&outputs[*b]));
            right += if best == Some(digit) { 1.0 } else { 0.0 };
            loss -= f64::from(outputs.get(digit).copied().unwrap_or_default()).max(1e-12).ln();
        }
        #[expect(clippy::cast_precision_loss, reason = "few images")]
        let count = images.len().max(1) as f64;
        Evaluation { accuracy: right / count, loss: loss / count }
    }
}

#[cfg(test)]
mod tests {
    use super::super::digits;
    use super::*;

    #[test]
    fn a_model_and_back() {
        let network = Network::new(3);
        let model = network.to_model().unwrap();
        assert_eq!(model.elements(), 64 * 32 + 32 + 32 * 10 + 10);
        assert_eq!(Network::from_model(&model).unwrap(), network);
        assert!(Network::from_model(&Model::default()).is_err());
    }

    /// The gradient against differences of the loss.
    #[test]
    fn the_slope_is_that_of_the_loss() {
        let image = &digits::all()[17];
        let network = Network::new(5);
        let mut slope = network.clone();
        for slopes in [&mut slope.hidden[..], &mut slope.hidden_bias, &mut slope.output, &mut slope.output_bias] {
            slopes.fill(0.0);
        }
        network.add_slope(image, &mut slope);
        let loss = |network: &Network| network.evaluate(core::slice::from_ref(image)).loss;
        let check = |part: fn(&mut Network) -> &mut [f32], at: usize| {
            let (mut above, mut below, mut slope) = (network.clone(), network.clone(), slope.clone());
            part(&mut above)[at] += 1e-2;
            part(&mut below)[at] -= 1e-2;
            let expected = (loss(&above) - loss(&below)) / 2e-2;
            let found = f64::from(part(&mut slope)[at]);
            assert!((found - expected).abs() < 1e-3 + 0.02 * expected.abs(), "{at}: {found} {expected}");
        };
        for at in (0..64 * 32).step_by(97) {
            check(|network| &mut network.hidden, at);
        }
        for at in 0..10 {
            check(|network| &mut network.hidden_bias, at);
            check(|network| &mut network.output, at * 31);
            check(|network| &mut network.output_bias, at);
        }
    }

    #[test]
    fn training_is_a_function_of_the_seed() {
        let images = digits::all();
        let train = |purpose: u64| {
            let mut network = Network::new(1);
            let steps = network.train(&images[..100], Training::default(), 1, &[purpose]);
            assert_eq!(steps, 3 * 7);
            network
        };
        assert_eq!(train(1), train(1));
        assert_ne!(train(1), train(2));
    }
}
