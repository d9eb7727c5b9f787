//! Tables held against those of the reference.

use serde_json::Value;

use super::{Categories, CellStats, CounterPool, HistogramMode, HistogramPool, Marks, Table};

fn golden() -> Value {
    serde_json::from_str(include_str!("../../testdata/stats.json")).unwrap()
}

fn table(value: &Value) -> Table {
    let texts = |row: &Value| row.as_array().unwrap().iter().map(|cell| cell.as_str().unwrap().to_owned()).collect();
    Table { headers: texts(&value[0]), rows: value[1].as_array().unwrap().iter().map(texts).collect() }
}

#[track_caller]
fn check(name: &str, marks: Marks) {
    let golden = golden();
    let mut categories = Categories::new(100);
    let mut pool = HistogramPool::new(marks);
    for pair in golden[name]["values"].as_array().unwrap() {
        pool.record(categories.named(pair[0].as_str().unwrap()), pair[1].as_f64().unwrap());
    }
    let tables = golden[name]["tables"].as_object().unwrap();
    for (mode, expected) in tables {
        assert_eq!(pool.table(&categories, HistogramMode::parse(mode)), table(expected), "{mode}");
    }
    assert_eq!(tables.len(), 6);
}

#[test]
fn histograms_print_as_those_of_the_reference() {
    check("seconds", Marks::SECONDS);
    check("megabytes", Marks::MEGABYTES);
}

#[test]
fn counters_print_as_those_of_the_reference() {
    let golden = &golden()["counters"];
    let mut categories = Categories::new(100);
    let mut pool = CounterPool::new();
    let sent = categories.named("req:task:heart_beat");
    pool.increment(sent, "sent");
    let mut pairs = golden["counted"].as_array().unwrap().clone();
    // The reference declares `sent` before it counts anything: its column comes first.
    let first = pairs.iter().position(|pair| pair[0] == "req:task:heart_beat" && pair[1] == "sent").unwrap();
    pairs.remove(first);
    for pair in &pairs {
        pool.increment(categories.named(pair[0].as_str().unwrap()), pair[1].as_str().unwrap());
    }
    assert_eq!(pool.table(&categories), table(&golden["table"]));
}

#[test]
fn categories_are_named_as_the_reference_names_them_and_are_bounded() {
    let mut categories = Categories::new(4);
    let named = [
        (categories.of(None, false, "req", "task", "heart_beat"), "req:task:heart_beat"),
        (categories.of(Some("site-1"), true, "reply", "", ""), "site-1#fwd.reply:?:?"),
        (categories.of(None, false, "", "x", "y"), "?:x:y"),
        (categories.of(None, false, "req", "a", "b"), "(other)"),
        (categories.of(None, false, "req", "a", "c"), "(other)"),
    ];
    let sorted = categories.sorted();
    for (id, name) in named {
        assert!(sorted.contains(&(name, id)), "{name} in {sorted:?}");
    }
    assert_eq!(categories.len(), 4);
}

#[test]
fn every_listed_pool_has_a_table() {
    let mut stats = CellStats::new();
    let category = stats.category(false, "req", "task", "heart_beat");
    stats.record_sent_size(category, 2 << 20);
    let list = stats.list();
    for row in &list.rows {
        assert!(stats.table(&row[0], HistogramMode::Count).is_some(), "{row:?}");
    }
    let sizes = stats.table("Sent_Msg_Sizes", HistogramMode::Average).unwrap();
    assert_eq!(sizes.headers, ["category", "1-10", "overall"]);
    assert_eq!(sizes.rows, [["req:task:heart_beat", "2.000e+00", "2.000e+00"]]);
    assert_eq!(stats.table("no_such_pool", HistogramMode::Count), None);
}
