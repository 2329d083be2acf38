//! Which request a question belongs to, where requests are traced.

use std::future::Future;

use crate::telemetry::Trace;

tokio::task_local! {
    static CURRENT: Trace;
}

/// Does `work` as part of the request that is traced so.
pub async fn within<F: Future>(trace: Option<Trace>, work: F) -> F::Output {
    match trace {
        Some(trace) => CURRENT.scope(trace, work).await,
        None => work.await,
    }
}

/// The request of this task.
pub(super) fn current() -> Option<Trace> {
    CURRENT.try_get().ok()
}
