//! A graph's file, what it must take and give, and one run of it.
//!
//! Any thread but the audio thread.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use ort::session::Session;
use ort::session::builder::{PrepackedWeights, SessionBuilder};
use ort::value::{DynValue, Outlet, TensorElementType, TensorRef};
use sha2::{Digest, Sha256};

use super::ModelError;
use super::manifest::GraphEntry;
use super::weights;

/// A graph in memory, with the weights that all of its sessions share.
pub struct GraphFile {
    name: String,
    bytes: Vec<u8>,
    weights: Vec<(String, Arc<DynValue>)>,
    prepacked: PrepackedWeights,
}

impl fmt::Debug for GraphFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GraphFile")
            .field("name", &self.name)
            .field("bytes", &self.bytes.len())
            .finish_non_exhaustive()
    }
}

impl GraphFile {
    /// Reads a graph's file and compares its checksum. The runtime must have been started.
    ///
    /// # Errors
    /// If the file cannot be read or is another than the manifest means.
    pub fn read(folder: &Path, section: &str, entry: &GraphEntry) -> Result<Self, ModelError> {
        let path = folder.join(&entry.graph);
        let bytes = std::fs::read(&path).map_err(|source| ModelError::Read {
            file: path.clone(),
            source,
        })?;
        let found = hex(&Sha256::digest(&bytes));
        if found != entry.sha256 {
            return Err(ModelError::Checksum {
                file: path,
                section: section.into(),
                found,
                expected: entry.sha256.clone(),
            });
        }
        Ok(Self {
            name: entry.graph.clone(),
            bytes,
            weights: Vec::new(),
            prepacked: PrepackedWeights::new(),
        })
    }

    /// Keeps one copy of the weights in memory, for any number of sessions. A graph that has a single session goes without:
    /// its own copy is freed once it is packed.
    pub fn sharing_weights(mut self) -> Self {
        self.weights = weights::shareable(&self.bytes)
            .into_iter()
            .filter_map(|weight| weight.into_value().map(|(name, value)| (name, Arc::new(value))))
            .collect();
        self
    }

    /// File name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Lets a session to be use the one copy of the weights in memory, if there is one.
    pub(crate) fn share_weights(&self, mut builder: SessionBuilder) -> Result<SessionBuilder, ort::Error> {
        let plain = |error: ort::Error<SessionBuilder>| ort::Error::new(error.message());
        if self.weights.is_empty() {
            return Ok(builder);
        }
        for (name, value) in &self.weights {
            builder = builder.with_initializer(name, Arc::clone(value)).map_err(plain)?;
        }
        builder.with_prepacked_weights(&self.prepacked).map_err(plain)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// One dimension of an input or output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dim {
    /// Chosen at each run; the name is for messages.
    Free(&'static str),
    /// Always this.
    Fixed(usize),
}

impl fmt::Display for Dim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Free(name) => f.write_str(name),
            Self::Fixed(size) => write!(f, "{size}"),
        }
    }
}

/// An input or output that a graph must have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// Its name.
    pub name: String,
    /// What its values are.
    pub kind: TensorElementType,
    /// Its shape.
    pub shape: Vec<Dim>,
}

impl Port {
    /// A port of `f32`.
    pub fn new(name: &str, shape: &[Dim]) -> Self {
        Self::of(TensorElementType::Float32, name, shape)
    }

    /// A port of another kind.
    pub fn of(kind: TensorElementType, name: &str, shape: &[Dim]) -> Self {
        Self {
            name: name.into(),
            kind,
            shape: shape.to_vec(),
        }
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shape: Vec<_> = self.shape.iter().map(Dim::to_string).collect();
        write!(f, "{} [{}]", kind_name(self.kind), shape.join(", "))
    }
}

/// Checks that each wanted port is among a graph's `outlets` with the wanted type and shape, and that there is no other.
///
/// `side` is "input" or "output".
///
/// # Errors
/// Names the first port that differs.
pub fn check_ports(
    file: &Path,
    side: &'static str,
    outlets: &[Outlet],
    wanted: &[Port],
) -> Result<(), ModelError> {
    let wrong = |port: &str, found: String, expected: String| ModelError::Port {
        file: file.into(),
        side,
        port: port.into(),
        found,
        expected,
    };
    for port in wanted {
        let Some(outlet) = outlets.iter().find(|outlet| outlet.name() == port.name) else {
            let names: Vec<_> = outlets.iter().map(Outlet::name).collect();
            return Err(wrong(
                &port.name,
                format!("missing (there are: {})", names.join(", ")),
                port.to_string(),
            ));
        };
        let fits = outlet.dtype().tensor_type() == Some(port.kind)
            && shape_of(outlet).is_some_and(|shape| {
                shape.len() == port.shape.len()
                    && shape.iter().zip(&port.shape).all(|(found, wanted)| match wanted {
                        Dim::Free(_) => *found < 0,
                        Dim::Fixed(size) => *found < 0 || *found == *size as i64,
                    })
            });
        if !fits {
            return Err(wrong(&port.name, show(outlet), port.to_string()));
        }
    }
    match outlets
        .iter()
        .find(|outlet| wanted.iter().all(|port| port.name != outlet.name()))
    {
        None => Ok(()),
        Some(extra) => {
            let names: Vec<_> = wanted.iter().map(|port| port.name.as_str()).collect();
            Err(wrong(
                extra.name(),
                show(extra),
                format!("none of that name, only {}", names.join(", ")),
            ))
        }
    }
}

/// A tensor's shape as the graph declares it, -1 where it is chosen at each run.
pub(crate) fn shape_of(outlet: &Outlet) -> Option<Vec<i64>> {
    outlet.dtype().tensor_shape().map(|shape| shape.to_vec())
}

fn show(outlet: &Outlet) -> String {
    match (outlet.dtype().tensor_type(), shape_of(outlet)) {
        (Some(kind), Some(shape)) => {
            let kind = kind_name(kind);
            let shape: Vec<_> = shape
                .iter()
                .map(|d| if *d < 0 { "any".into() } else { d.to_string() })
                .collect();
            format!("{kind} [{}]", shape.join(", "))
        }
        _ => "no tensor".into(),
    }
}

/// A type as Rust has it.
fn kind_name(kind: TensorElementType) -> String {
    match kind {
        TensorElementType::Float32 => "f32".into(),
        TensorElementType::Int32 => "i32".into(),
        TensorElementType::Uint8 => "u8".into(),
        other => other.to_string(),
    }
}

/// Named tensors of `f32`: the inputs of a run, or its outputs.
#[derive(Debug, Clone, Default)]
pub struct Tensors(Vec<(String, Vec<usize>, Vec<f32>)>);

impl Tensors {
    /// Adds one.
    pub fn push(&mut self, name: &str, shape: &[usize], values: Vec<f32>) {
        debug_assert_eq!(shape.iter().product::<usize>(), values.len());
        self.0.push((name.into(), shape.to_vec(), values));
    }

    /// Name, shape and values of each.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[usize], &[f32])> {
        self.0
            .iter()
            .map(|(name, shape, values)| (name.as_str(), shape.as_slice(), values.as_slice()))
    }

    /// Runs a session on these.
    ///
    /// # Errors
    /// What ONNX Runtime says.
    pub fn run(&self, session: &mut Session) -> Result<Self, ort::Error> {
        let inputs = self
            .0
            .iter()
            .map(|(name, shape, values)| {
                let value = TensorRef::from_array_view((shape.clone(), values.as_slice()))?;
                Ok((name.as_str(), ort::session::SessionInputValue::from(value)))
            })
            .collect::<Result<Vec<_>, ort::Error>>()?;
        let outputs = session.run(inputs)?;
        let mut read = Self::default();
        for (name, value) in outputs.iter() {
            let (shape, values) = value.try_extract_tensor::<f32>()?;
            read.0.push((
                name.into(),
                shape.iter().map(|d| *d as usize).collect(),
                values.to_vec(),
            ));
        }
        Ok(read)
    }

    /// The output that is farthest from `other`'s, and how far: relative L2 distance, infinite where shapes differ.
    pub fn farthest(&self, other: &Self) -> Option<(&str, f64)> {
        self.0
            .iter()
            .map(|(name, shape, values)| {
                let same = other.0.iter().find(|(n, s, _)| n == name && s == shape);
                (
                    name.as_str(),
                    same.map_or(f64::INFINITY, |(_, _, found)| relative_distance(values, found)),
                )
            })
            .max_by(|a, b| a.1.total_cmp(&b.1))
    }
}

fn relative_distance(expected: &[f32], found: &[f32]) -> f64 {
    let square = |x: f64| x * x;
    let norm: f64 = expected.iter().map(|x| square(f64::from(*x))).sum();
    let distance: f64 = expected
        .iter()
        .zip(found)
        .map(|(a, b)| square(f64::from(*a) - f64::from(*b)))
        .sum();
    (distance / norm.max(1e-12)).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_farthest_output_is_found_and_a_missing_one_is_infinitely_far() {
        let mut expected = Tensors::default();
        expected.push("near", &[2], vec![1.0, 2.0]);
        expected.push("far", &[2], vec![1.0, 2.0]);
        let mut found = expected.clone();
        found.0[1].2[0] = 1.1;
        let (name, distance) = expected.farthest(&found).unwrap();
        assert_eq!(name, "far");
        assert!((distance - 0.1 / 5f64.sqrt()).abs() < 1e-6, "{distance}");
        found.0.pop();
        assert_eq!(expected.farthest(&found), Some(("far", f64::INFINITY)));
    }
}
