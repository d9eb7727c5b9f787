//! The roll: who is a member, and how many sites among them there are and live.

use core::time::Duration;
use std::collections::BTreeMap;

use fedcell_auth::UnixTime;

use super::member::{Member, Presence};

/// Members by name. Its counts are kept as members change: nobody goes through all of them to know.
#[derive(Debug, Default)]
pub(super) struct Roll {
    members: BTreeMap<String, Member>,
    count: Count,
}

/// How many sites there are, and how many of them live.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Count {
    pub(super) sites: usize,
    pub(super) living: usize,
}

impl Count {
    fn add(&mut self, member: &Member) {
        self.sites += usize::from(member.is_site());
        self.living += usize::from(member.is_living_site());
    }

    fn take(&mut self, member: &Member) {
        self.sites -= usize::from(member.is_site());
        self.living -= usize::from(member.is_living_site());
    }
}

impl Roll {
    /// Takes a member in, in place of one of its name.
    pub(super) fn insert(&mut self, member: Member) {
        self.count.add(&member);
        if let Some(before) = self.members.insert(member.name.clone(), member) {
            self.count.take(&before);
        }
    }

    /// Takes a member out. Whether there was one.
    pub(super) fn remove(&mut self, name: &str) -> bool {
        let removed = self.members.remove(name);
        if let Some(member) = &removed {
            self.count.take(member);
        }
        removed.is_some()
    }

    /// Changes a member; none if there is none of that name.
    pub(super) fn change<T>(&mut self, name: &str, verb: impl FnOnce(&mut Member) -> T) -> Option<T> {
        let member = self.members.get_mut(name)?;
        self.count.take(member);
        let outcome = verb(member);
        self.count.add(member);
        Some(outcome)
    }

    /// Living sites that have been silent for so long are dead from now on. Their names, and when the next of those that
    /// live will have been.
    pub(super) fn bury(&mut self, now: UnixTime, patience: Duration) -> (Vec<String>, Option<UnixTime>) {
        let (mut dead, mut next) = (Vec::new(), None);
        for member in self.members.values_mut().filter(|member| member.is_living_site()) {
            if now.saturating_since(member.seen) >= patience {
                self.count.take(member);
                member.presence = Presence::Dead;
                self.count.add(member);
                dead.push(member.name.clone());
            } else {
                let due = member.seen.saturating_add(patience);
                next = Some(next.map_or(due, |next: UnixTime| next.min(due)));
            }
        }
        (dead, next)
    }

    pub(super) fn get(&self, name: &str) -> Option<&Member> {
        self.members.get(name)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Member> {
        self.members.values()
    }

    pub(super) const fn count(&self) -> Count {
        self.count
    }
}

#[cfg(test)]
mod tests {
    use fedcell_protocol_defs::federation::ClientType;
    use proptest::prelude::*;

    use super::*;

    fn member(name: String, kind: ClientType<'_>, seen: UnixTime) -> Member {
        Member {
            fqcn: fedcell_cell_proto::address::FqcnBuf::parse(&name).unwrap(),
            fqsn: name.clone(),
            name,
            kind: kind.as_str().to_owned(),
            is_leaf: true,
            organisation: None,
            site_config: None,
            address: String::new(),
            software: String::new(),
            joined: seen,
            seen,
            presence: Presence::Joined,
            jobs: std::collections::BTreeSet::new(),
        }
    }

    proptest! {
        /// Whatever happens, the counts are what somebody who goes through all members would count.
        #[test]
        fn the_counts_are_those_of_the_members(steps in prop::collection::vec((0..5_u8, 0..6_u8), 1..60)) {
            let mut roll = Roll::default();
            for (moment, (step, who)) in (1_u64..).zip(steps) {
                let (name, now) = (format!("m-{who}"), UnixTime::from_secs(moment));
                match step {
                    0 => roll.insert(member(name, ClientType::REGULAR, now)),
                    1 => roll.insert(member(name, ClientType::RELAY, now)),
                    2 => _ = roll.remove(&name),
                    3 => _ = roll.change(&name, |member| (member.seen, member.presence) = (now, Presence::Alive)),
                    _ => {
                        let before: Vec<_> = roll.iter().filter(|member| member.is_living_site()).cloned().collect();
                        let patience = Duration::from_secs(4);
                        let (dead, next) = roll.bury(now, patience);
                        let (silent, heard): (Vec<_>, Vec<_>) =
                            before.into_iter().partition(|member| member.seen.saturating_add(patience) <= now);
                        prop_assert_eq!(dead, silent.into_iter().map(|member| member.name).collect::<Vec<_>>());
                        prop_assert_eq!(next, heard.into_iter().map(|member| member.seen.saturating_add(patience)).min());
                    }
                }
                let sites = roll.iter().filter(|member| member.is_site()).count();
                let living = roll.iter().filter(|member| member.is_living_site()).count();
                prop_assert_eq!(roll.count(), Count { sites, living });
            }
        }
    }
}
