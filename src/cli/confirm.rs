//! Confirmation before data is removed.

use super::ui::Ui;
use crate::engine::Engine;
use crate::error::{Fault, Result};

/// What a command is about to remove.
pub struct Removal<'a> {
    /// `--yes` was given.
    pub yes: bool,
    /// A whole index, or more than one item: without a terminal, `--yes` is required.
    pub needs_yes: bool,
    /// A verb phrase such as `remove the index`.
    pub action: &'a str,
}

impl Removal<'_> {
    /// Asks for confirmation if there is a terminal.
    ///
    /// # Errors
    /// A usage fault if `--yes` is missing; a failure if the user declines.
    pub fn confirm(&self, engine: &Engine, ui: &Ui) -> Result<()> {
        let Self { yes, needs_yes, action } = self;
        if *yes {
            return Ok(());
        }
        match ui.ask_yes_no(&format!("{action}?"), &|| engine.interrupted())? {
            Some(false) => Err(Fault::failed("cancelled: nothing was removed")),
            None if *needs_yes => {
                Err(Fault::usage(format!("this would {action}; nothing was removed"))
                    .hint("there is no terminal to confirm at: pass `--yes`"))
            }
            _ => Ok(()),
        }
    }
}
