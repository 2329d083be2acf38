//! Newline-delimited JSON: a task sends objects, the response body carries them, one a line.

use std::convert::Infallible;

use axum::body::{Body, Bytes};
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use serde_json::Value;
use tokio::sync::mpsc::{self, Sender};
use tokio_stream::wrappers::ReceiverStream;

use crate::telemetry::{Instrument as _, Span};

/// Lines buffered for a slow client. Beyond that, the sender waits.
const MAX_AHEAD: usize = 16;

/// The sending end.
pub struct Lines(Sender<Result<Bytes, Infallible>>);

impl Lines {
    /// Sends a line; false when the client has left.
    pub async fn send(&self, object: &Value) -> bool {
        self.0.send(Ok(format!("{object}\n").into())).await.is_ok()
    }

    /// Returns when the client has left.
    pub async fn closed(&self) {
        self.0.closed().await;
    }
}

/// A response with the lines that `send` produces. `send` runs in its own task, and should return
/// when the client has left.
pub fn response<F: Future<Output = ()> + Send + 'static>(
    send: impl FnOnce(Lines) -> F,
) -> Response {
    let (sender, receiver) = mpsc::channel(MAX_AHEAD);
    // The task outlives the handler; its log lines belong to the same request.
    tokio::spawn(send(Lines(sender)).instrument(Span::current()));
    let body = Body::from_stream(ReceiverStream::new(receiver));
    ([(header::CONTENT_TYPE, "application/x-ndjson")], body).into_response()
}
