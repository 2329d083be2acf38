//! Server-sent events: a task that tells, a body that carries, and a sign of life between.

use std::convert::Infallible;
use std::time::Duration;

use axum::response::sse::{self, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use serde_json::Value;
use tokio::sync::mpsc::{self, Sender};
use tokio_stream::wrappers::ReceiverStream;

use crate::telemetry::{Instrument as _, Span};

/// Between two signs of life; proxies commonly close what is silent for a minute.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// Events that wait for a client who reads slowly. What would come behind waits where it is made.
const MAX_AHEAD: usize = 16;

/// An event as the description of the interface shows it; what is sent is put together by axum.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "only described")]
pub struct SentEvent {
    /// What `data` is about; none in the streams of OpenAI's interface.
    event: Option<String>,
    /// JSON.
    data: String,
}

/// The telling end.
pub struct Stream(Sender<Result<sse::Event, Infallible>>);

impl Stream {
    /// Sends an event; false when nobody listens any more.
    pub async fn send(&self, name: &str, data: &Value) -> bool {
        self.0.send(Ok(sse::Event::default().event(name).data(data.to_string()))).await.is_ok()
    }

    /// Sends data without a name, as it is; false when nobody listens any more.
    pub async fn plain(&self, data: &str) -> bool {
        self.0.send(Ok(sse::Event::default().data(data))).await.is_ok()
    }

    /// Sends the last event.
    pub async fn end(self, name: &str, data: &Value) {
        self.send(name, data).await;
    }

    /// Returns when nobody listens any more.
    pub async fn left(&self) {
        self.0.closed().await;
    }
}

/// A response of the events that `tell` sends. `tell` goes on by itself and should return when
/// nobody listens.
pub fn response<F: Future<Output = ()> + Send + 'static>(
    tell: impl FnOnce(Stream) -> F,
) -> Response {
    let (sender, receiver) = mpsc::channel(MAX_AHEAD);
    // What is logged there belongs to the request, whose handler returns before.
    tokio::spawn(tell(Stream(sender)).instrument(Span::current()));
    Sse::new(ReceiverStream::new(receiver))
        .keep_alive(KeepAlive::new().interval(HEARTBEAT))
        .into_response()
}
