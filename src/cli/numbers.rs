//! Numbers, sizes and times as people read them. Pure.

use std::time::Duration;

use indicatif::{HumanBytes, HumanCount, HumanDuration};
use jiff::{SignedDuration, civil};

/// `1536` as `1.50 KiB`.
pub fn size(bytes: u64) -> String {
    HumanBytes(bytes).to_string()
}

/// `1234567` as `1,234,567`.
pub fn count(n: u64) -> String {
    HumanCount(n).to_string()
}

/// An estimated time, in one unit: `12s`, `3m`.
pub fn duration(time: Duration) -> String {
    format!("{:#}", HumanDuration(time))
}

/// `1 file`, `2 files`.
pub fn counted(n: u64, what: &str) -> String {
    let plural = if n == 1 { "" } else { "s" };
    format!("{} {what}{plural}", count(n))
}

/// Unix seconds as `2026-03-01 12:30:05` in UTC, at most the end of the year 9999.
pub fn time(unix_s: i64) -> String {
    let epoch = civil::datetime(1970, 1, 1, 0, 0, 0, 0);
    let time = epoch.saturating_add(SignedDuration::from_secs(unix_s));
    time.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_times_are_formatted_for_people() {
        assert_eq!([size(7), size(1536), size(5 << 30)], ["7 B", "1.50 KiB", "5.00 GiB"]);
        assert_eq!([count(0), count(999), count(1_234_567)], ["0", "999", "1,234,567"]);
        let durations = [0.2, 12.0, 59.5, 200.0, 9000.0].map(Duration::from_secs_f64);
        assert_eq!(durations.map(duration), ["0s", "12s", "60s", "3m", "3h"]);
        assert_eq!([counted(1, "file"), counted(2, "file")], ["1 file", "2 files"]);
        assert_eq!(time(0), "1970-01-01 00:00:00");
        assert_eq!(time(1_709_209_815), "2024-02-29 12:30:15");
        assert_eq!(time(4_102_444_799), "2099-12-31 23:59:59");
        assert_eq!(time(-1), "1969-12-31 23:59:59");
        assert_eq!([253_402_300_799, i64::MAX].map(time), ["9999-12-31 23:59:59"; 2]);
    }
}
