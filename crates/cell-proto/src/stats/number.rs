//! How numbers look in the tables: as the reference prints them.

/// Three digits behind the point and an exponent of at least two digits with its sign: `1.250e-03`.
pub(super) fn scientific(value: f64) -> String {
    let plain = format!("{value:.3e}");
    let Some((mantissa, exponent)) = plain.split_once('e') else { return plain };
    let (sign, digits) = exponent.strip_prefix('-').map_or(('+', exponent), |digits| ('-', digits));
    format!("{mantissa}e{sign}{digits:0>2}")
}

/// A part of a whole, rounded to two digits, as short as possible with at least one behind the point: `0.5`, `0.33`.
pub(super) fn fraction(part: u64, whole: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "shown with two digits")]
    let exact = if whole == 0 { 0.0 } else { part as f64 / whole as f64 };
    let rounded: f64 = format!("{exact:.2}").parse().unwrap_or(exact);
    format!("{rounded:?}")
}
