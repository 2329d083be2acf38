//! Blocking work, outside of the threads of the protocol.

use std::sync::Arc;

use crate::engine::Engine;
use crate::error::{Fault, Result};
use crate::service::Service;

/// Runs `work`, which may wait for the disk, on a thread for blocking work.
pub async fn blocking<T: Send + 'static>(
    service: &Arc<Service>,
    work: impl FnOnce(&Engine) -> Result<T> + Send + 'static,
) -> Result<T> {
    let service = Arc::clone(service);
    let done = tokio::task::spawn_blocking(move || work(service.engine())).await;
    done.unwrap_or_else(|e| Err(Fault::failed("the call ended unexpectedly").because(e)))
}
