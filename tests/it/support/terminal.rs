//! A pseudo-terminal of a given width in which `rag` runs.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::{FromRawFd as _, OwnedFd};
use std::process::{Child, Command};

use rustix::process::{Pid, Signal, kill_process};

/// A command that runs in a terminal, and its output so far.
pub struct Terminal {
    child: Child,
    screen: File,
    pub shown: String,
}

/// Control sequences before and after a progress line.
const BEGIN: &str = "\x1b[?7l";
const END: &str = "\x1b[?7h\r";
/// Control sequence that erases a progress line.
const ERASE: &str = "\r\x1b[J";

impl Terminal {
    /// Starts a command in a terminal with this many columns.
    pub fn start(command: &mut Command, columns: u16) -> Self {
        let (mut master, mut slave) = (-1, -1);
        let mut size = libc::winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        let (name, modes) = (std::ptr::null_mut(), std::ptr::null());
        // SAFETY: both descriptors are written before the call returns 0, and nothing else owns
        // them.
        #[expect(unsafe_code, reason = "the standard library opens no terminals")]
        let (master, slave) = unsafe {
            assert_eq!(
                libc::openpty(&raw mut master, &raw mut slave, name, modes, &raw mut size),
                0,
                "a terminal"
            );
            (OwnedFd::from_raw_fd(master), OwnedFd::from_raw_fd(slave))
        };
        let end = || slave.try_clone().expect("a descriptor");
        let child = command.stdin(end()).stdout(end()).stderr(end()).spawn().expect("rag starts");
        // The command would otherwise hold the other end open.
        command.stdin(std::process::Stdio::null()).stdout(std::process::Stdio::null());
        command.stderr(std::process::Stdio::null());
        Self { child, screen: File::from(master), shown: String::new() }
    }

    /// Reads until `part` is on the screen.
    pub fn wait_for(&mut self, part: &str) {
        self.wait_for_times(part, 1);
    }

    /// Reads until `part` has been shown `n` times.
    pub fn wait_for_times(&mut self, part: &str, n: usize) {
        while self.shown.matches(part).count() < n {
            assert!(self.read(), "it ended without {part:?}\n{:?}", self.shown);
        }
    }

    fn read(&mut self) -> bool {
        let mut bytes = [0; 4096];
        // Reading fails when the other end of the terminal is closed.
        let n = self.screen.read(&mut bytes).unwrap_or(0);
        self.shown.push_str(&String::from_utf8_lossy(&bytes[..n]));
        n > 0
    }

    /// Types a text.
    pub fn send(&mut self, text: &str) {
        self.screen.write_all(text.as_bytes()).expect("the terminal reads");
    }

    pub fn interrupt(&self) {
        let _ = kill_process(Pid::from_child(&self.child), Signal::INT);
    }

    /// Interrupts the process repeatedly until it ends.
    pub fn interrupt_until_it_ends(&mut self) {
        while self.child.try_wait().expect("a child").is_none() {
            self.interrupt();
            std::thread::yield_now();
        }
    }

    /// Reads to the end; returns the exit code.
    pub fn end(&mut self) -> Option<i32> {
        while self.read() {}
        self.child.wait().expect("it ended").code()
    }

    /// The progress lines drawn so far.
    pub fn progress(&self) -> Vec<&str> {
        self.shown
            .split(BEGIN)
            .skip(1)
            .map(|rest| rest.split(END).next().unwrap_or_default())
            .collect()
    }

    /// True when no progress line is left on the screen.
    pub fn is_clear(&self) -> bool {
        self.shown.rfind(END).is_none_or(|at| self.shown[at + END.len()..].starts_with(ERASE))
    }

    /// The lines left on the screen, without progress lines and colours.
    pub fn lines(&self) -> Vec<String> {
        let mut text = String::new();
        let mut rest = self.shown.as_str();
        while let Some(at) = rest.find(BEGIN) {
            text.push_str(&rest[..at]);
            rest = rest[at..].split_once(END).map_or("", |(_, rest)| rest);
        }
        text.push_str(rest);
        let text = text.replace(ERASE, "").replace('\r', "");
        let mut plain = String::new();
        let mut parts = text.split("\x1b[");
        plain.push_str(parts.next().unwrap_or_default());
        parts.for_each(|part| plain.push_str(part.split_once('m').map_or("", |(_, rest)| rest)));
        plain.lines().map(str::to_owned).collect()
    }
}
