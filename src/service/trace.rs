//! The trace of the current request, for questions that it submits.

use std::future::Future;

use crate::telemetry::Trace;

tokio::task_local! {
    static CURRENT: Trace;
}

/// Runs `work` as part of a trace.
pub async fn within<F: Future>(trace: Option<Trace>, work: F) -> F::Output {
    match trace {
        Some(trace) => CURRENT.scope(trace, work).await,
        None => work.await,
    }
}

/// The trace of the current task.
pub(super) fn current() -> Option<Trace> {
    CURRENT.try_get().ok()
}
