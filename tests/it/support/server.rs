//! `rag serve` as a child process, and a client that sends exactly the given bytes: a library in
//! between would repair them.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::{Run, Sandbox};

/// Longer than anything takes that does not hang.
const HANG: Duration = Duration::from_secs(60);

/// A server on a free port. Killed when it is dropped.
pub struct Server {
    child: Option<Child>,
    client: Client,
    command_line: String,
}

/// A client of the server at an address.
pub struct Client {
    pub address: SocketAddr,
}

impl std::ops::Deref for Server {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

/// A server's reply.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    /// Names in lower case.
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

impl Server {
    /// Starts `rag serve` in a sandbox with further settings.
    pub fn start(sandbox: &Sandbox, env: &[(&str, &str)]) -> Self {
        let mut command = sandbox.command(["serve", "--port", "0", "--json"]);
        // The streams are read only after the end, and a line for every request would overflow a
        // pipe.
        command
            .env("RAG_LOG_LEVEL", "warn")
            .envs(env.iter().copied())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        Self::of(command.spawn().expect("rag starts"), format!("{command:?}"))
    }

    /// A child that is `rag serve --port 0 --json`, with its streams piped.
    pub fn of(mut child: Child, command_line: String) -> Self {
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().expect("a stdout"))
            .read_line(&mut line)
            .expect("a line");
        let Ok(ready) = serde_json::from_str::<Value>(&line) else {
            let output = child.wait_with_output().expect("an end");
            panic!("it does not listen\n{}", Run::from_output(&output, command_line))
        };
        let port = u16::try_from(ready["port"].as_u64().expect("a port")).expect("a port");
        let client = Client { address: SocketAddr::from(([127, 0, 0, 1], port)) };
        Self { child: Some(child), client, command_line }
    }

    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("it runs").id()
    }

    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.pid().cast_signed()).expect("a pid");
        kill_process(pid, signal).expect("a signal");
    }

    /// Waits for the end of the process.
    pub fn ended(mut self) -> Run {
        let child = self.child.take().expect("it runs");
        let output = child.wait_with_output().expect("an end");
        Run::from_output(&output, self.command_line.clone())
    }

    /// Requests the end and expects exit code 0.
    pub fn stop(self) -> Run {
        self.signal(Signal::TERM);
        self.ended().ok()
    }
}

impl Client {
    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("a connection");
        stream.set_read_timeout(Some(HANG)).expect("a time-out");
        stream.set_nodelay(true).expect("no delay");
        stream
    }

    /// The bytes of a request that closes its connection.
    pub fn bytes(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Vec<u8> {
        let mut text = format!("{method} {path} HTTP/1.1\r\nconnection: close\r\n");
        let has = |name: &str| headers.iter().any(|(given, _)| given.eq_ignore_ascii_case(name));
        if !has("host") {
            text += &format!("host: {}\r\n", self.address);
        }
        if !body.is_empty() || method == "POST" {
            if !has("content-type") {
                text += "content-type: application/json\r\n";
            }
            if !has("content-length") {
                text += &format!("content-length: {}\r\n", body.len());
            }
        }
        headers.iter().for_each(|(name, value)| text += &format!("{name}: {value}\r\n"));
        format!("{text}\r\n{body}").into_bytes()
    }

    pub fn request(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
        self.raw(&self.bytes(method, path, headers, body))
    }

    /// Sends bytes and reads the whole reply.
    pub fn raw(&self, bytes: &[u8]) -> Reply {
        let mut stream = self.connect();
        // A server may close before it has read the whole request.
        let _ = stream.write_all(bytes);
        Reply::read(&mut stream)
    }

    pub fn get(&self, path: &str) -> Reply {
        self.request("GET", path, &[], "")
    }

    pub fn post(&self, path: &str, body: &Value) -> Reply {
        self.request("POST", path, &[], &body.to_string())
    }

    /// Sends a question that is answered with events; reads nothing yet.
    pub fn stream(&self, path: &str, body: &Value) -> Events {
        let mut stream = self.connect();
        stream.write_all(&self.bytes("POST", path, &[], &body.to_string())).expect("sent");
        Events { reader: BufReader::new(stream) }
    }

    /// The value of a series of `/metrics`, named with its labels.
    pub fn count(&self, metric: &str) -> u64 {
        let reply = self.get("/metrics").ok();
        let line = reply.body.lines().find_map(|line| line.strip_prefix(metric)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("there is no {metric}\n{}", reply.body))
            .parse()
            .expect("a number")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Reply {
    /// Reads a reply up to the end of the connection.
    pub fn read(stream: &mut TcpStream) -> Self {
        let mut bytes = Vec::new();
        // What arrived before a reset counts.
        let _ = stream.read_to_end(&mut bytes);
        Self::parse(&bytes)
            .unwrap_or_else(|| panic!("no reply: {:?}", String::from_utf8_lossy(&bytes)))
    }

    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(bytes).into_owned();
        let (head, body) = text.split_once("\r\n\r\n")?;
        let mut lines = head.split("\r\n");
        let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        let headers = lines.filter_map(|line| line.split_once(": "));
        let headers =
            headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
        Some(Self { status, headers, body: body.to_owned() })
    }

    #[track_caller]
    pub fn ok(self) -> Self {
        self.is(200)
    }

    #[track_caller]
    pub fn is(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("no JSON: {e}\n{self:?}"))
    }

    /// The `code` of an error reply; below `/api` it is beside the message.
    #[track_caller]
    pub fn code(&self) -> String {
        let reply = self.json();
        reply["error"]["code"]
            .as_str()
            .or(reply["code"].as_str())
            .unwrap_or_else(|| panic!("no error: {self:?}"))
            .to_owned()
    }
}

/// A stream of server-sent events.
pub struct Events {
    reader: BufReader<TcpStream>,
}

impl Events {
    /// The next event: its name and data. `None` at the end of the stream.
    pub fn next(&mut self) -> Option<(String, Value)> {
        let mut name = String::new();
        loop {
            let mut line = String::new();
            if self.reader.read_line(&mut line).expect("a stream that ends well") == 0 {
                return None;
            }
            if let Some(found) = line.strip_prefix("event: ") {
                found.trim_end().clone_into(&mut name);
            } else if let Some(data) = line.strip_prefix("data: ") {
                return Some((name, serde_json::from_str(data).expect("JSON")));
            }
        }
    }

    /// Reads up to the event of this name.
    #[track_caller]
    pub fn until(&mut self, wanted: &str) -> Value {
        loop {
            let (name, data) = self.next().unwrap_or_else(|| panic!("no event `{wanted}`"));
            if name == wanted {
                return data;
            }
            assert!(name != "error", "{data}");
        }
    }

    /// The remaining events: names and data.
    pub fn rest(mut self) -> Vec<(String, Value)> {
        std::iter::from_fn(|| self.next()).collect()
    }
}
