//! A controller of its own: one model goes from site to site, each trains on what the one before it has made.

use core::convert::Infallible;
use core::time::Duration;
use std::time::Instant;

use fedcell_fobs::typed::{Dxo, Shareable};
use fedcell_fobs::{Map, Value};
use fedcell_protocol_defs::federation::{DataKind, ShareableCode};
use fedcell_server::Controller;
use fedcell_server::controller::{Receipt, Step, Task};

/// Cyclic training. It keeps nothing on disk: a coordinator that is restarted begins anew.
struct Cyclic {
    sites: Vec<String>,
    /// Turns that are over; the site of the next one follows from it.
    turn: usize,
    turns: usize,
    model: Map,
    events: Vec<String>,
}

impl Cyclic {
    fn id(&self) -> String {
        format!("turn-{}", self.turn)
    }

    fn is_turn_of(&self, site: &str) -> bool {
        self.sites.get(self.turn % self.sites.len()).is_some_and(|next| next == site)
    }
}

impl Controller for Cyclic {
    type Event = String;
    type Error = Infallible;

    fn task_for(&mut self, site: &str, _: Instant) -> Result<Step, Infallible> {
        if self.is_ended() {
            return Ok(Step::End);
        }
        if !self.is_turn_of(site) {
            return Ok(Step::Wait(Duration::from_secs(1)));
        }
        let mut data = Shareable::new();
        data.set_dxo(Dxo::new(DataKind::WEIGHTS, self.model.clone()));
        // What comes back with the result says which turn it is of.
        data.add_cookie("turn", self.id());
        Ok(Step::Task(Task::new("train", self.id(), data)))
    }

    fn result(&mut self, site: &str, mut result: Shareable, _: Instant) -> Result<Receipt, Infallible> {
        if !self.is_turn_of(site) || result.cookie("turn").and_then(Value::as_str) != Some(self.id().as_str()) {
            return Ok(Receipt::Unknown);
        }
        let model = result.take_dxo().ok().and_then(|dxo| dxo.data.as_map().cloned());
        self.turn += 1;
        self.events.push(format!("{site}: {}", if model.is_some() { "trained" } else { "left out" }));
        let receipt = if model.is_some() { Receipt::Counted } else { Receipt::Refused };
        self.model = model.unwrap_or_else(|| self.model.clone());
        Ok(receipt)
    }

    fn lost(&mut self, site: &str, _: Instant) -> Result<(), Infallible> {
        if self.is_turn_of(site) {
            self.turn += 1;
        }
        Ok(())
    }

    fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    fn handle_timeout(&mut self, _: Instant) -> Result<(), Infallible> {
        Ok(())
    }

    fn poll_event(&mut self) -> Option<String> {
        if self.events.is_empty() { None } else { Some(self.events.remove(0)) }
    }

    fn is_ended(&self) -> bool {
        self.turn >= self.turns
    }
}

/// Two sites that add one each time they are asked, without a network; [`fedcell_server::tasks::TaskService`] puts the
/// same controller on a cell.
fn main() {
    let mut model = Map::new();
    model.insert("w", 0_i64);
    let sites = ["site-1", "site-2"].map(str::to_owned).to_vec();
    let mut cyclic = Cyclic { sites, turn: 0, turns: 4, model, events: Vec::new() };
    let now = Instant::now();
    while !cyclic.is_ended() {
        for site in ["site-1", "site-2"] {
            let Ok(step) = cyclic.task_for(site, now);
            let Step::Task(task) = step else { continue };
            let dxo = task.data.clone().take_dxo().expect("the task has a model");
            let before = dxo.data.as_map().and_then(|map| map.get("w")).and_then(Value::as_i64);
            let mut trained = Map::new();
            trained.insert("w", before.unwrap_or_default() + 1);
            let mut result = Shareable::reply(ShareableCode::OK);
            result.set_dxo(Dxo::new(DataKind::WEIGHTS, trained));
            result.set_cookie_jar(task.data.cookie_jar().cloned().unwrap_or_default());
            let Ok(receipt) = cyclic.result(site, result, now);
            assert_eq!(receipt, Receipt::Counted);
        }
    }
    assert_eq!(cyclic.model.get("w").and_then(Value::as_i64), Some(4));
    assert_eq!(cyclic.poll_event().as_deref(), Some("site-1: trained"));
}
