//! Titles of documents as keys, and the titles that a question may contain.

use std::ops::Range;

use super::words::{self, TokenKind};

/// Words of a title that is looked up.
const WORDS: std::ops::RangeInclusive<usize> = 2..=12;

/// Words of a question among which titles are looked for. A longer one is a pasted text.
const MOST_WORDS: usize = 64;

/// A question with more words beside a title, stop words aside, is about more than its document: 29
/// of the 76 long questions of CISI contain the title of an abstract, such as *information
/// retrieval*, of which 6 are relevant. When these came first, nDCG@10 was 0.043 lower.
const MOST_BESIDE: usize = 2;

/// What separates the parts of a title: a number from a name, a title from what it belongs to.
const SEPARATORS: [&str; 6] = [" – ", " — ", " - ", " | ", ": ", " · "];

/// A title that a question may contain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Titled {
    pub key: String,
    /// Its words among those of the question.
    pub words: Range<usize>,
}

/// The keys of a title: of all of it and of its parts, each with at least two words.
#[must_use]
pub fn title_keys(title: &str) -> Vec<String> {
    let mut parts = vec![title];
    for separator in SEPARATORS {
        let has_several = |part: &&&str| part.contains(separator);
        let more: Vec<&str> =
            parts.iter().filter(has_several).flat_map(|part| part.split(separator)).collect();
        parts.extend(more);
    }
    let mut keys: Vec<String> = parts
        .into_iter()
        .map(words_of)
        .filter(|words| WORDS.contains(&words.len()))
        .map(|words| words.join(" "))
        .collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// The keys of the titles that a question may contain, longer ones first, if it is little more. A
/// title without two words that are no stop words is a phrase like any other (*how to*).
pub(super) fn titles_in(question: &str, is_stop: impl Fn(&str) -> bool) -> Vec<Titled> {
    let mut words = words_of(question);
    words.truncate(MOST_WORDS);
    let tells = |word: &String| word.chars().any(char::is_alphabetic) && !is_stop(word);
    let tells: Vec<bool> = words.iter().map(tells).collect();
    let telling = |words: &[bool]| words.iter().filter(|tells| **tells).count();
    let all = telling(&tells);
    let mut found = Vec::new();
    for n in WORDS.rev() {
        for first in 0..(words.len() + 1).saturating_sub(n) {
            let range = first..first + n;
            let within = telling(&tells[range.clone()]);
            if within > 1 && all - within <= MOST_BESIDE {
                found.push(Titled { key: words[range.clone()].join(" "), words: range });
            }
        }
    }
    found
}

/// The words of a text in lower case, without accents. Compounds are taken apart.
fn words_of(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    words::scan(text, &mut |token| {
        if matches!(token.kind, TokenKind::Word | TokenKind::Part { .. }) {
            found.push(token.text.to_owned());
        }
    });
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_has_keys_of_its_parts() {
        let keys = |title| title_keys(title).join(" / ");
        assert_eq!(
            keys("PEP 572 – Assignment Expressions"),
            "assignment expressions / pep 572 / pep 572 assignment expressions"
        );
        assert_eq!(keys("Café-Menu"), "cafe menu");
        assert_eq!(keys("Introduction"), "");
        assert_eq!(keys("发动机"), "");
    }

    #[test]
    fn a_question_contains_titles() {
        let found = |question| -> Vec<String> {
            let is_stop = |word: &str| ["what", "is", "an", "how", "to"].contains(&word);
            titles_in(question, is_stop).into_iter().map(|titled| titled.key).collect()
        };
        let keys = found("What is an assignment expression?");
        assert_eq!(keys.first().map(String::as_str), Some("what is an assignment expression"));
        assert!(keys.contains(&"assignment expression".to_owned()), "{keys:?}");
        assert!(!keys.contains(&"an assignment".to_owned()), "{keys:?}");
        assert!(found("how to 5 10").is_empty());
        let keys = found("What is the role of information retrieval in large public libraries?");
        assert!(!keys.contains(&"information retrieval".to_owned()), "{keys:?}");
        assert!(found("").is_empty());
    }
}
