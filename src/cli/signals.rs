//! Ctrl-C and SIGTERM: the first asks the work to stop at the next safe place, the second ends the process.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};

use crate::error::{Context as _, Result};

/// Installs the handlers once and yields the flag that they set.
pub fn install() -> Result<&'static AtomicBool> {
    static FLAG: OnceLock<Arc<AtomicBool>> = OnceLock::new();
    if let Some(flag) = FLAG.get() {
        return Ok(flag);
    }
    let flag = FLAG.get_or_init(|| Arc::new(AtomicBool::new(false)));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register_conditional_shutdown(signal, 130, Arc::clone(flag))
            .and_then(|_| signal_hook::flag::register(signal, Arc::clone(flag)))
            .or_failed(|| "cannot handle signals".into())?;
    }
    Ok(flag)
}
