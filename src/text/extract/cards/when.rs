//! Days and times of a calendar, in words: `Wednesday, 4 March 2026, 10:00–11:30 (Europe/Berlin)`.

use jiff::civil::{Date, DateTime};
use jiff::{Span, ToSpan as _};

use super::property::Property;
use crate::strings::StrExt as _;

pub(super) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

const WEEKDAYS: [&str; 7] =
    ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// A day, or a time of a day in a zone.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Moment {
    day: Date,
    /// `None` for a whole day.
    time: Option<DateTime>,
    /// `UTC` or a name such as `Europe/Berlin`; `None` where it is the reader's.
    zone: Option<String>,
}

impl Moment {
    /// The moment that a property states.
    pub(super) fn of(property: &Property) -> Option<Self> {
        Self::parse(&property.raw(), property.parameter("TZID"))
    }

    /// `20260304`, `20260304T100000` or `20260304T090000Z`, also with hyphens and colons.
    pub(super) fn parse(text: &str, zone: Option<&str>) -> Option<Self> {
        let compact = text.trim().replace(['-', ':'], "");
        let (day, time) = match compact.split_once('T') {
            Some((day, time)) => (day, Some(time)),
            None => (compact.as_str(), None),
        };
        let part = |text: &str, from: usize, to: usize| text.get(from..to)?.parse::<i16>().ok();
        if day.len() != 8 {
            return None;
        }
        let (month, n) = (part(day, 4, 6)?, part(day, 6, 8)?);
        let day = Date::new(part(day, 0, 4)?, month as i8, n as i8).ok()?;
        let Some(time) = time else { return Some(Self { day, time: None, zone: None }) };
        let (hour, minute) = (part(time, 0, 2)?, part(time, 2, 4)?);
        if !(0..24).contains(&hour) || !(0..60).contains(&minute) {
            return None;
        }
        let zone = match time.ends_with('Z') {
            true => Some("UTC".to_owned()),
            false => zone.map(zone_name),
        };
        Some(Self { day, time: Some(day.at(hour as i8, minute as i8, 0, 0)), zone })
    }

    pub(super) fn day(&self) -> Date {
        self.day
    }

    /// The moment after a duration.
    fn after(&self, span: Span) -> Option<Self> {
        let time = self.time.map(|time| time.checked_add(span));
        match time {
            Some(time) => {
                let time = time.ok()?;
                Some(Self { day: time.date(), time: Some(time), zone: self.zone.clone() })
            }
            None => Some(Self { day: self.day.checked_add(span).ok()?, ..self.clone() }),
        }
    }

    fn clock(&self) -> Option<String> {
        self.time.map(|time| format!("{:02}:{:02}", time.hour(), time.minute()))
    }

    fn zone_words(&self) -> String {
        self.zone.as_ref().map(|zone| format!(" ({zone})")).unwrap_or_default()
    }

    /// Day and time.
    pub(super) fn words(&self) -> String {
        let clock = self.clock().map(|clock| format!(", {clock}")).unwrap_or_default();
        format!("{}{clock}{}", day_words(self.day), self.zone_words())
    }

    /// From this moment to another, which is not a part of it.
    pub(super) fn words_to(&self, end: &Self) -> String {
        if self.time.is_none() {
            let last = end.day.checked_sub(1.day()).unwrap_or(end.day);
            return match last > self.day {
                true => format!("{} – {}", day_words(self.day), day_words(last)),
                false => self.words(),
            };
        }
        let (Some(from), Some(to)) = (self.clock(), end.clock()) else { return self.words() };
        if end.time <= self.time && end.zone == self.zone {
            return self.words();
        }
        match (self.day == end.day, self.zone == end.zone) {
            (true, true) => format!("{}, {from}–{to}{}", day_words(self.day), self.zone_words()),
            (false, true) => format!(
                "{}, {from} – {}, {to}{}",
                day_words(self.day),
                day_words(end.day),
                self.zone_words()
            ),
            (_, false) => format!("{} – {}", self.words(), end.words()),
        }
    }
}

/// The zone without the prefix and the quotes that some programs write.
fn zone_name(zone: &str) -> String {
    let zone = zone.trim_matches('"').trim_start_matches('/');
    // `/freeassociation.sourceforge.net/Europe/Berlin`.
    let parts: Vec<&str> = zone.split('/').collect();
    let is_host = parts.len() > 2 && parts[0].contains('.');
    if is_host { parts[1..].join("/") } else { zone.one_line() }
}

/// `Wednesday, 4 March 2026`.
pub(super) fn day_words(day: Date) -> String {
    let weekday = WEEKDAYS[day.weekday().to_monday_zero_offset() as usize % 7];
    format!("{weekday}, {}", short_day_words(day))
}

/// `4 March 2026`.
pub(super) fn short_day_words(day: Date) -> String {
    format!("{} {} {}", day.day(), MONTHS[(day.month() as usize + 11) % 12], day.year())
}

/// The name of a weekday of two letters.
pub(super) fn weekday(code: &str) -> Option<&'static str> {
    let code = code.to_ascii_uppercase();
    let known = |name: &&&str| name.slice(..2).eq_ignore_ascii_case(&code);
    WEEKDAYS.iter().find(known).copied()
}

/// When a component takes place.
pub(super) fn duration_end(start: &Moment, duration: &str) -> Option<Moment> {
    start.after(span(duration)?)
}

/// `PT1H30M`, `P1D`, `P2W`.
fn span(text: &str) -> Option<Span> {
    let rest = text.trim().strip_prefix('+').unwrap_or(text.trim()).strip_prefix('P')?;
    let (mut span, mut digits, mut in_time) = (Span::new(), String::new(), false);
    for c in rest.chars() {
        if c.is_ascii_digit() {
            digits.push(c);
            continue;
        }
        if c == 'T' {
            in_time = true;
            continue;
        }
        let n: i64 = std::mem::take(&mut digits).parse().ok()?;
        span = match (c, in_time) {
            ('W', false) => span.try_weeks(n).ok()?,
            ('D', false) => span.try_days(n).ok()?,
            ('H', true) => span.try_hours(n).ok()?,
            ('M', true) => span.try_minutes(n).ok()?,
            ('S', true) => span.try_seconds(n).ok()?,
            _ => return None,
        };
    }
    Some(span)
}
