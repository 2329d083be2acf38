//! A hermetic place to run `rag` in: a separate folder, data directory and home, a cleared
//! environment, no colour.
//!
//! Library and model come from the project's `data` folder, where `scripts/setup` puts them. A
//! failed expectation prints the command, both streams and the folder.

#[cfg(feature = "serve")]
pub mod browser;
#[cfg(feature = "cluster")]
pub mod bucket;
#[cfg_attr(not(feature = "serve"), allow(dead_code, reason = "some steps serve server tests only"))]
pub mod llm;
#[cfg(feature = "serve")]
pub mod server;
#[cfg(feature = "cluster")]
pub mod services;
#[cfg(feature = "serve")]
pub mod socket;
#[cfg(target_env = "gnu")]
pub mod terminal;

use std::ffi::OsStr;
use std::io::{Seek as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// The files of one test. Everything below [`Sandbox::path`] is removed when it is dropped.
pub struct Sandbox {
    dir: TempDir,
}

/// How a command ended.
pub struct Run {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
    shown: String,
}

impl Sandbox {
    pub fn new() -> Self {
        let sandbox = Self { dir: tempfile::tempdir().expect("a temporary folder") };
        std::fs::create_dir(sandbox.path().join("home")).expect("a home folder");
        sandbox
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// The data directory that commands use.
    pub fn data(&self) -> PathBuf {
        self.path().join("data")
    }

    /// Writes a file below the sandbox, making its folders.
    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
        std::fs::write(&path, content).expect("a file");
        path
    }

    /// `rag` with arguments, not started yet.
    pub fn command<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rag"));
        command
            .args(args)
            .current_dir(self.path())
            .env_clear()
            .env("HOME", self.path().join("home"))
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("TMPDIR", self.path())
            .env("LANG", "C.UTF-8")
            .env("ORT_DYLIB_PATH", runtime_library())
            .env("XDG_DATA_HOME", self.path().join("share"))
            .stdin(Stdio::null());
        // Models are also looked for beside the data directory; a link is the cheapest way to
        // provide them.
        let share = self.path().join("share");
        if !share.exists() {
            std::fs::create_dir_all(&share).expect("a share folder");
            std::os::unix::fs::symlink(project_data(), share.join("rag"))
                .expect("a link to the models");
        }
        command
    }

    /// Runs `rag` to its end.
    pub fn rag<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Run {
        Run::of(&mut self.command(args))
    }

    /// Runs `rag` to its end with `input` on its standard input.
    pub fn rag_with_input<S: AsRef<OsStr>>(
        &self,
        args: impl IntoIterator<Item = S>,
        input: &[u8],
    ) -> Run {
        let mut file = tempfile::tempfile().expect("a file");
        file.write_all(input).and_then(|()| file.rewind()).expect("an input");
        Run::of(self.command(args).stdin(file))
    }

    /// `rag` with arguments under another program, such as `strace`; not started yet.
    pub fn under<S: AsRef<OsStr>>(
        &self,
        program: &str,
        args: &[&str],
        rag: impl IntoIterator<Item = S>,
    ) -> Command {
        let rag = self.command(rag);
        let mut command = Command::new(program);
        command
            .args(args)
            .arg(rag.get_program())
            .args(rag.get_args())
            .current_dir(self.path())
            .env_clear();
        command
            .envs(rag.get_envs().filter_map(|(name, value)| Some((name, value?))))
            .stdin(Stdio::null());
        command
    }

    /// Runs a shell script, whose `$0` is `rag`, in the sandbox with a separate mount namespace.
    pub fn with_private_mounts(&self, script: &str) -> Run {
        Run::of(&mut self.under("unshare", &["-m", "sh", "-c", script], [""; 0]))
    }

    /// Starts `rag` in the background, streams piped.
    pub fn spawn<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Child {
        self.command(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("rag starts")
    }

    /// Ingests `docs/` and expects success; yields the summary.
    pub fn ingest(&self) -> Value {
        self.rag(["ingest", "--dir", "docs", "--json"]).ok().json()
    }
}

impl Run {
    pub fn of(command: &mut Command) -> Self {
        let output = command.output().expect("rag runs");
        Self::from_output(&output, format!("{command:?}"))
    }

    pub fn from_output(output: &Output, shown: String) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            shown,
        }
    }

    /// Expects exit code 0.
    #[track_caller]
    pub fn ok(self) -> Self {
        self.exits(0)
    }

    /// Expects an exit code.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self}");
        self
    }

    /// Expects that stderr has `part`.
    #[track_caller]
    pub fn says(self, part: &str) -> Self {
        assert!(self.stderr.contains(part), "stderr lacks {part:?}\n{self}");
        self
    }

    /// Expects that stdout has `part`.
    #[track_caller]
    pub fn prints(self, part: &str) -> Self {
        assert!(self.stdout.contains(part), "stdout lacks {part:?}\n{self}");
        self
    }

    /// stdout as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|e| panic!("stdout is no JSON: {e}\n{self}"))
    }
}

impl std::fmt::Display for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { code, stdout, stderr, shown } = self;
        write!(f, "--- {shown}\n--- exit {code:?}\n--- stdout\n{stdout}\n--- stderr\n{stderr}")
    }
}

/// The project's own data folder, which `scripts/setup` fills.
pub fn project_data() -> PathBuf {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("data");
    assert!(
        data.join("runtime").is_dir(),
        "run `scripts/setup` first: {} has no runtime",
        data.display()
    );
    data
}

fn runtime_library() -> PathBuf {
    project_data().join("runtime/libonnxruntime.so")
}

/// The binary alone in `prefix/bin`, run in an empty environment from the sandbox's folder.
pub fn installed(sandbox: &Sandbox, args: &[&str]) -> Command {
    let bin = sandbox.path().join("prefix/bin");
    if !bin.exists() {
        std::fs::create_dir_all(&bin).unwrap();
        let built = Path::new(env!("CARGO_BIN_EXE_rag"));
        std::fs::hard_link(built, bin.join("rag"))
            .or_else(|_| std::fs::copy(built, bin.join("rag")).map(drop))
            .unwrap();
    }
    let mut command = Command::new(bin.join("rag"));
    command
        .args(args)
        .current_dir(sandbox.path())
        .env_clear()
        .env("HOME", sandbox.path().join("home"));
    command
}

/// A folder of real data beside the project, or `None` with a notice where it is absent.
pub fn shared_data(name: &str) -> Option<PathBuf> {
    let base = std::env::var_os("RAG_TEST_DATA").map(PathBuf::from);
    let base = base.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data"));
    let found = Some(base.join(name)).filter(|dir| dir.is_dir());
    if found.is_none() {
        eprintln!("skipped: there is no folder {}", base.join(name).display());
    }
    found
}

/// False, with a notice, where not even the loopback interface is up.
pub fn has_loopback() -> bool {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let works = TcpStream::connect(listener.local_addr().unwrap()).is_ok();
    if !works {
        eprintln!("skipped: the loopback interface is down");
    }
    works
}
