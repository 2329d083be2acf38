//! The ONNX Runtime shared library: verified, then opened once per process.
//!
//! The SHA-256 is compared before the library is opened. The open file that was compared is the one
//! that is loaded, because its path may lead to another file a moment later.

use std::fs::File;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::manifest::OTHER_BYTES;
use crate::disk::{self, FileSum};
use crate::error::{Fault, Kind, Result};
use crate::state::State;

/// The opened library. Cheap to clone; clones share one environment.
#[derive(Clone)]
pub struct Runtime {
    pub(super) environment: ort::environment::Environment,
}

/// The library's file names, by platform.
pub(super) const LIBRARY_NAMES: [&str; 3] =
    ["libonnxruntime.so", "libonnxruntime.dylib", "onnxruntime.dll"];

/// A library on disk, opened only after it was compared with its manifest.
#[derive(Clone, Debug)]
pub struct Library {
    pub path: PathBuf,
    /// From its manifest; `None` for a library that the user named and that has no manifest.
    expected: Option<FileSum>,
    /// From a trusted place, which other users are not expected to write to.
    is_trusted: bool,
    state: State,
}

impl Library {
    pub(super) fn new(
        path: &Path,
        expected: Option<FileSum>,
        is_trusted: bool,
        state: State,
    ) -> Self {
        Self { path: path.to_owned(), expected, is_trusted, state }
    }

    /// A library that the caller vouches for.
    pub fn trusted(path: &Path) -> Self {
        Self::new(path, None, true, State::none())
    }

    /// Opens the file and compares it with its manifest. Only the returned file may be loaded.
    fn check(&self) -> Result<File> {
        let file = disk::open_regular(&self.path).map_err(|e| {
            Fault::failed(format!("cannot read {}", self.path.display())).because(e)
        })?;
        let Some(expected) = &self.expected else { return Ok(file) };
        let damaged = |why: &str| {
            Fault::damaged(format!("{} is damaged: {why}", self.path.display()))
                .hint("run `scripts/setup`, or remove the folder that contains it")
        };
        let metadata = file.metadata().map_err(|e| damaged(&e.to_string()))?;
        if metadata.len() != expected.bytes {
            return Err(damaged(&format!(
                "{} bytes instead of {}",
                metadata.len(),
                expected.bytes
            )));
        }
        let is_private = metadata.mode() & 0o022 == 0
            && [0, rustix::process::geteuid().as_raw()].contains(&metadata.uid());
        // Another user with write access could change the file after the comparison, so a copy is
        // compared and loaded.
        let file = if self.is_trusted || is_private {
            file
        } else {
            in_memory(&file).map_err(|e| damaged(&e.to_string()))?
        };
        let (sha256, _) = self.state.sha256(&file, &self.path)?;
        if sha256 != expected.sha256 {
            return Err(damaged(OTHER_BYTES));
        }
        Ok(file)
    }
}

/// A copy of the file that other processes cannot write to.
#[cfg(target_os = "linux")]
fn in_memory(file: &File) -> std::io::Result<File> {
    use rustix::fs::{MemfdFlags, memfd_create};
    let mut copy = File::from(memfd_create("onnxruntime", MemfdFlags::CLOEXEC)?);
    std::io::copy(&mut &*file, &mut copy)?;
    Ok(copy)
}

#[cfg(not(target_os = "linux"))]
fn in_memory(file: &File) -> std::io::Result<File> {
    file.try_clone()
}

/// Disables the library's telemetry. Official builds write a device id below the home folder and
/// run a thread for it by default. The library reads this variable when it is opened.
///
/// Must be called before any thread is started.
#[expect(
    unsafe_code,
    reason = "setting a variable is unsafe while other threads may read the environment"
)]
pub fn forbid_telemetry() {
    // SAFETY: the caller guarantees that no other thread runs yet.
    unsafe { std::env::set_var("ORT_DISABLE_TELEMETRY", "1") };
}

/// Opened at most once: a process can load one ONNX Runtime, and opening takes 20 ms. A failure is
/// kept too: after one, `ort` 2.0.0-rc.14 considers its library loaded and panics on the next use.
static OPENED: OnceLock<Result<Runtime, Failure>> = OnceLock::new();

/// A fault that can be cloned.
#[derive(Clone)]
struct Failure {
    kind: Kind,
    message: String,
    hint: String,
}

impl Failure {
    fn new(fault: &Fault) -> Self {
        let hint =
            fault.hint_text().unwrap_or("run `scripts/setup` in the project's folder").to_owned();
        Self { kind: fault.kind(), message: fault.to_string(), hint }
    }

    fn fault(self) -> Fault {
        Fault::new(self.kind, self.message).hint(self.hint)
    }
}

impl Runtime {
    /// Compares the library with its manifest and opens it, or returns the one already open.
    ///
    /// # Errors
    /// When it does not match its manifest, cannot be opened, or is too old for this program.
    pub fn load(library: &Library) -> Result<Self> {
        let opened = OPENED.get_or_init(|| open(library).map_err(|fault| Failure::new(&fault)));
        opened.clone().map_err(Failure::fault)
    }
}

fn open(library: &Library) -> Result<Runtime> {
    let file = library.check()?;
    tune_c_heap();
    // Leads to the open file even if its path was replaced; dlopen opens its own descriptor from
    // it.
    let by_descriptor = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
    let path = if by_descriptor.exists() { &by_descriptor } else { &library.path };
    let failed = |why: String| {
        // The linker's message names the path that it was given.
        let why =
            why.replace(&by_descriptor.display().to_string(), &library.path.display().to_string());
        Fault::failed(format!(
            "cannot open the ONNX Runtime library {}: {why}",
            library.path.display()
        ))
    };
    let builder = ort::init_from(path).map_err(|e| failed(e.to_string()))?;
    // The library logs to stderr by default; its errors are returned as values.
    let environment = builder
        .with_name("rag")
        .with_telemetry(false)
        .with_logger(std::sync::Arc::new(|_, _, _, _, _| {}))
        .build()
        .map_err(|e| failed(e.to_string()))?;
    Ok(Runtime { environment })
}

/// What the library allocates while it opens a network of typical size: ten thousand small objects,
/// and a copy of the weights in the order of multiplication.
#[cfg(target_env = "gnu")]
const HEAP_BYTES: usize = 32 << 20;

/// Grows the C heap for the library's allocations in one piece, in huge pages where the system has
/// them. Otherwise it grows by some six thousand page faults: a seventh of the time of a search
/// that loads the model.
#[cfg(target_env = "gnu")]
#[expect(unsafe_code, reason = "calls of the C library")]
fn tune_c_heap() {
    /// The largest threshold that `mallopt` accepts.
    const MAX: i32 = 32 << 20;
    /// The size of a huge page on common processors.
    const HUGE: usize = 2 << 20;
    // SAFETY: `mallopt` locks what it changes and accepts any number. The advised range is within
    // one allocation, and the advice only affects speed.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
        libc::mallopt(libc::M_TOP_PAD, 4 << 20);
        libc::mallopt(libc::M_MMAP_THRESHOLD, MAX);
        libc::mallopt(libc::M_TRIM_THRESHOLD, 2 * MAX);
        let room = libc::malloc(HEAP_BYTES - HUGE);
        if !room.is_null() {
            #[cfg(target_os = "linux")]
            {
                let before = room.addr().next_multiple_of(HUGE) - room.addr();
                libc::madvise(
                    room.byte_add(before),
                    HEAP_BYTES - HUGE - before,
                    libc::MADV_HUGEPAGE,
                );
            }
            libc::free(room);
        }
    }
}

#[cfg(not(target_env = "gnu"))]
fn tune_c_heap() {}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn content(mut file: File) -> String {
        let mut text = String::new();
        std::io::Seek::rewind(&mut file).unwrap();
        file.read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn the_loaded_file_is_the_compared_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lib.so");
        let set_mode =
            |mode| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        std::fs::write(&path, "good").unwrap();
        set_mode(0o644);
        let expected = disk::file_sum(&path).unwrap();
        let library =
            |is_trusted| Library::new(&path, Some(expected.clone()), is_trusted, State::none());
        for is_trusted in [true, false] {
            let file = library(is_trusted).check().unwrap();
            // A file that replaces it under the same name is not loaded.
            std::fs::rename(&path, dir.path().join("away")).unwrap();
            std::fs::write(&path, "evil").unwrap();
            assert_eq!(content(file), "good");
            assert_eq!(library(is_trusted).check().unwrap_err().kind(), Kind::Damaged);
            std::fs::rename(dir.path().join("away"), &path).unwrap();
        }
        // Nor is a later change of a file that others may write to.
        set_mode(0o666);
        let file = library(false).check().unwrap();
        std::fs::write(&path, "evil").unwrap();
        assert_eq!(content(file), "good");
        std::fs::write(&path, "evil, and longer").unwrap();
        assert!(library(false).check().unwrap_err().to_string().contains("16 bytes instead of 4"));
        // A folder, and likewise a device or a pipe, is not a library.
        assert!(
            Library::trusted(dir.path())
                .check()
                .unwrap_err()
                .to_string()
                .contains("not a regular file")
        );
    }
}
