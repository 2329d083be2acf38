//! The ONNX Runtime shared library: checked, then opened once in a process.
//!
//! Its SHA-256 is compared before it is opened, and what is opened is the very file that was
//! compared: a path may lead elsewhere a moment later.

use std::fs::File;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::disk::{self, FileSum};
use crate::error::{Fault, Kind, Result};
use crate::state::State;

/// The opened library. Cheap to clone; all clones are the same environment.
#[derive(Clone)]
pub struct Runtime {
    pub(super) environment: ort::environment::Environment,
}

/// The library's file names, by platform.
pub(super) const LIBRARY_NAMES: [&str; 3] =
    ["libonnxruntime.so", "libonnxruntime.dylib", "onnxruntime.dll"];

/// A library that may be opened, once it has been compared with its manifest.
#[derive(Clone, Debug)]
pub struct Library {
    pub path: PathBuf,
    /// What its manifest says; `None` for one that the user named and that has none.
    expected: Option<FileSum>,
    /// It is the user's own, not one of a folder that somebody else may write to.
    is_own: bool,
    state: State,
}

impl Library {
    pub(super) fn new(path: &Path, expected: Option<FileSum>, is_own: bool, state: State) -> Self {
        Self { path: path.to_owned(), expected, is_own, state }
    }

    /// A library on the caller's word.
    pub fn trusted(path: &Path) -> Self {
        Self::new(path, None, true, State::none())
    }

    /// Opens the file and compares it; what is yielded is what may be loaded.
    fn check(&self) -> Result<File> {
        let file = disk::open_regular(&self.path).map_err(|e| {
            Fault::failed(format!("cannot read {}", self.path.display())).because(e)
        })?;
        let Some(expected) = &self.expected else { return Ok(file) };
        let damaged = |why: &str| {
            Fault::damaged(format!("{} is damaged: {why}", self.path.display()))
                .hint("run `scripts/setup`, or remove the folder that it lies in")
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
        // Who may write to the file could change it after the comparison, so a copy is compared and
        // loaded.
        let file = if self.is_own || is_private {
            file
        } else {
            in_memory(&file).map_err(|e| damaged(&e.to_string()))?
        };
        let (sha256, _) = self.state.sha256(&file, &self.path)?;
        match sha256 == expected.sha256 {
            true => Ok(file),
            false => Err(damaged("its SHA-256 is not the one in manifest.json")),
        }
    }
}

/// A copy of a file that no other process can reach.
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

/// Keeps the library from sending and storing telemetry, which official builds do by default: they
/// write a device id below the home folder and hold a thread for it. The library reads this
/// variable when it is opened.
///
/// Must be called before any thread is started; the command line does so first thing.
#[expect(
    unsafe_code,
    reason = "setting a variable is unsafe beside threads that read the environment"
)]
pub fn forbid_telemetry() {
    // SAFETY: no other thread runs yet, as the caller guarantees.
    unsafe { std::env::set_var("ORT_DISABLE_TELEMETRY", "1") };
}

/// Opened at most once: a process can hold one ONNX Runtime, and opening costs 20 ms. A failure is
/// kept too: after one, `ort` 2.0.0-rc.14 takes its library for loaded and panics when it is asked
/// again.
static OPENED: OnceLock<std::result::Result<Runtime, Failure>> = OnceLock::new();

/// A fault that can be told again.
#[derive(Clone)]
struct Failure {
    kind: Kind,
    message: String,
    hint: String,
}

impl Failure {
    fn of(fault: &Fault) -> Self {
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
    /// When it is not what its manifest says, cannot be opened, or is too old for this program.
    pub fn load(library: &Library) -> Result<Self> {
        let opened = OPENED.get_or_init(|| open(library).map_err(|fault| Failure::of(&fault)));
        opened.clone().map_err(Failure::fault)
    }
}

fn open(library: &Library) -> Result<Runtime> {
    let file = library.check()?;
    tune_c_heap();
    // Leads to the open file, whatever has become of its path; dlopen gets a descriptor of its own
    // from it.
    let by_descriptor = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
    let path = if by_descriptor.exists() { &by_descriptor } else { &library.path };
    let failed = |why: String| {
        // The linker names the file as it was given to it.
        let why =
            why.replace(&by_descriptor.display().to_string(), &library.path.display().to_string());
        Fault::failed(format!(
            "cannot open the ONNX Runtime library {}: {why}",
            library.path.display()
        ))
    };
    let builder = ort::init_from(path).map_err(|e| failed(e.to_string()))?;
    // The library's own log would be talk on stderr that nobody asked for; its errors come back as
    // values.
    let environment = builder
        .with_name("rag")
        .with_telemetry(false)
        .with_logger(std::sync::Arc::new(|_, _, _, _, _| {}))
        .build()
        .map_err(|e| failed(e.to_string()))?;
    Ok(Runtime { environment })
}

/// What the library allocates while it opens a network of the usual size: some ten thousand small
/// objects, and its own copy of the weights in the order in which it multiplies them.
#[cfg(target_env = "gnu")]
const HEAP_BYTES: usize = 32 << 20;

/// Makes room in the C heap for what the library will allocate, in one piece and in huge pages
/// where the system has any. From a heap of a few small pages it would come one page fault at a
/// time, some six thousand of them: a seventh of a search that has to load the model.
#[cfg(target_env = "gnu")]
#[expect(unsafe_code, reason = "calls of the C library")]
fn tune_c_heap() {
    /// The largest that is accepted, and what a huge page has on the usual processors.
    const MOST: i32 = 32 << 20;
    const HUGE: usize = 2 << 20;
    // SAFETY: `mallopt` locks what it changes and takes any number. What is advised lies within one
    // allocation, and the advice changes nothing but the speed.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
        libc::mallopt(libc::M_TOP_PAD, 4 << 20);
        libc::mallopt(libc::M_MMAP_THRESHOLD, MOST);
        libc::mallopt(libc::M_TRIM_THRESHOLD, 2 * MOST);
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
    fn what_is_loaded_is_what_was_compared() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lib.so");
        let set_mode =
            |mode| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        std::fs::write(&path, "good").unwrap();
        set_mode(0o644);
        let expected = disk::file_sum(&path).unwrap();
        let library = |is_own| Library::new(&path, Some(expected.clone()), is_own, State::none());
        for is_own in [true, false] {
            let file = library(is_own).check().unwrap();
            // Another file under the name is not the one that is loaded.
            std::fs::rename(&path, dir.path().join("away")).unwrap();
            std::fs::write(&path, "evil").unwrap();
            assert_eq!(content(file), "good");
            assert_eq!(library(is_own).check().unwrap_err().kind(), Kind::Damaged);
            std::fs::rename(dir.path().join("away"), &path).unwrap();
        }
        // Where others may write to the file, neither is a change of its bytes.
        set_mode(0o666);
        let file = library(false).check().unwrap();
        std::fs::write(&path, "evil").unwrap();
        assert_eq!(content(file), "good");
        std::fs::write(&path, "evil, and longer").unwrap();
        assert!(library(false).check().unwrap_err().to_string().contains("16 bytes instead of 4"));
        // A folder, and so a device or a pipe, is no library.
        assert!(
            Library::trusted(dir.path())
                .check()
                .unwrap_err()
                .to_string()
                .contains("not a regular file")
        );
    }
}
