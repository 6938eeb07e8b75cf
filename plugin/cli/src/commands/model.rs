//! `betwixt model`: what a model is, whether it is sound, and how fast it is here.

mod bench;
mod bench_step;
mod check;
mod info;
mod measure;

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use betwixt_engine::resources::ResourcesError;
use betwixt_engine::runtime::provider::DeviceChoice;
use clap::ValueEnum;

use crate::model_argument;

/// Looks at a model: what it is, what is wrong with it, how fast it is.
#[derive(Debug, clap::Args)]
pub struct ModelArgs {
    #[command(subcommand)]
    command: ModelCommand,
}

#[derive(Debug, clap::Subcommand)]
enum ModelCommand {
    /// Shows what a model is, and what computes it.
    Info(ModelOptions),
    /// Checks a model, and tells which file and field is wrong.
    Check {
        /// Folder of the model.
        #[arg(value_name = "DIR")]
        folder: PathBuf,
    },
    /// Measures how fast a model is on this machine.
    Bench {
        #[command(flatten)]
        model: ModelOptions,
        #[command(flatten)]
        step: bench_step::StepOptions,
    },
}

#[derive(Debug, clap::Args)]
struct ModelOptions {
    /// Folder of the model, in place of the shipped one.
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
    /// What is to compute it.
    #[arg(long, value_enum, default_value_t = Device::Auto)]
    device: Device,
}

/// What may compute a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Device {
    /// The fastest that works.
    Auto,
    /// The processor.
    Cpu,
    /// An NVIDIA graphics card.
    Cuda,
    /// Apple's neural engine and graphics.
    Coreml,
    /// Any graphics card on Windows.
    Directml,
}

impl From<Device> for DeviceChoice {
    fn from(device: Device) -> Self {
        match device {
            Device::Auto => Self::Auto,
            Device::Cpu => Self::Cpu,
            Device::Cuda => Self::Cuda,
            Device::Coreml => Self::CoreMl,
            Device::Directml => Self::DirectMl,
        }
    }
}

impl ModelOptions {
    fn folder(&self) -> Result<PathBuf, ResourcesError> {
        model_argument::folder(self.folder.as_deref())
    }
}

/// Runs the command that was asked for.
///
/// # Errors
/// One sentence on what is wrong with which file.
pub fn run(args: &ModelArgs, interrupted: &AtomicBool) -> anyhow::Result<()> {
    match &args.command {
        ModelCommand::Info(options) => info::run(&options.folder()?, options.device.into()),
        ModelCommand::Check { folder } => check::run(folder),
        ModelCommand::Bench { model, step } => {
            bench::run(&model.folder()?, model.device.into(), step, interrupted)
        }
    }
}
