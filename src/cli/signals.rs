//! SIGINT and SIGTERM: the first asks the work to stop at the next safe point, the second ends the
//! process at once.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::error::{Context as _, Result};

/// Signals this close to the first are duplicates of it: `timeout` signals the process and its
/// group. No user presses Ctrl-C twice that fast.
const DUPLICATE_WITHIN: Duration = Duration::from_millis(50);

/// Set by the first signal.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Set by SIGTERM.
static TERMINATED: AtomicBool = AtomicBool::new(false);

/// Time of the first signal in microseconds since the start; the maximum before it.
static FIRST: AtomicU64 = AtomicU64::new(u64::MAX);

/// Installs the handlers once and returns the flag that they set.
pub fn install() -> Result<&'static AtomicBool> {
    static START: OnceLock<Instant> = OnceLock::new();
    if START.set(Instant::now()).is_ok() {
        for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
            // SAFETY: the handler reads the clock, loads and stores atomics and ends the process,
            // all of which are async-signal-safe.
            #[expect(
                unsafe_code,
                reason = "the compiler cannot check that a signal handler is async-signal-safe"
            )]
            unsafe {
                signal_hook::low_level::register(signal, move || {
                    if signal == signal_hook::consts::SIGTERM {
                        TERMINATED.store(true, Ordering::Relaxed);
                    }
                    handle(*START.get_or_init(Instant::now));
                })
            }
            .or_failed(|| "cannot install signal handlers".into())?;
        }
    }
    Ok(&INTERRUPTED)
}

/// Continues after an interrupt that has stopped a part of the work; the next one counts as the
/// first. False if the process was asked to end.
pub fn resume() -> bool {
    if TERMINATED.load(Ordering::Relaxed) {
        return false;
    }
    INTERRUPTED.store(false, Ordering::Relaxed);
    FIRST.store(u64::MAX, Ordering::Relaxed);
    true
}

fn handle(start: Instant) {
    let now = u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX - 1);
    match FIRST.compare_exchange(u64::MAX, now, Ordering::Relaxed, Ordering::Relaxed) {
        Ok(_) => INTERRUPTED.store(true, Ordering::Relaxed),
        Err(first) if now.saturating_sub(first) < DUPLICATE_WITHIN.as_micros() as u64 => {}
        Err(_) => {
            super::ui::erase_at_exit();
            signal_hook::low_level::exit(130)
        }
    }
}

/// Flushes stdout and ends the process without running destructors or exit handlers: those of ONNX
/// Runtime and others take 5 ms of a search's 80, and the system frees memory faster.
pub fn leave(code: u8) -> ! {
    super::ui::flush();
    signal_hook::low_level::exit(i32::from(code))
}
