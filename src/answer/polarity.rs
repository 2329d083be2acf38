//! Words of negation.

/// Whether a text says or asks that something is not so.
pub(super) fn negates(text: &str) -> bool {
    let lower = text.to_lowercase();
    let mut words = lower.split(|c: char| !c.is_alphanumeric() && c != '\'' && c != '’');
    words.any(|word| {
        let word = word.replace('’', "'");
        word.ends_with("n't") || is_listed(&word)
    })
}

fn is_listed(word: &str) -> bool {
    let rows = include_str!("negations.tsv").lines().filter(|line| !line.starts_with('#'));
    rows.filter_map(|row| row.split_once('\t'))
        .any(|(_, words)| words.split(' ').any(|listed| listed == word))
}
