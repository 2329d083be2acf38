//! A submitted question, as its caller holds it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::flight::Listener;
use super::lane::Lane;
use super::question::{Outcome, Problem, Reply, RequestKind, Update};
use super::shared::Shared;
use crate::error::Fault;
use crate::observe::QueryContext;
use crate::telemetry::Trace;

/// Extra time for work past its deadline to end by itself, with an error that names the stage.
pub(super) const GRACE: Duration = Duration::from_secs(1);

/// A submitted question. Dropping the ticket means that the caller has left.
pub struct Ticket {
    pub(super) listener: Listener,
    pub(super) lane: Arc<Lane>,
    /// The deadline of the caller.
    pub(super) until: Instant,
    /// Where the outcome is recorded; `None` once it is.
    pub(super) unrecorded: Option<Arc<Shared>>,
    /// The caller follows the progress.
    pub(super) is_streamed: bool,
    pub(super) is_batch: bool,
    /// The trace of the caller's request.
    pub(super) trace: Option<Trace>,
}

impl Ticket {
    /// The next progress update; `None` once the question has ended.
    ///
    /// # Errors
    /// When the deadline has passed.
    pub async fn next(&mut self) -> std::result::Result<Option<Update>, Problem> {
        self.is_streamed = true;
        let until = (self.until + GRACE).into();
        tokio::time::timeout_at(until, self.listener.next()).await.map_err(|_| self.late())
    }

    /// Waits for the outcome.
    ///
    /// # Errors
    /// Why the question has no result; when the deadline has passed.
    pub async fn outcome(&mut self) -> Outcome {
        let until = (self.until + GRACE).into();
        let outcome = tokio::time::timeout_at(until, self.listener.outcome())
            .await
            .map_err(|_| self.late())?;
        if let Ok(reply) = &outcome
            && let Some(shared) = self.unrecorded.take()
        {
            self.record(&shared, reply);
        }
        outcome
    }

    fn late(&self) -> Problem {
        let s = self.lane.time_limit.as_secs();
        Fault::late(format!("the question took longer than {s} s"))
            .hint("ask again later, or raise `serve.query_timeout_s`")
            .into()
    }

    /// Marks the question as part of a batch.
    #[must_use]
    pub fn of_batch(mut self) -> Self {
        self.is_batch = true;
        self
    }

    /// Records the outcome for metrics and analytics.
    fn record(&self, shared: &Shared, reply: &Reply) {
        let Shared { engine, observer, .. } = shared;
        let flight = self.listener.flight();
        let question = &flight.question;
        let mut how = QueryContext {
            text: &question.text,
            k: question.k.unwrap_or(engine.config.search_k),
            caching: question.caching,
            has_filter: question.filter.is_some(),
            is_streamed: self.is_streamed,
            is_batch: self.is_batch,
            traced: self.trace.map(|trace| (trace, flight.begun.elapsed())),
            queue_ms: flight.waited().map(|waited| waited.as_secs_f64() * 1e3),
            ..QueryContext::plain(engine, &question.text)
        };
        match (reply, &question.kind) {
            (Reply::Answer(response), RequestKind::Answer { intent, session, .. }) => {
                (how.has_intent, how.session) = (intent.is_some(), session.as_deref());
                observer.asked(engine, response, &how);
            }
            (Reply::Answer(response), RequestKind::Passages { .. }) => {
                observer.asked(engine, response, &how);
            }
            (Reply::Passages(response), _) => observer.searched(engine, response, &how),
            (Reply::Vectors(_) | Reply::Scores(_), _)
            | (_, RequestKind::Vectors(_) | RequestKind::Scores(_)) => {}
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.lane.leave(self.listener.flight());
    }
}
