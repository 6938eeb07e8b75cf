//! Execution providers: what computes a graph, chosen by the user or by trial.
//!
//! ONNX Runtime falls back to the CPU in silence when a provider fails. So each provider is tried by itself, with
//! failure an error, is warmed up, and its output is compared with the CPU's; the verdicts are kept and shown.
//! Background threads only: a trial can take seconds.

use std::fmt;
use std::time::{Duration, Instant};

use ort::ep::{self, ExecutionProvider};
use ort::session::Session;
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};

use super::{Runtime, one_line};
use crate::model::graph::{GraphFile, Tensors};

/// What may compute a graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Provider {
    /// The processor; always there, and what the others are measured by.
    Cpu,
    /// An NVIDIA graphics card.
    Cuda,
    /// Apple's neural engine and graphics.
    CoreMl,
    /// Any graphics card on Windows.
    DirectMl,
}

/// What the user asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum DeviceChoice {
    /// The fastest that works.
    #[default]
    Auto,
    /// The processor.
    Cpu,
    /// CUDA, or the processor if it is refused.
    Cuda,
    /// CoreML, or the processor if it is refused.
    CoreMl,
    /// DirectML, or the processor if it is refused.
    DirectMl,
}

/// A provider that is not in use, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The provider.
    pub provider: Provider,
    /// One clause without a full stop.
    pub reason: String,
}

/// What came of the trials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderReport {
    /// What computes.
    pub in_use: Provider,
    /// Why each other that was considered does not.
    pub refusals: Vec<Refusal>,
}

/// How far a provider's outputs may be from the CPU's: relative L2 distance of each output.
pub const TOLERANCE: f64 = 2e-3;
/// Runs before a provider is timed (kernels are compiled and memory is set aside in the first).
const WARM_UP_RUNS: usize = 3;
/// Runs that a provider is timed over.
const TIMED_RUNS: usize = 8;

impl Provider {
    /// All but the CPU, in the order in which `auto` considers them.
    pub const ACCELERATORS: [Self; 3] = [Self::Cuda, Self::CoreMl, Self::DirectMl];

    /// Its name as users know it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cpu => "CPU",
            Self::Cuda => "CUDA",
            Self::CoreMl => "CoreML",
            Self::DirectMl => "DirectML",
        }
    }

    /// Adds the provider to a session to be, failure being an error.
    fn attach(self, builder: SessionBuilder) -> Result<SessionBuilder, String> {
        let entry = match self {
            Self::Cpu => return Ok(builder),
            Self::Cuda => {
                self.offered::<ep::CUDA>(cfg!(any(target_os = "linux", target_os = "windows")))?;
                ep::CUDA::default()
                    .with_tf32(false)
                    .with_conv_algorithm_search(ep::cuda::ConvAlgorithmSearch::Heuristic)
                    .build()
            }
            Self::CoreMl => {
                self.offered::<ep::CoreML>(cfg!(target_os = "macos"))?;
                ep::CoreML::default()
                    .with_model_format(ep::coreml::ModelFormat::MLProgram)
                    .build()
            }
            Self::DirectMl => {
                self.offered::<ep::DirectML>(cfg!(target_os = "windows"))?;
                ep::DirectML::default().build()
            }
        };
        builder
            .with_execution_providers([entry.error_on_failure()])
            .map_err(|error| one_line(error.message()))
    }

    fn offered<P: ExecutionProvider>(self, exists_here: bool) -> Result<(), String> {
        if !exists_here {
            return Err(format!("{} does not exist on this system", self.name()));
        }
        match P::is_available() {
            Ok(true) => Ok(()),
            Ok(false) => Err("this build of ONNX Runtime is without it".into()),
            Err(error) => Err(one_line(error.message())),
        }
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl DeviceChoice {
    /// The accelerators to try, in this order.
    fn accelerators(self) -> &'static [Provider] {
        match self {
            Self::Auto => &Provider::ACCELERATORS,
            Self::Cpu => &[],
            Self::Cuda => &[Provider::Cuda],
            Self::CoreMl => &[Provider::CoreMl],
            Self::DirectMl => &[Provider::DirectMl],
        }
    }
}

/// What a session computes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Threads {
    /// The calling thread alone.
    Calling,
    /// The calling thread and the [`Runtime`]'s, which all such sessions share.
    Pool,
}

/// Builds a session that computes on the calling thread alone, the same way each time.
///
/// # Errors
/// The reason in one line: the provider is not there, or the graph is not to its liking.
pub(crate) fn session(runtime: &Runtime, graph: &GraphFile, provider: Provider) -> Result<Session, String> {
    session_on(runtime, graph, provider, Threads::Calling)
}

/// Builds a session that computes on these threads, the same way each time.
///
/// # Errors
/// As [`session`].
pub(crate) fn session_on(
    runtime: &Runtime,
    graph: &GraphFile,
    provider: Provider,
    threads: Threads,
) -> Result<Session, String> {
    let reason = |error: ort::Error<SessionBuilder>| one_line(error.message());
    let builder = Session::builder(runtime.environment()).map_err(|error| one_line(error.message()))?;
    let mut builder = builder
        .with_optimization_level(GraphOptimizationLevel::All)
        .map_err(reason)?;
    if threads == Threads::Calling {
        builder = builder.with_independent_thread_pool().map_err(reason)?;
        builder = builder.with_intra_threads(1).map_err(reason)?;
        builder = builder.with_intra_op_spinning(false).map_err(reason)?;
    }
    let builder = builder.with_inter_threads(1).map_err(reason)?;
    let builder = builder.with_inter_op_spinning(false).map_err(reason)?;
    // Runs differ in length: a memory pattern for each would be kept for nothing.
    let builder = builder.with_memory_pattern(false).map_err(reason)?;
    let builder = builder.with_deterministic_compute(true).map_err(reason)?;
    let builder = builder.with_flush_to_zero().map_err(reason)?;
    let builder = builder
        .with_no_environment_execution_providers()
        .map_err(reason)?;
    let builder = graph
        .share_weights(builder)
        .map_err(|error| one_line(error.message()))?;
    let mut builder = provider.attach(builder)?;
    builder
        .commit_from_memory(graph.bytes())
        .map_err(|error| one_line(error.message()))
}

/// Finds the provider for a graph: those that `choice` allows, against the CPU.
///
/// `inputs` is one typical run; `cpu` is a session of the same graph on the CPU.
pub(crate) fn choose(
    runtime: &Runtime,
    graph: &GraphFile,
    choice: DeviceChoice,
    cpu: &mut Session,
    inputs: &Tensors,
) -> Result<ProviderReport, ort::Error> {
    let mut refusals = Vec::new();
    if choice.accelerators().is_empty() {
        return Ok(ProviderReport {
            in_use: Provider::Cpu,
            refusals,
        });
    }
    let expected = inputs.run(cpu)?;
    let cpu_time = timed(cpu, inputs)?;
    let mut in_use = Provider::Cpu;
    for &provider in choice.accelerators() {
        match try_out(runtime, graph, provider, inputs, &expected) {
            Ok(time) if choice == DeviceChoice::Auto && time > cpu_time => refusals.push(Refusal {
                provider,
                reason: format!(
                    "slower than the CPU ({:.2} against {:.2} ms a run)",
                    ms(time),
                    ms(cpu_time)
                ),
            }),
            Ok(_) => {
                in_use = provider;
                break;
            }
            Err(reason) => refusals.push(Refusal { provider, reason }),
        }
    }
    Ok(ProviderReport { in_use, refusals })
}

fn try_out(
    runtime: &Runtime,
    graph: &GraphFile,
    provider: Provider,
    inputs: &Tensors,
    expected: &Tensors,
) -> Result<Duration, String> {
    let mut session = session(runtime, graph, provider)?;
    let found = inputs
        .run(&mut session)
        .map_err(|error| one_line(error.message()))?;
    if let Some((output, distance)) = expected.farthest(&found)
        && distance.is_nan() | (distance > TOLERANCE)
    {
        return Err(format!(
            "its `{output}` differs from the CPU's by {distance:.1e}, more than {TOLERANCE:.0e}"
        ));
    }
    timed(&mut session, inputs).map_err(|error| one_line(error.message()))
}

fn timed(session: &mut Session, inputs: &Tensors) -> Result<Duration, ort::Error> {
    for _ in 0..WARM_UP_RUNS {
        inputs.run(session)?;
    }
    let start = Instant::now();
    for _ in 0..TIMED_RUNS {
        inputs.run(session)?;
    }
    Ok(start.elapsed() / TIMED_RUNS as u32)
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
