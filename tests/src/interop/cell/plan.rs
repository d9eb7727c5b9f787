//! The shapes of the networks, and who sits where: data only.

use crate::interop::cell::process::Maker;

/// What a cell is in its network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// The root server.
    Server,
    /// Passes on what its children send.
    Relay,
    /// A site.
    Client,
    /// The cell of a job, below the server or a site.
    Job,
}

/// One place in a network.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seat {
    /// Address of the cell.
    pub(crate) fqcn: &'static str,
    /// What it is.
    pub(crate) role: Role,
    /// Index of the cell whose internal listener it dials.
    pub(crate) parent: Option<usize>,
    /// Whether it dials the root server: sites and relays at the top, and their jobs beside the connection to the site.
    pub(crate) dials_server: bool,
    /// Folder of its kit.
    pub(crate) kit: &'static str,
}

/// A tree of cells.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    /// For the tables.
    pub(crate) name: &'static str,
    /// Parents stand before their children; the first is the server.
    pub(crate) seats: &'static [Seat],
    /// Which makers sit there in `--quick`, with mTLS, one letter for each seat.
    pub(crate) quick: &'static [&'static str],
}

impl Shape {
    /// Every way to give the seats to the makers. The first is the reference among itself: it proves the rows.
    pub(crate) fn members(&self) -> impl Iterator<Item = String> + use<> {
        let seats = self.seats.len();
        (0..1_u32 << seats).map(move |chosen| {
            let letter =
                |seat| if chosen >> (seats - 1 - seat) & 1 == 1 { Maker::Ours } else { Maker::Theirs }.letter();
            (0..seats).map(letter).collect()
        })
    }
}

const fn seat(fqcn: &'static str, role: Role, parent: Option<usize>, dials_server: bool, kit: &'static str) -> Seat {
    Seat { fqcn, role, parent, dials_server, kit }
}

const SERVER: Seat = seat("server", Role::Server, None, false, "server");
const RELAY: Seat = seat("relay-1", Role::Relay, None, true, "relay-1");

/// Server and site.
pub(crate) const PAIR: Shape = Shape {
    name: "pair",
    seats: &[SERVER, seat("site-1", Role::Client, None, true, "site-1")],
    quick: &["RP", "PR", "RR"],
};

/// A site behind a relay.
pub(crate) const CHAIN: Shape = Shape {
    name: "chain",
    seats: &[SERVER, RELAY, seat("relay-1.site-1", Role::Client, Some(1), false, "site-1")],
    quick: &["PRP", "RPR"],
};

/// A job on the server and one on a site; the latter has two connections.
pub(crate) const JOBS: Shape = Shape {
    name: "jobs",
    seats: &[
        SERVER,
        seat("server.job-1", Role::Job, Some(0), false, "server"),
        seat("site-1", Role::Client, None, true, "site-1"),
        seat("site-1.job-1", Role::Job, Some(2), true, "site-1"),
    ],
    quick: &["PRRP"],
};

/// Two relays in a row, a site and its job.
pub(crate) const DEEP: Shape = Shape {
    name: "deep",
    seats: &[
        SERVER,
        RELAY,
        seat("relay-1.relay-2", Role::Relay, Some(1), false, "relay-2"),
        seat("relay-1.relay-2.site-1", Role::Client, Some(2), false, "site-1"),
        seat("relay-1.relay-2.site-1.job-1", Role::Job, Some(3), false, "site-1"),
    ],
    quick: &[],
};

/// A site behind a relay beside one with a job.
pub(crate) const TREE: Shape = Shape {
    name: "tree",
    seats: &[
        SERVER,
        RELAY,
        seat("relay-1.site-1", Role::Client, Some(1), false, "site-1"),
        seat("site-2", Role::Client, None, true, "site-2"),
        seat("site-2.job-1", Role::Job, Some(3), true, "site-2"),
    ],
    quick: &["PRPRP"],
};

/// Two sites that could talk directly.
pub(crate) const SITES: Shape = Shape {
    name: "sites",
    seats: &[
        SERVER,
        seat("site-1", Role::Client, None, true, "site-1"),
        seat("site-2", Role::Client, None, true, "site-2"),
    ],
    quick: &["PRP", "RPR"],
};

/// Sites that each know other URLs of the server.
pub(crate) const STAR: Shape = Shape {
    name: "star",
    seats: &[
        SERVER,
        seat("site-1", Role::Client, None, true, "site-1"),
        seat("site-2", Role::Client, None, true, "site-2"),
        seat("relay-1", Role::Client, None, true, "relay-1"),
    ],
    quick: &["PRRP"],
};

/// How a network departs from the usual one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Variant {
    /// In nothing.
    Plain,
    /// Its URLs have the schemes of the asyncio driver.
    Asyncio,
    /// Cells whose seats are marked `+` make direct connections.
    Adhoc(&'static str),
    /// The server listens on several URLs.
    ManyRoots,
}

impl Variant {
    /// For the tables; nothing for a usual network.
    const fn word(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Asyncio => "asyncio",
            Self::Adhoc(seats) => seats,
            Self::ManyRoots => "3 urls",
        }
    }

    /// Whether the cell of that seat makes direct connections.
    pub(crate) fn is_adhoc(self, seat: usize) -> bool {
        matches!(self, Self::Adhoc(seats) if seats.as_bytes().get(seat) == Some(&b'+'))
    }
}

/// How the connections between sites are protected. Those between a site and its jobs are clear, as in the reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Security {
    /// Plain TCP; the certificates serve sealed messages only.
    Clear,
    /// TLS with a certificate of the listening side.
    Tls,
    /// TLS with certificates on both sides.
    Mtls,
}

impl Security {
    /// The word in kits and options.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Clear => "clear",
            Self::Tls => "tls",
            Self::Mtls => "mtls",
        }
    }
}

/// A network to be built.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// Its shape.
    pub(crate) shape: &'static Shape,
    /// Who sits where.
    pub(crate) members: String,
    /// How its connections are protected.
    pub(crate) security: Security,
    /// What is unusual about it.
    pub(crate) variant: Variant,
}

impl Plan {
    /// For the tables.
    pub(crate) fn name(&self) -> String {
        let usual = format!("{:<5} {:<5} {:<5}", self.shape.name, self.members, self.security.word());
        if self.variant == Variant::Plain { usual } else { format!("{usual} {}", self.variant.word()) }
    }

    /// Who runs the cell of that seat.
    pub(crate) fn maker(&self, seat: usize) -> Maker {
        if self.members.as_bytes().get(seat) == Some(&b'R') { Maker::Ours } else { Maker::Theirs }
    }

    /// Seats whose cells dial that seat's internal listener.
    pub(crate) fn children(&self, seat: usize) -> impl Iterator<Item = usize> + '_ {
        (0..self.shape.seats.len()).filter(move |child| self.shape.seats[*child].parent == Some(seat))
    }

    /// The connections, as pairs of the cell that dials and the one that listens.
    pub(crate) fn links(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        self.shape.seats.iter().enumerate().flat_map(|(index, seat)| {
            seat.parent.into_iter().chain(seat.dials_server.then_some(0)).map(move |listener| (index, listener))
        })
    }

    /// The shortest way between two cells, both included: the one that routing must find in trees like these.
    pub(crate) fn way(&self, from: usize, to: usize) -> Vec<&'static str> {
        let mut ways = vec![vec![from]];
        let mut seen = vec![from];
        let mut next = 0;
        while let Some(way) = ways.get(next).cloned() {
            next += 1;
            let last = way[way.len() - 1];
            if last == to {
                return way.into_iter().map(|seat| self.shape.seats[seat].fqcn).collect();
            }
            for (dialler, listener) in self.links() {
                for (here, there) in [(dialler, listener), (listener, dialler)] {
                    if here == last && !seen.contains(&there) {
                        seen.push(there);
                        ways.push([way.as_slice(), &[there]].concat());
                    }
                }
            }
        }
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(shape: &'static Shape, from: usize, to: usize, expected: &[&str]) {
        let members = shape.members().next().unwrap_or_default();
        let plan = Plan { shape, members, security: Security::Clear, variant: Variant::Plain };
        assert_eq!(plan.way(from, to), expected);
    }

    #[test]
    fn ways() {
        check(&PAIR, 0, 1, &["server", "site-1"]);
        check(&CHAIN, 2, 0, &["relay-1.site-1", "relay-1", "server"]);
        check(&JOBS, 3, 1, &["site-1.job-1", "server", "server.job-1"]);
        check(&JOBS, 3, 2, &["site-1.job-1", "site-1"]);
        check(&TREE, 2, 4, &["relay-1.site-1", "relay-1", "server", "site-2.job-1"]);
    }

    #[test]
    fn every_seat_goes_to_every_maker() {
        assert_eq!(PAIR.members().collect::<Vec<_>>(), ["PP", "PR", "RP", "RR"]);
        for shape in [&PAIR, &CHAIN, &JOBS, &DEEP, &TREE, &SITES, &STAR] {
            let members: Vec<_> = shape.members().collect();
            assert_eq!(members.len(), 1 << shape.seats.len(), "{}", shape.name);
            assert!(shape.quick.iter().all(|wanted| members.iter().any(|known| known == wanted)), "{}", shape.name);
        }
    }
}
