//! Applications that have come before their jobs start.

use std::collections::VecDeque;

use fedcell_fobs::typed::Application;

/// How many jobs may have one here.
const MOST: usize = 16;

/// Bytes of all of them.
const MOST_BYTES: usize = 256 << 20;

/// Applications by job, the oldest first. Nobody says that a job will never start: the oldest make room for a new one.
#[derive(Debug, Default)]
pub(super) struct Archives(VecDeque<(String, Application)>);

impl Archives {
    /// Keeps an application until its job has ended, or others need the room.
    ///
    /// # Errors
    ///
    /// Why there can be no room for it.
    pub(super) fn keep(&mut self, job: &str, application: Application) -> Result<(), String> {
        let length = application.archive.len();
        if length > MOST_BYTES {
            return Err(format!("the application has {length} bytes, expected at most {MOST_BYTES}"));
        }
        self.remove(job);
        while self.0.len() >= MOST || self.bytes() + length > MOST_BYTES {
            if let Some((job, _)) = self.0.pop_front() {
                tracing::info!(job, "an application makes room for one that is newer");
            }
        }
        self.0.push_back((job.to_owned(), application));
        Ok(())
    }

    pub(super) fn of(&self, job: &str) -> Option<&Application> {
        self.0.iter().find(|(kept, _)| kept == job).map(|(_, application)| application)
    }

    /// Forgets the application of a job. Whether there was one.
    pub(super) fn remove(&mut self, job: &str) -> bool {
        let before = self.0.len();
        self.0.retain(|(kept, _)| kept != job);
        self.0.len() < before
    }

    fn bytes(&self) -> usize {
        self.0.iter().map(|(_, application)| application.archive.len()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(lengths: &[usize], kept: core::ops::Range<usize>) {
        let mut archives = Archives::default();
        for (number, length) in lengths.iter().enumerate() {
            let application = Application::new("app", vec![0; *length]);
            assert!(archives.keep(&format!("job-{number}"), application).is_ok());
        }
        let found: Vec<usize> =
            (0..lengths.len()).filter(|number| archives.of(&format!("job-{number}")).is_some()).collect();
        assert_eq!(found, kept.collect::<Vec<_>>());
    }

    #[test]
    fn the_oldest_make_room() {
        check(&[1; 16], 0..16);
        check(&[1; 20], 4..20);
        check(&[MOST_BYTES / 2, MOST_BYTES / 4, MOST_BYTES / 4], 0..3);
        check(&[MOST_BYTES / 2, MOST_BYTES / 4, MOST_BYTES / 4 + 1], 1..3);
        check(&[1, 1, MOST_BYTES], 2..3);
    }

    #[test]
    fn one_of_a_job_takes_the_place_of_the_last() {
        let mut archives = Archives::default();
        for length in [MOST_BYTES, MOST_BYTES] {
            archives.keep("job", Application::new("app", vec![0; length])).unwrap();
        }
        assert!(archives.keep("other", Application::new("app", vec![0; MOST_BYTES + 1])).is_err());
        assert!(archives.of("job").is_some(), "what is refused has made no room");
        assert!(archives.remove("job") && !archives.remove("job"));
    }
}
