//! Server-sent events: a task sends events, the response body carries them, with heartbeats
//! between.

use std::convert::Infallible;
use std::time::Duration;

use axum::response::sse::{self, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use serde_json::Value;
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio_stream::StreamExt as _;
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

/// An event on its way to a client.
pub enum Event {
    Named(&'static str, Value),
    /// Without a name.
    Plain(String),
}

/// The sending end.
pub struct Stream(Sender<Event>);

impl Stream {
    /// Sends an event; false when the client has left.
    pub async fn send(&self, name: &'static str, data: Value) -> bool {
        self.0.send(Event::Named(name, data)).await.is_ok()
    }

    /// Sends data without an event name; false when the client has left.
    pub async fn plain(&self, data: String) -> bool {
        self.0.send(Event::Plain(data)).await.is_ok()
    }

    /// Sends the last event.
    pub async fn end(self, name: &'static str, data: Value) {
        self.send(name, data).await;
    }

    /// Returns when the client has left.
    pub async fn closed(&self) {
        self.0.closed().await;
    }
}

/// A stream and its receiving end.
pub fn channel() -> (Stream, Receiver<Event>) {
    let (sender, receiver) = mpsc::channel(MAX_AHEAD);
    (Stream(sender), receiver)
}

/// A response with the events that `send` produces. `send` runs in its own task, and should return
/// when the client has left.
pub fn response<F: Future<Output = ()> + Send + 'static>(
    send: impl FnOnce(Stream) -> F,
) -> Response {
    let (stream, receiver) = channel();
    // The task outlives the handler; its log lines belong to the same request.
    tokio::spawn(send(stream).instrument(Span::current()));
    let events = ReceiverStream::new(receiver).map(|event| {
        let event = match event {
            Event::Named(name, data) => sse::Event::default().event(name).data(data.to_string()),
            Event::Plain(data) => sse::Event::default().data(data),
        };
        Ok::<_, Infallible>(event)
    });
    Sse::new(events).keep_alive(KeepAlive::new().interval(HEARTBEAT)).into_response()
}
