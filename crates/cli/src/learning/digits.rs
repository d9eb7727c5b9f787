//! Handwritten digits, 1 797 images of 8 × 8 pixels; see `data/README.md` for where they come from.

/// Pixels of an image.
pub(crate) const PIXELS: usize = 64;

/// Different digits.
pub(crate) const CLASSES: usize = 10;

const FILE: &[u8] = include_bytes!("../../data/digits.bin");

/// One image and what it shows.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Image {
    /// From 0, white, to 1, black, row by row.
    pub(crate) pixels: [f32; PIXELS],
    pub(crate) digit: u8,
}

/// All images, in the order of the file.
pub(crate) fn all() -> Vec<Image> {
    let mut images = Vec::with_capacity(FILE.len() / (PIXELS + 1));
    for record in FILE.chunks_exact(PIXELS + 1) {
        let mut image = Image { pixels: [0.0; PIXELS], digit: 0 };
        for (pixel, byte) in image.pixels.iter_mut().zip(record) {
            *pixel = f32::from(*byte) / 16.0;
        }
        image.digit = record.last().copied().unwrap_or_default();
        images.push(image);
    }
    images
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_the_published_set() {
        let images = all();
        assert_eq!((images.len(), FILE.len()), (1797, 1797 * 65));
        let mut counts = [0; CLASSES];
        images.iter().for_each(|image| counts[usize::from(image.digit)] += 1);
        // As scikit-learn prints them for its copy.
        assert_eq!(counts, [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]);
        assert!(images.iter().flat_map(|image| image.pixels).all(|pixel| (0.0..=1.0).contains(&pixel)));
        assert_eq!(images[0].pixels[..8], [0.0, 0.0, 5.0, 13.0, 9.0, 1.0, 0.0, 0.0].map(|pixel: f32| pixel / 16.0));
    }
}
