//! What is asked.

use crate::answer::Intent;
use crate::cache::Caching;
use crate::engine::Stop;
use crate::filter::Filter;
use crate::sessions::Turn;

/// A question.
#[derive(Clone, Debug, Default)]
pub struct Request {
    pub question: String,
    /// The kind of answer; `None` to detect it from the question.
    pub intent: Option<Intent>,
    pub caching: Caching,
    /// The conversation so far, oldest first. A turn without a resolved question is resolved again.
    pub earlier: Vec<Turn>,
    /// Restricts the documents.
    pub filter: Option<Filter>,
    pub stop: Stop,
}
