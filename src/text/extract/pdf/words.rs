//! Whether a hyphen at the end of a line belongs to the word: the other words of the document show
//! it, and where they do not, the parts of the word.

use std::collections::HashSet;

use super::layout::TextLine;

/// How two lines are joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Joint {
    Space,
    /// Without a space, such as `price-` and `determining`.
    Tight,
    /// Without the hyphen, such as `com-` and `mittee`.
    Dehyphenated,
}

/// The words of a document that are whole on one line, in lower case.
#[derive(Debug, Default)]
pub(super) struct Words {
    words: HashSet<String>,
    /// Such as `well-known`.
    compounds: HashSet<String>,
    /// As written, to tell the noun of a language with capital nouns from a part of a compound.
    exact: HashSet<String>,
}

/// More words than any language needs; the rest are numbers and noise.
const MAX_WORDS: usize = 500_000;

/// First parts of English compounds that a hyphenation rarely leaves at the end of a line.
const FIRST_PARTS: &[&str] = &[
    "all",
    "anglo",
    "blood",
    "book",
    "bottom",
    "case",
    "client",
    "cloud",
    "coarse",
    "computer",
    "context",
    "cost",
    "cross",
    "customer",
    "data",
    "deep",
    "decision",
    "domain",
    "double",
    "early",
    "easy",
    "eight",
    "energy",
    "error",
    "event",
    "face",
    "fast",
    "fault",
    "fee",
    "few",
    "first",
    "five",
    "fixed",
    "four",
    "full",
    "general",
    "good",
    "half",
    "hand",
    "hard",
    "heat",
    "heavy",
    "high",
    "highest",
    "home",
    "host",
    "human",
    "ill",
    "kernel",
    "key",
    "large",
    "last",
    "late",
    "left",
    "life",
    "light",
    "load",
    "long",
    "longer",
    "low",
    "lower",
    "lowest",
    "machine",
    "main",
    "market",
    "memory",
    "middle",
    "model",
    "multi",
    "name",
    "new",
    "newly",
    "nine",
    "non",
    "object",
    "oil",
    "old",
    "one",
    "open",
    "peer",
    "performance",
    "point",
    "post",
    "power",
    "price",
    "problem",
    "process",
    "profit",
    "quality",
    "quasi",
    "question",
    "quick",
    "rate",
    "ready",
    "real",
    "right",
    "risk",
    "role",
    "round",
    "rule",
    "safety",
    "second",
    "self",
    "semi",
    "server",
    "seven",
    "short",
    "side",
    "single",
    "six",
    "slow",
    "small",
    "so",
    "soft",
    "space",
    "speed",
    "state",
    "still",
    "strong",
    "system",
    "task",
    "tax",
    "ten",
    "test",
    "text",
    "third",
    "thread",
    "three",
    "time",
    "top",
    "trade",
    "twenty",
    "two",
    "type",
    "ultra",
    "use",
    "user",
    "vice",
    "water",
    "web",
    "weight",
    "well",
    "wide",
    "wind",
    "word",
    "work",
    "world",
    "year",
    "zero",
];

/// Second parts of compounds that are not the end of a longer word.
const LAST_PARTS: &[&str] = &[
    "aware",
    "based",
    "bearing",
    "bound",
    "century",
    "dependent",
    "determining",
    "driven",
    "efficient",
    "friendly",
    "independent",
    "intensive",
    "known",
    "level",
    "made",
    "making",
    "neutral",
    "oriented",
    "paid",
    "proof",
    "quality",
    "related",
    "resistant",
    "saving",
    "shaped",
    "sized",
    "specific",
    "speed",
    "threaded",
    "time",
    "tuned",
    "wise",
];

/// After these a hyphen stands for a part that comes later: `freight- and shipping costs`.
const CONJUNCTIONS: &[&str] = &[
    "and", "or", "nor", "to", "und", "oder", "bzw", "sowie", "bis", "et", "ou", "y", "o", "e",
    "en", "of", "og", "och", "eller",
];

/// Words inside compounds, such as `state-of-the-art`.
const INNER_PARTS: &[&str] =
    &["of", "the", "to", "in", "by", "and", "at", "on", "for", "up", "off"];

/// What follows a first part in a word without a hyphen, such as `working`.
const SUFFIXES: &[&str] = &[
    "able", "age", "ally", "ance", "ation", "book", "dom", "ed", "ence", "er", "ers", "est", "ful",
    "fully", "hood", "ible", "ier", "ing", "ings", "ion", "ions", "ish", "ism", "ist", "ists",
    "ity", "ive", "less", "ling", "ly", "ment", "ments", "ness", "or", "ors", "ous", "ship",
    "ships", "some", "ster", "table", "tion", "tions", "ward", "wards", "ware", "way", "ways",
    "wide", "wise", "work", "works",
];

fn is_hyphen(c: char) -> bool {
    matches!(c, '-' | '\u{2010}' | '\u{2011}' | '\u{AD}')
}

impl Words {
    pub(super) fn of(pages: &[Vec<TextLine>]) -> Self {
        let mut words = Self::default();
        for lines in pages {
            let mut is_broken = false;
            for line in lines {
                let ends_broken = line.text.ends_with(is_hyphen);
                let n = line.text.split_whitespace().count();
                for (i, token) in line.text.split_whitespace().enumerate() {
                    let is_part = (i == 0 && is_broken) || (i + 1 == n && ends_broken);
                    if !is_part {
                        words.add(token);
                    }
                }
                is_broken = ends_broken;
            }
        }
        words
    }

    fn add(&mut self, token: &str) {
        let word = token.trim_matches(|c: char| !c.is_alphanumeric());
        if word.chars().nth(1).is_none() || self.words.len() >= MAX_WORDS {
            return;
        }
        if word.chars().all(char::is_alphabetic) {
            self.words.insert(word.to_lowercase());
            self.exact.insert(word.to_owned());
        } else if word.contains(is_hyphen) && self.compounds.len() < MAX_WORDS {
            self.compounds.insert(word.replace(is_hyphen, "-").to_lowercase());
        }
    }

    fn has(&self, word: &str) -> bool {
        let singular = word.strip_suffix('s').unwrap_or(word);
        self.words.contains(word)
            || self.words.contains(singular)
            || self.words.contains(&format!("{word}s"))
    }

    /// How a line continues the text before it.
    pub(super) fn joint(&self, text: &str, line: &str) -> Joint {
        let last = text.split_whitespace().next_back().unwrap_or_default();
        let first = line.split_whitespace().next().unwrap_or_default();
        let Some(begins) = first.chars().next() else { return Joint::Space };
        let is_address = last.contains("://") || last.starts_with("www.");
        if is_address && last.ends_with(['/', '_', '=', '&', '?']) {
            return Joint::Tight;
        }
        let before = last.trim_end_matches(is_hyphen);
        if before.len() == last.len() {
            let is_range = begins.is_ascii_digit()
                && last
                    .strip_suffix('–')
                    .is_some_and(|n| n.ends_with(|c: char| c.is_ascii_digit()));
            return if is_range { Joint::Tight } else { Joint::Space };
        }
        if before.is_empty() {
            // The hyphen of an option, if there are options around it; otherwise a dash.
            let is_option = |token: &str| {
                token.starts_with('-')
                    && token.trim_start_matches('-').starts_with(char::is_alphabetic)
            };
            let has_options = text.split_whitespace().chain(line.split_whitespace()).any(is_option);
            let is_option = has_options && begins.is_alphanumeric();
            return if is_option { Joint::Tight } else { Joint::Space };
        }
        let is_path = last.matches(['/', '\\']).count() >= 2 || last.starts_with('/');
        if is_address || is_path || last.contains(['@', '_']) || last.starts_with('-') {
            return Joint::Tight;
        }
        if !before.ends_with(char::is_alphanumeric) || !begins.is_alphanumeric() {
            return Joint::Space;
        }
        if before.ends_with(char::is_numeric) || begins.is_numeric() {
            return Joint::Tight;
        }
        let next = first.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
        if CONJUNCTIONS.contains(&next.as_str()) {
            return Joint::Space;
        }
        if self.is_compound(before, first) { Joint::Tight } else { Joint::Dehyphenated }
    }

    /// Whether the hyphen between two parts belongs to the word.
    fn is_compound(&self, before: &str, first: &str) -> bool {
        let outer = before.trim_start_matches(|c: char| !c.is_alphanumeric());
        let left_part: &str = outer.rsplit(|c: char| !c.is_alphabetic()).next().unwrap_or_default();
        let right_part: &str = first.split(|c: char| !c.is_alphabetic()).next().unwrap_or_default();
        let (left, right) = (left_part.to_lowercase(), right_part.to_lowercase());
        let joined = format!("{left}{right}");
        let first = first.trim_end_matches(|c: char| !c.is_alphanumeric());
        let compound = format!("{outer}-{first}").replace(is_hyphen, "-").to_lowercase();
        if self.compounds.contains(&compound) || self.compounds.contains(&format!("{left}-{right}"))
        {
            return true;
        }
        if self.has(&joined) {
            return false;
        }
        if right_part.starts_with(char::is_uppercase) || left.chars().nth(1).is_none() {
            return true;
        }
        let is_inside = left_part.len() < outer.len() && outer.contains(is_hyphen);
        if is_inside && (INNER_PARTS.contains(&left.as_str()) || self.words.contains(&left)) {
            return true;
        }
        if SUFFIXES.contains(&right.as_str()) && !LAST_PARTS.contains(&right.as_str()) {
            return false;
        }
        let is_long = |part: &str| part.chars().nth(3).is_some();
        FIRST_PARTS.contains(&left.as_str())
            || (LAST_PARTS.contains(&right.as_str()) && is_long(&left))
            || (is_long(&left)
                && is_long(&right)
                && self.exact.contains(left_part)
                && self.exact.contains(right_part))
    }

    /// Appends a line to a text. `separator` goes between words.
    pub(super) fn append(&self, text: &mut String, line: &str, separator: char) {
        if text.is_empty() {
            text.push_str(line);
            return;
        }
        match self.joint(text, line) {
            Joint::Space if text.ends_with(is_hyphen) => text.push(' '),
            Joint::Space => text.push(separator),
            Joint::Tight => {}
            Joint::Dehyphenated => {
                text.pop();
            }
        }
        text.push_str(line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(words: &str, text: &str, line: &str, expected: &str) {
        let mut known = Words::default();
        words.split_whitespace().for_each(|word| known.add(word));
        let mut text = text.to_owned();
        known.append(&mut text, line, ' ');
        assert_eq!(text, expected);
    }

    #[test]
    fn a_hyphen_at_the_end_of_a_line_stays_if_it_is_a_part_of_the_word() {
        check("", "the com-", "mittee met", "the committee met");
        check("", "the price-", "determining factors", "the price-determining factors");
        check("evidence-led", "an evidence-", "led trial", "an evidence-led trial");
        check("wellbeing", "their well-", "being", "their wellbeing");
        check("", "the state-of-the-", "art pump", "the state-of-the-art pump");
        check("", "is n-", "tridecanal", "is n-tridecanal");
        check("", "is 3-", "methylbutanal", "is 3-methylbutanal");
        check("", "the Anglo-", "Saxon law", "the Anglo-Saxon law");
        check("", "both sea-", "and airports", "both sea- and airports");
        check("Daten Verarbeitung", "die Daten-", "verarbeitung", "die Datenverarbeitung");
        check("", "a word-", "ing", "a wording");
    }

    #[test]
    fn ranges_models_addresses_and_options_are_joined_as_they_are() {
        check("", "in 2019-", "2021 it", "in 2019-2021 it");
        check("", "in 2019–", "2021 it", "in 2019–2021 it");
        check("", "Model X-", "200 is", "Model X-200 is");
        check("", "at https://a.example/peer-", "setup/", "at https://a.example/peer-setup/");
        check("", "at https://a.example/peer/", "setup", "at https://a.example/peer/setup");
        check("", "run a -pn 1 -", "prio 3", "run a -pn 1 -prio 3");
        check("", "the sea -", "prior to", "the sea - prior to");
    }
}
