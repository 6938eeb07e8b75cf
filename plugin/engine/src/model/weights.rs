//! The weights inside an ONNX file, read so that all sessions of a graph share one copy.
//!
//! ONNX Runtime shares prepacked weights only among sessions that were given the same tensors from outside. This
//! reads just enough of the protobuf (onnx.proto: ModelProto.graph = 7, GraphProto.initializer = 5, TensorProto:
//! dims = 1, data_type = 2, name = 8, raw_data = 9) to hand them over. What it does not understand it
//! leaves alone: sharing saves memory and changes nothing else.

use ort::value::{DynValue, Tensor};

/// Smaller weights are not worth sharing.
const MIN_BYTES: usize = 4096;
/// `TensorProto.DataType`.
const FLOAT: u64 = 1;
const INT8: u64 = 3;

/// One weight of a graph.
#[derive(Debug, Clone, PartialEq)]
pub struct Weight {
    name: String,
    shape: Vec<i64>,
    values: Values,
}

#[derive(Debug, Clone, PartialEq)]
enum Values {
    Float(Vec<f32>),
    Int8(Vec<i8>),
}

impl Weight {
    /// As a tensor that sessions can be given.
    pub fn into_value(self) -> Option<(String, DynValue)> {
        let tensor = match self.values {
            Values::Float(values) => Tensor::from_array((self.shape, values)).ok()?.into_dyn(),
            Values::Int8(values) => Tensor::from_array((self.shape, values)).ok()?.into_dyn(),
        };
        Some((self.name, tensor))
    }
}

/// The large weights of an ONNX file, `f32` and 8-bit; none where the file is not understood.
pub fn shareable(onnx: &[u8]) -> Vec<Weight> {
    let graphs = Fields(onnx).filter(|field| field.number == 7);
    graphs
        .flat_map(|graph| Fields(graph.bytes).filter(|field| field.number == 5))
        .filter_map(|tensor| weight(tensor.bytes))
        .collect()
}

fn weight(tensor: &[u8]) -> Option<Weight> {
    let (mut name, mut shape, mut kind, mut raw) = (None, Vec::new(), 0, None);
    for field in Fields(tensor) {
        match (field.number, field.is_bytes) {
            (1, false) => shape.push(i64::try_from(field.value).ok()?),
            (1, true) => {
                let mut packed = field.bytes;
                while !packed.is_empty() {
                    shape.push(i64::try_from(varint(&mut packed)?).ok()?);
                }
            }
            (2, false) => kind = field.value,
            (8, true) => name = std::str::from_utf8(field.bytes).ok(),
            (9, true) => raw = Some(field.bytes),
            _ => {}
        }
    }
    let raw = raw.filter(|raw| raw.len() >= MIN_BYTES)?;
    let count = shape
        .iter()
        .try_fold(1_i64, |count, size| count.checked_mul(*size))?;
    let (values, bytes_each) = match kind {
        FLOAT => {
            let values = raw.as_chunks::<4>().0.iter();
            (
                Values::Float(values.map(|bytes| f32::from_le_bytes(*bytes)).collect()),
                4,
            )
        }
        INT8 => (
            Values::Int8(raw.iter().map(|byte| byte.cast_signed()).collect()),
            1,
        ),
        _ => return None,
    };
    if usize::try_from(count).ok()?.checked_mul(bytes_each)? != raw.len() {
        return None;
    }
    Some(Weight {
        name: name.filter(|name| !name.is_empty())?.to_string(),
        shape,
        values,
    })
}

/// One field of a protobuf message.
struct Field<'a> {
    number: u64,
    is_bytes: bool,
    value: u64,
    bytes: &'a [u8],
}

/// The fields of a protobuf message, up to the first that makes no sense.
struct Fields<'a>(&'a [u8]);

impl<'a> Iterator for Fields<'a> {
    type Item = Field<'a>;

    fn next(&mut self) -> Option<Field<'a>> {
        let key = varint(&mut self.0)?;
        let mut field = Field {
            number: key >> 3,
            is_bytes: false,
            value: 0,
            bytes: &[],
        };
        match key & 7 {
            0 => field.value = varint(&mut self.0)?,
            1 => self.0 = self.0.get(8..)?,
            2 => {
                let length = usize::try_from(varint(&mut self.0)?).ok()?;
                field.bytes = self.0.get(..length)?;
                field.is_bytes = true;
                self.0 = &self.0[length..];
            }
            5 => self.0 = self.0.get(4..)?,
            _ => return None,
        }
        Some(field)
    }
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
        let mut out = vec![number << 3 | 2];
        let mut length = bytes.len();
        while length >= 0x80 {
            out.push(length as u8 | 0x80);
            length >>= 7;
        }
        out.push(length as u8);
        out.extend(bytes);
        out
    }

    fn model(values: &[f32]) -> Vec<u8> {
        let raw: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        model_of(FLOAT as u8, [32, 32], &raw)
    }

    fn model_of(kind: u8, shape: [u8; 2], raw: &[u8]) -> Vec<u8> {
        let tensor = [
            field(1, &shape),
            vec![2 << 3, kind],
            field(8, b"w"),
            field(9, raw),
        ]
        .concat();
        field(7, &field(5, &tensor))
    }

    #[test]
    fn a_weight_is_read_with_its_name_shape_and_values() {
        let values: Vec<f32> = (0..1024).map(|i| i as f32).collect();
        assert_eq!(
            shareable(&model(&values)),
            [Weight {
                name: "w".into(),
                shape: vec![32, 32],
                values: Values::Float(values)
            }]
        );
    }

    #[test]
    fn an_eight_bit_weight_is_read_with_its_signs() {
        let raw: Vec<u8> = (0..4096).map(|i| (i % 256) as u8).collect();
        let found = shareable(&model_of(INT8 as u8, [64, 64], &raw));
        let values = raw.iter().map(|byte| byte.cast_signed()).collect();
        assert_eq!(found[0].values, Values::Int8(values));
        assert_eq!(shareable(&model_of(7, [32, 16], &raw)), []);
    }

    #[test]
    fn a_weight_whose_shape_does_not_fit_is_left_alone() {
        assert_eq!(shareable(&model(&[0.0; 1030])), []);
    }

    proptest! {
        #[test]
        fn garbage_gives_nothing_and_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
            prop_assert!(shareable(&bytes).is_empty());
        }

        #[test]
        fn a_truncated_file_never_panics(cut in 0_usize..4200) {
            let whole = model(&[1.0; 1024]);
            shareable(&whole[..cut.min(whole.len())]);
        }
    }
}
