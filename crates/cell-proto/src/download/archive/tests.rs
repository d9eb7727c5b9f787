//! Archives of the reference, read and written again; archives that mean harm.

use bytes::Bytes;
use fedcell_fobs::array::{Array, Order};
use fedcell_fobs::{Blob, Text};

use super::*;

const T0: &[u8] = include_bytes!("../../../testdata/npz/item_T0.npz");
const T1: &[u8] = include_bytes!("../../../testdata/npz/item_T1.npz");
/// Made by numpy with `savez`: a matrix in Fortran order and an array without elements, in one archive.
const SEVERAL: &[u8] = include_bytes!("../../../testdata/npz/several.npz");
/// The same with `savez_compressed`.
const COMPRESSED: &[u8] = include_bytes!("../../../testdata/npz/compressed.npz");
/// Written to a pipe: lengths stand behind the members.
const PIPED: &[u8] = include_bytes!("../../../testdata/npz/piped.npz");

fn cut(bytes: &'static [u8], every: usize) -> Blob {
    Blob::from_segments(bytes.chunks(every).map(Bytes::from_static).collect())
}

/// The parts that arrive, elements joined.
fn rise(bytes: &'static [u8], every: usize) -> Result<(Text, Array), ArchiveError> {
    let mut rising = RisingArchive::new();
    let (mut begun, mut elements) = (None, Vec::new());
    for chunk in bytes.chunks(every) {
        rising.push(Bytes::from_static(chunk), &mut |part| match part {
            Part::Begins { item, layout } => begun = Some((item, layout)),
            Part::Elements(bytes) => elements.push(bytes),
            Part::Complete => {}
        })?;
    }
    assert!(rising.is_complete());
    let (item, layout) = begun.unwrap();
    Ok((item, Array::with_layout(layout, Blob::from_segments(elements)).unwrap()))
}

#[track_caller]
fn check(archive: &'static [u8], item: &str, shape: &[usize], elements: &[f64]) {
    for every in [1, 7, 64, 100, archive.len()] {
        let read = read(&cut(archive, every), Check::Sums).unwrap();
        let [(name, array)] = read.as_slice() else { panic!("one member") };
        assert_eq!((name.as_str(), array.shape()), (item, shape));
        let found: Vec<f64> = match array.dtype().item_size() {
            4 => array.to_vec::<f32>().unwrap().into_iter().map(f64::from).collect(),
            _ => array.to_vec::<f64>().unwrap(),
        };
        assert_eq!(found, elements);
        assert_eq!(write(item, array).to_bytes(), archive, "written byte for byte");
        assert_eq!(rise(archive, every).unwrap(), (Text::from(item), array.clone()));
        assert_eq!(Member::new(item, array.layout()).archive_len(), archive.len() as u64);
    }
}

#[test]
fn archives_of_the_reference_are_read_and_written_byte_for_byte() {
    check(T0, "T0", &[4], &[0.0, 1.0, 2.0, 3.0]);
    check(T1, "T1", &[2, 2], &[1.0; 4]);
}

#[test]
fn the_elements_are_views_of_what_was_received() {
    let elements = Bytes::from(vec![7_u8; 4096]);
    let array =
        Array::new(fedcell_fobs::array::DType::parse(b"|u1").unwrap(), [4096], Order::C, elements.clone()).unwrap();
    let archive = write("T9", &array);
    let read = read(&archive, Check::Sums).unwrap();
    assert_eq!(read[0].1.data().segments()[0].as_ptr(), elements.as_ptr());
}

#[test]
fn any_stored_archive_is_read() {
    for archive in [SEVERAL, PIPED] {
        let read = read(&cut(archive, 50), Check::Sums).unwrap();
        let names: Vec<_> = read.iter().map(|(name, array)| (name.as_str(), array.shape(), array.order())).collect();
        assert_eq!(names, [("a", [2, 3].as_slice(), Order::Fortran), ("b", &[0], Order::C)]);
    }
    assert_eq!(read(&cut(COMPRESSED, 50), Check::Sums), Err(ArchiveError::NotStored));
    // One that says its lengths only at the end cannot be read while it arrives.
    assert!(matches!(RisingArchive::new().push(Bytes::from_static(PIPED), &mut drop), Err(ArchiveError::Malformed(_))));
}

#[test]
fn every_damage_to_a_member_is_noticed() {
    let whole = read(&cut(T0, T0.len()), Check::Sums).unwrap();
    for at in 0..T0.len() {
        for bit in 0..8 {
            let mut bytes = T0.to_vec();
            bytes[at] ^= 1 << bit;
            let blob = Blob::from(bytes.clone());
            // Where nothing is said twice or thrice, damage is not seen; then it has not changed anything either.
            if let Ok(arrays) = read(&blob, Check::Sums) {
                assert!(arrays.iter().all(|(_, array)| *array == whole[0].1), "byte {at} bit {bit}");
            }
            let mut rising = RisingArchive::new();
            let _ = rising.push(bytes.into(), &mut drop);
        }
    }
    for end in 0..T0.len() {
        assert!(read(&Blob::from(T0[..end].to_vec()), Check::Sums).is_err(), "cut at {end}");
    }
}

/// An archive whose directory lists its one member several times.
fn repeated(times: u16) -> Vec<u8> {
    let start = T0.windows(4).position(|four| four == 0x0201_4b50_u32.to_le_bytes()).unwrap();
    let end = T0.windows(4).position(|four| four == 0x0605_4b50_u32.to_le_bytes()).unwrap();
    let (before, entry, after) = (&T0[..start], &T0[start..end], &T0[end..]);
    let mut bytes = before.to_vec();
    (0..times).for_each(|_| bytes.extend_from_slice(entry));
    let mut after = after.to_vec();
    after[8..10].copy_from_slice(&times.to_le_bytes());
    after[10..12].copy_from_slice(&times.to_le_bytes());
    let len = u32::from(times) * u32::try_from(entry.len()).unwrap();
    after[12..16].copy_from_slice(&len.to_le_bytes());
    bytes.extend_from_slice(&after);
    bytes
}

#[test]
fn members_that_share_bytes_are_refused() {
    assert!(read(&repeated(1).into(), Check::Sums).is_ok());
    // Each entry adds 52 bytes and claims 144.
    assert_eq!(read(&repeated(40).into(), Check::Sums), Err(ArchiveError::Members));
    assert_eq!(read(&repeated(1025).into(), Check::Sums), Err(ArchiveError::Members));
}

#[test]
fn long_archives_have_the_long_form() {
    // The elements are not there; only what stands around them is compared with what zipfile has in such a case.
    let dtype = fedcell_fobs::array::DType::parse(b"|u1").unwrap();
    let layout = fedcell_fobs::array::ArrayLayout::new(dtype, [3 << 30], Order::C);
    let member = Member::new("T0", &layout);
    let (head, tail) = member.around(0);
    assert_eq!(member.archive_len(), head.len() as u64 + (3 << 30) + tail.len() as u64);
    assert_eq!(tail.len(), 46 + 6 + 20 + 56 + 20 + 22);
    let hex: String = tail.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, include_str!("../../../testdata/npz/long_tail.hex").trim());
}
