//! A single-threaded session: token ids to a vector, or to the score of a pair.

use std::thread::JoinHandle;
use std::time::Instant;

use ort::memory::Allocator;
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};
use ort::session::{OutputSelector, RunOptions, Session, SessionInputValue};
use ort::value::{Outlet, Tensor, TensorElementType, TensorRef, ValueType};

use super::files::ModelFiles;
use super::runtime::{Library, Runtime};
use super::spec::{Pooling, Spec};
use super::tokens::{Pair, Tokenizer};
use crate::error::{Fault, Result};
use crate::strings::named;
use crate::telemetry;
use crate::vector::Vector;

named! {
    /// What a text is embedded for; some models have a prefix for each role.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub enum EmbeddingRole {
        Query = "query",
        Passage = "passage",
    }
}

/// A loaded network. Not shared between threads: each worker has its own.
pub struct Network {
    session: Session,
    /// The inputs of this network, in its order.
    inputs: Vec<(Input, Width)>,
    /// The output of the last run.
    output: Option<Output>,
    buffers: [Vec<i64>; 3],
    narrow_buffers: [Vec<i32>; 3],
    /// True during a run, and for good after a panic in one.
    is_running: bool,
}

/// The shape of an output, by its dimension.
#[derive(Clone, Copy)]
enum Output {
    /// `[1, tokens, dimension]`.
    Tokens(usize),
    /// `[1, dimension]`: the graph does the pooling.
    Pooled(usize),
}

#[derive(Clone, Copy)]
enum Input {
    Ids,
    Mask,
    Types,
}

/// Of the integers of an input.
#[derive(Clone, Copy)]
enum Width {
    Narrow,
    Wide,
}

impl Input {
    fn of(outlet: &Outlet) -> Result<(Self, Width), String> {
        let input = match outlet.name() {
            "input_ids" => Self::Ids,
            "attention_mask" => Self::Mask,
            "token_type_ids" => Self::Types,
            other => return Err(format!("unknown input `{other}`")),
        };
        match outlet.dtype() {
            ValueType::Tensor { ty: TensorElementType::Int64, .. } => Ok((input, Width::Wide)),
            ValueType::Tensor { ty: TensorElementType::Int32, .. } => Ok((input, Width::Narrow)),
            other => Err(format!("the input `{}` is of type {other}", outlet.name())),
        }
    }
}

impl Network {
    /// Loads `model.onnx` without optimising it: that was done when it was added.
    ///
    /// # Errors
    /// When the runtime refuses the file or it has an unknown input.
    pub fn load(runtime: &Runtime, files: &ModelFiles) -> Result<Self> {
        let path = files.dir.join("model.onnx");
        let session = session(runtime, GraphOptimizationLevel::Disable)
            .and_then(|mut builder| builder.commit_from_file(&path))
            .map_err(|e| Fault::failed(format!("cannot load {}: {e}", path.display())))?;
        files.check_unchanged()?;
        let inputs = session.inputs().iter().map(|outlet| {
            Input::of(outlet).map_err(|why| Fault::failed(format!("{}: {why}", path.display())))
        });
        Ok(Self {
            inputs: inputs.collect::<Result<_>>()?,
            output: None,
            session,
            buffers: Default::default(),
            narrow_buffers: Default::default(),
            is_running: false,
        })
    }

    /// Opens the library, then loads the network as [`Network::load`] does, while another thread
    /// verifies the files byte for byte.
    ///
    /// # Errors
    /// When one of them is missing, damaged or does not match the other.
    pub fn open(library: &Library, files: &ModelFiles) -> Result<Self> {
        std::thread::scope(|scope| {
            let intact = scope.spawn(|| files.verify_network());
            let network = Runtime::load(library).and_then(|runtime| Self::load(&runtime, files));
            // Damage is reported first: it explains an error of the library.
            super::join(intact)?;
            network
        })
    }

    /// Starts opening a network in the background. The handle may be dropped.
    pub fn opening(library: Library, files: ModelFiles) -> JoinHandle<Result<Self>> {
        std::thread::spawn(move || Self::open(&library, &files))
    }

    /// The vector of one text, cut to the model's window.
    pub fn embed(
        &mut self,
        tokenizer: &Tokenizer,
        spec: &Spec,
        role: EmbeddingRole,
        text: &str,
    ) -> Result<Vector> {
        let (ids, start) = (ids(tokenizer, spec, role, text), Instant::now());
        let vector = self.embed_ids(spec, &ids)?;
        telemetry::embedded(role.name(), ids.len(), start.elapsed());
        Ok(vector)
    }

    /// The unit vector of token ids, special tokens included. It is normalised whether the model's
    /// files ask for it or not: inner products are compared as cosines.
    pub fn embed_ids(&mut self, spec: &Spec, ids: &[u32]) -> Result<Vector> {
        let vector = self.run(ids, None, |output, data| {
            Ok(match output {
                Output::Tokens(dimension) => pool(data, dimension, spec.pooling),
                Output::Pooled(_) => data.to_vec(),
            })
        })?;
        Vector::new(normalized(vector))
    }

    /// The score of a pair.
    ///
    /// # Errors
    /// When the network gives anything but one finite number.
    pub fn score(&mut self, pair: &Pair) -> Result<f64> {
        self.run(&pair.ids, Some(&pair.types), |output, data| match (output, data) {
            (Output::Pooled(1), [score]) if score.is_finite() => Ok(f64::from(*score)),
            (Output::Pooled(1), _) => {
                Err(Fault::damaged("the model gave a score that is not finite"))
            }
            (Output::Pooled(n) | Output::Tokens(n), _) => Err(Fault::usage(format!(
                "the model gives {n} numbers for a pair; a cross-encoder gives one score"
            ))),
        })
    }

    /// Whether every run finished, so that the session may be used again.
    pub fn is_sound(&self) -> bool {
        !self.is_running
    }

    /// Runs the network on token ids, all of type 0 unless `types` says otherwise. `read` gets the
    /// output's shape and its numbers in row order.
    fn run<T>(
        &mut self,
        ids: &[u32],
        types: Option<&[u32]>,
        read: impl FnOnce(Output, &[f32]) -> Result<T>,
    ) -> Result<T> {
        self.is_running = true;
        self.fill(ids, types);
        let outcome = self.run_session(ids.len(), read);
        self.is_running = false;
        outcome
    }

    /// Fills the buffers of the inputs.
    fn fill(&mut self, ids: &[u32], types: Option<&[u32]>) {
        let [id_buffer, ones, type_buffer] = &mut self.buffers;
        id_buffer.clear();
        id_buffer.extend(ids.iter().map(|id| i64::from(*id)));
        ones.resize(ids.len(), 1);
        type_buffer.clear();
        type_buffer.extend(types.unwrap_or_default().iter().map(|n| i64::from(*n)));
        type_buffer.resize(ids.len(), 0);
        if self.inputs.iter().any(|(_, width)| matches!(width, Width::Narrow)) {
            for (narrow, wide) in self.narrow_buffers.iter_mut().zip(&self.buffers) {
                narrow.clear();
                narrow.extend(wide.iter().map(|n| i32::try_from(*n).unwrap_or(i32::MAX)));
            }
        }
    }

    fn run_session<T>(
        &mut self,
        n: usize,
        read: impl FnOnce(Output, &[f32]) -> Result<T>,
    ) -> Result<T> {
        let fault = |e: ort::Error| Fault::failed(format!("the model cannot be run: {e}"));
        let mut values: Vec<SessionInputValue<'_>> = Vec::with_capacity(3);
        for (input, width) in &self.inputs {
            let buffer = *input as usize;
            let value: ort::Result<SessionInputValue<'_>> = match width {
                Width::Wide => {
                    let data: &[i64] = &self.buffers[buffer];
                    TensorRef::from_array_view(([1, n], data)).map(Into::into)
                }
                Width::Narrow => {
                    let data: &[i32] = &self.narrow_buffers[buffer];
                    TensorRef::from_array_view(([1, n], data)).map(Into::into)
                }
            };
            values.push(value.map_err(fault)?);
        }
        let name = self.session.outputs()[0].name().to_owned();
        let mut selected = OutputSelector::no_default().with(name.as_str());
        // When the library allocates the output, `ort` 2.0.0-rc.14 leaks its type information, some
        // 270 bytes per run. So every output but the first is allocated here.
        if let Some(output) = self.output {
            let allocator = Allocator::default();
            let tensor = match output {
                Output::Tokens(dimension) => Tensor::<f32>::new(&allocator, [1, n, dimension]),
                Output::Pooled(dimension) => Tensor::<f32>::new(&allocator, [1, dimension]),
            };
            selected = selected.preallocate(name, tensor.map_err(fault)?);
        }
        let options = RunOptions::new().map_err(fault)?.with_outputs(selected);
        let outputs = self.session.run_with_options(&values[..], &options).map_err(fault)?;
        let (shape, data) = outputs[0].try_extract_tensor::<f32>().map_err(fault)?;
        self.output = match *shape.as_ref() {
            [1, tokens, dimension] if tokens == n as i64 => {
                usize::try_from(dimension).ok().map(Output::Tokens)
            }
            [1, dimension] => usize::try_from(dimension).ok().map(Output::Pooled),
            _ => None,
        };
        match self.output {
            Some(output @ (Output::Tokens(1..) | Output::Pooled(1..))) => read(output, data),
            _ => Err(Fault::failed(format!("the model's output has the shape {shape:?}"))),
        }
    }
}

/// Token ids of a text with the prefix of its role, cut to the model's window.
fn ids(tokenizer: &Tokenizer, spec: &Spec, role: EmbeddingRole, text: &str) -> Vec<u32> {
    let prefix = match role {
        EmbeddingRole::Query => &spec.query_prefix,
        EmbeddingRole::Passage => &spec.passage_prefix,
    };
    match prefix.is_empty() {
        true => tokenizer.encode(text, spec.max_tokens),
        false => tokenizer.encode(&format!("{prefix}{text}"), spec.max_tokens),
    }
}

/// A session builder with one thread and no memory plans per input shape: texts have hundreds of
/// lengths, so plans would grow with the corpus.
pub(super) fn session(
    runtime: &Runtime,
    level: GraphOptimizationLevel,
) -> ort::Result<SessionBuilder> {
    Ok(Session::builder(&runtime.environment)?
        .with_optimization_level(level)?
        .with_intra_threads(1)?
        .with_inter_threads(1)?
        .with_memory_pattern(false)?)
}

/// Pools token vectors, `[tokens, dimension]` in row order.
fn pool(rows: &[f32], dimension: usize, pooling: Pooling) -> Vec<f32> {
    let tokens = rows.chunks_exact(dimension);
    match pooling {
        Pooling::Cls => rows[..dimension].to_vec(),
        Pooling::LastToken => rows[rows.len() - dimension..].to_vec(),
        Pooling::Max => tokens.fold(vec![f32::NEG_INFINITY; dimension], |mut best, row| {
            best.iter_mut().zip(row).for_each(|(b, x)| *b = b.max(*x));
            best
        }),
        Pooling::Mean => {
            let n = tokens.len() as f32;
            let mut sum = tokens.fold(vec![0.0; dimension], |mut sum, row| {
                sum.iter_mut().zip(row).for_each(|(s, x)| *s += x);
                sum
            });
            sum.iter_mut().for_each(|s| *s /= n);
            sum
        }
    }
}

fn normalized(mut values: Vec<f32>) -> Vec<f32> {
    let length = values.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
    if length > 0.0 {
        values.iter_mut().for_each(|x| *x = (f64::from(*x) / length) as f32);
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pooling_modes() {
        let rows = [1.0, 2.0, 3.0, -4.0];
        assert_eq!(pool(&rows, 2, Pooling::Cls), [1.0, 2.0]);
        assert_eq!(pool(&rows, 2, Pooling::LastToken), [3.0, -4.0]);
        assert_eq!(pool(&rows, 2, Pooling::Max), [3.0, 2.0]);
        assert_eq!(pool(&rows, 2, Pooling::Mean), [2.0, -1.0]);
        assert_eq!(normalized(vec![3.0, 4.0]), [0.6, 0.8]);
        assert_eq!(normalized(vec![0.0, 0.0]), [0.0, 0.0]);
    }
}
