//! Redis on the loopback interface, for one test: a free port, a temporary folder, killed when it
//! is dropped.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

/// How often another port is tried, when somebody else took the one that was free.
const TRIES: usize = 5;
/// Longer than anything takes that does not hang.
const HANG: Duration = Duration::from_secs(60);

/// A running server.
pub struct Redis {
    child: Child,
    pub port: u16,
    _dir: TempDir,
}

/// A reply of the server.
#[derive(Debug, PartialEq)]
pub enum Resp {
    Nil,
    Int(i64),
    Text(Vec<u8>),
    List(Vec<Resp>),
    Error(String),
}

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port()
}

/// True where a program can be started; otherwise a notice says what is missing.
pub fn has_program(name: &str, package: &str) -> bool {
    let found = Command::new(name)
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok();
    if !found {
        eprintln!("skipped: there is no `{name}`; `apt-get install {package}` installs it");
    }
    found
}

impl Redis {
    /// A server with further arguments; `None`, with a notice, where there is no Redis.
    pub fn start(args: &[&str]) -> Option<Self> {
        if !has_program("redis-server", "redis-server") {
            return None;
        }
        for _ in 0..TRIES {
            if let Some(server) = Self::start_on(free_port(), args) {
                return Some(server);
            }
        }
        panic!("redis-server does not start");
    }

    /// A server on this port; `None` when it is taken.
    pub fn start_on(port: u16, args: &[&str]) -> Option<Self> {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let mut command = Command::new("redis-server");
        // A configuration file comes first; a Sentinel has nothing to save.
        command.args(args).args(["--port", &port.to_string(), "--bind", "127.0.0.1"]);
        command.args(["--dir", dir.path().to_str().expect("a path")]);
        if !args.contains(&"--sentinel") {
            command.args(["--save", ""]);
        }
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("Redis");
        let mut log = BufReader::new(child.stdout.take().expect("its log"));
        let mut line = String::new();
        while log.read_line(&mut line).is_ok_and(|n| n > 0) {
            if line.contains("Ready to accept connections") || line.contains("monitor master") {
                // The rest of the log must not block the server.
                std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
                return Some(Self { child, port, _dir: dir });
            }
            line.clear();
        }
        let _ = child.wait();
        None
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Sends a command.
    #[track_caller]
    pub fn command(&self, parts: &[&str]) -> Resp {
        let parts: Vec<&[u8]> = parts.iter().map(|part| part.as_bytes()).collect();
        self.command_bytes(&parts)
    }

    #[track_caller]
    pub fn command_bytes(&self, parts: &[&[u8]]) -> Resp {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("a connection");
        stream.set_read_timeout(Some(HANG)).expect("a time-out");
        let mut bytes = format!("*{}\r\n", parts.len()).into_bytes();
        for part in parts {
            bytes.extend(format!("${}\r\n", part.len()).into_bytes());
            bytes.extend(*part);
            bytes.extend(b"\r\n");
        }
        stream.write_all(&bytes).expect("sent");
        Resp::read(&mut BufReader::new(stream))
    }

    /// The keys below the prefix, sorted.
    pub fn keys(&self, pattern: &str) -> Vec<String> {
        let Resp::List(keys) = self.command(&["KEYS", pattern]) else { panic!("no list of keys") };
        let text = |key: Resp| match key {
            Resp::Text(bytes) => String::from_utf8(bytes).expect("a name"),
            other => panic!("{other:?}"),
        };
        let mut keys: Vec<String> = keys.into_iter().map(text).collect();
        keys.sort();
        keys
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Resp {
    fn read(from: &mut BufReader<TcpStream>) -> Self {
        let mut line = String::new();
        from.read_line(&mut line).expect("a reply");
        let (kind, rest) = line.trim_end().split_at(1);
        let number = || rest.parse::<i64>().expect("a number");
        match kind {
            "+" => Self::Text(rest.as_bytes().to_vec()),
            "-" => Self::Error(rest.to_owned()),
            ":" => Self::Int(number()),
            "$" if number() < 0 => Self::Nil,
            "$" => {
                let mut bytes = vec![0; usize::try_from(number()).expect("a length") + 2];
                from.read_exact(&mut bytes).expect("a text");
                bytes.truncate(bytes.len() - 2);
                Self::Text(bytes)
            }
            "*" if number() < 0 => Self::Nil,
            "*" => Self::List((0..number()).map(|_| Self::read(from)).collect()),
            _ => panic!("{line:?}"),
        }
    }
}
