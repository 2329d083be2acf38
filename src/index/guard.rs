//! Turns panics about malformed files into values.
//!
//! Checksums keep damage away from Tantivy, but the author of a bundle wrote its checksums too, and
//! Tantivy trusts its files: it indexes by the numbers that it read. Such a panic is a finding
//! about the file, not a bug to print.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

thread_local! {
    /// True while this thread runs something whose panics are expected.
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Runs `read`; a panic becomes an `Err` with its message, and nothing is printed. What `read` was
/// changing must not be used afterwards.
pub fn guarded<T>(read: impl FnOnce() -> T) -> Result<T, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !QUIET.get() {
                before(info);
            }
        }));
    });
    let was_quiet = QUIET.replace(true);
    let result = catch_unwind(AssertUnwindSafe(read));
    QUIET.set(was_quiet);
    result.map_err(|panic| message(&*panic))
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("its content is invalid")
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_its_message() {
        assert_eq!(guarded(|| 7), Ok(7));
        assert_eq!(guarded(|| panic!("at {}", 7)), Err::<(), _>("at 7".to_owned()));
        assert_eq!(guarded(|| guarded(|| panic!("inner"))), Ok(Err::<(), _>("inner".to_owned())));
        assert!(!QUIET.get());
    }
}
