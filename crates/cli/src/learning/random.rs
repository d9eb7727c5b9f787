//! Random numbers that a seed determines: SplitMix64, and the distributions that shares and weights are drawn from.

/// A generator. Not for secrets.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    /// The generator of a seed, and of a purpose, so that one seed serves several purposes.
    pub(crate) fn new(seed: u64, purpose: &[u64]) -> Self {
        let mut random = Self(seed);
        for part in purpose {
            random.0 = random.next() ^ part.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        }
        random
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0 to 1, without 1.
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
    pub(crate) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Below a number that is not 0. The bias of a remainder is 2⁻⁵⁰ for the few thousand that are asked for.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).unwrap_or(u64::MAX);
        usize::try_from(self.next() % end.max(1)).unwrap_or(0)
    }

    /// Of the standard normal distribution, by Box and Muller.
    pub(crate) fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (core::f64::consts::TAU * self.unit()).cos()
    }

    /// Of the gamma distribution with this shape, by Marsaglia and Tsang.
    fn gamma(&mut self, shape: f64) -> f64 {
        if shape < 1.0 {
            let boost = (1.0 - self.unit()).powf(1.0 / shape);
            return self.gamma(shape + 1.0) * boost;
        }
        let d = shape - 1.0 / 3.0;
        let c = 1.0 / (9.0 * d).sqrt();
        loop {
            let x = self.normal();
            let v = (1.0 + c * x).powi(3);
            if v > 0.0 && (1.0 - self.unit()).ln() < 0.5 * x * x + d - d * v + d * v.ln() {
                return d * v;
            }
        }
    }

    /// Parts of a whole, drawn from the symmetric Dirichlet distribution: the smaller `alpha`, the less alike they are.
    pub(crate) fn dirichlet(&mut self, parts: usize, alpha: f64) -> Vec<f64> {
        let draws: Vec<f64> = (0..parts).map(|_| self.gamma(alpha).max(f64::MIN_POSITIVE)).collect();
        let sum: f64 = draws.iter().sum();
        draws.iter().map(|draw| draw / sum).collect()
    }

    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for end in (1..items.len()).rev() {
            items.swap(end, self.below(end + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generator_is_the_published_one() {
        // The first outputs of SplitMix64 with the seed 1234567.
        let mut random = Random::new(1_234_567, &[]);
        assert_eq!([random.next(), random.next()], [6_457_827_717_110_365_317, 3_203_168_211_198_807_973]);
    }

    #[track_caller]
    fn check_moments(draw: impl FnMut() -> f64, mean: f64, variance: f64) {
        let draws: Vec<f64> = core::iter::repeat_with(draw).take(20_000).collect();
        let found = draws.iter().sum::<f64>() / 20_000.0;
        let spread = draws.iter().map(|draw| (draw - found).powi(2)).sum::<f64>() / 20_000.0;
        assert!((found - mean).abs() < 0.05 && (spread - variance).abs() < 0.1 * variance.max(0.5), "{found} {spread}");
    }

    #[test]
    fn distributions_have_their_moments() {
        let mut random = Random::new(1, &[2]);
        check_moments(|| random.unit(), 0.5, 1.0 / 12.0);
        check_moments(|| random.normal(), 0.0, 1.0);
        check_moments(|| random.gamma(2.0), 2.0, 2.0);
        check_moments(|| random.gamma(0.3), 0.3, 0.3);
        let parts = random.dirichlet(5, 0.1);
        assert!((parts.iter().sum::<f64>() - 1.0).abs() < 1e-9);
    }
}
