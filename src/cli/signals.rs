//! Ctrl-C and SIGTERM: the first asks the work to stop at the next safe place, the second ends the
//! process. And how it ends by itself.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::error::{Context as _, Result};

/// What comes so soon after the first signal is the same one: `timeout` sends it to the process and
/// to its group. No hand is that quick.
const SAME: Duration = Duration::from_millis(50);

/// Set by the first signal.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Installs the handlers once and yields the flag that they set.
pub fn install() -> Result<&'static AtomicBool> {
    static START: OnceLock<Instant> = OnceLock::new();
    if START.set(Instant::now()).is_ok() {
        for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
            // SAFETY: the handler reads the clock, loads and stores atomics and ends the process;
            // all may be done in one.
            #[expect(
                unsafe_code,
                reason = "a handler of signals may do little, which the compiler cannot check"
            )]
            unsafe {
                signal_hook::low_level::register(signal, || heard(*START.get_or_init(Instant::now)))
            }
            .or_failed(|| "cannot handle signals".into())?;
        }
    }
    Ok(&INTERRUPTED)
}

fn heard(start: Instant) {
    /// When the first came, in microseconds since `start`; at first, never.
    static FIRST: AtomicU64 = AtomicU64::new(u64::MAX);
    let now = u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX - 1);
    match FIRST.compare_exchange(u64::MAX, now, Ordering::Relaxed, Ordering::Relaxed) {
        Ok(_) => INTERRUPTED.store(true, Ordering::Relaxed),
        Err(first) if now.saturating_sub(first) < SAME.as_micros() as u64 => {}
        Err(_) => {
            super::ui::erase_at_exit();
            signal_hook::low_level::exit(130)
        }
    }
}

/// Ends the process with what was printed written out, and with nothing else: what the libraries
/// would do for their own sake, ONNX Runtime above all, takes 5 ms of a search's 80, and the system
/// cleans up faster.
pub fn leave(code: u8) -> ! {
    super::ui::flush();
    signal_hook::low_level::exit(i32::from(code))
}
