//! `GET /ws`: several questions at once over one WebSocket, answered with the events of
//! `POST /ask`.
//!
//! A message is a JSON object with a `type` and the `id` of its question, which the client chooses.
//! Each question has a task; one task of the socket reads, writes and notices the end of the
//! token. A client that does not read stops its own answers only: every queue is bounded.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::http::{HeaderMap, header};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::ask::{AskBody, stream_answer};
use super::sessions;
use super::sse::{self, Event};
use crate::serve::app::App;
use crate::serve::connection::Connection;
use crate::serve::error::{Error, ErrorBody, Result};
use crate::serve::extractors::Call;
use crate::serve::guard::{self, Allowed, RequestId};
use crate::service::RequestKind;
use crate::telemetry::{self, Instrument as _, Span};
use crate::wire::input;

/// Questions of one socket in progress.
const MAX_QUESTIONS: usize = 16;

/// Longest `id` of a question.
const MAX_ID_BYTES: usize = 128;

/// Events buffered for a slow client. Beyond that, answers wait.
const MAX_AHEAD: usize = 16;

/// Bytes that a socket buffers to read. An idle socket takes this much.
const READ_BUFFER_BYTES: usize = 4 << 10;

/// Time between two pings. A socket without any message for twice as long is closed.
const PING: Duration = Duration::from_secs(20);

/// The protocol that the server selects when a client offers protocols. A page sends its token as
/// another one, because scripts cannot set headers of a WebSocket.
const PROTOCOL: &str = "rag";

/// A message of a client.
#[derive(Debug, Deserialize)]
struct Incoming {
    #[serde(rename = "type")]
    kind: Kind,
    /// Of the question.
    id: String,
    /// The fields of `POST /ask`.
    #[serde(flatten)]
    body: Map<String, Value>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Ask,
    Cancel,
}

/// Open a WebSocket for questions
///
/// A client sends `{"type": "ask", "id": "1", "query": "…"}`, with the fields of `POST /ask` except
/// `stream`, and `{"type": "cancel", "id": "1"}`. The server sends `metadata`, `retrieval`, `token`
/// (repeated), `citations` and `done`, or `error` or `cancelled`: each is an object with the
/// `type`, the `id` of the question and the fields of the event of `POST /ask`. Up to 16 questions
/// are answered at once. A page offers the protocols `rag` and `bearer.TOKEN` instead of a header.
#[utoipa::path(
    get,
    path = "/ws",
    tag = "questions",
    responses(
        (status = 101, description = "The connection is a WebSocket from now on"),
        (status = 400, description = "Not the handshake of a WebSocket", body = ErrorBody),
        (
            status = 426,
            description = "An ordinary request; the connection must become a WebSocket",
            body = ErrorBody,
        ),
    )
)]
pub async fn socket(
    Call { app, id, allowed }: Call,
    Extension(connection): Extension<Connection>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response> {
    let upgrade = upgrade.map_err(|_| no_handshake(&headers))?;
    let max_bytes = app.settings().max_body_bytes;
    let span = Span::current();
    let upgrade = upgrade
        .protocols([PROTOCOL])
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(0)
        .max_message_size(max_bytes)
        .max_frame_size(max_bytes);
    Ok(upgrade.on_upgrade(move |socket| {
        async move {
            let _open = telemetry::OpenSocket::begin();
            let talk = Talk::new(app, id, allowed);
            talk.run(socket).await;
            // The connection counts as open until here.
            drop(connection);
        }
        .instrument(span)
    }))
}

/// The error of a request that does not open a WebSocket. One that does not try to, such as that of
/// a browser, gets the status for it.
fn no_handshake(headers: &HeaderMap) -> Error {
    let what = "the request is not the handshake of a WebSocket";
    let error = match headers.contains_key(header::UPGRADE) {
        true => Error::usage(what),
        false => Error::upgrade_required(what),
    };
    error.hint("connect with a WebSocket client to ws://HOST/ws")
}

/// One socket.
struct Talk {
    app: Arc<App>,
    id: RequestId,
    allowed: Allowed,
    /// Questions in progress by their ids.
    questions: HashMap<String, AbortHandle>,
    /// What tasks send to the client.
    sender: Sender<Outgoing>,
    receiver: Receiver<Outgoing>,
}

/// An event of a question.
struct Outgoing {
    id: String,
    event: Event,
    is_last: bool,
}

/// What happens next on a socket.
enum Next {
    Received(Option<Result<Message, axum::Error>>),
    Send(Outgoing),
    Ping,
    /// The tokens of the server have changed.
    Changed,
    Stopping,
}

impl Talk {
    fn new(app: Arc<App>, id: RequestId, allowed: Allowed) -> Self {
        let (sender, receiver) = mpsc::channel(MAX_AHEAD);
        Self { app, id, allowed, questions: HashMap::new(), sender, receiver }
    }

    async fn run(mut self, mut socket: WebSocket) {
        let mut heard = Instant::now();
        let mut pings = tokio::time::interval_at(heard + PING, PING);
        let stopping = self.app.stopping.clone();
        let mut tokens = self.app.access.changes();
        loop {
            let next = tokio::select! {
                received = socket.recv() => Next::Received(received),
                Some(outgoing) = self.receiver.recv() => Next::Send(outgoing),
                _ = pings.tick() => Next::Ping,
                _ = tokens.changed() => Next::Changed,
                () = stopping.cancelled(), if self.questions.is_empty() => Next::Stopping,
            };
            let is_open = match next {
                Next::Received(Some(Ok(message))) => {
                    heard = Instant::now();
                    match self.receive(message).await {
                        Received::Nothing => true,
                        Received::Reply(reply) => send(&mut socket, &reply).await,
                        Received::End => false,
                    }
                }
                Next::Received(Some(Err(_)) | None) => false,
                Next::Send(Outgoing { id, event, is_last }) => {
                    let is_asked = self.questions.contains_key(&id);
                    if is_last {
                        self.questions.remove(&id);
                    }
                    !is_asked || send(&mut socket, &message(&id, event)).await
                }
                Next::Ping => {
                    heard.elapsed() < 2 * PING
                        && socket.send(Message::Ping(Bytes::new())).await.is_ok()
                }
                Next::Changed => {
                    guard::is_still_allowed(&self.app, &self.allowed)
                        || close(&mut socket, close_code::POLICY, "the token is not valid").await
                }
                Next::Stopping => {
                    close(&mut socket, close_code::AWAY, "the server is shutting down").await
                }
            };
            if !is_open {
                break;
            }
        }
        // Dropping the tickets cancels the questions.
        self.questions.values().for_each(AbortHandle::abort);
    }

    async fn receive(&mut self, message: Message) -> Received {
        let text = match message {
            Message::Text(text) => text,
            Message::Binary(_) => {
                return Received::Reply(self.error(None, &Error::usage("messages must be text")));
            }
            Message::Ping(_) | Message::Pong(_) => return Received::Nothing,
            Message::Close(_) => return Received::End,
        };
        telemetry::socket_message("received");
        let parsed = input::json(text.as_bytes());
        let id = parsed.as_ref().ok().and_then(|value| value["id"].as_str().map(str::to_owned));
        let handled = match parsed.and_then(|value| input::read::<Incoming>(&value)) {
            Ok(Incoming { kind: Kind::Ask, id, body }) => self.ask(id, body).await.map(|()| None),
            Ok(Incoming { kind: Kind::Cancel, id, .. }) => Ok(Some(self.cancel(&id))),
            Err(misfit) => Err(Error::misfit(&misfit, "the message")),
        };
        match handled {
            Ok(None) => Received::Nothing,
            Ok(Some(reply)) => Received::Reply(reply),
            Err(error) => {
                guard::record(&self.app, &error, "/ws");
                Received::Reply(self.error(id.as_deref(), &error))
            }
        }
    }

    /// Starts a question. Its outcome, which may be an error, is sent later.
    async fn ask(&mut self, id: String, body: Map<String, Value>) -> Result<()> {
        if !(1..=MAX_ID_BYTES).contains(&id.len()) {
            let what = format!("`id` must have 1 to {MAX_ID_BYTES} bytes");
            return Err(Error::usage(what).param("id"));
        }
        if self.questions.contains_key(&id) {
            return Err(Error::conflict("a question with this `id` is in progress").param("id"));
        }
        if self.questions.len() >= MAX_QUESTIONS {
            let what = format!("{MAX_QUESTIONS} questions of this socket are in progress");
            return Err(Error::conflict(what).hint("wait for an answer, or cancel a question"));
        }
        let mut body: AskBody = input::read(&Value::Object(body))
            .map_err(|misfit| Error::misfit(&misfit, "the message"))?;
        guard::admit_message(&self.app, &self.allowed).await?;
        body.index = self.allowed.index(body.index, &self.app)?;
        let mut question = body.question(&self.allowed, &self.app.engine().config)?;
        if let (Some(name), RequestKind::Answer { session, .. }) =
            (&body.session, &mut question.kind)
        {
            *session = Some(sessions::session_id(&self.allowed, name)?);
        }
        let ticket = self.app.service.ask(question).await?;
        let (stream, mut events) = sse::channel();
        let answering = stream_answer(Arc::clone(&self.app), self.id.clone(), body, ticket, stream);
        let (sender, name) = (self.sender.clone(), id.clone());
        let task = async move {
            let forward = async {
                while let Some(event) = events.recv().await {
                    let is_last = matches!(event, Event::Named("done" | "error", _));
                    let outgoing = Outgoing { id: name.clone(), event, is_last };
                    if sender.send(outgoing).await.is_err() {
                        return;
                    }
                }
            };
            tokio::join!(answering, forward);
        };
        let task = tokio::spawn(task.instrument(Span::current()));
        self.questions.insert(id, task.abort_handle());
        Ok(())
    }

    /// Cancels a question. Events that it has sent already are dropped.
    fn cancel(&mut self, id: &str) -> Value {
        if let Some(task) = self.questions.remove(id) {
            task.abort();
        }
        json!({ "type": "cancelled", "id": id })
    }

    fn error(&self, id: Option<&str>, error: &Error) -> Value {
        json!({ "type": "error", "id": id, "error": error.json(&self.id.0) })
    }
}

/// The outcome of a message of the client.
enum Received {
    Nothing,
    Reply(Value),
    /// The client has left.
    End,
}

/// An event as a message.
fn message(id: &str, event: Event) -> Value {
    match event {
        Event::Named(name, mut data) => {
            data["type"] = name.into();
            data["id"] = id.into();
            data
        }
        Event::Plain(text) => json!({ "type": "text", "id": id, "text": text }),
    }
}

/// Sends a message; false when the client has left.
async fn send(socket: &mut WebSocket, message: &Value) -> bool {
    telemetry::socket_message("sent");
    socket.send(Message::Text(message.to_string().into())).await.is_ok()
}

/// Ends the connection; false, because it is no longer open.
async fn close(socket: &mut WebSocket, code: u16, why: &'static str) -> bool {
    let frame = CloseFrame { code, reason: why.into() };
    let _ = socket.send(Message::Close(Some(frame))).await;
    false
}
