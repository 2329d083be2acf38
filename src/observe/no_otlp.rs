//! Traces in a build without the feature `telemetry`: naming a collector is an error.

use crate::engine::Engine;
use crate::error::{Fault, Result};

/// Never constructed.
pub enum Exporter {}

/// # Errors
/// Where the settings name a collector.
pub fn export(engine: &Engine) -> Result<Option<Exporter>> {
    if engine.config.otlp_endpoint.is_empty() {
        return Ok(None);
    }
    Err(Fault::left_out("telemetry").hint("unset telemetry.otlp_endpoint, or install a full build"))
}
