//! The processor that computes: chosen once, when a model is opened. The one place, beside the attention's entry point,
//! that knows whether this build can use a GPU.

use std::{fmt, str::FromStr};

use candle_core::Device;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// The wanted processor, spelled `auto`, `cpu`, `cuda` or `cuda:N`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum DeviceChoice {
    /// The first GPU if this build can use one and the machine has one; the CPU otherwise.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// The NVIDIA GPU of this index; an error if it is not there.
    Cuda(usize),
}

impl DeviceChoice {
    /// The processors of this machine that this build can use, the CPU first.
    pub fn available() -> Vec<Self> {
        let gpus = (0..).map(Self::Cuda).take_while(|gpu| gpu.open().is_ok());
        std::iter::once(Self::Cpu).chain(gpus).collect()
    }

    /// The processor, as candle knows it.
    ///
    /// # Errors
    /// [`Error::Device`] for a GPU that was asked for by its index and cannot be used.
    pub fn open(self) -> Result<Device> {
        match self {
            Self::Cpu => Ok(Device::Cpu),
            Self::Cuda(index) => cuda(index),
            Self::Auto => Ok(first_gpu().unwrap_or(Device::Cpu)),
        }
    }
}

#[cfg(feature = "cuda")]
fn first_gpu() -> Option<Device> {
    match cuda(0) {
        Ok(device) => Some(device),
        Err(error) => {
            tracing::warn!("computing on the CPU: {error}");
            None
        }
    }
}

#[cfg(not(feature = "cuda"))]
fn first_gpu() -> Option<Device> {
    None
}

#[cfg(feature = "cuda")]
fn cuda(index: usize) -> Result<Device> {
    Device::new_cuda(index).map_err(|error| Error::Device {
        device: DeviceChoice::Cuda(index).to_string(),
        reason: format!("no usable NVIDIA GPU of this index ({error}); expected one that nvidia-smi lists"),
    })
}

#[cfg(not(feature = "cuda"))]
fn cuda(index: usize) -> Result<Device> {
    Err(Error::Device {
        device: DeviceChoice::Cuda(index).to_string(),
        reason: "this build of quarry computes on the CPU only; build it with the feature cuda".to_owned(),
    })
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(index) => write!(f, "cuda:{index}"),
        }
    }
}

impl FromStr for DeviceChoice {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let index = match text {
            "auto" => return Ok(Self::Auto),
            "cpu" => return Ok(Self::Cpu),
            "cuda" => Some(0),
            _ => text.strip_prefix("cuda:").and_then(|index| index.parse().ok()),
        };
        let reason = "expected auto, cpu, cuda or cuda:N".to_owned();
        index.map(Self::Cuda).ok_or_else(|| Error::Device { device: text.to_owned(), reason })
    }
}

impl From<DeviceChoice> for String {
    fn from(choice: DeviceChoice) -> Self {
        choice.to_string()
    }
}

impl TryFrom<String> for DeviceChoice {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_written() {
        for (text, choice) in [
            ("auto", DeviceChoice::Auto),
            ("cpu", DeviceChoice::Cpu),
            ("cuda:0", DeviceChoice::Cuda(0)),
            ("cuda:3", DeviceChoice::Cuda(3)),
        ] {
            assert_eq!(text.parse::<DeviceChoice>().unwrap(), choice);
            assert_eq!(choice.to_string(), text);
        }
        assert_eq!("cuda".parse::<DeviceChoice>().unwrap(), DeviceChoice::Cuda(0));
        for text in ["", "gpu", "cuda:", "cuda:x", "cuda:-1", "CPU"] {
            assert!(text.parse::<DeviceChoice>().unwrap_err().to_string().contains("expected auto, cpu"), "{text}");
        }
    }

    #[test]
    fn a_gpu_that_is_not_there_is_an_error_only_when_asked_for() {
        assert!(DeviceChoice::Cpu.open().unwrap().is_cpu());
        assert!(DeviceChoice::Auto.open().is_ok());
        let error = DeviceChoice::Cuda(99).open().unwrap_err().to_string();
        assert!(error.contains("cuda:99"), "{error}");
        assert_eq!(DeviceChoice::available()[0], DeviceChoice::Cpu);
    }
}
