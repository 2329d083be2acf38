//! Names of months and days in the languages that number formats name, such as `[$-407]`.

use std::sync::LazyLock;

use crate::strings::table_lines;

/// The twelve months and the seven days from Monday on.
pub(super) struct Names {
    /// The low ten bits of a locale identifier.
    language: u32,
    pub(super) months: Vec<&'static str>,
    pub(super) days: Vec<&'static str>,
}

/// English is the first.
static NAMES: LazyLock<Vec<Names>> = LazyLock::new(|| {
    let row = |line: &'static str| {
        let mut columns = line.split('\t');
        let language = u32::from_str_radix(columns.next()?, 16).ok()?;
        let mut names = || columns.next().map(|names| names.split(' ').collect());
        Some(Names { language, months: names()?, days: names()? })
    };
    table_lines(include_str!("date_names.tsv")).filter_map(row).collect()
});

/// The names in the language of a locale identifier; English for a language without a row.
pub(super) fn names(locale: u32) -> &'static Names {
    let is_named = |names: &&Names| names.language == locale & 0x3FF;
    NAMES.iter().find(is_named).unwrap_or(&NAMES[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_language_has_all_names() {
        for names in &*NAMES {
            assert_eq!((names.months.len(), names.days.len()), (12, 7), "{:x}", names.language);
        }
        assert_eq!(names(0x407).days[6], "Sonntag");
        assert_eq!(names(0).months[0], "January");
    }
}
