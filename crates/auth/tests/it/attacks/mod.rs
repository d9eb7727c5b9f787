//! The attack table: what an adversary sends, and the error that it gets. Attacks on session proofs stand with them.
//!
//! Each attack runs against honest machines that would have accepted the honest message, which the table checks first
//! in each group. Outward every refused identity is the same error; the reason is read from the log.

mod certificates;
mod challenges;
mod registrations;
pub(crate) mod sealed;
pub(crate) mod tokens;

use core::fmt::Display;

use fedcell_auth::Unauthenticated;

use crate::support::logged;

/// What an attack comes to: accepted, or the error that its sender's side may see.
pub(crate) type Outcome = Result<(), String>;

pub(crate) struct Attack {
    pub(crate) name: &'static str,
    /// What the error says, or for a refused identity what the log says.
    pub(crate) reason: &'static str,
    pub(crate) run: fn() -> Outcome,
}

/// Drops what an accepted message gives, and turns an error into its text.
pub(crate) fn outcome<T, E: Display>(result: Result<T, E>) -> Outcome {
    result.map(drop).map_err(|error| error.to_string())
}

#[track_caller]
fn check(attack: &Attack) {
    let (log, outcome) = logged(attack.run);
    let error = outcome.expect_err(attack.name);
    let told = if error == Unauthenticated::text() { &log } else { &error };
    assert!(told.contains(attack.reason), "{}: expected {:?}, told {told:?}", attack.name, attack.reason);
}

trait Text {
    fn text() -> String;
}

impl Text for Unauthenticated {
    fn text() -> String {
        "the peer is not authenticated".to_owned()
    }
}

const TABLES: [&[Attack]; 5] =
    [challenges::ATTACKS, certificates::ATTACKS, registrations::ATTACKS, tokens::ATTACKS, sealed::ATTACKS];

#[test]
pub(crate) fn no_attack_is_accepted() {
    let attacks: Vec<&Attack> = TABLES.into_iter().flatten().collect();
    assert!(attacks.len() >= 60, "{} attacks", attacks.len());
    for attack in &attacks {
        assert_eq!(attacks.iter().filter(|other| other.name == attack.name).count(), 1, "{}", attack.name);
        check(attack);
    }
}
