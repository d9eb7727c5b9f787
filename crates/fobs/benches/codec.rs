//! How long encoding and decoding take, for the three shapes of payload that a federation sends most.
//!
//! `cargo xtask bench fobs` measures the same shapes beside the reference.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use fedcell_fobs::array::Array;
use fedcell_fobs::typed::{Dxo, FobsType as _, Shareable};
use fedcell_fobs::{Encoder, Map, Value, decode};
use fedcell_protocol_defs::federation::DataKind;

/// A task with a model of so many arrays of so many bytes; no arrays: a task with headers alone.
fn task(arrays: usize, bytes: usize) -> Value {
    let mut shareable = Shareable::new();
    for (name, value) in [
        ("task_name", Value::from("train")),
        ("__task_id__", "0d5a7c5e-8f5e-4b0e-9d5c-2b1f5f7a9a11".into()),
        ("current_round", 3.into()),
        ("total_rounds", 20.into()),
        ("__wait_time__", 2.0.into()),
    ] {
        shareable.set_header(name, value);
    }
    if arrays > 0 {
        let elements = vec![0.5_f32; bytes / 4];
        let mut weights = Map::with_capacity(arrays);
        for number in 0..arrays {
            let array = Array::from_elements([elements.len()], &elements).expect("one axis of all elements");
            weights.insert(format!("layer{number}.weight"), array);
        }
        shareable.set_dxo(Dxo::new(DataKind::WEIGHTS, weights));
    }
    shareable.into_value()
}

fn codec(criterion: &mut Criterion) {
    for (name, arrays, bytes) in [("headers", 0, 0), ("100 x 1 MB", 100, 1_000_000), ("4 x 25 MB", 4, 25_000_000)] {
        let value = task(arrays, bytes);
        let mut encoder = Encoder::new();
        let encoded = encoder.encode(&value).expect("a task can be encoded");
        let received = [encoded.to_bytes()];
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Bytes(encoded.len() as u64));
        group.bench_function("encode", |bencher| bencher.iter(|| encoder.encode(&value)));
        group.bench_function("decode", |bencher| {
            bencher.iter_batched(|| received.clone(), |segments| decode(&segments), BatchSize::SmallInput);
        });
        group.finish();
    }
}

criterion_group!(benches, codec);
criterion_main!(benches);
