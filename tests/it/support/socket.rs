//! A client of `WebSockets` that sends exactly the given frames.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;

use serde_json::Value;

use super::server::{Client, Reply};

const TEXT: u8 = 1;
const CLOSE: u8 = 8;
const PING: u8 = 9;

/// An open WebSocket.
pub struct Socket {
    stream: TcpStream,
}

impl Socket {
    /// Connects, with further headers of the handshake.
    ///
    /// # Errors
    /// The reply that refuses it.
    pub fn connect(client: &Client, headers: &[(&str, &str)]) -> Result<Self, Reply> {
        let mut stream = client.connect();
        let mut head = format!(
            "GET /ws HTTP/1.1\r\nhost: {}\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n",
            client.address
        );
        headers.iter().for_each(|(name, value)| head += &format!("{name}: {value}\r\n"));
        stream.write_all(format!("{head}\r\n").as_bytes()).expect("sent");
        let mut reply = Vec::new();
        while !reply.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).expect("a reply");
            reply.extend(byte);
        }
        let text = String::from_utf8(reply).expect("a head");
        if text.starts_with("HTTP/1.1 101 ") {
            return Ok(Self { stream });
        }
        // The body follows, and the server keeps the connection open.
        let length = text.to_ascii_lowercase();
        let (_, length) = length.split_once("content-length: ").expect("a length");
        let length = length.lines().next().and_then(|n| n.parse().ok()).expect("a number");
        let mut body = vec![0; length];
        stream.read_exact(&mut body).expect("a body");
        let whole = format!("{text}{}", String::from_utf8_lossy(&body));
        Err(Reply::parse(whole.as_bytes()).expect("a reply"))
    }

    pub fn send(&mut self, message: &Value) {
        self.send_text(&message.to_string());
    }

    pub fn send_text(&mut self, text: &str) {
        self.frame(TEXT, text.as_bytes());
    }

    /// A frame with a mask of zeros.
    fn frame(&mut self, kind: u8, data: &[u8]) {
        let mut frame = vec![0x80 | kind];
        match data.len() {
            n @ 0..126 => frame.push(0x80 | n as u8),
            n @ 126..65_536 => {
                frame.push(0x80 | 0x7e);
                frame.extend((n as u16).to_be_bytes());
            }
            n => {
                frame.push(0x80 | 127);
                frame.extend((n as u64).to_be_bytes());
            }
        }
        frame.extend([0; 4]);
        frame.extend(data);
        // A server may close before it has read the whole message.
        let _ = self.stream.write_all(&frame);
    }

    /// The next message; an error is the code with which the server closed.
    pub fn next(&mut self) -> Result<Value, u16> {
        loop {
            let mut head = [0; 2];
            match self.stream.read_exact(&mut head) {
                Err(e) if e.kind() != ErrorKind::WouldBlock => return Err(0),
                read => read.expect("a frame in time"),
            }
            let mut read = |n: usize| {
                let mut bytes = vec![0; n];
                self.stream.read_exact(&mut bytes).expect("a whole frame");
                bytes
            };
            let length = match head[1] {
                126 => read(2).iter().fold(0, |n, byte| n << 8 | usize::from(*byte)),
                127 => read(8).iter().fold(0, |n, byte| n << 8 | usize::from(*byte)),
                n => usize::from(n),
            };
            let data = read(length);
            match head[0] & 15 {
                TEXT => return Ok(serde_json::from_slice(&data).expect("JSON")),
                CLOSE => return Err(u16::from_be_bytes([data[0], data[1]])),
                PING => self.frame(10, &data),
                _ => {}
            }
        }
    }

    /// Reads up to the message of this type about this question.
    #[track_caller]
    pub fn until(&mut self, kind: &str, id: &str) -> Value {
        loop {
            let message = self.next().unwrap_or_else(|code| panic!("closed with {code}"));
            if message["id"] == id {
                if message["type"] == kind {
                    return message;
                }
                assert!(message["type"] != "error", "{message}");
            }
        }
    }
}
