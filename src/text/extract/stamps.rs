//! Lines that are records: messages of a chat, entries of a log, and keys with their values.

use crate::strings::StrExt as _;

/// Whether a line begins a record: it starts with a time, as in a log or the export of a chat, or
/// it is the name of a sender with a time above the message.
pub(super) fn is_stamped(line: &str) -> bool {
    starts_with_stamp(line) || is_message_head(line)
}

/// A time or a whole date, after at most a few words such as the level or the address of a host.
fn starts_with_stamp(line: &str) -> bool {
    /// `127.0.0.1 - frank [10/Oct/2000:13:55:36 -0700]`.
    const MAX_WORDS_BEFORE: usize = 3;
    if line.starts_with([' ', '\t']) {
        return false;
    }
    if starts_with_level(line) {
        return true;
    }
    let is_access_log = words(line).next().is_some_and(is_address);
    let (mut n_other, mut n_dates) = (0, 0);
    for (nth, word) in words(line).take(7).enumerate() {
        if is_time(word) || is_date_and_time(word) {
            return true;
        }
        if is_date_part(word) {
            n_dates += 1;
            // A line that starts with a whole date is an entry of a journal.
            if nth == 0 && is_date(word) {
                return true;
            }
        } else if n_dates > 0 || n_other == MAX_WORDS_BEFORE || !(is_access_log || is_level(word)) {
            return false;
        } else {
            n_other += 1;
        }
    }
    false
}

/// `Anouk Smit  10:02 AM`, `Anouk, [05.01.26 10:02]`: a name, then nothing but a time.
fn is_message_head(line: &str) -> bool {
    // `Anouk, [05.01.26 10:02]:`
    let line = line.trim_end().strip_suffix("]:").unwrap_or(line);
    if line.len() > 80 || !line.starts_with(char::is_uppercase) {
        return false;
    }
    let (mut n_names, mut has_time) = (0, false);
    for word in words(line) {
        let is_stamp = is_time(word) || is_date_and_time(word);
        if is_stamp {
            has_time = true;
        } else if is_date_part(word)
            || ["at", "am", "pm", "um"].contains(&word.to_lowercase().as_str())
        {
        } else if has_time || n_names == 4 || !word.starts_with(char::is_uppercase) {
            return false;
        } else {
            n_names += 1;
        }
    }
    has_time && n_names > 0 && !line.trim_end().ends_with(['.', '!', '?', ':'])
}

/// The words of a line without brackets and commas around them.
fn words(line: &str) -> impl Iterator<Item = &str> {
    let is_around = |c: char| "[](){}<>,;|•·—–\u{200e}\u{200f}\u{202a}\u{202c}".contains(c);
    line.slice(..end_within(line, 200))
        .split(|c: char| c.is_whitespace() || matches!(c, '[' | ']'))
        .map(move |word| word.trim_matches(is_around).trim_end_matches(':'))
        .filter(|word| !word.is_empty() && *word != "-")
}

fn end_within(line: &str, n_bytes: usize) -> usize {
    let mut end = line.len().min(n_bytes);
    while !line.is_char_boundary(end) {
        end -= 1;
    }
    end
}

/// `ERROR: …`, `[WARN] …`.
fn starts_with_level(line: &str) -> bool {
    let rest = line.trim_start_matches('[');
    let end = rest.find(|c: char| !c.is_ascii_uppercase()).unwrap_or(rest.len());
    is_level(rest.slice(..end)) && rest.slice(end..).starts_with([':', ']', ' ', '\t'])
}

fn is_level(word: &str) -> bool {
    const LEVELS: &str =
        "trace debug info notice warn warning error err fatal critical crit severe";
    let lower = word.to_ascii_lowercase();
    LEVELS.split(' ').any(|level| level == lower)
}

/// The address of a host, in numbers.
fn is_address(word: &str) -> bool {
    let is_v4 =
        word.split('.').count() == 4 && word.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let is_v6 =
        word.matches(':').count() > 2 && word.bytes().all(|b| b.is_ascii_hexdigit() || b == b':');
    is_v4 || is_v6
}

/// `9:30`, `10:00:12`, `10:00:12,345Z`, `10:00am`, `10:00:12+02:00`.
fn is_time(word: &str) -> bool {
    let word = word.strip_prefix(['T', 't']).unwrap_or(word);
    let mut parts = word.splitn(3, ':');
    let (Some(hour), Some(minute)) = (parts.next(), parts.next()) else { return false };
    let n_digits = minute.bytes().take_while(u8::is_ascii_digit).count();
    (1..=2).contains(&hour.len())
        && hour.bytes().all(|b| b.is_ascii_digit())
        && hour.parse::<u8>().is_ok_and(|hour| hour < 25)
        && n_digits == 2
        && minute.starts_with(['0', '1', '2', '3', '4', '5'])
        && is_time_end(minute.slice(n_digits..))
        && parts.next().is_none_or(|second| {
            let n_digits = second.bytes().take_while(u8::is_ascii_digit).count();
            n_digits == 2 && is_time_end(second.slice(n_digits..))
        })
}

/// A fraction, a zone, or the half of a day.
fn is_time_end(rest: &str) -> bool {
    let rest = match rest.strip_prefix(['.', ',']) {
        Some(fraction) => fraction.trim_start_matches(|c: char| c.is_ascii_digit()),
        None => rest,
    };
    let lower = rest.to_ascii_lowercase();
    matches!(lower.as_str(), "" | "z" | "am" | "pm" | "a.m" | "p.m")
        || (rest.starts_with(['+', '-'])
            && rest.len() <= 6
            && rest.bytes().skip(1).all(|b| b.is_ascii_digit() || b == b':'))
}

/// `2024-05-01T12:00:00Z`, `10/Oct/2000:13:55:36`, `2024-05-01_12:00`.
fn is_date_and_time(word: &str) -> bool {
    let split = |at: usize| is_date(word.slice(..at)) && is_time(word.slice(at + 1..));
    word.char_indices()
        .filter(|(at, c)| *at >= 6 && matches!(c, 'T' | 't' | ':' | '_'))
        .take(2)
        .any(|(at, _)| split(at))
}

/// `2024-05-01`, `05.01.26`, `1/5/2026`, `10/Oct/2000`.
fn is_date(word: &str) -> bool {
    let parts: Vec<&str> = word.splitn(4, ['-', '.', '/']).collect();
    let [first, month, last] = parts.as_slice() else { return false };
    let is_number = |part: &str, max: usize| {
        !part.is_empty() && part.len() <= max && part.bytes().all(|b| b.is_ascii_digit())
    };
    let is_year_first = first.len() == 4 && is_number(last, 2);
    let is_year_last = is_number(first, 2) && (last.len() == 4 || last.len() == 2);
    is_number(first, 4)
        && is_number(last, 4)
        && (is_number(month, 2) || is_month(month))
        && (is_year_first || is_year_last)
}

/// A date, or a month, a day of the week, a day of the month or a year of a date in words.
fn is_date_part(word: &str) -> bool {
    let digits = word.trim_end_matches('.');
    let is_day = (1..=2).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    let is_year = digits.len() == 4
        && (digits.starts_with("19") || digits.starts_with("20"))
        && digits.bytes().all(|b| b.is_ascii_digit());
    is_day || is_year || is_month(word) || is_weekday(word) || is_date(word)
}

fn is_month(word: &str) -> bool {
    const MONTHS: &str = "jan feb mar apr may jun jul aug sep oct nov dec january february march \
         april june july august september october november december";
    let lower = word.to_ascii_lowercase();
    MONTHS.split(' ').any(|month| month == lower)
}

fn is_weekday(word: &str) -> bool {
    const DAYS: &str = "mon tue wed thu fri sat sun monday tuesday wednesday thursday friday \
         saturday \
         sunday";
    let lower = word.to_ascii_lowercase();
    DAYS.split(' ').any(|day| day == lower)
}

/// The label of `Label: text`, the name of `<name> text`; `None` when a line has neither.
pub(super) fn label(line: &str) -> Option<&str> {
    /// Longer ones are clauses.
    const MAX_CHARS: usize = 40;
    const MAX_WORDS: usize = 4;
    if let Some((name, rest)) = line.strip_prefix('<').and_then(|rest| rest.split_once("> ")) {
        let is_name = !name.is_empty() && name.len() <= 30 && !name.contains([' ', '/', '=']);
        return (is_name && !rest.trim().is_empty()).then_some(name);
    }
    let at = line.find(": ").or_else(|| line.find(":\t")).or_else(|| line.find('：'))?;
    let (label, rest) = line.parted(at);
    let text = rest.trim_start_matches([':', '：']);
    let is_label = label.starts_with(char::is_alphanumeric)
        && label.chars().count() <= MAX_CHARS
        && label.split_whitespace().count() <= MAX_WORDS
        && !label.contains(['.', ',', ';', '!', '?', '"', '“', '=', '{', '`']);
    (is_label && !text.trim().is_empty()).then_some(label)
}
