//! A scripted server of a language model: one step per connection, the last step for all further
//! ones. It listens on a free port and ends when it is dropped.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::{Value, json};

/// Token counts reported for each streamed reply, beside one completion token per piece.
pub const PROMPT_TOKENS: u64 = 12;
pub const CACHED_TOKENS: u64 = 8;

/// Longer than anything takes that does not hang.
const HANG: Duration = Duration::from_secs(60);

/// How one connection is answered.
#[derive(Clone, Debug)]
pub enum Step {
    /// A whole reply, streamed in these pieces, with `finish_reason`, token counts and `[DONE]`.
    Tokens(Vec<String>),
    /// As [`Step::Tokens`], a quarter of a second apart.
    Slowly(Vec<String>),
    /// The last message, sent back as one piece.
    Echo,
    /// The step that this function makes of the request.
    Act(fn(&Request) -> Step),
    /// Held until this many requests are held, then the step that this function makes of each.
    Together(usize, fn(&Request) -> Step),
    /// Events with these data, then a properly announced end.
    Events(Vec<String>),
    /// The events of these pieces and half of another, then the connection closes unannounced.
    CloseMidToken(Vec<String>),
    /// These pieces, then nothing until the client hangs up.
    HangAfter(Vec<String>),
    /// Not even the first line of a reply.
    Hang,
    /// Endless events, all different, until the client hangs up.
    Endless,
    /// One line of 1 GB, until the client hangs up.
    LongLine,
    /// Comments, one now and then, until the client hangs up.
    Drip,
    /// Comments as fast as they go, until the client hangs up.
    Flood,
    /// The connection is closed before the request is read.
    HangUp,
    /// Status, further headers, body. With `cut`, the length announced is twice that of the body.
    Plain { status: u16, headers: Vec<(&'static str, String)>, body: String, cut: bool },
}

impl Step {
    pub fn tokens(pieces: &[&str]) -> Self {
        Self::Tokens(owned(pieces))
    }

    pub fn slowly(pieces: &[&str]) -> Self {
        Self::Slowly(owned(pieces))
    }

    pub fn hang_after(pieces: &[&str]) -> Self {
        Self::HangAfter(owned(pieces))
    }

    pub fn close_mid_token(pieces: &[&str]) -> Self {
        Self::CloseMidToken(owned(pieces))
    }

    pub fn events(data: &[&str]) -> Self {
        Self::Events(owned(data))
    }

    /// A failure without a body.
    pub fn status(status: u16) -> Self {
        Self::Plain { status, headers: Vec::new(), body: String::new(), cut: false }
    }

    /// A failure with the server's own message.
    pub fn error(status: u16, message: &str) -> Self {
        let body = json!({"error": {"message": message, "type": "x"}}).to_string();
        Self::Plain {
            status,
            headers: vec![("content-type", "application/json".to_owned())],
            body,
            cut: false,
        }
    }

    /// 429 with `Retry-After`.
    pub fn busy(retry_after: &str) -> Self {
        let headers = vec![("retry-after", retry_after.to_owned())];
        Self::Plain { status: 429, headers, body: String::new(), cut: false }
    }

    /// 200 with a body of this type.
    pub fn typed(content_type: &str, body: &str) -> Self {
        let headers = vec![("content-type", content_type.to_owned())];
        Self::Plain { status: 200, headers, body: body.to_owned(), cut: false }
    }

    /// A whole reply in one piece, from a server that does not stream.
    pub fn not_streamed(text: &str) -> Self {
        let choice = json!({
            "index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop",
        });
        let reply = json!({"model": "scripted", "choices": [choice], "usage": usage(1)});
        Self::typed("application/json; charset=utf-8", &reply.to_string())
    }

    /// Half of a JSON reply under a `Content-Length` of twice its size.
    pub fn half_json() -> Self {
        let headers = vec![("content-type", "application/json".to_owned())];
        Self::Plain { status: 200, headers, body: r#"{"choices": [{"mess"#.to_owned(), cut: true }
    }

    pub fn redirect(to: &str) -> Self {
        Self::Plain {
            status: 307,
            headers: vec![("location", to.to_owned())],
            body: String::new(),
            cut: false,
        }
    }
}

/// A request as received.
#[derive(Clone, Debug)]
pub struct Request {
    /// Such as `POST /v1/chat/completions`.
    pub target: String,
    /// Names in lower case.
    pub headers: BTreeMap<String, String>,
    pub body: Value,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// The content of the last message with this role.
    pub fn message(&self, role: &str) -> &str {
        let messages = self.body["messages"].as_array().map_or(&[][..], Vec::as_slice);
        let last = messages.iter().rev().find(|message| message["role"] == role);
        last.and_then(|message| message["content"].as_str()).unwrap_or_default()
    }
}

pub struct LlmServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    /// Holds the port of a server that refuses connections.
    _held: Option<(TcpListener, TcpStream)>,
}

#[derive(Default)]
struct Shared {
    script: Vec<Step>,
    requests: Mutex<Vec<Request>>,
    n_written: AtomicU64,
    n_hung_up: AtomicUsize,
    stop: AtomicBool,
    meeting: Mutex<Meeting>,
    met: Condvar,
}

/// Requests that wait for each other.
#[derive(Default)]
struct Meeting {
    n_waiting: usize,
    n_met: usize,
    /// Requests read whose reply has not begun: now, and at most.
    n_open: usize,
    most_open: usize,
}

impl Shared {
    /// Returns once `n` callers wait here.
    fn meet(&self, n: usize) {
        let mut meeting = self.meeting.lock().unwrap();
        meeting.n_waiting += 1;
        meeting.n_open += 1;
        meeting.most_open = meeting.most_open.max(meeting.n_open);
        if meeting.n_waiting == n {
            meeting.n_waiting = 0;
            meeting.n_met += 1;
            self.met.notify_all();
        } else {
            let before = meeting.n_met;
            let (held, late) =
                self.met.wait_timeout_while(meeting, HANG, |now| now.n_met == before).unwrap();
            meeting = held;
            assert!(!late.timed_out(), "{} of {n} requests came", meeting.n_waiting);
        }
        meeting.n_open -= 1;
    }
}

impl LlmServer {
    pub fn start(script: impl IntoIterator<Item = Step>) -> Self {
        let shared = Arc::new(Shared { script: script.into_iter().collect(), ..Shared::default() });
        assert!(!shared.script.is_empty(), "a script has a step");
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let thread = std::thread::spawn({
            let shared = Arc::clone(&shared);
            move || serve(&listener, &shared)
        });
        Self { address, shared, thread: Some(thread), _held: None }
    }

    /// A server that refuses every connection: an open connection occupies its port, and no
    /// listener is bound to it.
    pub fn refusing() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let address = stream.local_addr().unwrap();
        Self { address, shared: Arc::default(), thread: None, _held: Some((listener, stream)) }
    }

    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// All requests so far, in the order in which they were read.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.requests.lock().unwrap().clone()
    }

    /// Bytes of bodies that clients, or the system for them, accepted.
    pub fn n_written(&self) -> u64 {
        self.shared.n_written.load(Ordering::SeqCst)
    }

    /// The most requests of [`Step::Together`] that were held at once.
    pub fn most_together(&self) -> usize {
        self.shared.meeting.lock().unwrap().most_open
    }

    /// Ends the server and returns how many clients hung up first.
    pub fn hung_up(&mut self) -> usize {
        self.end();
        self.shared.n_hung_up.load(Ordering::SeqCst)
    }

    fn end(&mut self) {
        let Some(thread) = self.thread.take() else { return };
        self.shared.stop.store(true, Ordering::SeqCst);
        // Wakes the thread that accepts connections.
        let _ = TcpStream::connect(self.address);
        let ended = thread.join();
        assert!(std::thread::panicking() || ended.is_ok(), "the server panicked");
    }
}

impl Drop for LlmServer {
    fn drop(&mut self) {
        self.end();
    }
}

fn serve(listener: &TcpListener, shared: &Shared) {
    // Connections still open, by number; a stream kept longer would be a leaked descriptor.
    let open: Mutex<BTreeMap<usize, TcpStream>> = Mutex::default();
    std::thread::scope(|scope| {
        for (n, stream) in listener.incoming().map_while(Result::ok).enumerate() {
            if shared.stop.load(Ordering::SeqCst) {
                // Connections still open are shut down for writing; a connection that the client
                // closed before still counts as closed by it.
                for stream in open.lock().unwrap().values() {
                    let _ = stream.shutdown(Shutdown::Write);
                }
                return;
            }
            let step = shared.script[n.min(shared.script.len() - 1)].clone();
            let open = &open;
            open.lock().unwrap().insert(n, stream.try_clone().unwrap());
            scope.spawn(move || {
                converse(&stream, step, shared);
                open.lock().unwrap().remove(&n);
            });
        }
    });
}

/// Answers one connection and closes it.
fn converse(stream: &TcpStream, step: Step, shared: &Shared) {
    let ended = answer(stream, step, shared);
    // A client that hangs up early is counted. An elapsed pause is not a hang-up.
    let hung_up = ended.is_err_and(|e| e.kind() != ErrorKind::WouldBlock);
    shared.n_hung_up.fetch_add(usize::from(hung_up), Ordering::SeqCst);
    let _ = stream.shutdown(Shutdown::Both);
}

fn answer(stream: &TcpStream, step: Step, shared: &Shared) -> std::io::Result<()> {
    if matches!(step, Step::HangUp) {
        return Ok(());
    }
    stream.set_nodelay(true)?;
    // A failing test must end too.
    stream.set_read_timeout(Some(HANG))?;
    let request = read_request(stream)?;
    let echo = request.body["messages"]
        .as_array()
        .and_then(|all| all.last()?["content"].as_str())
        .unwrap_or_default();
    let echo = echo.to_owned();
    if let Step::Together(n, _) = step {
        shared.meet(n);
    }
    let step = match step {
        Step::Act(act) | Step::Together(_, act) => act(&request),
        step => step,
    };
    shared.requests.lock().unwrap().push(request);
    let step = if matches!(step, Step::Echo) { Step::Tokens(vec![echo]) } else { step };
    Chunked { stream, shared }.perform(step)
}

fn read_request(stream: &TcpStream) -> std::io::Result<Request> {
    let mut reader = BufReader::new(stream);
    let mut line = || -> std::io::Result<String> {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        Ok(line.trim_end().to_owned())
    };
    let target = line()?.trim_end_matches(" HTTP/1.1").to_owned();
    let mut headers = BTreeMap::new();
    while let Some((name, value)) = line()?.split_once(": ") {
        headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(Request { target, headers, body: serde_json::from_slice(&body).unwrap_or_default() })
}

/// A body of unknown length, sent event by event.
struct Chunked<'a> {
    stream: &'a TcpStream,
    shared: &'a Shared,
}

impl Chunked<'_> {
    /// Performs a step other than `Act`, `Echo` and `Together`, which `answer` replaces.
    fn perform(&mut self, step: Step) -> std::io::Result<()> {
        match step {
            Step::Tokens(pieces) => self.reply(&pieces),
            Step::Slowly(pieces) => {
                self.stream.set_read_timeout(Some(Duration::from_millis(250)))?;
                self.reply(&pieces)
            }
            Step::Events(data) => {
                self.begin()?;
                data.iter().try_for_each(|data| self.event(data))?;
                self.end()
            }
            Step::CloseMidToken(pieces) => {
                self.begin()?;
                pieces.iter().try_for_each(|piece| self.event(&delta(piece)))?;
                self.write(&format!("data: {}", &delta("never read")[..40]))
            }
            Step::HangAfter(pieces) => {
                self.begin()?;
                pieces.iter().try_for_each(|piece| self.event(&delta(piece)))?;
                self.until_hung_up()
            }
            Step::Hang => self.until_hung_up(),
            Step::Endless => {
                self.begin()?;
                let mut words = 0..;
                self.forever(|out| {
                    let text: String =
                        words.by_ref().take(1000).map(|n: u64| format!("word{n} ")).collect();
                    out.event(&delta(&text))
                })
            }
            Step::LongLine => {
                self.begin()?;
                self.write("data: ")?;
                let part = "x".repeat(1 << 16);
                (0..1 << 14).try_for_each(|_| self.write(&part))
            }
            Step::Flood => {
                self.begin()?;
                let comments = ": still there\n\n".repeat(1000);
                self.forever(|out| out.write(&comments))
            }
            Step::Drip => {
                self.begin()?;
                // Reading is the pause: the client sends nothing more.
                self.stream.set_read_timeout(Some(Duration::from_millis(20)))?;
                self.forever(|out| match out.until_hung_up() {
                    Err(e) if e.kind() == ErrorKind::WouldBlock => out.write(": still there\n\n"),
                    other => other,
                })
            }
            Step::Echo | Step::HangUp | Step::Act(_) | Step::Together(..) => Ok(()),
            Step::Plain { status, headers, body, cut } => {
                let length = body.len() * if cut { 2 } else { 1 };
                let mut head = format!(
                    "HTTP/1.1 {status} Said\r\ncontent-length: {length}\r\nconnection: close\r\n"
                );
                headers.iter().for_each(|(name, value)| head += &format!("{name}: {value}\r\n"));
                self.stream.write_all(format!("{head}\r\n{body}").as_bytes())
            }
        }
    }

    fn reply(&mut self, pieces: &[String]) -> std::io::Result<()> {
        self.begin()?;
        for piece in pieces {
            self.event(&delta(piece))?;
            self.pause()?;
        }
        self.event(
            &json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}).to_string(),
        )?;
        self.event(&json!({"choices": [], "usage": usage(pieces.len())}).to_string())?;
        self.event("[DONE]")?;
        self.end()
    }

    /// Waits for the read time-out where it is shorter than a hang. Reading is the pause: the
    /// client sends nothing.
    fn pause(&mut self) -> std::io::Result<()> {
        if self.stream.read_timeout()? == Some(HANG) {
            return Ok(());
        }
        match self.until_hung_up() {
            Err(e) if e.kind() == ErrorKind::WouldBlock => Ok(()),
            other => other,
        }
    }

    fn begin(&mut self) -> std::io::Result<()> {
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: \
             chunked\r\n\r\n";
        self.stream.write_all(head.as_bytes())
    }

    fn event(&mut self, data: &str) -> std::io::Result<()> {
        self.write(&format!("data: {data}\n\n"))
    }

    fn write(&mut self, text: &str) -> std::io::Result<()> {
        self.stream.write_all(format!("{:x}\r\n{text}\r\n", text.len()).as_bytes())?;
        self.shared.n_written.fetch_add(text.len() as u64, Ordering::SeqCst);
        Ok(())
    }

    fn end(&mut self) -> std::io::Result<()> {
        self.stream.write_all(b"0\r\n\r\n")
    }

    fn forever(
        &mut self,
        mut act: impl FnMut(&mut Self) -> std::io::Result<()>,
    ) -> std::io::Result<()> {
        loop {
            act(self)?;
        }
    }

    fn until_hung_up(&mut self) -> std::io::Result<()> {
        self.stream.read_exact(&mut [0])
    }
}

fn delta(text: &str) -> String {
    let choice = json!({"index": 0, "delta": {"content": text}, "finish_reason": null});
    json!({"model": "scripted", "choices": [choice]}).to_string()
}

fn usage(n_pieces: usize) -> Value {
    json!({
        "prompt_tokens": PROMPT_TOKENS, "completion_tokens": n_pieces,
        "prompt_tokens_details": {"cached_tokens": CACHED_TOKENS},
    })
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}
