//! Ctrl-C and SIGTERM: the first asks the work to stop at the next safe place, the second ends the process. And how it ends
//! by itself.

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

/// Ends the process with what was printed written out, and with nothing else: what the libraries would do for their own sake,
/// ONNX Runtime above all, takes 5 ms of a search's 80, and the system cleans up faster.
pub fn leave(code: u8) -> ! {
    super::ui::flush();
    signal_hook::low_level::exit(i32::from(code))
}
