//! The manager between threads: of any number of good proofs at the same time, one wins.

use std::sync::Barrier;

use super::super::{HelloProof, SessionLimits, SessionStatus};
use super::{SCOPE, Seeded, TOKEN, at, manager, scope, token};

#[test]
fn of_many_good_proofs_one_is_accepted() {
    for round in 0..20 {
        let manager = manager(SessionLimits::new());
        let start = Barrier::new(8);
        let accepted = std::thread::scope(|threads| {
            let attempts: Vec<_> = (0..8)
                .map(|seed| {
                    let (manager, start) = (&manager, &start);
                    threads.spawn(move || {
                        let nonce = manager.issue_nonce(at(1), &mut Seeded(round * 100 + seed)).unwrap();
                        let proof = HelloProof::compute(&token(TOKEN), nonce.as_str(), &scope());
                        start.wait();
                        manager.verify_proof(at(2), nonce.as_str(), &scope().present(), proof.expose()).is_ok()
                    })
                })
                .collect();
            attempts.into_iter().map(|attempt| attempt.join().unwrap()).filter(|accepted| *accepted).count()
        });
        assert_eq!(accepted, 1);
        assert_eq!(manager.status(at(3)), SessionStatus::Active);
        assert_eq!(manager.failed_proofs(), 0, "losing a race is no failed proof");
    }
}

#[test]
fn one_nonce_is_good_once_between_threads_too() {
    let manager = manager(SessionLimits::new());
    let nonce = manager.issue_nonce(at(1), &mut Seeded(7)).unwrap();
    let start = Barrier::new(8);
    std::thread::scope(|threads| {
        for _ in 0..8 {
            threads.spawn(|| {
                start.wait();
                let wrong = "0".repeat(HelloProof::LEN);
                assert!(manager.verify_proof(at(2), nonce.as_str(), &scope().present(), &wrong).is_err());
            });
        }
    });
    assert_eq!(manager.failed_proofs(), 1, "only the thread that got the nonce was looked at");
    assert_eq!(manager.scope().job_id(), SCOPE.job_id);
}
