//! The day that a text states, in the forms that people and programs write.

/// A day as documents state it. A part that is not stated is 0, so a year comes before its days.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day {
    pub year: u16,
    pub month: u8,
    pub day: u8,
}

/// Beginnings of the names of months in English, German, French and Spanish.
const MONTHS: [(&str, u8); 28] = [
    ("jan", 1),
    ("ene", 1),
    ("feb", 2),
    ("fév", 2),
    ("fev", 2),
    ("mar", 3),
    ("mär", 3),
    ("mrz", 3),
    ("apr", 4),
    ("avr", 4),
    ("abr", 4),
    ("may", 5),
    ("mai", 5),
    ("juin", 6),
    ("jun", 6),
    ("juil", 7),
    ("jul", 7),
    ("aug", 8),
    ("aoû", 8),
    ("ago", 8),
    ("sep", 9),
    ("oct", 10),
    ("okt", 10),
    ("nov", 11),
    ("dec", 12),
    ("dez", 12),
    ("déc", 12),
    ("dic", 12),
];

/// The first day that a text states: `2024-05-04`, `4.5.2024`, `4 May 2024`, `May 4th, 2024`,
/// `12-Sep-2020`, `May 2024` or `2024`. Of `4/5/2024`, which has two readings, only the year.
#[must_use]
pub fn stated(text: &str) -> Option<Day> {
    let parts = parts(text);
    let number = |at: usize| parts.get(at)?.1.parse::<u16>().ok();
    let is_sign = |at: usize, sign: &str| parts.get(at).is_some_and(|part| part.0.trim() == sign);
    let part = |at: usize, most: u16| number(at).filter(|n| (1..=most).contains(n));
    let day_of = |at: usize| part(at, 31).unwrap_or(0) as u8;
    let mut only_year = None;
    for at in 0..parts.len() {
        if let Some(month) = month(parts[at].1) {
            let before = at.checked_sub(1).map_or(0, day_of);
            let found = (at + 1..at + 4).find_map(|at| Some((at, year(parts.get(at)?.1)?)));
            let Some((year_at, year)) = found else { continue };
            let day = if before == 0 && year_at > at + 1 { day_of(at + 1) } else { before };
            return Some(Day { year, month, day });
        }
        let Some(year) = year(parts[at].1) else { continue };
        let day_first = at >= 2 && is_sign(at, ".") && is_sign(at - 1, ".");
        if let (true, Some(month)) = (day_first, at.checked_sub(1).and_then(|at| part(at, 12))) {
            return Some(Day { year, month: month as u8, day: day_of(at - 2) });
        }
        if is_sign(at + 1, "-")
            && let Some(month) = part(at + 1, 12)
        {
            let day = if is_sign(at + 2, "-") { day_of(at + 2) } else { 0 };
            return Some(Day { year, month: month as u8, day });
        }
        only_year = only_year.or(Some(Day { year, month: 0, day: 0 }));
    }
    only_year
}

/// The runs of digits and the runs of letters of a text, each with what is before it. The ends of
/// ordinal numbers are left out.
fn parts(text: &str) -> Vec<(&str, &str)> {
    let kind = |c: char| match c {
        '0'..='9' => 1,
        c if c.is_alphabetic() => 2,
        _ => 0,
    };
    let mut parts = Vec::new();
    let (mut gap, mut rest) = ("", text);
    while let Some(first) = rest.chars().next() {
        let end = rest.find(|c| kind(c) != kind(first)).unwrap_or(rest.len());
        let Some((run, after)) = rest.split_at_checked(end) else { break };
        if kind(first) == 0 {
            gap = run;
        } else {
            let is_end = gap.is_empty() && matches!(run, "st" | "nd" | "rd" | "th");
            if !is_end {
                parts.push((gap, run));
            }
            gap = "";
        }
        rest = after;
    }
    parts.retain(|(_, run)| !matches!(*run, "of" | "de"));
    parts
}

fn year(text: &str) -> Option<u16> {
    let is_year = text.len() == 4 && (text.starts_with(['1', '2']));
    text.parse().ok().filter(|_| is_year)
}

fn month(text: &str) -> Option<u8> {
    let name = text.to_lowercase();
    MONTHS.iter().find(|(start, _)| name.starts_with(start)).map(|(_, month)| *month)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_found_in_the_forms_that_people_write() {
        let check = |text: &str, expected: Option<(u16, u8, u8)>| {
            let found = stated(text).map(|Day { year, month, day }| (year, month, day));
            assert_eq!(found, expected, "{text}");
        };
        check("2024-03-04T10:00:00Z", Some((2024, 3, 4)));
        check("12-Sep-2020", Some((2020, 9, 12)));
        check("Mon, 4 Mar 2024 10:00:00 +0000", Some((2024, 3, 4)));
        check("May 4th, 2024", Some((2024, 5, 4)));
        check("le 3 août 2021", Some((2021, 8, 3)));
        check("3 de octubre de 2021", Some((2021, 10, 3)));
        check("4. Dezember 2023", Some((2023, 12, 4)));
        check("04.05.2024", Some((2024, 5, 4)));
        check("March 2024", Some((2024, 3, 0)));
        check("2024-05", Some((2024, 5, 0)));
        check("(c) 2019", Some((2019, 0, 0)));
        check("4/5/2024", Some((2024, 0, 0)));
        check("version 3.12 of 10 files", None);
        check("may 12 people", None);
        check("", None);
        assert!(stated("2023-12-31") < stated("Jan 2024"));
    }
}
