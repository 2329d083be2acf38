//! Rules of recurrence in words: `every 2 weeks on Tuesday and Thursday, until 30 June 2026`.

use super::when::{MONTHS, Moment, short_day_words, weekday};
use crate::strings::StrExt as _;

/// The words of a rule; a rule that has parts without words is shown as it is written.
pub(super) fn words(rule: &str) -> String {
    in_words(rule).unwrap_or_else(|| format!("by the rule {}", rule.trim()))
}

fn in_words(rule: &str) -> Option<String> {
    let mut unit = None;
    let (mut interval, mut days, mut limit) = (1_u32, Vec::new(), String::new());
    let (mut month_days, mut months) = (Vec::new(), Vec::new());
    for part in rule.trim().split(';').filter(|part| !part.is_empty()) {
        let (name, value) = part.split_once('=')?;
        match name.to_ascii_uppercase().as_str() {
            "FREQ" => unit = Some(unit_of(value)?),
            "INTERVAL" => interval = value.parse().ok()?,
            "BYDAY" => days = value.split(',').map(day).collect::<Option<_>>()?,
            "BYMONTHDAY" => month_days = value.split(',').map(month_day).collect::<Option<_>>()?,
            "BYMONTH" => months = value.split(',').map(month).collect::<Option<Vec<_>>>()?,
            "COUNT" => limit = times(value)?,
            "UNTIL" => {
                let last = Moment::parse(value, None)?;
                limit = format!(", until {}", short_day_words(last.day()));
            }
            "WKST" => {}
            _ => return None,
        }
    }
    let unit = unit?;
    let mut words = match interval {
        0 => return None,
        1 => format!("every {unit}"),
        n => format!("every {n} {unit}s"),
    };
    if days.iter().map(String::as_str).eq(WORKDAYS) {
        days = vec!["workdays".to_owned()];
    }
    // The day of the month that a weekday narrows, such as Friday the 13th, needs a rule.
    match (days.is_empty(), month_days.is_empty()) {
        (true, true) => {}
        (false, true) => words.push_str(&format!(" on {}", list(&days))),
        (true, false) => words.push_str(&format!(" on {}", list(&month_days))),
        (false, false) => return None,
    }
    if !months.is_empty() {
        let preposition = if month_days.is_empty() { "in" } else { "of" };
        words.push_str(&format!(" {preposition} {}", list(&months)));
    }
    Some(words + &limit)
}

const WORKDAYS: [&str; 5] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday"];

fn unit_of(frequency: &str) -> Option<&'static str> {
    Some(match frequency.to_ascii_uppercase().as_str() {
        "DAILY" => "day",
        "WEEKLY" => "week",
        "MONTHLY" => "month",
        "YEARLY" => "year",
        "HOURLY" => "hour",
        _ => return None,
    })
}

fn times(count: &str) -> Option<String> {
    Some(match count.parse::<u32>().ok()? {
        1 => ", once".to_owned(),
        n => format!(", {n} times"),
    })
}

/// `TU`, or `2TU`, the second Tuesday, or `-1FR`, the last Friday.
fn day(text: &str) -> Option<String> {
    let at = text.len().checked_sub(2).filter(|at| text.is_char_boundary(*at))?;
    let (nth, code) = (text.slice(..at), text.slice(at..));
    let name = weekday(code)?;
    if nth.is_empty() {
        return Some(name.to_owned());
    }
    Some(format!("the {} {name}", ordinal_or_last(nth.parse().ok()?)?))
}

fn month_day(text: &str) -> Option<String> {
    match text.parse::<i32>().ok()? {
        -1 => Some("the last day".to_owned()),
        n @ 1.. => Some(format!("the {}", ordinal_or_last(n)?)),
        _ => None,
    }
}

fn month(text: &str) -> Option<String> {
    let n = text.parse::<usize>().ok()?;
    Some((*MONTHS.get(n.checked_sub(1)?)?).to_owned())
}

fn ordinal_or_last(n: i32) -> Option<String> {
    let ending = |n: i32| match (n % 10, n % 100) {
        (1, tens) if tens != 11 => "st",
        (2, tens) if tens != 12 => "nd",
        (3, tens) if tens != 13 => "rd",
        _ => "th",
    };
    match n {
        -1 => Some("last".to_owned()),
        ..=0 => None,
        n => Some(format!("{n}{}", ending(n))),
    }
}

/// `a`, `a and b`, `a, b and c`.
pub(super) fn list(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}
