//! Two cells: the smallest tree.

use core::time::Duration;

use fedcell_netsim::LinkProfile;

use super::{CellId, Conduct, Tree};

/// A server and one site.
#[derive(Debug)]
pub struct Pair {
    /// The tree that they are.
    pub tree: Tree,
    /// The server.
    pub server: CellId,
    /// The site.
    pub site: CellId,
}

impl Pair {
    /// Two connected cells, with so good a link between them.
    ///
    /// # Panics
    ///
    /// If they are not connected after five seconds.
    #[must_use]
    pub fn connected(seed: u64, profile: LinkProfile) -> Self {
        let mut tree = Tree::new(seed, profile);
        let server = tree.add("server", &[], Conduct::default());
        let site = tree.add("site-1", &[server], Conduct::default());
        tree.run(Duration::from_secs(5));
        assert!(tree.is_whole(), "no connection with {profile:?}");
        Self { tree, server, site }
    }
}
