//! Messages of the protocol as lines over two byte streams. A line may be a batch, whose replies
//! are one line as well (JSON-RPC 2.0; revision 2025-03-26 of MCP). An invalid line is answered
//! with an error, and the session continues.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use rmcp::RoleServer;
use rmcp::service::{RxJsonRpcMessage, TxJsonRpcMessage};
use rmcp::transport::Transport;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::sync::Mutex;

/// Error codes of JSON-RPC.
pub const PARSE_ERROR: i64 = -32700;
pub const INVALID_REQUEST: i64 = -32600;

/// The longest line, so that a client which never ends one cannot fill the memory.
const MAX_LINE_BYTES: usize = 16 << 20;

/// The streams to and from one client.
pub struct Lines<R, W> {
    input: BufReader<R>,
    /// The start of an incomplete line.
    line: Vec<u8>,
    /// Skipping the rest of a line that was too long.
    is_skipping: bool,
    /// A complete line, kept while `receive` waits for the output; that future may be dropped.
    pending_line: Option<Line>,
    /// Messages of a batch that `receive` has not returned yet.
    messages: VecDeque<RxJsonRpcMessage<RoleServer>>,
    output: Arc<Mutex<Output<W>>>,
}

/// The stream to the client. Whole lines are queued, so a write that is interrupted and continued
/// by another task leaves no partial line.
struct Output<W> {
    stream: W,
    queued: VecDeque<u8>,
    batches: Vec<Batch>,
}

/// A batch in progress.
struct Batch {
    /// Ids of requests without a reply yet.
    open: Vec<Value>,
    replies: Vec<Value>,
}

/// The result of parsing a message.
enum Parsed {
    Message(Box<RxJsonRpcMessage<RoleServer>>),
    /// An unknown notification, which is ignored.
    Ignored,
    /// Invalid: the error reply.
    Invalid(Value),
}

impl<R: AsyncRead + Unpin, W: AsyncWrite + Unpin> Lines<R, W> {
    pub fn new(input: R, output: W) -> Self {
        let output = Output { stream: output, queued: VecDeque::new(), batches: Vec::new() };
        Self {
            input: BufReader::new(input),
            line: Vec::new(),
            is_skipping: false,
            pending_line: None,
            messages: VecDeque::new(),
            output: Arc::new(Mutex::new(output)),
        }
    }

    /// Reads the next complete line; `None` at the end of the stream. Cancel safe: bytes read so
    /// far are kept.
    async fn next_line(&mut self) -> io::Result<Option<Line>> {
        loop {
            let bytes = self.input.fill_buf().await?;
            if bytes.is_empty() {
                // The last line may lack its line break.
                let rest = std::mem::take(&mut self.line);
                let is_over = self.is_skipping || rest.trim_ascii().is_empty();
                return Ok((!is_over).then_some(Line::Whole(rest)));
            }
            let end = bytes.iter().position(|byte| *byte == b'\n');
            let n = end.map_or(bytes.len(), |end| end + 1);
            let is_too_long = !self.is_skipping && self.line.len() + n > MAX_LINE_BYTES;
            if !self.is_skipping && !is_too_long {
                self.line.extend_from_slice(&bytes[..n]);
            }
            self.input.consume(n);
            if is_too_long {
                self.line.clear();
                self.is_skipping = end.is_none();
                return Ok(Some(Line::TooLong));
            }
            if end.is_some() && !std::mem::take(&mut self.is_skipping) {
                return Ok(Some(Line::Whole(std::mem::take(&mut self.line))));
            }
        }
    }

    /// Parses a line: queues its messages, and error replies to invalid ones.
    fn process(&mut self, line: Line, output: &mut Output<W>) {
        let value = match line {
            Line::TooLong => Err(error(&Value::Null, INVALID_REQUEST, "the line is too long")),
            Line::Whole(bytes) => {
                let text = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&bytes).trim_ascii();
                if text.is_empty() {
                    return;
                }
                let cannot = |_| error(&Value::Null, PARSE_ERROR, "the line is not valid JSON");
                serde_json::from_slice(text).map_err(cannot)
            }
        };
        match value {
            Err(refusal) => output.queue(&refusal),
            Ok(Value::Array(items)) if items.is_empty() => {
                output.queue(&error(&Value::Null, INVALID_REQUEST, "the batch is empty"));
            }
            Ok(Value::Array(items)) => {
                let mut batch = Batch { open: Vec::new(), replies: Vec::new() };
                for item in items {
                    let request = request_id(&item).cloned();
                    match parse(item) {
                        Parsed::Message(message) => {
                            batch.open.extend(request);
                            self.messages.push_back(*message);
                        }
                        Parsed::Ignored => {}
                        Parsed::Invalid(refusal) => batch.replies.push(refusal),
                    }
                }
                output.begin(batch);
            }
            Ok(value) => match parse(value) {
                Parsed::Message(message) => self.messages.push_back(*message),
                Parsed::Ignored => {}
                Parsed::Invalid(refusal) => output.queue(&refusal),
            },
        }
    }
}

enum Line {
    Whole(Vec<u8>),
    TooLong,
}

impl<W: AsyncWrite + Unpin> Output<W> {
    fn queue(&mut self, message: &Value) {
        self.queued.extend(message.to_string().bytes());
        self.queued.push_back(b'\n');
    }

    fn begin(&mut self, batch: Batch) {
        if !batch.open.is_empty() {
            self.batches.push(batch);
        } else if !batch.replies.is_empty() {
            self.queue(&batch.replies.into());
        }
    }

    /// Queues a message of the server, or adds it to the replies of its batch.
    fn add(&mut self, message: Value) {
        let is_reply = message.get("method").is_none();
        let at =
            self.batches.iter().position(|batch| is_reply && batch.open.contains(&message["id"]));
        let Some(at) = at else { return self.queue(&message) };
        let batch = &mut self.batches[at];
        let id = message["id"].clone();
        if let Some(open) = batch.open.iter().position(|open| *open == id) {
            batch.open.remove(open);
        }
        batch.replies.push(message);
        if batch.open.is_empty() {
            let batch = self.batches.remove(at);
            self.queue(&batch.replies.into());
        }
    }

    /// Writes the queue. Cancel safe: unwritten bytes stay queued.
    async fn flush(&mut self) -> io::Result<()> {
        while !self.queued.is_empty() {
            let n = self.stream.write(self.queued.as_slices().0).await?;
            if n == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            self.queued.drain(..n);
        }
        self.stream.flush().await
    }
}

impl<R, W> Transport<RoleServer> for Lines<R, W>
where
    R: AsyncRead + Send + Unpin,
    W: AsyncWrite + Send + Unpin + 'static,
{
    type Error = io::Error;

    fn send(
        &mut self,
        message: TxJsonRpcMessage<RoleServer>,
    ) -> impl Future<Output = io::Result<()>> + Send + 'static {
        let output = Arc::clone(&self.output);
        async move {
            let message = serde_json::to_value(message)?;
            let mut output = output.lock().await;
            output.add(message);
            output.flush().await
        }
    }

    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleServer>> {
        loop {
            // An earlier call may have been dropped with an error reply partially written.
            self.output.lock().await.flush().await.ok()?;
            if let Some(message) = self.messages.pop_front() {
                return Some(message);
            }
            if self.pending_line.is_none() {
                self.pending_line = Some(self.next_line().await.ok()??);
            }
            let output = Arc::clone(&self.output);
            let mut output = output.lock().await;
            if let Some(line) = self.pending_line.take() {
                self.process(line, &mut output);
            }
        }
    }

    async fn close(&mut self) -> io::Result<()> {
        self.output.lock().await.flush().await
    }
}

/// The id of a message that expects a reply.
fn request_id(message: &Value) -> Option<&Value> {
    message.get("method")?;
    message.get("id").filter(|id| id.is_string() || id.is_number())
}

fn parse(value: Value) -> Parsed {
    let id = request_id(&value).cloned();
    let is_notification =
        value.get("method").is_some_and(Value::is_string) && value.get("id").is_none();
    match serde_json::from_value(value) {
        Ok(message) => Parsed::Message(Box::new(message)),
        Err(_) if is_notification => Parsed::Ignored,
        Err(_) => Parsed::Invalid(error(
            &id.unwrap_or_default(),
            INVALID_REQUEST,
            "not a message of JSON-RPC 2.0",
        )),
    }
}

/// An error reply.
pub fn error(id: &Value, code: i64, message: &str) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": message } })
}

#[cfg(test)]
mod tests {
    use super::*;

    type Both = Lines<&'static [u8], Vec<u8>>;

    /// Reads all messages and answers each request with its id. Returns the number of messages and
    /// the lines written.
    fn served(input: &'static str) -> (usize, Vec<Value>) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut lines: Both = Lines::new(input.as_bytes(), Vec::new());
            let mut asked = Vec::new();
            while let Some(message) = lines.receive().await {
                asked.push(serde_json::to_value(message).unwrap());
            }
            // Replies may come in another order than the requests.
            for id in asked.iter().rev().filter_map(request_id) {
                let reply = json!({ "jsonrpc": "2.0", "id": id, "result": {} });
                lines.send(serde_json::from_value(reply).unwrap()).await.unwrap();
            }
            lines.close().await.unwrap();
            let text =
                String::from_utf8(std::mem::take(&mut lines.output.lock().await.stream)).unwrap();
            (asked.len(), text.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
        })
    }

    #[test]
    fn an_invalid_line_is_answered_and_the_next_one_is_read() {
        let ping = r#"{"jsonrpc":"2.0","id":7,"method":"ping"}"#;
        let cases: [(&str, Value, i64); 6] = [
            ("{bad json", Value::Null, PARSE_ERROR),
            ("nonsense\r", Value::Null, PARSE_ERROR),
            ("[]", Value::Null, INVALID_REQUEST),
            ("null", Value::Null, INVALID_REQUEST),
            ("{\"jsonrpc\":\"2.0\"}", Value::Null, INVALID_REQUEST),
            ("{\"jsonrpc\":\"1.0\",\"id\":\"a\",\"method\":\"ping\"}", json!("a"), INVALID_REQUEST),
        ];
        for (line, id, code) in cases {
            let (n, said) = served(format!("{line}\n\n{ping}").leak());
            assert_eq!(n, 1, "{line}");
            assert_eq!((&said[0]["id"], &said[0]["error"]["code"]), (&id, &json!(code)), "{line}");
            assert_eq!((&said[1]["id"], said.len()), (&json!(7), 2), "{line}");
        }
        // Notifications get no reply, known or not.
        assert_eq!(
            served("{\"jsonrpc\":\"2.0\",\"method\":\"$/unknown\"}\n").1,
            Vec::<Value>::new()
        );
        let long = format!("\"{}\"\n{ping}\n", "x".repeat(MAX_LINE_BYTES)).leak();
        let (n, said) = served(long);
        assert_eq!(
            (n, &said[0]["error"]["code"], &said[1]["id"]),
            (1, &json!(INVALID_REQUEST), &json!(7))
        );
    }

    /// rmcp drops the future of `receive` whenever another event comes first.
    #[test]
    fn no_line_is_lost_when_reading_is_dropped() {
        let ping = r#"{"jsonrpc":"2.0","id":7,"method":"ping"}"#;
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut lines: Both = Lines::new(ping.as_bytes(), Vec::new());
            lines.pending_line = lines.next_line().await.unwrap();
            let output = Arc::clone(&lines.output);
            let busy = output.lock().await;
            {
                let mut receiving = std::pin::pin!(lines.receive());
                let polled = std::future::poll_fn(|context| {
                    std::task::Poll::Ready(receiving.as_mut().poll(context))
                });
                assert!(polled.await.is_pending());
            }
            drop(busy);
            assert!(lines.receive().await.is_some());
        });
    }

    #[test]
    fn the_replies_to_a_batch_are_one_line() {
        let ping = |id: &str| format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#);
        let note = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
        let (n, said) =
            served(format!("[{},{note},1,{}]\n{}\n", ping("2"), ping("\"b\""), ping("3")).leak());
        assert_eq!(n, 4);
        assert_eq!((&said[0]["id"], said.len()), (&json!(3), 2));
        let ids: Vec<&Value> =
            said[1].as_array().unwrap().iter().map(|reply| &reply["id"]).collect();
        assert_eq!(ids, [&Value::Null, &json!("b"), &json!(2)], "{said:?}");
        assert_eq!(served(format!("[{note}]\n").leak()), (1, vec![]));
        assert_eq!(served("[1]\n").1[0][0]["error"]["code"], INVALID_REQUEST);
    }
}
