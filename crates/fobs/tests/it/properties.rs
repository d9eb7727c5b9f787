//! What holds for every object: it comes back equal, however it is cut, and no bytes make the decoder panic.

use bytes::Bytes;
use fedcell_fobs::array::{Array, DType, Order};
use fedcell_fobs::{Blob, DateTime, Encoder, EnumMember, Ext, Map, Object, Scalar, Value, decode, encode};
use proptest::collection::vec;
use proptest::prelude::*;

fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        any::<u64>().prop_map(Value::from),
        any::<u64>().prop_map(|bits| Value::Float(f64::from_bits(bits))),
        ".{0,60}".prop_map(Value::from),
        vec(any::<u8>(), 0..100).prop_map(|bytes| Value::Bytes(bytes.into())),
        (any::<i8>(), vec(any::<u8>(), 0..40))
            .prop_map(|(code, data)| Value::Ext(Box::new(Ext { code, data: data.into() }))),
        (any::<f64>(), any::<f32>(), any::<i64>(), any::<i32>(), 0..4).prop_map(|(a, b, c, d, which)| match which {
            0 => Scalar::Float64(a),
            1 => Scalar::Float32(b),
            2 => Scalar::Int64(c),
            _ => Scalar::Int32(d),
        }
        .into()),
        (1_u16..=9999, 1_u8..=12, 1_u8..=28, 0_u8..24, 0_u8..60, 0_u32..1_000_000, any::<Option<i16>>()).prop_map(
            |(year, month, day, hour, minute, micro, offset)| {
                let moment = DateTime::new((year, month, day), (hour, minute, minute), micro).unwrap();
                offset.map_or(moment, |offset| moment.with_offset(offset.into()).unwrap()).into()
            }
        ),
        ("[a-z.]{1,50}", "[A-Z]{1,9}").prop_map(|(name, member)| EnumMember::new(name, member).into()),
        (vec(0_usize..4, 0..4), any::<bool>(), 0..3_usize).prop_map(|(shape, fortran, which)| {
            let dtype = DType::parse([&b"<f4"[..], b">i8", b"|b1"][which]).unwrap();
            let size = shape.iter().product::<usize>() * dtype.item_size();
            let data: Vec<u8> = (0..size).map(|at| u8::try_from(at % 2).unwrap()).collect();
            let order = if fortran { Order::Fortran } else { Order::C };
            Array::new(dtype, shape, order, data).unwrap().into()
        }),
    ]
}

fn key() -> impl Strategy<Value = Value> {
    prop_oneof![
        4 => "[a-z_]{0,45}".prop_map(Value::from),
        1 => any::<i64>().prop_map(Value::Int),
        1 => vec(any::<u8>(), 0..5).prop_map(|bytes| Value::Bytes(bytes.into())),
    ]
}

/// Objects of every kind, nested.
pub(crate) fn object() -> impl Strategy<Value = Value> {
    leaf().prop_recursive(5, 80, 12, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..20).prop_map(Value::List),
            vec(any::<i32>().prop_map(Value::from), 0..80).prop_map(Value::List),
            vec(inner.clone(), 0..8).prop_map(Value::Tuple),
            vec(any::<i64>(), 0..5).prop_map(|mut members| {
                members.sort_unstable();
                members.dedup();
                Value::Set(members.into_iter().map(Value::Int).collect())
            }),
            vec((key(), inner.clone()), 0..20).prop_map(|entries| Value::Map(entries.into_iter().collect())),
            vec((key(), inner.clone()), 0..6).prop_map(|entries| Value::OrderedDict(entries.into_iter().collect())),
            vec((key(), inner.clone()), 0..6).prop_map(|entries| Object::dict(
                "nvflare.apis.shareable.Shareable",
                entries.into_iter().collect()
            )
            .into()),
            ("[a-z.]{1,50}", inner).prop_map(|(name, value)| {
                Object::data_class(format!("app.{name}"), Map::from([("attribute", value)])).into()
            }),
        ]
    })
}

fn cut(container: &Bytes, step: usize) -> Vec<Bytes> {
    (0..container.len()).step_by(step).map(|at| container.slice(at..container.len().min(at + step))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_object_comes_back_equal(value in object(), step in 1_usize..200) {
        let encoded = encode(&value).unwrap();
        let container = encoded.to_bytes();
        prop_assert_eq!(container.len(), encoded.len());
        let back = decode(encoded.segments()).unwrap();
        prop_assert_eq!(&back, &value);
        prop_assert_eq!(decode(&cut(&container, step)).unwrap(), value);
        prop_assert_eq!(encode(&back).unwrap().to_bytes(), container);
    }

    #[test]
    fn large_values_come_back_from_their_datums(text in "\\PC{1024,1100}", bytes in vec(any::<u8>(), 1024..3000), step in 1_usize..500) {
        let value = Value::Map(Map::from([
            ("text", Value::from(text)),
            ("bytes", Value::Tuple(vec![Value::Bytes(Blob::from(bytes))])),
        ]));
        let container = Encoder::new().max_value_size(1024).unwrap().encode(&value).unwrap().to_bytes();
        prop_assert_eq!(decode(&cut(&container, step)).unwrap(), value);
    }

    #[test]
    fn damage_is_an_error_or_another_object(value in object(), at in any::<prop::sample::Index>(), byte in any::<u8>(), keep in any::<prop::sample::Index>()) {
        let container = encode(&value).unwrap().to_bytes();
        let mut damaged = container.to_vec();
        damaged[at.index(container.len())] = byte;
        if let Ok(value) = decode(&[damaged.into()]) {
            let again = encode(&value).and_then(|encoded| decode(encoded.segments()));
            prop_assert_eq!(again.unwrap(), value);
        }
        let kept = keep.index(container.len());
        prop_assert!(decode(&[container.slice(..kept)]).is_err());
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in vec(any::<u8>(), 0..300)) {
        let mut container = vec![100, 0];
        container.extend_from_slice(&(bytes.len() as u64).to_be_bytes());
        container.extend(bytes);
        let _ = decode(&[container.into()]);
    }
}
