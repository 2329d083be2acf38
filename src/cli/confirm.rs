//! Asking before something is lost.

use super::ui::Ui;
use crate::engine::Engine;
use crate::error::{Fault, Result};

/// What a command is about to remove.
pub struct Removal<'a> {
    /// `--yes` was given.
    pub yes: bool,
    /// A whole index, or more than one thing: without a terminal to ask at, `--yes` is needed.
    pub is_much: bool,
    /// As in `remove the index`.
    pub what: &'a str,
}

impl Removal<'_> {
    /// Asks at a terminal whether to go on.
    ///
    /// # Errors
    /// A usage fault where `--yes` is missing; that nothing was removed, where the answer is no.
    pub fn confirm(&self, engine: &Engine, ui: &Ui) -> Result<()> {
        let Self { yes, is_much, what } = self;
        if *yes {
            return Ok(());
        }
        match ui.asks(&format!("{what}?"), &|| engine.interrupted())? {
            Some(true) => Ok(()),
            Some(false) => Err(Fault::failed("nothing was removed")),
            None if *is_much => {
                Err(Fault::usage(format!("this would {what}; nothing was removed"))
                    .hint("there is no terminal to ask at: give `--yes` if that is meant"))
            }
            None => Ok(()),
        }
    }
}
