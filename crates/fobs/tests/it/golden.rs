//! Containers that the reference made: each decodes to the object that it noted, and encodes back to the same bytes.

use crate::support::{datum_ids, note, testdata};
use core::slice::from_ref;

use bytes::Bytes;
use fedcell_fobs::{ArrayPolicy, ByReference, DatumIds, DownloadRef, Encoder, Value, decode};
use serde_json::Value as Json;

/// Decodes a container as it is, and cut into segments at every place of interest; returns what it holds.
#[track_caller]
fn decode_everyhow(name: &str, container: &Bytes) -> Value {
    let whole = decode(from_ref(container)).unwrap_or_else(|error| panic!("{name}: {error}"));
    let steps: &[usize] = if container.len() < 600 { &[1, 2, 3, 7, 10, 64] } else { &[7, 100, 1000] };
    for &step in steps {
        let segments: Vec<_> =
            (0..container.len()).step_by(step).map(|at| container.slice(at..container.len().min(at + step))).collect();
        let cut = decode(&segments).unwrap_or_else(|error| panic!("{name} in steps of {step}: {error}"));
        assert_eq!(cut, whole, "{name} in steps of {step}");
    }
    whole
}

#[test]
fn golden_containers_decode_and_encode_to_the_same_bytes() {
    let manifest: Json = serde_json::from_slice(&testdata("golden/manifest.json")).unwrap();
    let objects = manifest["objects"].as_array().unwrap();
    assert!(objects.len() > 180, "the manifest has lost objects: {}", objects.len());
    for object in objects {
        let name = object["name"].as_str().unwrap();
        let container = Bytes::from(testdata(&format!("golden/{name}.bin")));
        let value = decode_everyhow(name, &container);
        assert_eq!(note(&value), object["notation"].as_str().unwrap(), "{name}");

        let mut encoder = Encoder::new().ids(DatumIds::starting_with(datum_ids(&container)));
        if let Some(size) = object["max_value_size"].as_u64() {
            encoder = encoder.max_value_size(usize::try_from(size).unwrap()).unwrap();
        }
        let encoded = encoder.encode(&value).unwrap_or_else(|error| panic!("{name}: {error}"));
        if object["same_bytes"] == true {
            assert!(encoded.to_bytes() == container, "{name} encodes to other bytes");
        }
        let again = decode(encoded.segments()).unwrap_or_else(|error| panic!("{name}, again: {error}"));
        assert_eq!(again, value, "{name}, decoded again");
    }
}

#[test]
fn arrays_by_reference_encode_as_the_reference_does() {
    let container = Bytes::from(testdata("golden/remote.bin"));
    let mut value = decode(from_ref(&container)).unwrap();
    let arrays = [vec![0.0_f32, 1.0, 2.0], vec![1.0]]
        .map(|items| fedcell_fobs::array::Array::from_elements([items.len()], &items).unwrap());
    let mut source = None;
    value
        .resolve(&mut |reference| {
            source = Some(DownloadRef::clone(&reference.source));
            let at: usize = reference.item.as_str().trim_start_matches('T').parse().unwrap();
            Ok(arrays[at].clone())
        })
        .unwrap();
    let mut policy = ByReference::new(source.unwrap());
    let mut encoder = Encoder::new().ids(DatumIds::starting_with(datum_ids(&container)));
    let encoded = encoder.encode_with(&value, &mut policy as &mut dyn ArrayPolicy).unwrap();
    assert_eq!(encoded.to_bytes(), container);
    let items = policy.into_items();
    assert_eq!(items.iter().map(|(item, _)| item.as_str()).collect::<Vec<_>>(), ["T0", "T1"]);
}

#[test]
fn published_vectors_decode_and_encode_to_the_same_bytes() {
    let vectors: Json = serde_json::from_slice(&testdata("vectors/fobs.json")).unwrap();
    let mut seen = 0;
    for vector in vectors.as_array().unwrap() {
        let (Some(file), Some(name)) = (vector["file"].as_str(), vector["name"].as_str()) else { continue };
        let container = Bytes::from(testdata(&format!("vectors/{file}")));
        if name == "datum_empty_blob" {
            // No receiver reads it, the reference included.
            assert!(decode(&[container]).is_err());
            continue;
        }
        let value = decode_everyhow(name, &container);
        // References to arrays are passed on in another envelope; all else comes out as it went in.
        if name.starts_with("download_ref") {
            continue;
        }
        let ids = datum_ids(&container);
        let mut encoder = Encoder::new().ids(DatumIds::starting_with(ids.clone()));
        if !ids.is_empty() {
            encoder = encoder.max_value_size(1024).unwrap();
        }
        assert!(encoder.encode(&value).unwrap().to_bytes() == container, "{name}");
        seen += 1;
    }
    assert!(seen > 50, "only {seen} vectors were compared");
}
