//! Contacts: what a card states about a person or an organization. Pictures and keys are left out.

use super::super::rendered::{Inline, Rendered};
use super::property::Property;
use super::when::{MONTHS, Moment, short_day_words};
use super::{Card, Component, components, write_paragraphs};
use crate::strings::StrExt as _;

/// Properties, and what people call them.
const LABELS: [(&str, &str); 13] = [
    ("NICKNAME", "Nickname"),
    ("ORG", "Organization"),
    ("TITLE", "Position"),
    ("ROLE", "Role"),
    ("TEL", "Phone"),
    ("EMAIL", "Email"),
    ("ADR", "Address"),
    ("URL", "Web"),
    ("IMPP", "Messages"),
    ("BDAY", "Birthday"),
    ("ANNIVERSARY", "Anniversary"),
    ("RELATED", "Related"),
    ("CATEGORIES", "Categories"),
];

pub fn parse(source: &str) -> Rendered {
    let mut out = Rendered::default();
    for card in components(source).iter().filter(|card| card.name == "VCARD") {
        write(card, &mut out);
    }
    out
}

fn write(card: &Component, out: &mut Rendered) {
    let Some(first) = card.properties.first() else { return };
    let full = card.property("FN").map(Property::text).filter(|name| !name.is_blank());
    let name = full.or_else(|| card.property("N").map(name_of)).filter(|name| !name.is_blank());
    let organization = || card.property("ORG").map(|organization| joined(organization, ", "));
    let unnamed = || first.stated("Contact without a name");
    let mut entry = Card::new(&name.or_else(organization).unwrap_or_else(unnamed));
    for (name, label) in LABELS {
        for property in card.all(name).filter(|property| !property.is_data()) {
            let label = match kinds(card, property) {
                kinds if kinds.is_empty() => label.to_owned(),
                kinds => format!("{label} ({kinds})"),
            };
            entry.line(property, &label, value(property));
        }
    }
    entry.write(out);
    for note in card.all("NOTE") {
        write_paragraphs(note, out);
    }
}

fn value(property: &Property) -> Inline {
    match property.name.as_str() {
        "ORG" | "ADR" => joined(property, ", "),
        "BDAY" | "ANNIVERSARY" => match day(&property.raw()) {
            Some(day) => property.stated(&day),
            None => property.text(),
        },
        "TEL" | "IMPP" | "RELATED" => without_scheme(property),
        _ => property.text(),
    }
}

/// `tel:+49-30-1234` without the scheme, which is no part of the number.
fn without_scheme(property: &Property) -> Inline {
    let raw = property.raw();
    match raw.trim().strip_prefix("tel:") {
        Some(number) => property.stated(number),
        None => property.text(),
    }
}

/// Given name first, as people write it; the value has the family name first.
fn name_of(property: &Property) -> Inline {
    let mut parts = property.list(';').into_iter();
    let family = parts.next().unwrap_or_default();
    let (given, additional) = (parts.next(), parts.next());
    let (prefix, suffix) = (parts.next(), parts.next());
    let order = [prefix, given, additional, Some(family), suffix];
    join(property, order.into_iter().flatten(), " ")
}

fn joined(property: &Property, separator: &str) -> Inline {
    join(property, property.list(';').into_iter(), separator)
}

fn join(property: &Property, parts: impl Iterator<Item = Inline>, separator: &str) -> Inline {
    let mut out = Inline::default();
    for part in parts.filter(|part| !part.is_blank()) {
        if !out.is_blank() {
            out.append(property.between(separator));
        }
        out.append(part);
    }
    out
}

/// `work, mobile`; or the label that the card gives.
fn kinds(card: &Component, property: &Property) -> String {
    const WITHOUT_MEANING: [&str; 6] = ["voice", "internet", "pref", "x400", "msg", "uri"];
    let label = property.group.as_ref().and_then(|group| {
        let mut labels = card.all("X-ABLABEL");
        labels.find(|label| label.group.as_ref() == Some(group))
    });
    if let Some(label) = label {
        // Apple's own labels are `_$!<HomePage>!$_`.
        let label = label.text().text;
        return label.trim_start_matches("_$!<").trim_end_matches(">!$_").one_line().to_lowercase();
    }
    let mut kinds: Vec<String> = Vec::new();
    for kind in property.values("TYPE").map(str::to_lowercase) {
        let kind = if kind == "cell" { "mobile".to_owned() } else { kind };
        if !kind.is_empty() && !WITHOUT_MEANING.contains(&kind.as_str()) && !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    kinds.join(", ")
}

/// A day, perhaps without its year: `19850412`, `1985-04-12`, `--0412`.
fn day(text: &str) -> Option<String> {
    let text = text.trim();
    if let Some(rest) = text.strip_prefix("--") {
        let digits = rest.replace('-', "");
        let month: usize = digits.get(..2)?.parse().ok()?;
        let day: u8 = digits.get(2..4)?.parse().ok()?;
        return Some(format!("{day} {}", MONTHS.get(month.checked_sub(1)?)?));
    }
    Moment::parse(text, None).map(|moment| short_day_words(moment.day()))
}
