//! What contradicts a question: words of negation, other years and versions.

use crate::strings::table_lines;

/// Whether a text says or asks that something is not so.
pub(super) fn negates(text: &str) -> bool {
    let lower = text.to_lowercase();
    let mut words = lower.split(|c: char| !c.is_alphanumeric() && c != '\'' && c != '’');
    words.any(|word| {
        let word = word.replace('’', "'");
        word.ends_with("n't") || is_listed(&word)
    })
}

/// Years and versions of `question` that `passage` lacks, while it has others.
pub(super) fn other_numbers(question: &str, passage: &str) -> usize {
    let there: Vec<(Shape, &str)> = numbers(passage).collect();
    let is_other = |(shape, number): &(Shape, &str)| {
        !there.iter().any(|(_, other)| other == number)
            && there.iter().any(|(other, _)| other == shape)
    };
    numbers(question).filter(is_other).count()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    Year,
    Version,
}

/// The years and versions of a text.
fn numbers(text: &str) -> impl Iterator<Item = (Shape, &str)> {
    let words = text.split(|c: char| !c.is_alphanumeric() && c != '.');
    words.filter_map(|word| {
        let word = word.trim_matches('.');
        let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        let is_year = word.len() == 4 && is_digits(word) && word.starts_with(['1', '2']);
        let is_version = word.contains('.') && word.split('.').all(is_digits);
        match (is_year, is_version) {
            (true, _) => Some((Shape::Year, word)),
            (_, true) => Some((Shape::Version, word)),
            _ => None,
        }
    })
}

fn is_listed(word: &str) -> bool {
    table_lines(include_str!("negations.tsv"))
        .filter_map(|row| row.split_once('\t'))
        .any(|(_, words)| words.split(' ').any(|listed| listed == word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn negations_are_words() {
        for text in ["It does not run.", "Don’t run it", "It can't", "Das geht nicht", "Nunca"] {
            assert!(negates(text), "{text}");
        }
        for text in ["A note on nothing", "Knots", "Rien"] {
            assert!(!negates(text), "{text}");
        }
    }

    #[test]
    fn other_years_and_versions_contradict() {
        let check = |question: &str, passage: &str, expected: usize| {
            assert_eq!(other_numbers(question, passage), expected, "{question} {passage}");
        };
        check("Was there a party in 2023?", "In 2024 it was on 14 June.", 1);
        check("Was there a party in 2024?", "In 2024 it was on 14 June, in 2025 on 6 June.", 0);
        check("Was there a party in 2023?", "Yes, in June.", 0);
        check("Does version 2.5 do it?", "Version 2.3 does. Version 2.4 does not.", 1);
        check("Does it take 17 of them?", "It takes 12.", 0);
    }
}
