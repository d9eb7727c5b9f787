//! Arrays and long texts are not copied, neither on the way in nor on the way out: their addresses say so.

use core::slice::from_ref;

use bytes::Bytes;
use fedcell_fobs::array::{Array, DType, Order};
use fedcell_fobs::{Blob, Encoder, Map, Value, decode, encode};

const SIZE: usize = 1 << 20;

fn model(arrays: usize, size: usize) -> (Value, Vec<Bytes>) {
    let mut weights = Map::new();
    let mut kept = Vec::new();
    for at in 0..arrays {
        let data = Bytes::from(vec![u8::try_from(at).unwrap(); size]);
        let dtype = DType::parse(b"<f4").unwrap();
        weights.insert(format!("layer-{at}"), Array::new(dtype, vec![size / 4], Order::C, data.clone()).unwrap());
        kept.push(data);
    }
    (weights.into(), kept)
}

fn within(part: &[u8], whole: &[u8]) -> bool {
    let (start, end) = (whole.as_ptr() as usize, whole.as_ptr() as usize + whole.len());
    (start..end).contains(&(part.as_ptr() as usize)) && part.as_ptr() as usize + part.len() <= end
}

#[test]
fn encoding_hands_the_arrays_on() {
    for (arrays, size) in [(5, SIZE), (2, 11 * SIZE)] {
        let (value, kept) = model(arrays, size);
        let encoded = encode(&value).unwrap();
        let addresses: Vec<_> = encoded.segments().iter().map(|segment| segment.as_ptr()).collect();
        for array in &kept {
            assert!(addresses.contains(&array.as_ptr()), "an array of {size} bytes was copied");
        }
        assert!(encoded.len() > arrays * size);
    }
}

#[test]
fn decoding_leaves_the_arrays_where_they_are() {
    for (arrays, size) in [(5, SIZE), (2, 11 * SIZE)] {
        let (value, _) = model(arrays, size);
        let received = encode(&value).unwrap().to_bytes();
        let decoded = decode(from_ref(&received)).unwrap();
        for (_, array) in decoded.as_map().unwrap() {
            let data = array.as_array().unwrap().data().contiguous().expect("one segment stays one");
            assert!(within(data, &received), "an array of {size} bytes was copied");
        }
        assert_eq!(decoded, value);

        // Cut as a stream cuts it: each array is made of slices of the segments.
        let segments: Vec<_> = (0..received.len())
            .step_by(SIZE / 4)
            .map(|at| received.slice(at..received.len().min(at + SIZE / 4)))
            .collect();
        let decoded = decode(&segments).unwrap();
        for (_, array) in decoded.as_map().unwrap() {
            let data = array.as_array().unwrap().data();
            assert!(data.segments().len() > 3 && data.segments().iter().all(|part| within(part, &received)));
        }
        assert_eq!(decoded, value);
        // Passed on as it came: still nothing is copied.
        let again = encode(&decoded).unwrap();
        let large: usize = again.segments().iter().filter(|part| within(part, &received)).map(Bytes::len).sum();
        // But for the crumbs at cuts, which are cheaper to copy than to list.
        assert!(large >= arrays * (size - 2 * 512));
    }
}

#[test]
fn a_long_text_is_a_slice_and_comes_out_as_one() {
    let received = encode(&"x".repeat(5000).as_str().into()).unwrap().to_bytes();
    let decoded = decode(from_ref(&received)).unwrap();
    let Value::Str(text) = &decoded else { panic!("it is a text") };
    assert!(within(text.as_bytes(), &received));
    let encoded = encode(&decoded).unwrap();
    assert!(encoded.segments().iter().any(|segment| within(segment, &received)));
}

#[test]
fn arrays_of_one_policy_share_an_item() {
    let (value, _) = model(1, 64);
    let array = value.as_map().unwrap().get("layer-0").unwrap().clone();
    let equal = Value::from(Array::clone(
        &model(1, 64).0.as_map().unwrap().get("layer-0").unwrap().as_array().unwrap().clone(),
    ));
    assert_eq!(array, equal);
    let mut policy = fedcell_fobs::ByReference::new(fedcell_fobs::DownloadRef::arrays("server", "r"));
    let twice = Value::List(vec![array.clone(), array, equal]);
    let encoded = Encoder::new().encode_with(&twice, &mut policy).unwrap();
    // The same bytes are one item, equal bytes elsewhere another.
    assert_eq!(policy.into_items().len(), 2);
    let items: Vec<_> = decode(encoded.segments())
        .unwrap()
        .items()
        .unwrap()
        .map(|item| match item.as_ref() {
            Value::Remote(reference) => reference.item.to_string(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(items, ["T0", "T0", "T1"]);
}

#[test]
fn blobs_join_only_on_demand() {
    let parts = vec![Bytes::from(vec![1; 600]), Bytes::from(vec![2; 600])];
    let encoded = encode(&Blob::from_segments(parts.clone()).into()).unwrap();
    let shared: Vec<_> = encoded.segments().iter().filter(|part| part.len() == 600).map(|part| part.as_ptr()).collect();
    assert_eq!(shared, [parts[0].as_ptr(), parts[1].as_ptr()]);
}
