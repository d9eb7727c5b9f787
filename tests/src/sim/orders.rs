//! Payloads that a cell seals and opens beside its machine, and the certificates that it asks others for first.

use core::time::Duration;

use fedcell_cell_proto::message::Message;
use fedcell_cell_proto::request::RequestId;
use fedcell_cell_proto::secure::SecureError;

use super::cell::CellId;
use super::seals::{Order, Taken};
use super::tree::{Plan, Tree};

/// How long a cell waits for the certificate of another.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long keys take at most.
const LONGEST: Duration = Duration::from_millis(50);

impl Tree {
    /// A machine wants a payload sealed or opened.
    pub(super) fn order(&mut self, id: CellId, order: Order) {
        let now = self.now();
        match self.cells[id.0].seals.take(now, order) {
            Taken::Ready(order) => self.work_on(id, order),
            Taken::Waits(None) => {}
            Taken::Waits(Some(first)) => {
                let (cell, request) = *first;
                self.note(id, cell.as_str(), || format!("asks {cell} for its certificate"));
                let request = request.with_timeout(PATIENCE);
                let exchange = self.cells[id.0].node.exchange_mut();
                let asked = exchange.send_request(now, core::slice::from_ref(&cell), &request).expect("room to wait");
                self.cells[id.0].exchanges.insert(asked, cell);
            }
            Taken::Impossible(order) => self.plan(id, Duration::ZERO, Plan::Done { order, fails: true }),
        }
    }

    /// The keys turn for a while, and in the storm not always.
    fn work_on(&mut self, id: CellId, order: Order) {
        let (after, fails) = (self.rng.span(LONGEST), self.rng.chance(self.seals_fail));
        self.plan(id, after, Plan::Done { order, fails });
    }

    /// A cell has answered with its certificate, or has not: what waited goes on, or fails.
    pub(super) fn end_exchange(&mut self, id: CellId, request: &RequestId, reply: Option<&Message>) {
        let now = self.now();
        let cell = &mut self.cells[id.0];
        let Some(other) = cell.exchanges.remove(request) else { return };
        cell.answers_taken += u64::from(reply.is_some());
        let (outcome, orders) = cell.seals.end_exchange(now, &other, reply);
        self.note(id, (other.as_str(), outcome.is_ok()), || format!("hears from {other} on certificates: {outcome:?}"));
        for order in orders {
            if outcome.is_ok() {
                self.work_on(id, order);
            } else {
                self.plan(id, Duration::ZERO, Plan::Done { order, fails: true });
            }
        }
    }

    /// A payload has been sealed or opened, or could not be: of one that could not be opened nobody is told.
    pub(super) fn carry_out_order(&mut self, id: CellId, order: Order, fails: bool) {
        let now = self.now();
        let (name, cell) = (self.cells[id.0].name.clone(), &mut self.cells[id.0]);
        match order {
            Order::Seal(work) if fails => cell.node.exchange_mut().handle_seal_failed(*work),
            Order::Seal(work) => {
                let sealed = cell.seals.seal(now, &work).unwrap_or_else(|error| panic!("{name} cannot seal: {error}"));
                let clear = work.plaintext().clone().into_bytes();
                let shows =
                    clear.len() > 4 && sealed.clone().into_bytes().windows(clear.len()).any(|part| part == clear);
                assert!(!shows, "{name} sends in clear what it should seal");
                cell.node.exchange_mut().handle_sealed(now, *work, sealed);
            }
            Order::Open(..) if fails => {}
            Order::Open(work, answers) => match cell.seals.open(now, &work) {
                Ok(plaintext) => {
                    cell.answers_given += answers;
                    cell.node.exchange_mut().handle_opened(now, *work, plaintext);
                }
                Err(SecureError::Replayed(_)) => self.note(id, "replayed", || "has opened that before".to_owned()),
                Err(error) => panic!("{name} cannot open what {} sealed: {error:?}", work.origin()),
            },
        }
        self.note(id, fails, || format!("has sealed or opened, fails {fails}"));
        self.drain(id, None);
    }
}
