//! Calendars: events, tasks and journal entries. Zones, alarms and busy times are left out.

use super::super::rendered::{Inline, Rendered};
use super::property::Property;
use super::when::{self, Moment};
use super::{Card, Component, components, recurrence, write_paragraphs};
use crate::strings::StrExt as _;

pub fn parse(source: &str) -> Rendered {
    let mut out = Rendered::default();
    let files = components(source);
    for calendar in &files {
        // A file may be a lone event.
        let parts = match calendar.name.as_str() {
            "VCALENDAR" => &calendar.parts[..],
            _ => std::slice::from_ref(calendar),
        };
        let is_cancelled = calendar
            .property("METHOD")
            .is_some_and(|method| method.raw().trim().eq_ignore_ascii_case("cancel"));
        for part in parts {
            if let Some(kind) = Kind::of(&part.name) {
                Entry { kind, part, is_cancelled }.write(&mut out);
            }
        }
    }
    let name = files.iter().find_map(|calendar| calendar.property("X-WR-CALNAME"));
    out.title = name.map(|name| name.text().text.one_line()).filter(|name| !name.is_empty());
    let parts = files.iter().flat_map(|calendar| &calendar.parts);
    let entries: Vec<&Component> = parts.filter(|part| Kind::of(&part.name).is_some()).collect();
    if let [only] = entries[..] {
        describe(only, &mut out);
    }
    out
}

/// The metadata of a file of one entry, such as an invitation.
fn describe(entry: &Component, out: &mut Rendered) {
    let summary = entry.property("SUMMARY").map(|summary| summary.text().text.one_line());
    out.title = summary.filter(|summary| !summary.is_empty()).or(out.title.take());
    let start = entry.property("DTSTART").or_else(|| entry.property("DUE")).and_then(Moment::of);
    if let Some(start) = start {
        out.metadata("date", &start.day().to_string());
    }
    if let Some(organizer) = entry.property("ORGANIZER") {
        out.metadata("author", &person(organizer));
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Event,
    Task,
    Journal,
}

impl Kind {
    fn of(name: &str) -> Option<Self> {
        Some(match name {
            "VEVENT" => Self::Event,
            "VTODO" => Self::Task,
            "VJOURNAL" => Self::Journal,
            _ => return None,
        })
    }

    fn untitled(self) -> &'static str {
        match self {
            Self::Event => "Event without a title",
            Self::Task => "Task without a title",
            Self::Journal => "Entry without a title",
        }
    }
}

struct Entry<'a> {
    kind: Kind,
    part: &'a Component,
    is_cancelled: bool,
}

impl Entry<'_> {
    fn write(&self, out: &mut Rendered) {
        let part = self.part;
        let Some(first) = part.properties.first() else { return };
        let summary = part.property("SUMMARY").map(Property::text);
        let untitled = || first.stated(self.kind.untitled());
        let title = summary.filter(|text| !text.is_blank()).unwrap_or_else(untitled);
        let mut card = Card::new(&title);
        self.add_times(&mut card);
        for (name, label) in [("LOCATION", "Where"), ("CONFERENCE", "Call"), ("URL", "Address")] {
            for property in part.all(name) {
                card.line(property, label, property.text());
            }
        }
        for organizer in part.all("ORGANIZER") {
            card.line(organizer, "Organizer", organizer.stated(&person(organizer)));
        }
        self.add_attendees(&mut card);
        self.add_state(&mut card);
        for property in part.all("CATEGORIES") {
            card.line(property, "Categories", property.text());
        }
        card.write(out);
        for property in part.all("DESCRIPTION").chain(part.all("COMMENT")) {
            write_paragraphs(property, out);
        }
    }

    fn add_times(&self, card: &mut Card) {
        let part = self.part;
        let label = match self.kind {
            Kind::Event => "When",
            Kind::Task => "Start",
            Kind::Journal => "Date",
        };
        let start = part.property("DTSTART");
        if let Some((property, from)) = start.and_then(|start| Some((start, Moment::of(start)?))) {
            let end = part.property("DTEND").and_then(Moment::of);
            let duration = part.property("DURATION").map(Property::raw);
            let end = end.or_else(|| when::duration_end(&from, &duration?));
            let words = end.map_or_else(|| from.words(), |end| from.words_to(&end));
            card.line(property, label, property.stated(&words));
        }
        for (name, label) in
            [("DUE", "Due"), ("COMPLETED", "Completed"), ("RECURRENCE-ID", "Instead of")]
        {
            for property in part.all(name) {
                if let Some(moment) = Moment::of(property) {
                    card.line(property, label, property.stated(&moment.words()));
                }
            }
        }
        for property in part.all("RRULE") {
            let words = recurrence::words(&property.raw());
            card.line(property, "Repeats", property.stated(&words));
        }
        for (name, label) in [("RDATE", "Also on"), ("EXDATE", "Except on")] {
            for property in part.all(name) {
                let raw = property.raw();
                let days = raw.split(',').filter_map(|text| Moment::parse(text, None));
                let days: Vec<String> = days.map(|day| when::short_day_words(day.day())).collect();
                card.line(property, label, property.stated(&recurrence::list(&days)));
            }
        }
    }

    fn add_attendees(&self, card: &mut Card) {
        let mut attendees = self.part.all("ATTENDEE").peekable();
        let Some(first) = attendees.peek().copied() else { return };
        let mut value = Inline::default();
        for (n, attendee) in attendees.enumerate() {
            let comma = if n == 0 { "" } else { ", " };
            let answer = answer(attendee).map(|word| format!(" ({word})")).unwrap_or_default();
            value.append(attendee.stated(&format!("{comma}{}{answer}", person(attendee))));
        }
        card.line(first, "Attendees", value);
    }

    fn add_state(&self, card: &mut Card) {
        let status = self.part.property("STATUS");
        let words = status.map(|status| status.raw().trim().to_lowercase().replace('-', " "));
        match (status, words) {
            // What takes place needs no word.
            (_, Some(words)) if words == "confirmed" && !self.is_cancelled => {}
            (Some(status), Some(words)) => {
                card.line(status, "Status", status.stated(&words));
            }
            _ if self.is_cancelled => {
                if let Some(first) = self.part.properties.first() {
                    card.line(first, "Status", first.stated("cancelled"));
                }
            }
            _ => {}
        }
        for property in self.part.all("PERCENT-COMPLETE") {
            let words = format!("{} %", property.raw().trim());
            card.line(property, "Done", property.stated(&words));
        }
    }
}

/// `Ada Lovelace <ada@example.org>`.
fn person(property: &Property) -> String {
    let value = property.raw();
    let value = value.trim();
    let address = match value.get(..7) {
        Some(scheme) if scheme.eq_ignore_ascii_case("mailto:") => value.slice(7..),
        _ => value,
    };
    let name = property.parameter("CN").map(str::trim).filter(|name| !name.is_empty());
    match name {
        Some(name) if address.is_empty() || name.eq_ignore_ascii_case(address) => name.to_owned(),
        Some(name) => format!("{name} <{address}>"),
        None => address.to_owned(),
    }
}

/// Whether a person takes part.
fn answer(attendee: &Property) -> Option<&'static str> {
    let answer = attendee.parameter("PARTSTAT")?.to_ascii_uppercase();
    Some(match answer.as_str() {
        "ACCEPTED" => "accepted",
        "DECLINED" => "declined",
        "TENTATIVE" => "tentative",
        "DELEGATED" => "delegated",
        _ => return None,
    })
}
