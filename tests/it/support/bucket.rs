//! S3 stores for tests: those that `scripts/services start` has started, or a `SeaweedFS` of this
//! process where `scripts/services fetch bucket` has installed it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use rag::config::{DepotPlace, Secret};
use rag::depot::Depot;
use serde_json::json;
use tempfile::TempDir;

/// Keys of every store of `scripts/services`.
const ACCESS_KEY: &str = "rag-tests";
const SECRET_KEY: &str = "rag-tests-secret";

/// A store that answers.
pub struct Store {
    pub name: &'static str,
    pub endpoint: String,
}

/// The stores that are here; a notice for each that is not.
pub fn stores() -> &'static [Store] {
    static STORES: OnceLock<Vec<Store>> = OnceLock::new();
    STORES.get_or_init(|| {
        let running = |name| std::env::var(name).ok().filter(|endpoint| !endpoint.is_empty());
        let mut stores = Vec::new();
        match running("RAG_TEST_S3").or_else(start) {
            Some(endpoint) => stores.push(Store { name: "SeaweedFS", endpoint }),
            None => eprintln!("skipped: no SeaweedFS; `scripts/services fetch bucket` installs it"),
        }
        match running("RAG_TEST_MOTO") {
            Some(endpoint) => stores.push(Store { name: "moto", endpoint }),
            None => eprintln!("skipped: no moto; `scripts/services start moto` starts it"),
        }
        stores
    })
}

/// The program of `SeaweedFS`, where it is installed.
fn weed() -> Option<PathBuf> {
    let target = Path::new(env!("CARGO_BIN_EXE_rag")).ancestors().nth(2)?.to_owned();
    let folder =
        std::env::var_os("RAG_SERVICES_DIR").map_or(target.join("services"), PathBuf::from);
    Some(folder.join("bucket/bin/weed")).filter(|weed| weed.is_file())
}

/// Writes the configuration of `SeaweedFS` to its folder; returns its arguments and its endpoint.
fn configure(dir: &Path) -> (Vec<String>, String) {
    let keys = json!({
        "name": "tests",
        "credentials": [{ "accessKey": ACCESS_KEY, "secretKey": SECRET_KEY }],
        "actions": ["Admin"],
    });
    let anyone = json!({ "name": "anonymous", "actions": ["Admin"] });
    let config = dir.join("s3.json");
    std::fs::write(&config, json!({ "identities": [keys, anyone] }).to_string()).unwrap();
    let names = ["master", "volume", "filer", "s3"];
    let names = names.iter().flat_map(|name| [format!("{name}.port"), format!("{name}.port.grpc")]);
    let listeners: Vec<TcpListener> =
        (0..8).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    let ports: Vec<u16> = listeners.iter().map(|l| l.local_addr().unwrap().port()).collect();
    let mut arguments: Vec<String> = [
        "server",
        "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1",
        "-volume.max=100",
        "-master.volumeSizeLimitMB=64",
        // It has no other masters to wait for.
        "-master.peers=none",
        "-filer",
        "-s3",
        "-s3.iam=false",
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
    ]
    .map(str::to_owned)
    .to_vec();
    arguments.push(format!("-dir={}", dir.display()));
    arguments.push(format!("-s3.config={}", config.display()));
    arguments.extend(names.zip(&ports).map(|(name, port)| format!("-{name}={port}")));
    (arguments, format!("http://127.0.0.1:{}", ports[6]))
}

/// Waits until a store accepts writes: it listens before it can store anything.
fn wait_for(endpoint: &str) {
    const HANG: Duration = Duration::from_secs(60);
    let begun = Instant::now();
    let depot = Depot::open(&place(endpoint, "rag-start", "x")).unwrap();
    while let Err(fault) = depot.write("ready", b"") {
        assert!(begun.elapsed() < HANG, "SeaweedFS did not start: {fault}");
    }
}

/// Starts `SeaweedFS`. It ends with this process, whose end closes its standard input.
fn start() -> Option<String> {
    let weed = weed()?;
    let dir = tempfile::tempdir().unwrap().keep();
    let (arguments, endpoint) = configure(&dir);
    let script = "d=$1; shift
        \"$@\" </dev/null >\"$d/log\" 2>&1 &
        read -r _
        kill -9 $!
        rm -rf \"$d\"";
    let mut shell = Command::new("sh");
    shell.args(["-c", script, "sh"]).arg(&dir).arg(weed).args(arguments);
    shell.current_dir(&dir).stdin(Stdio::piped());
    // Dropping the handle would close the pipe.
    std::mem::forget(shell.stdout(Stdio::null()).stderr(Stdio::null()).spawn().ok()?);
    wait_for(&endpoint);
    Some(endpoint)
}

/// A `SeaweedFS` of one test, which may kill it and start it again on the same disk.
pub struct Mortal {
    child: Option<Child>,
    dir: TempDir,
    weed: PathBuf,
    arguments: Vec<String>,
    pub store: Store,
}

impl Mortal {
    /// `None`, with a notice, where it is not installed.
    pub fn start() -> Option<Self> {
        let Some(weed) = weed() else {
            eprintln!("skipped: no SeaweedFS; `scripts/services fetch bucket` installs it");
            return None;
        };
        let dir = tempfile::tempdir().unwrap();
        let (arguments, endpoint) = configure(dir.path());
        let store = Store { name: "SeaweedFS", endpoint };
        let mut started = Self { child: None, dir, weed, arguments, store };
        started.run();
        wait_for(&started.store.endpoint);
        Some(started)
    }

    /// Starts it again; it may not answer yet.
    pub fn run(&mut self) {
        let mut command = Command::new(&self.weed);
        command.args(&self.arguments).current_dir(self.dir.path()).stdin(Stdio::null());
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        self.child = Some(child.expect("SeaweedFS"));
    }

    /// Ends it at once: master, volume server, filer and gateway are one process.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("a process");
            child.wait().expect("its end");
        }
    }
}

impl Drop for Mortal {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A prefix of a bucket of a store.
pub fn place(endpoint: &str, bucket: &str, prefix: &str) -> DepotPlace {
    DepotPlace {
        url: format!("s3://{bucket}/{prefix}"),
        endpoint: endpoint.to_owned(),
        region: "us-east-1".to_owned(),
        is_path_style: true,
        timeout: Duration::from_secs(20),
        poll: Duration::from_secs(1),
        grace: Duration::from_secs(3600),
        aws: [("aws_access_key_id", ACCESS_KEY), ("aws_secret_access_key", SECRET_KEY)]
            .map(|(name, value)| (name.to_owned(), Secret::new(value)))
            .to_vec(),
        ca_bundle: None,
    }
}

impl Store {
    /// A new place of this store, whose bucket exists.
    pub fn place(&self, prefix: &str) -> DepotPlace {
        let host: SocketAddr = self.endpoint.trim_start_matches("http://").parse().unwrap();
        if self.name == "moto" {
            // It checks no signatures.
            let mut stream = TcpStream::connect(host).unwrap();
            let request = format!(
                "PUT /rag-tests HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\
                 content-length: 0\r\n\r\n"
            );
            stream.write_all(request.as_bytes()).unwrap();
            stream.read_to_end(&mut Vec::new()).unwrap();
        }
        // Tests of earlier runs may have left objects in a store that goes on running.
        let prefix = format!("{prefix}-{}", std::process::id());
        let place = place(&self.endpoint, "rag-tests", &prefix);
        Depot::open(&place).unwrap().write("made", b"").unwrap();
        place
    }
}

/// The variables that make a command use a place.
pub fn variables(place: &DepotPlace) -> Vec<(&'static str, String)> {
    vec![
        ("RAG_DEPOT_URL", place.url.clone()),
        ("RAG_DEPOT_ENDPOINT", place.endpoint.clone()),
        ("AWS_ACCESS_KEY_ID", ACCESS_KEY.to_owned()),
        ("AWS_SECRET_ACCESS_KEY", SECRET_KEY.to_owned()),
        ("AWS_REGION", place.region.clone()),
    ]
}

/// What a proxy does to requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    None,
    /// No connection gets through.
    Down,
    /// The store does not see If-Match and If-None-Match.
    NoConditions,
    /// The connection is closed after the store has done a conditional write.
    CutAfter,
    /// The connection is closed before the store sees a conditional write.
    CutBefore,
    /// The store does a conditional write, and the reply is 409.
    Conflict,
}

/// A proxy before a store, on a free port. A conditional write gets the trouble as often as `times`
/// says.
pub struct Proxy {
    pub endpoint: String,
    trouble: Arc<Mutex<Trouble>>,
    times: Arc<AtomicUsize>,
}

impl Proxy {
    pub fn new(store: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let store: SocketAddr = store.trim_start_matches("http://").parse().unwrap();
        let (trouble, times) = (Arc::new(Mutex::new(Trouble::None)), Arc::default());
        let proxy = Self { endpoint, trouble: Arc::clone(&trouble), times: Arc::clone(&times) };
        // It ends with the process.
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (trouble, times) = (Arc::clone(&trouble), Arc::clone(&times));
                std::thread::spawn(move || pass(client, store, &trouble, &times));
            }
        });
        proxy
    }

    pub fn set(&self, trouble: Trouble, times: usize) {
        *self.trouble.lock().unwrap() = trouble;
        self.times.store(times, Ordering::SeqCst);
    }
}

/// Passes one request to the store and the reply back.
fn pass(
    mut client: TcpStream,
    store: SocketAddr,
    trouble: &Mutex<Trouble>,
    times: &AtomicUsize,
) -> Option<()> {
    let mut trouble = *trouble.lock().unwrap();
    if trouble == Trouble::Down {
        return None;
    }
    let mut reader = BufReader::new(client.try_clone().ok()?);
    let (mut head, mut length, mut is_conditional) = (String::new(), 0, false);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        if line.trim_end().is_empty() {
            break;
        }
        let lower = line.to_ascii_lowercase();
        if let Some(n) = lower.strip_prefix("content-length:") {
            length = n.trim().parse().ok()?;
        }
        let is_condition = lower.starts_with("if-match:") || lower.starts_with("if-none-match:");
        is_conditional |= is_condition && head.starts_with("PUT");
        let is_dropped = is_condition && trouble == Trouble::NoConditions;
        if !is_dropped && !lower.starts_with("connection:") {
            head += &line;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let left = |n: usize| n.checked_sub(1);
    if !is_conditional || times.fetch_update(Ordering::SeqCst, Ordering::SeqCst, left).is_err() {
        trouble = Trouble::None;
    }
    if trouble == Trouble::CutBefore {
        return None;
    }
    let mut server = TcpStream::connect(store).ok()?;
    server.write_all(format!("{head}connection: close\r\n\r\n").as_bytes()).ok()?;
    server.write_all(&body).ok()?;
    let mut reply = Vec::new();
    server.read_to_end(&mut reply).ok()?;
    match trouble {
        Trouble::CutAfter => return None,
        Trouble::Conflict => {
            reply =
                b"HTTP/1.1 409 Conflict\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".to_vec();
        }
        _ => {}
    }
    client.write_all(&reply).ok()
}
