//! Sums that do not depend on the order: the same addends give the same bits, whoever comes first.
//!
//! A sum of floats is rounded with every addition. Here every addend, a 64-bit float, is cut into digits of 48 bits at
//! fixed places, and the digits of one place are added as integers, which rounds nothing. The `K` highest places that any
//! addend has reached are kept; what lies below them is cut off each addend by itself, when it comes or when a larger one
//! comes, and that is the same.
//!
//! ```text
//!   place         3        2        1        0
//!   addend 1             [ 12 ]  [ 4711 ]
//!   addend 2    [ -3 ]   [ -9 ]
//!   kept, K = 2 [ -3 ]   [  3 ]     cut off
//! ```
//!
//! Of the largest addend of a sum at least 48 × (K - 1) + 1 bits count: 49 for `K` = 2, which is all of a 32-bit float times
//! a weight below 2²⁵, and 97 for `K` = 3. The end is rounded once to a 64-bit float.

/// Bits of a digit.
const BITS: u32 = 48;

/// The bits of a digit, set.
const DIGIT: u64 = (1 << BITS) - 1;

/// Addends of one sum at most: the digits of so many fit 64 bits with their sign.
pub(crate) const MOST: usize = (1 << (63 - BITS)) - 1;

/// In place of the highest place: an addend was not finite.
const OVERFLOWN: u8 = u8::MAX;

/// Sums side by side.
#[derive(Debug)]
pub(crate) struct Sums<const K: usize> {
    /// Digits of the places that are kept, the highest first.
    digits: Vec<[i64; K]>,
    /// The highest of these places. Apart from the digits, between which there would be room for seven of it.
    highest: Vec<u8>,
}

impl<const K: usize> Sums<K> {
    /// So many sums of nothing.
    pub(crate) fn zeros(count: usize) -> Self {
        Self { digits: vec![[0; K]; count], highest: vec![0; count] }
    }

    /// Adds to one of the sums, if there is one of this number.
    pub(crate) fn add(&mut self, number: usize, addend: f64) {
        if let (Some(digits), Some(highest)) = (self.digits.get_mut(number), self.highest.get_mut(number)) {
            add(digits, highest, addend);
        }
    }

    /// The sums; one that is too large, or has an addend that was, is not finite.
    pub(crate) fn values(&self) -> impl Iterator<Item = f64> {
        self.digits.iter().zip(&self.highest).map(|(digits, highest)| value(digits, *highest))
    }
}

/// A single sum.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Sum {
    digits: [i64; 3],
    highest: u8,
}

impl Sum {
    pub(crate) fn add(&mut self, addend: f64) {
        add(&mut self.digits, &mut self.highest, addend);
    }

    pub(crate) fn value(self) -> f64 {
        value(&self.digits, self.highest)
    }
}

fn add<const K: usize>(digits: &mut [i64; K], highest: &mut u8, addend: f64) {
    let bits = addend.to_bits();
    let (exponent, fraction) = ((bits >> 52) & 0x7ff, bits & ((1 << 52) - 1));
    // The addend is this mantissa, shifted to the left so far, in units of the smallest float that there is.
    let (mantissa, shift) = if exponent == 0 { (fraction, 0) } else { (fraction | 1 << 52, exponent - 1) };
    if mantissa == 0 || *highest == OVERFLOWN {
        return;
    }
    if exponent == 0x7ff {
        *highest = OVERFLOWN;
        return;
    }
    let (lowest, shift) = (shift / u64::from(BITS), shift % u64::from(BITS));
    let shifted = u128::from(mantissa) << shift;
    let digit = |shift: u32| i64::try_from((shifted >> shift) & u128::from(DIGIT)).unwrap_or_default();
    let of_addend = [digit(2 * BITS), digit(BITS), digit(0)];
    let zeros = of_addend.iter().take_while(|digit| **digit == 0).count();
    let (top, own) = (usize::try_from(lowest).unwrap_or_default() + 2 - zeros, usize::from(*highest));
    if top > own {
        let rise = (top - own).min(K);
        digits.copy_within(..K - rise, rise);
        digits[..rise].fill(0);
        *highest = u8::try_from(top).unwrap_or(OVERFLOWN);
    }
    let kept = digits.iter_mut().skip(own.max(top) - top);
    for (sum, digit) in kept.zip(&of_addend[zeros..]) {
        *sum += if addend < 0.0 { -digit } else { *digit };
    }
}

fn value<const K: usize>(digits: &[i64; K], highest: u8) -> f64 {
    if highest == OVERFLOWN {
        return f64::NAN;
    }
    let (mut carried, mut carry) = (*digits, 0);
    for digit in carried.iter_mut().skip(1).rev() {
        let sum = *digit + carry;
        carry = sum >> BITS;
        *digit = sum & DIGIT.cast_signed();
    }
    let mut digits = carried.iter().copied();
    let first = digits.next().unwrap_or_default() + carry;
    let upper = (i128::from(first) << BITS) + i128::from(digits.next().unwrap_or_default());
    // What is below the first two digits changes the end where these are few bits, and then nothing is rounded here.
    #[expect(clippy::cast_precision_loss, reason = "rounds to the nearest")]
    let sum = digits.fold(upper as f64, |sum, digit| sum * (1_u64 << BITS) as f64 + digit as f64);
    let places = i64::from(highest) + 1 - i64::try_from(K).unwrap_or_default();
    let exponent = i64::from(BITS) * places - 1074;
    // In two steps, of which each is a float and only the last can round.
    sum * power_of_two(exponent / 2) * power_of_two(exponent - exponent / 2)
}

/// Two to the power of a number between -1022 and 1023.
fn power_of_two(exponent: i64) -> f64 {
    f64::from_bits(u64::try_from(1023 + exponent).unwrap_or_default() << 52)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sums(addends: &[f64]) -> [f64; 2] {
        let (mut two, mut three) = (Sums::<2>::zeros(1), Sum::default());
        for addend in addends {
            two.add(0, *addend);
            three.add(*addend);
        }
        [two.values().next().unwrap(), three.value()]
    }

    #[track_caller]
    fn check(addends: &[f64], expected: f64) {
        assert_eq!(sums(addends), [expected; 2], "{addends:?}");
    }

    #[test]
    fn sums_are_those_of_exact_numbers() {
        check(&[], 0.0);
        check(&[-0.0], 0.0);
        check(&[1.0, 2.0, -4.5], -1.5);
        check(&[1e100, 1.0, -1e100, 0.0], 0.0);
        check(&[-(2.0_f64.powi(-900)); 4096], -(2.0_f64.powi(-888)));
        check(&[f64::MAX, f64::MAX, -f64::MAX, -f64::MAX], 0.0);
        check(&[f64::MAX, f64::MAX], f64::INFINITY);
        check(&[5e-324, 5e-324, -2.225e-308], -2.225e-308 + 1e-323);
        let half = 2.0_f64.powi(-53);
        check(&[1.0, half, half], 1.0 + f64::EPSILON);
        check(&[-1.0, -half, -half], -1.0 - f64::EPSILON);
        for bad in [f64::INFINITY, f64::NEG_INFINITY, f64::NAN] {
            assert!(sums(&[1.0, bad, 1e300]).iter().all(|sum| sum.is_nan()));
        }
        #[expect(clippy::cast_precision_loss, reason = "both are small")]
        let (all_ones, most) = (-(DIGIT as f64), MOST as f64);
        check(&vec![all_ones; MOST], all_ones * most);
    }

    /// Floats of every size: any bits but those of what is not finite.
    fn finite() -> impl Strategy<Value = f64> {
        any::<u64>().prop_map(f64::from_bits).prop_filter("finite", |number| number.is_finite())
    }

    proptest! {
        #[test]
        fn a_single_addend_is_its_sum(addend in finite(), single in any::<u32>(), weight in 1_u32..1 << 25) {
            prop_assert_eq!(sums(&[addend])[1].to_bits(), (addend + 0.0).to_bits());
            let single = f32::from_bits(single);
            prop_assume!(single.is_finite());
            let weighted = f64::from(single) * f64::from(weight);
            prop_assert_eq!(sums(&[weighted]), [weighted; 2]);
        }

        #[test]
        fn the_order_does_not_matter(
            (addends, shuffled) in prop_oneof![
                proptest::collection::vec(finite(), 0..40),
                proptest::collection::vec((-1.0..1.0_f64).prop_map(|number| number * 1e-3), 0..40),
                proptest::collection::vec((any::<i8>(), -200..200_i32).prop_map(|(mantissa, exponent)| f64::from(mantissa) * 2.0_f64.powi(exponent)), 0..40),
            ]
            .prop_flat_map(|addends| (Just(addends.clone()), Just(addends).prop_shuffle()))
        ) {
            prop_assert_eq!(sums(&addends).map(f64::to_bits), sums(&shuffled).map(f64::to_bits));
        }

        /// Whole numbers, of which exact sums are known.
        #[test]
        fn nothing_is_rounded_but_the_end(addends in proptest::collection::vec(-(1_i64 << 53)..1 << 53, 0..200)) {
            #[expect(clippy::cast_precision_loss, reason = "rounds once, which is what is expected")]
            let (expected, floats) = (
                addends.iter().copied().map(i128::from).sum::<i128>() as f64,
                addends.iter().map(|number| *number as f64).collect::<Vec<_>>(),
            );
            prop_assert_eq!(sums(&floats)[1], expected);
        }
    }
}
