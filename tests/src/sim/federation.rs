//! Random federations: which cells there are, who dials whom, and how bad the links between them are.

use core::time::Duration;

use fedcell_cell_proto::address::Fqcn;
use fedcell_netsim::{LinkProfile, SimRng};

use super::cell::client_of;
use super::{CellId, Conduct, Tree};

const MS: Duration = Duration::from_millis(1);
/// Most cells of a federation, of every second one.
const MOST_CELLS: [usize; 2] = [6, 20];

/// How the links and the cells of a federation behave while the storm lasts.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Weather {
    /// The links.
    pub links: LinkProfile,
    /// How likely a cell looks at messages in another order than they came.
    pub scatters: f64,
    /// How likely a cell looks at some messages twice.
    pub repeats: f64,
    /// After how long a silence cells ask each other whether they live; none for the times of the reference.
    pub heartbeat: Option<Duration>,
    /// How likely a cell makes direct connections.
    pub adhoc: f64,
    /// Whether the first site has nothing by which the server would know it.
    pub has_stranger: bool,
}

impl Weather {
    /// Some weather.
    pub fn random(rng: &mut SimRng) -> Self {
        let latency = rng.span(20 * MS) + MS;
        let mut links = LinkProfile::PERFECT.with_latency(latency, rng.span(30 * MS));
        if rng.chance(0.3) {
            links = links.with_bandwidth(20_000 + rng.below(100_000) as u64);
        }
        if rng.chance(0.5) {
            links = links.with_mean_lifetime(Duration::from_secs(5 + rng.below(40) as u64));
        }
        if rng.chance(0.1) {
            links = links.with_reorder(0.02, 40 * MS);
        }
        if rng.chance(0.1) {
            links = links.with_duplicates(0.02);
        }
        Self {
            links,
            scatters: if rng.chance(0.5) { 0.6 } else { 0.0 },
            repeats: if rng.chance(0.5) { 0.5 } else { 0.0 },
            heartbeat: rng.chance(0.7).then(|| Duration::from_millis(500 + rng.below(1500) as u64)),
            adhoc: if rng.chance(0.3) { 0.7 } else { 0.0 },
            has_stranger: rng.chance(0.2),
        }
    }

    /// The same links without their faults, as slow as they were.
    #[must_use]
    pub fn calm(&self) -> LinkProfile {
        let mut links = LinkProfile::PERFECT.with_latency(self.links.latency, self.links.jitter);
        links.bandwidth = self.links.bandwidth;
        links
    }

    /// Whether no message is ever handled twice.
    #[must_use]
    pub fn handles_once(&self) -> bool {
        self.repeats == 0.0 && self.links.duplicate == 0.0
    }

    fn conduct(&self, rng: &mut SimRng, name: &str) -> Conduct {
        let client = Fqcn::parse(name).ok().and_then(client_of);
        Conduct {
            scatter: if rng.chance(self.scatters) { rng.span(50 * MS) } else { Duration::ZERO },
            repeat_every: if rng.chance(self.repeats) { 5 + rng.below(40) as u64 } else { 0 },
            heartbeat: self.heartbeat,
            adhoc: rng.chance(self.adhoc),
            is_stranger: self.has_stranger && client == Some("site-0"),
        }
    }
}

/// Plants a federation: a server, relays below it and below each other, sites at any of these, jobs below the sites and
/// the server, of which some dial the server too, and administrators. Two to twenty cells.
pub(super) fn plant(tree: &mut Tree, rng: &mut SimRng, weather: &Weather) {
    let most = *rng.choose(&MOST_CELLS).expect("there are two");
    let server = add(tree, rng, weather, "server", &[]);
    let mut hubs = vec![server];
    for number in 0..rng.below(most.div_ceil(5)) {
        let above = *rng.choose(&hubs).expect("there is the server");
        let name = below(tree, above, &format!("relay-{number}"));
        hubs.push(add(tree, rng, weather, &name, &[above]));
    }
    let mut sites = Vec::new();
    for number in 0..1 + rng.below(most.div_ceil(3)) {
        let above = *rng.choose(&hubs).expect("there is the server");
        let name = below(tree, above, &format!("site-{number}"));
        sites.push((add(tree, rng, weather, &name, &[above]), above == server));
    }
    if tree.cells.len() < most && rng.chance(0.3) {
        let id = format!("{:012x}4{:03x}8{:015x}", rng.bits() >> 16, rng.bits() >> 52, rng.bits() >> 4);
        add(tree, rng, weather, &format!("_admin_{id}"), &[server]);
    }
    for job in ["j1", "j2"] {
        if tree.cells.len() < most && rng.chance(0.4) {
            add(tree, rng, weather, &format!("server.{job}"), &[server]);
        }
        for (site, is_direct) in &sites {
            if tree.cells.len() < most && rng.chance(0.4) {
                let name = below(tree, *site, job);
                let dials_server = *is_direct && rng.chance(0.7);
                let parents = if dials_server { vec![*site, server] } else { vec![*site] };
                add(tree, rng, weather, &name, &parents);
            }
        }
    }
}

fn add(tree: &mut Tree, rng: &mut SimRng, weather: &Weather, name: &str, parents: &[CellId]) -> CellId {
    let conduct = weather.conduct(rng, name);
    tree.add(name, parents, conduct)
}

/// The address of a cell below another one; below the server of one that is no job.
fn below(tree: &Tree, above: CellId, segment: &str) -> String {
    let above = &tree.cell(above).name;
    if above.as_fqcn().is_server() { segment.to_owned() } else { format!("{above}.{segment}") }
}
