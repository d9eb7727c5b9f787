//! Objects of every kind that the reference can hold, from a seed.

use fedcell_fobs::array::{Array, DType, Order};
use fedcell_fobs::typed::{AdminMessage, Dxo, FlContext, FlModel, FobsType, Learnable, Property, Shareable, Signal};
use fedcell_fobs::{DateTime, EnumMember, Ext, Map, Object, Scalar, Value};
use fedcell_protocol_defs::federation::{DataKind, ParamsType};
use fedcell_protocol_defs::fobs::TypeName;

/// Texts have letters of every length in UTF-8, and those that JSON and Python escape.
const LETTERS: [char; 17] =
    ['a', 'b', 'X', '_', '0', ' ', '.', '"', '\\', '\n', '\0', '\u{7f}', 'é', '☃', '\u{ffff}', '😀', '\u{10ffff}'];

const ELEMENTS: [&str; 26] = [
    "|b1", "|i1", "|u1", "<i2", ">i2", "<i4", ">i4", "<i8", ">i8", "<u2", ">u2", "<u4", ">u4", "<u8", ">u8", "<f2",
    ">f2", "<f4", ">f4", "<f8", ">f8", "<c8", ">c16", "|S3", "<M8[s]", "<m8[D]",
];

/// Edges of the integer forms of the format.
const EDGES: [u64; 12] = [0, 32, 127, 128, 255, 256, 1 << 15, 1 << 16, 1 << 31, 1 << 32, 1 << 63, u64::MAX - 1];

#[derive(Debug)]
pub(super) struct Generator(u64);

impl Generator {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn object(&mut self) -> Value {
        self.value(5)
    }

    /// SplitMix64: the next of a row of numbers that look random.
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap_or(0)
    }

    fn coin(&mut self) -> bool {
        self.next() & 1 == 1
    }

    fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.next().to_le_bytes()[0]).collect()
    }

    fn text(&mut self, longest: usize) -> String {
        (0..self.below(longest)).map(|_| self.pick(&LETTERS)).collect()
    }

    fn integer(&mut self) -> Value {
        let edge = self.pick(&EDGES);
        let near = edge.wrapping_add(self.next() % 5).wrapping_sub(2);
        if self.coin() { Value::from(near) } else { Value::Int(near.cast_signed()) }
    }

    fn value(&mut self, depth: usize) -> Value {
        if depth == 0 || self.below(10) < 3 {
            return self.leaf();
        }
        let few = self.below(6);
        match self.below(8) {
            0 => Value::List(self.values(few, depth)),
            1 => Value::List((0..self.below(100)).map(|_| self.integer()).collect()),
            2 => Value::Tuple(self.values(few, depth)),
            3 => Value::Set((0..few).map(|at| Value::from(format!("{at}{}", self.text(5)))).collect()),
            4 => Value::OrderedDict(self.map(depth)),
            5 | 6 => Value::Map(self.map(depth)),
            _ => self.domain(depth),
        }
    }

    fn values(&mut self, count: usize, depth: usize) -> Vec<Value> {
        (0..count).map(|_| self.value(depth - 1)).collect()
    }

    fn map(&mut self, depth: usize) -> Map {
        let entries = self.pick(&[0, 1, 3, 5, 20]);
        (0..entries).map(|_| (self.key(), self.value(depth - 1))).collect()
    }

    fn key(&mut self) -> Value {
        match self.below(12) {
            0 => self.pick(&[1, 0]).into(),
            1 => self.integer(),
            2 => Value::Bytes(self.bytes(3).into()),
            3 => Value::Tuple(vec![self.text(5).into(), self.integer()]),
            4 => EnumMember::new(TypeName::JOB_META_KEY.as_str(), "JOB_NAME").into(),
            5 => self.coin().into(),
            6 => Value::Float(self.pick(&[0.0, -0.0, 1.0, 2.5, f64::INFINITY])),
            _ => self.text(45).into(),
        }
    }

    fn leaf(&mut self) -> Value {
        match self.below(16) {
            0..3 => self.integer(),
            3..5 => Value::Float(f64::from_bits(self.next())),
            5..8 => self.text(60).into(),
            8 => Value::Null,
            9 => self.coin().into(),
            10 => {
                let len = self.below(80);
                Value::Bytes(self.bytes(len).into())
            }
            11 => {
                let (code, len) = (i8::try_from(self.below(128)).unwrap_or(0), self.below(20));
                Value::Ext(Box::new(Ext { code, data: self.bytes(len).into() }))
            }
            12 => self.moment(),
            13 => self.member(),
            14 => self.scalar(),
            _ if self.below(4) == 0 => self.large(),
            _ => self.array(),
        }
    }

    fn moment(&mut self) -> Value {
        let narrow = |number: usize| u8::try_from(number).unwrap_or(0);
        let date =
            (u16::try_from(1 + self.below(9999)).unwrap_or(1), narrow(1 + self.below(12)), narrow(1 + self.below(28)));
        let time = (narrow(self.below(24)), narrow(self.below(60)), narrow(self.below(60)));
        let micro = if self.coin() { u32::try_from(self.below(1_000_000)).unwrap_or(0) } else { 0 };
        let offset = i32::try_from(self.below(2 * 86_399)).unwrap_or(0) - 86_399;
        let moment = DateTime::new(date, time, micro);
        let zoned = self.coin();
        moment.and_then(|moment| if zoned { moment.with_offset(offset) } else { Some(moment) }).into()
    }

    fn member(&mut self) -> Value {
        let (type_name, member) = self.pick(&[
            (TypeName::DATA_KIND, "WEIGHTS"),
            (TypeName::PARAMS_TYPE, "DIFF"),
            (TypeName::ANALYTICS_DATA_TYPE, "TEXT"),
            (TypeName::JOB_META_KEY, "JOB_ID"),
        ]);
        EnumMember::new(type_name.as_str(), member).into()
    }

    fn scalar(&mut self) -> Value {
        let bits = self.next();
        let [a, b, c, d, ..] = bits.to_le_bytes();
        let low = [a, b, c, d];
        match self.below(4) {
            0 => Scalar::Float64(f64::from_bits(bits)),
            1 => Scalar::Int64(bits.cast_signed()),
            2 => Scalar::Int32(i32::from_le_bytes(low)),
            // Not a NaN: a signalling one would become a quiet one on the way.
            _ => Scalar::Float32(Some(f32::from_le_bytes(low)).filter(|number| !number.is_nan()).unwrap_or(1.5)),
        }
        .into()
    }

    fn array(&mut self) -> Value {
        let dtype = self.pick(&ELEMENTS);
        let shape: Vec<_> = (0..self.below(4)).map(|_| self.below(5)).collect();
        let order = if self.below(5) == 0 { Order::Fortran } else { Order::C };
        let array = DType::parse(dtype.as_bytes()).and_then(|parsed| {
            let size = shape.iter().product::<usize>() * parsed.item_size();
            let mut data = self.bytes(size);
            if dtype == "|b1" {
                data.iter_mut().for_each(|byte| *byte &= 1);
            }
            Array::new(parsed, shape, order, data)
        });
        array.ok().into()
    }

    fn large(&mut self) -> Value {
        let len = self.pick(&[1023, 1024, 1500]);
        match self.below(3) {
            0 => "x".repeat(len).into(),
            1 => "☃".repeat(len).into(),
            _ => Value::Bytes(vec![b'y'; len].into()),
        }
    }

    fn domain(&mut self, depth: usize) -> Value {
        match self.below(8) {
            0 => {
                let mut shareable = Shareable::new();
                shareable.set_header(self.text(20), self.value(depth - 1));
                shareable.add_cookie(self.text(20), self.value(depth - 1));
                for (key, value) in self.map(depth) {
                    shareable.entries_mut().insert(key, value);
                }
                shareable.into_value()
            }
            1 => {
                let mut dxo = Dxo::new(self.pick(&[DataKind::WEIGHTS, DataKind::METRICS]), self.map(depth));
                dxo.meta.insert("m", 1);
                dxo.into_value()
            }
            2 => {
                let mut shareable = Shareable::new();
                shareable.set_dxo(Dxo::new(DataKind::WEIGHT_DIFF, self.map(depth)));
                shareable.into_value()
            }
            3 => {
                let mut context = FlContext::new();
                for _ in 0..3 {
                    let (private, sticky) = (self.coin(), self.coin());
                    context.put(self.text(20), Property { value: self.value(depth - 1), private, sticky });
                }
                context.into_value()
            }
            4 => {
                let mut model = FlModel::new(self.pick(&[ParamsType::FULL, ParamsType::DIFF]), self.map(depth));
                model.metrics = Some(Map::from([("a", f64::from_bits(self.next()))]));
                model.current_round = Some(3);
                model.into_value()
            }
            5 => {
                let (id, topic) = (self.text(20).into(), self.text(20).into());
                let headers = Map::from([("h", self.text(20))]);
                AdminMessage { id, topic, body: self.value(depth - 1), headers }.into_value()
            }
            6 => {
                let signal = Signal { value: self.value(depth - 1), trigger_time: Some(1.5), ..Signal::default() };
                let attributes = Map::from([("a", signal.into_value()), ("b", self.value(depth - 1))]);
                Object::data_class(TypeName::NAMESPACE.as_str(), attributes).into()
            }
            _ => Learnable(self.map(depth)).into_value(),
        }
    }
}
