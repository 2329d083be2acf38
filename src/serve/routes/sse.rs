//! Server-sent events: a task sends events, the response body carries them, with heartbeats
//! between.

use std::convert::Infallible;
use std::time::Duration;

use axum::response::sse::{self, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use serde_json::Value;
use tokio::sync::mpsc::{self, Sender};
use tokio_stream::wrappers::ReceiverStream;

use crate::telemetry::{Instrument as _, Span};

/// Time between heartbeats. Proxies commonly close connections that are idle for a minute.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// Events buffered for a slow client. Beyond that, the sender waits.
const MAX_AHEAD: usize = 16;

/// A server-sent event, for the `OpenAPI` document; axum builds the real ones.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub struct SentEvent {
    /// Type of the event; absent in streams of OpenAI's API.
    event: Option<String>,
    /// JSON text.
    data: String,
}

/// The sending end.
pub struct Stream(Sender<Result<sse::Event, Infallible>>);

impl Stream {
    /// Sends an event; false when the client has left.
    pub async fn send(&self, name: &str, data: &Value) -> bool {
        self.0.send(Ok(sse::Event::default().event(name).data(data.to_string()))).await.is_ok()
    }

    /// Sends data without an event name; false when the client has left.
    pub async fn plain(&self, data: &str) -> bool {
        self.0.send(Ok(sse::Event::default().data(data))).await.is_ok()
    }

    /// Sends the last event.
    pub async fn end(self, name: &str, data: &Value) {
        self.send(name, data).await;
    }

    /// Returns when the client has left.
    pub async fn closed(&self) {
        self.0.closed().await;
    }
}

/// A response with the events that `send` produces. `send` runs in its own task, and should return
/// when the client has left.
pub fn response<F: Future<Output = ()> + Send + 'static>(
    send: impl FnOnce(Stream) -> F,
) -> Response {
    let (sender, receiver) = mpsc::channel(MAX_AHEAD);
    // The task outlives the handler; its log lines belong to the same request.
    tokio::spawn(send(Stream(sender)).instrument(Span::current()));
    Sse::new(ReceiverStream::new(receiver))
        .keep_alive(KeepAlive::new().interval(HEARTBEAT))
        .into_response()
}
