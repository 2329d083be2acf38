//! Bytes as questions, passages, answers, filters and files.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../drive.rs"]
mod drive;

fuzz_target!(|bytes: &[u8]| {
    let Some((kind, rest)) = bytes.split_first() else { return };
    let text = String::from_utf8_lossy(rest);
    let (first, second) = text.split_once('\0').unwrap_or((&text, ""));
    match kind % 4 {
        0 => drive::ask(first, &second.split('\0').take(4).collect::<Vec<_>>()),
        1 => drive::read(&text),
        2 => drive::filter(first, second),
        _ => drive::extract(drive::NAMES[usize::from(kind / 4) % drive::NAMES.len()], rest),
    }
});
