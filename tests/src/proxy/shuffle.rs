//! Which frames are overtaken and which come twice; seeded, without a clock.

use bytes::Bytes;
use fedcell_netsim::SimRng;

/// Frames that at most overtake one that is late. Less than what every receiver has to hold.
const DEPTH: usize = 10;

/// What may happen to one frame.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Freedom {
    /// Others may overtake it.
    pub(super) late: bool,
    /// It may come twice.
    pub(super) twice: bool,
}

/// Holds frames of one direction back until others have gone past.
#[derive(Debug)]
pub(super) struct Shuffle {
    random: SimRng,
    late: f64,
    twice: f64,
    /// Frames that have come.
    count: usize,
    /// Frames held back, with the count at which they go.
    held: Vec<(usize, Bytes)>,
    /// Frames that were overtaken.
    pub(super) shuffled: u64,
    /// Frames that went twice.
    pub(super) repeated: u64,
}

impl Shuffle {
    pub(super) fn new(seed: u64, late: f64, twice: f64) -> Self {
        Self { random: SimRng::new(seed), late, twice, count: 0, held: Vec::new(), shuffled: 0, repeated: 0 }
    }

    /// Takes a frame and gives those that go now.
    pub(super) fn pass(&mut self, frame: Bytes, freedom: Freedom, out: &mut Vec<Bytes>) {
        self.count += 1;
        if freedom.twice && self.random.chance(self.twice) {
            self.repeated += 1;
            let due = self.due();
            self.held.push((due, frame.clone()));
        }
        if freedom.late && self.random.chance(self.late) {
            self.shuffled += 1;
            let due = self.due();
            self.held.push((due, frame));
        } else {
            out.push(frame);
        }
        let count = self.count;
        let (now, later) = core::mem::take(&mut self.held).into_iter().partition(|(due, _)| *due <= count);
        self.held = later;
        out.extend(Vec::into_iter(now).map(|(_, frame)| frame));
    }

    /// Whether frames wait for others.
    pub(super) fn holds(&self) -> bool {
        !self.held.is_empty()
    }

    /// Gives all that waits: nobody else comes.
    pub(super) fn flush(&mut self, out: &mut Vec<Bytes>) {
        out.extend(self.held.drain(..).map(|(_, frame)| frame));
    }

    fn due(&mut self) -> usize {
        self.count + 1 + self.random.below(DEPTH)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(late: f64, twice: f64, free: bool) -> Vec<u8> {
        let mut shuffle = Shuffle::new(7, late, twice);
        let mut out = Vec::new();
        for number in 0..200 {
            shuffle.pass(Bytes::from(vec![number]), Freedom { late: free, twice: free }, &mut out);
        }
        shuffle.flush(&mut out);
        out.iter().map(|frame| frame[0]).collect()
    }

    #[test]
    fn nothing_is_lost() {
        let in_order: Vec<u8> = (0..200).collect();
        for (late, twice) in [(0.5, 0.0), (0.3, 0.2), (0.0, 1.0)] {
            let mut got = run(late, twice, true);
            assert_eq!(got.len() > 200, twice > 0.0);
            assert_ne!(got[..200], in_order);
            got.sort_unstable();
            got.dedup();
            assert_eq!(got, in_order);
        }
    }

    #[test]
    fn firm_frames_stay_in_order() {
        assert_eq!(run(1.0, 1.0, false), (0..200).collect::<Vec<u8>>());
    }

    #[test]
    fn none_is_overtaken_by_more_than_the_depth() {
        let got = run(0.5, 0.0, true);
        for (place, frame) in got.iter().enumerate() {
            let overtakers = got[..place].iter().filter(|other| *other > frame).count();
            assert!(overtakers <= 2 * DEPTH, "{frame} was overtaken by {overtakers}");
        }
    }
}
