//! The clipboard: through a program of the desktop, or else through the terminal (OSC 52), which
//! also works over SSH.

use std::io::Write as _;
use std::process::{Command, Stdio};

use super::pager;
use super::ui::Ui;
use crate::config::Terminal;

/// Programs that read a text from their standard input.
const PROGRAMS: [(&str, &[&str]); 5] = [
    ("wl-copy", &[]),
    ("xclip", &["-selection", "clipboard"]),
    ("xsel", &["--clipboard", "--input"]),
    ("pbcopy", &[]),
    ("clip.exe", &[]),
];

/// Copies `text`; returns how.
pub fn copy(text: &str, terminal: &Terminal, ui: &Ui) -> &'static str {
    let known = PROGRAMS.iter().filter(|_| terminal.has_display);
    let mut installed = known.filter(|(name, _)| pager::found(name, &terminal.path).is_some());
    if installed.any(|(name, args)| given_to(name, args, text).is_some()) {
        return "copied";
    }
    ui.write(&format!("\x1b]52;c;{}\x07", base64(text.as_bytes())));
    "sent to the terminal's clipboard"
}

fn given_to(program: &str, args: &[&str], text: &str) -> Option<()> {
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().ok()?;
    child.stdin.take()?.write_all(text.as_bytes()).ok()?;
    child.wait().ok()?.success().then_some(())
}

/// RFC 4648 with padding.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for group in bytes.chunks(3) {
        let bits = group.iter().fold(0_usize, |bits, byte| bits << 8 | usize::from(*byte));
        let bits = bits << (8 * (3 - group.len()));
        for n in 0..4 {
            let digit = char::from(DIGITS[bits >> (18 - 6 * n) & 63]);
            out.push(if n <= group.len() { digit } else { '=' });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_rfc_4648() {
        let pairs =
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")];
        for (text, encoded) in pairs {
            assert_eq!(base64(text.as_bytes()), encoded);
        }
        assert_eq!(base64("ü?>".as_bytes()), "w7w/Pg==");
    }
}
