//! The child process: extracts files that its parent sends, within limits that the system enforces.

use std::io::{self, BufRead, Read as _, Write};

use rustix::process::{Resource, Rlimit, setrlimit};

use super::wire::{Answer, ExtractionKind, Head, Request, read_line, write_line};
use crate::error::{Context as _, Result};
use crate::text;

/// Address space of a child in addition to what it starts with. The largest file needs about half.
pub const MEMORY_BYTES: u64 = 1 << 30;

/// Answers requests until the input ends.
///
/// # Errors
/// When limits cannot be set, or the parent has exited.
pub fn serve(input: &mut impl BufRead, output: &mut impl Write) -> Result<()> {
    let limit = |resource, n| setrlimit(resource, Rlimit { current: Some(n), maximum: Some(n) });
    // It writes no files, and a core dump would hold the user's text.
    let set = limit(Resource::As, address_space() + MEMORY_BYTES)
        .and_then(|()| limit(Resource::Core, 0))
        .and_then(|()| limit(Resource::Fsize, 0));
    set.map_err(io::Error::from).or_failed(no_limit)?;
    // A panic is reported as an answer. The parent reads stderr.
    std::panic::set_hook(Box::new(|_| {}));
    while let Some(request) = read_line::<Request>(input).or_failed(broken)? {
        let mut bytes = Vec::new();
        input.take(request.bytes).read_to_end(&mut bytes).or_failed(broken)?;
        limit_cpu(request.cpu_s).or_failed(no_limit)?;
        let found = std::panic::catch_unwind(|| match request.kind {
            ExtractionKind::Text => Answer::from_text(text::extract(&request.path, &bytes)),
            ExtractionKind::Messages => Answer::from_text(text::mailbox(&bytes)),
            ExtractionKind::Outline => {
                let text = String::from_utf8_lossy(&bytes);
                Answer::from_outline(text::outline(&request.path, &text))
            }
        });
        drop(bytes);
        let answer = serde_json::to_vec(&found.unwrap_or(Answer::Panicked)).or_failed(broken)?;
        write_line(output, &Head { bytes: answer.len() as u64 }).or_failed(broken)?;
        output.write_all(&answer).and_then(|()| output.flush()).or_failed(broken)?;
    }
    Ok(())
}

/// Bytes of address space in use; 0 where the system does not report it.
fn address_space() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kib = status
        .lines()
        .find_map(|line| line.strip_prefix("VmSize:")?.trim().strip_suffix(" kB")?.parse().ok());
    kib.unwrap_or(0_u64) * 1024
}

fn no_limit() -> String {
    "cannot limit memory and processor time".to_owned()
}

fn broken() -> String {
    "the connection to the parent process is broken".to_owned()
}

/// Limits the processor time from now on.
fn limit_cpu(seconds: u64) -> io::Result<()> {
    let used = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime).tv_sec;
    let until = u64::try_from(used).unwrap_or(0) + 1 + seconds;
    Ok(setrlimit(Resource::Cpu, Rlimit { current: Some(until), maximum: None })?)
}
