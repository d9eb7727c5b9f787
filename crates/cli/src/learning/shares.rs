//! Who has which images: a held-out set that nobody trains on, and a share for each site in which digits are unevenly
//! spread.

use super::digits::{CLASSES, Image};
use super::random::Random;

/// One image in so many is held out.
const HELD_OUT: usize = 5;

/// Fewest images of a site, so that every site has something to say.
const FEWEST: usize = 20;

/// All images, distributed.
#[derive(Debug)]
pub(crate) struct Split {
    /// Nobody's; what accuracy is measured on.
    pub(crate) held_out: Vec<Image>,
    /// Each site's.
    pub(crate) shares: Vec<Vec<Image>>,
}

/// Distributes images over sites.
///
/// Of each digit, one image in five is held out; the rest goes to sites in parts that are drawn from a Dirichlet
/// distribution with this `alpha`: with 0.3 most sites lack some digits, with 100 all have about the same.
pub(crate) fn split(images: Vec<Image>, sites: usize, alpha: f64, seed: u64) -> Split {
    let mut random = Random::new(seed, &[1]);
    let mut split = Split { held_out: Vec::new(), shares: vec![Vec::new(); sites] };
    let mut digits: Vec<Vec<Image>> = vec![Vec::new(); CLASSES];
    for image in images {
        if let Some(digit) = digits.get_mut(usize::from(image.digit)) {
            digit.push(image);
        }
    }
    for mut images in digits {
        random.shuffle(&mut images);
        let training = images.split_off(images.len() / HELD_OUT);
        split.held_out.append(&mut images);
        deal(training, &random.dirichlet(sites, alpha), &mut split.shares);
    }
    even_out(&mut split.shares);
    split.shares.iter_mut().for_each(|share| random.shuffle(share));
    split
}

/// Gives each site its part, in one piece.
fn deal(images: Vec<Image>, parts: &[f64], shares: &mut [Vec<Image>]) {
    let total = images.len();
    let mut images = images.into_iter();
    let mut end = 0.0;
    let mut dealt = 0;
    for (part, share) in parts.iter().zip(shares.iter_mut()) {
        end += part;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "few images"
        )]
        let until = ((end * total as f64).round() as usize).min(total);
        share.extend(images.by_ref().take(until.saturating_sub(dealt)));
        dealt = dealt.max(until);
    }
    // What rounding has left over.
    if let Some(last) = shares.last_mut() {
        last.extend(images);
    }
}

/// Moves images from the largest share to those with too few.
fn even_out(shares: &mut [Vec<Image>]) {
    loop {
        let sizes = shares.iter().map(Vec::len).enumerate();
        let Some((poorest, fewest)) = sizes.clone().min_by_key(|(_, size)| *size) else { return };
        let Some((richest, most)) = sizes.max_by_key(|(_, size)| *size) else { return };
        if fewest >= FEWEST || most <= FEWEST {
            return;
        }
        if let Some(image) = shares.get_mut(richest).and_then(Vec::pop)
            && let Some(share) = shares.get_mut(poorest)
        {
            share.push(image);
        }
    }
}

/// How many images of each digit a share has.
pub(crate) fn counts(share: &[Image]) -> [usize; CLASSES] {
    let mut counts = [0; CLASSES];
    for image in share {
        if let Some(count) = counts.get_mut(usize::from(image.digit)) {
            *count += 1;
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::super::digits;
    use super::*;

    #[track_caller]
    fn check(sites: usize, alpha: f64) -> Split {
        let split = split(digits::all(), sites, alpha, 7);
        assert_eq!(split.shares.len(), sites);
        let training: usize = split.shares.iter().map(Vec::len).sum();
        assert_eq!(training + split.held_out.len(), 1797);
        assert!((350..=360).contains(&split.held_out.len()), "{}", split.held_out.len());
        assert!(split.shares.iter().all(|share| share.len() >= FEWEST));
        assert!(counts(&split.held_out).iter().all(|count| *count >= 34));
        split
    }

    #[test]
    fn every_image_is_somewhere_once() {
        check(1, 0.3);
        check(4, 0.3);
        check(40, 0.01);
        check(4, 100.0);
    }

    #[test]
    fn a_small_alpha_gives_uneven_shares() {
        let missing =
            |split: &Split| split.shares.iter().flat_map(|share| counts(share)).filter(|count| *count < 3).count();
        let (uneven, even) = (missing(&check(4, 0.2)), missing(&check(4, 100.0)));
        assert!(uneven >= 8 && even == 0, "{uneven} {even}");
    }

    #[test]
    fn the_seed_decides() {
        let sizes = |seed| split(digits::all(), 4, 0.3, seed).shares.iter().map(Vec::len).collect::<Vec<_>>();
        assert_eq!(sizes(1), sizes(1));
        assert_ne!(sizes(1), sizes(2));
    }
}
