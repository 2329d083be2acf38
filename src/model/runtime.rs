//! The ONNX Runtime shared library: found beside the model, opened once in a process.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::files::shown;
use crate::error::{Fault, Result};

/// The opened library. Cheap to clone; all clones are the same environment.
#[derive(Clone)]
pub struct Runtime {
    pub(super) environment: ort::environment::Environment,
}

/// The library's file names, by platform.
const LIBRARY_NAMES: [&str; 3] = ["libonnxruntime.so", "libonnxruntime.dylib", "onnxruntime.dll"];

/// Keeps the library from sending and storing telemetry, which official builds do by default: they write a device id
/// below the home folder and hold a thread for it. The library reads this variable when it is opened.
///
/// Must be called before any thread is started; the command line does so first thing.
#[expect(unsafe_code, reason = "setting a variable is unsafe beside threads that read the environment")]
pub fn forbid_telemetry() {
    // SAFETY: no other thread runs yet, as the caller guarantees.
    unsafe { std::env::set_var("ORT_DISABLE_TELEMETRY", "1") };
}

/// Opened at most once: a process can hold one ONNX Runtime, and opening costs 20 ms. A failure is kept too: after one,
/// `ort` 2.0.0-rc.14 takes its library for loaded and panics when it is asked again.
static OPENED: OnceLock<std::result::Result<Runtime, String>> = OnceLock::new();

impl Runtime {
    /// Opens the library at `path`, or returns the one already open.
    ///
    /// # Errors
    /// When it cannot be opened or is too old for this program.
    pub fn load(path: &Path) -> Result<Self> {
        OPENED.get_or_init(|| open(path)).clone().map_err(|why| {
            Fault::failed(format!("cannot open the ONNX Runtime library {}: {why}", path.display()))
                .hint("run `scripts/setup` in the project's folder")
        })
    }
}

fn open(path: &Path) -> std::result::Result<Runtime, String> {
    tune_c_heap();
    let builder = ort::init_from(path).map_err(|e| e.to_string())?;
    // The library's own log would be talk on stderr that nobody asked for; its errors come back as values.
    let environment = builder
        .with_name("rag")
        .with_telemetry(false)
        .with_logger(std::sync::Arc::new(|_, _, _, _, _| {}))
        .build()
        .map_err(|e| e.to_string())?;
    Ok(Runtime { environment })
}

/// What the library allocates while it opens a network of the usual size: some ten thousand small objects, and its own
/// copy of the weights in the order in which it multiplies them.
#[cfg(target_env = "gnu")]
const HEAP_BYTES: usize = 32 << 20;

/// Makes room in the C heap for what the library will allocate, in one piece and in huge pages where the system has any.
/// From a heap of a few small pages it would come one page fault at a time, some six thousand of them: a seventh of a
/// search that has to load the model.
#[cfg(target_env = "gnu")]
#[expect(unsafe_code, reason = "calls of the C library")]
fn tune_c_heap() {
    /// The largest that is accepted, and what a huge page has on the usual processors.
    const MOST: i32 = 32 << 20;
    const HUGE: usize = 2 << 20;
    // SAFETY: `mallopt` locks what it changes and takes any number. What is advised lies within one allocation, and the
    // advice changes nothing but the speed.
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
                libc::madvise(room.byte_add(before), HEAP_BYTES - HUGE - before, libc::MADV_HUGEPAGE);
            }
            libc::free(room);
        }
    }
}

#[cfg(not(target_env = "gnu"))]
fn tune_c_heap() {}

/// The library: the one the user names, else the first in the folders.
///
/// # Errors
/// Says exactly what to run when there is none.
pub fn find_runtime(asset_dirs: &[PathBuf], named: Option<&Path>) -> Result<PathBuf> {
    if let Some(path) = named {
        return match path.is_file() {
            true => Ok(path.to_path_buf()),
            false => Err(Fault::failed(format!("no ONNX Runtime library at {}", path.display())).hint(
                "run `scripts/setup` in the project's folder, and set neither ORT_DYLIB_PATH nor runtime_library",
            )),
        };
    }
    let candidates = asset_dirs.iter().flat_map(|dir| LIBRARY_NAMES.map(|name| dir.join("runtime").join(name)));
    candidates.into_iter().find(|path| path.is_file()).ok_or_else(|| {
        Fault::failed("the ONNX Runtime library is not on this machine").hint(format!(
            "run `scripts/setup` in the project's folder, or set ORT_DYLIB_PATH; looked in {}",
            shown(asset_dirs, "runtime")
        ))
    })
}
