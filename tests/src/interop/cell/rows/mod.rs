//! What is shown on each network: one row a property.

mod adhoc;
mod certificates;
mod failures;
mod inspect;
mod messages;
mod program;
mod roots;

use anyhow::Result;

use super::kits::Kits;
use super::network::Network;
use super::plan::{DEEP, PAIR, Plan, Role, TREE, Variant};

/// What shows a property of a running network.
type Show = dyn Fn(&mut Network<'_>) -> Result<()>;

/// What builds what it needs and shows a property of it.
type ShowAlone = dyn Fn(&Kits) -> Result<()> + Send;

/// A property of a running network. Rows leave the network as they found it.
pub(crate) struct Row {
    /// For the table.
    pub(crate) name: String,
    /// Shows it.
    pub(crate) run: Box<Show>,
}

/// A property that builds what it needs by itself.
pub(crate) struct LoneRow {
    /// For the table.
    pub(crate) name: String,
    /// Shows it.
    pub(crate) run: Box<ShowAlone>,
}

fn row(name: impl Into<String>, run: impl Fn(&mut Network<'_>) -> Result<()> + 'static) -> Row {
    Row { name: name.into(), run: Box::new(run) }
}

/// The rows that build what they need, each with the name of its network.
pub(crate) fn lone(quick: bool) -> Vec<(String, LoneRow)> {
    let roots = roots::changes(quick);
    certificates::rejections(quick).into_iter().chain(roots).chain(program::program_rows()).collect()
}

/// The rows of a network, those that break and mend it last.
pub(crate) fn rows(plan: &Plan, quick: bool) -> Vec<Row> {
    match plan.variant {
        Variant::Plain => plain(plan, quick),
        Variant::Asyncio => {
            let mut rows = exchange();
            rows.push(row("payloads of every kind and size up to 16 MiB", messages::sizes));
            rows.push(row("goodbye of the leaf, and its return", failures::goodbye));
            rows.extend(kills(plan, quick));
            rows
        }
        Variant::Adhoc(_) => vec![
            row("a direct connection after a request, where both sides want one", adhoc::in_request),
            row("a direct connection after a reply, where both sides want one", adhoc::in_reply),
            row("messages after the end of a direct connection", adhoc::falls_back),
        ],
        Variant::ManyRoots => vec![
            row("each URL of the server serves", roots::listed),
            row("broadcast to all and to nobody", messages::broadcast),
            row("every cell reaches every other, by the shortest way", messages::all_pairs),
            row("kill -9 of the server, restart, reconnect by all URLs", |net| {
                failures::kill(net, 0)?;
                roots::listed(net)
            }),
        ],
    }
}

/// What messages are good for.
fn exchange() -> Vec<Row> {
    vec![
        row("request and reply, from the leaf to the server", |net| messages::request(net, net.leaf(), 0)),
        row("request and reply, from the server to the leaf", |net| messages::request(net, 0, net.leaf())),
        row("broadcast to all and to nobody", messages::broadcast),
        row("fire and forget", messages::fire),
        row("delayed replies, and one that comes too late", messages::delayed),
        row("bulk", messages::bulk),
        row("sealed messages in both directions", messages::sealed),
        row("refusals and errors keep their codes", messages::refusals),
        row("64 requests at once in both directions", messages::many),
    ]
}

fn plain(plan: &Plan, quick: bool) -> Vec<Row> {
    let mut rows = exchange();
    let pair = plan.shape.name == PAIR.name;
    if pair || plan.shape.name == DEEP.name {
        rows.push(row("payloads of every kind and size up to 16 MiB", messages::sizes));
        rows.push(row("another message for each target", messages::multi));
    }
    let on_the_way = plan.way(plan.shape.seats.len() - 1, 0);
    if on_the_way.contains(&plan.shape.seats[messages::WATCHED].fqcn) && on_the_way.len() > 2 {
        rows.push(row("sealed messages as a relay sees them", messages::sealed_on_the_way));
    }
    if pair {
        rows.push(row("all network commands, asked by each of the other", inspect::all_commands));
        rows.push(row("every statistics pool in every mode", inspect::pools));
    } else {
        rows.push(row("every cell reaches every other, by the shortest way", messages::all_pairs));
    }
    if plan.shape.name == DEEP.name || plan.shape.name == TREE.name {
        rows.push(row("network commands that every cell passes on", inspect::passed_on));
    }
    rows.push(row("goodbye of the leaf, and its return", failures::goodbye));
    if pair {
        rows.push(row("end of input stops the leaf with a goodbye", failures::hang_up));
    }
    rows.extend(kills(plan, quick));
    rows
}

fn kills(plan: &Plan, quick: bool) -> Vec<Row> {
    let mut rows = Vec::new();
    for (seat, place) in plan.shape.seats.iter().enumerate() {
        // One kill is enough for a quick look: that of the cell which most depend on.
        if quick && (seat != 0 || plan.shape.name != PAIR.name) {
            continue;
        }
        let role = match place.role {
            Role::Server => "the server",
            Role::Relay => "a relay",
            Role::Client => "a site",
            Role::Job => "a job",
        };
        let name = format!("kill -9 of {role} ({}), restart, reconnect", place.fqcn);
        rows.push(row(name, move |net| failures::kill(net, seat)));
    }
    rows
}
