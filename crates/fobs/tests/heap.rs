//! The decoder's memory is bounded by the bytes that it is given: four times as many, and one mebibyte.
//!
//! A binary of its own with one test, because the allocator counts for the whole process.

use std::path::Path;

use bytes::Bytes;
use fedcell_fobs::decode;
use peak_alloc::PeakAlloc;

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

fn main_section(body: &[u8]) -> Vec<u8> {
    let mut section = vec![100, 0];
    section.extend_from_slice(&(body.len() as u64).to_be_bytes());
    section.extend_from_slice(body);
    section
}

fn list(count: u32, item: &[u8]) -> Vec<u8> {
    let mut body = vec![0xdd];
    body.extend_from_slice(&count.to_be_bytes());
    body.extend((0..count).flat_map(|_| item.iter().copied()));
    body
}

fn map(count: u32, value: &[u8]) -> Vec<u8> {
    let mut body = vec![0xdf];
    body.extend_from_slice(&count.to_be_bytes());
    for key in 0..count {
        body.push(0xce);
        body.extend_from_slice(&key.to_be_bytes());
        body.extend_from_slice(value);
    }
    body
}

fn envelope(type_name: &str, data: &[u8]) -> Vec<u8> {
    let mut body = vec![0x82];
    for text in ["__fobs_type__", type_name, "__fobs_data__"] {
        body.extend_from_slice(&[0xd9, u8::try_from(text.len()).unwrap()]);
        body.extend_from_slice(text.as_bytes());
    }
    body.extend_from_slice(data);
    body
}

fn datums(count: u32) -> Vec<u8> {
    let mut container = main_section(&[0xc0]);
    for id in 0..count {
        container.extend_from_slice(&[102, 0, 0, 0, 0, 0, 0, 0, 0, 17]);
        container.extend_from_slice(&u128::from(id).to_be_bytes());
        container.push(0);
    }
    container
}

/// Inputs that cost as much as they can for their size.
fn bombs() -> Vec<(&'static str, Vec<u8>)> {
    let long = "k".repeat(200);
    let nested = |levels: usize, inner: Vec<u8>| [vec![0x91; levels], inner].concat();
    vec![
        ("declared and not there", vec![100, 0, 0, 0, 0, 0, 0, 0, 0, 5, 0xdd, 0xff, 0xff, 0xff, 0xff]),
        ("empty lists", main_section(&list(300_000, &[0x90]))),
        ("empty lists, few", main_section(&list(20_000, &[0x90]))),
        ("empty maps", main_section(&list(300_000, &[0x80]))),
        ("nothings", main_section(&list(900_000, &[0xc0]))),
        ("lists of one", main_section(&list(200_000, &[0x91, 0xc0]))),
        ("maps of one", main_section(&list(100_000, &[0x81, 0xc0, 0xc0]))),
        ("one large map", main_section(&map(200_000, &[0xc0]))),
        ("a map of repeated keys", main_section(&[&[0xdf][..], &100_000_u32.to_be_bytes(), &[0xc0; 200_000]].concat())),
        ("nested lists that declare all there is", main_section(&nested(60, list(100_000, &[0xa0])))),
        ("tuples", main_section(&list(20_000, &envelope("tuple", &[0x90])))),
        ("tuples of numbers", main_section(&list(50, &envelope("tuple", &list(4000, &[0x01]))))),
        ("sets", main_section(&list(20_000, &envelope("set", &[0x91, 0xa0])))),
        ("ordered dicts", main_section(&list(10_000, &envelope("collections.OrderedDict", &[0x91, 0x92, 0xa0, 0xa0])))),
        ("unknown types", main_section(&list(20_000, &envelope("a", &[0xa0])))),
        ("unknown types with long names", main_section(&list(5_000, &envelope(&long, &[0xa0])))),
        ("enums", main_section(&list(20_000, &envelope("nvflare.apis.dxo.DataKind", &[0xa0])))),
        ("extensions", main_section(&list(200_000, &[0xd4, 1, 1]))),
        ("datums", datums(100_000)),
        ("wrong arrays", main_section(&envelope("numpy.ndarray", &list(100, &[0xc4, 1, 0])))),
        ("many axes", {
            let header = format!("{{'descr': '|u1', 'fortran_order': False, 'shape': ({}), }}", "0,".repeat(4900));
            let mut file = b"\x93NUMPY\x01\x00".to_vec();
            file.extend_from_slice(&u16::try_from(header.len()).unwrap().to_le_bytes());
            file.extend_from_slice(header.as_bytes());
            let mut data = b"\x82\xa4type\xa6native\xa4data\xc5".to_vec();
            data.extend_from_slice(&u16::try_from(file.len()).unwrap().to_be_bytes());
            data.extend(file);
            main_section(&list(60, &envelope("numpy.ndarray", &data)))
        }),
        ("a deep error", main_section(&nested(63, vec![0xc1]))),
        ("a deep error under long keys", {
            let mut body = Vec::new();
            for _ in 0..60 {
                body.extend_from_slice(&[0x81, 0xda, 0xf0, 0]);
                body.resize(body.len() + 0xf000, b'k');
            }
            body.push(0xc1);
            main_section(&body)
        }),
    ]
}

fn golden() -> Vec<(&'static str, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/golden");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "bin"));
    files.into_iter().map(|path| ("golden", std::fs::read(path).unwrap())).collect()
}

#[track_caller]
fn check(name: &str, segments: &[Bytes]) -> usize {
    let size: usize = segments.iter().map(Bytes::len).sum();
    // The first clone of bytes that have one owner gives them a count; that belongs to the input.
    let _counted = segments.to_vec();
    HEAP.reset_peak_usage();
    let before = HEAP.current_usage();
    let result = decode(segments);
    let spent = HEAP.peak_usage().saturating_sub(before);
    drop(result);
    assert!(spent <= 4 * size + (1 << 20), "{name}: {size} bytes of input cost {spent} bytes of memory");
    assert_eq!(HEAP.current_usage(), before, "{name}: something is left behind");
    spent
}

#[test]
fn memory_follows_the_bytes_received() {
    let mut most: f64 = 0.0;
    for (name, container) in bombs().into_iter().chain(golden()) {
        let container = Bytes::from(container);
        let spent = check(name, core::slice::from_ref(&container));
        // Cut into segments of 1, 7 and 1000 bytes: pieces must not cost more than they weigh.
        for step in [1, 7, 1000] {
            if container.len() / step > 400_000 {
                continue;
            }
            let cut: Vec<_> = (0..container.len())
                .step_by(step)
                .map(|at| container.slice(at..container.len().min(at + step)))
                .collect();
            check(name, &cut);
        }
        most = most.max(spent as f64 / (4.0 * container.len() as f64 + f64::from(1 << 20)));
    }
    assert!(most > 0.5, "the bombs do not come near the bound ({most:.2} of it): they prove nothing");
}
