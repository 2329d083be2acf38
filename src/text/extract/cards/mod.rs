//! Calendars (`.ics`) and contacts (`.vcf`): each event, task and person is a record, in the words
//! of the program that shows them. A long text that belongs to it follows in paragraphs.

mod calendar;
mod contact;
mod property;
mod recurrence;
mod when;

pub(super) use calendar::parse as calendar;
pub(super) use contact::parse as contacts;

use super::doc::BlockKind;
use super::rendered::{Inline, Rendered};
use property::Property;

/// The record of an entry: its title, and a line `Label: value` for each property.
struct Card(Inline);

impl Card {
    fn new(title: &Inline) -> Self {
        Self(title.squeezed())
    }

    /// Adds a line, unless the value is empty.
    fn line(&mut self, property: &Property, label: &str, value: Inline) {
        if !value.is_blank() {
            self.0.append(property.between("\n"));
            self.0.append(property.labelled(label, value).squeezed());
        }
    }

    fn write(self, out: &mut Rendered) {
        out.block(BlockKind::Record, self.0);
    }
}

/// The text of a property in paragraphs.
fn write_paragraphs(property: &Property, out: &mut Rendered) {
    for paragraph in property.text().paragraphs() {
        out.block(BlockKind::Paragraph, paragraph);
    }
}

/// The parts between `BEGIN:NAME` and `END:NAME`, nested.
#[derive(Default)]
struct Component {
    name: String,
    properties: Vec<Property>,
    parts: Vec<Component>,
}

impl Component {
    fn property(&self, name: &str) -> Option<&Property> {
        self.properties.iter().find(|property| property.name == name)
    }

    fn all<'a>(&'a self, name: &'static str) -> impl Iterator<Item = &'a Property> {
        self.properties.iter().filter(move |property| property.name == name)
    }
}

/// The outermost components of a file. What is not closed ends with the file.
fn components(source: &str) -> Vec<Component> {
    /// An alarm in an event in a calendar; deeper ones stay in the last.
    const MAX_DEPTH: usize = 8;
    let mut open = vec![Component::default()];
    let close = |open: &mut Vec<Component>| {
        if let (Some(part), Some(outer)) = (open.pop(), open.last_mut()) {
            outer.parts.push(part);
        }
    };
    for property in property::properties(source) {
        match property.name.as_str() {
            "BEGIN" if open.len() <= MAX_DEPTH => open.push(Component {
                name: property.raw().trim().to_ascii_uppercase(),
                ..Component::default()
            }),
            "END" if open.len() > 1 => close(&mut open),
            "BEGIN" | "END" => {}
            _ => {
                if let Some(part) = open.last_mut() {
                    part.properties.push(property);
                }
            }
        }
    }
    while open.len() > 1 {
        close(&mut open);
    }
    open.pop().map(|file| file.parts).unwrap_or_default()
}

#[cfg(test)]
mod tests;
