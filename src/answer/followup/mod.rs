//! A follow-up question to one that can be understood alone, without a model.
//!
//! *And on Windows?* after *How do I install Rust on Linux?* becomes *How do I install Rust on
//! Windows?*; *How do I uninstall it?* after that becomes *How do I uninstall Rust on Windows?*
//! Earlier questions count as resolved, so chains of follow-ups work. A question that can be
//! understood alone is never changed, even where the conversation could add to it: a wrong word
//! costs more than a missing one.

mod language;
#[cfg(test)]
mod tests;
mod unspaced;

use crate::analysis;
use crate::strings::StrExt as _;
use language::Language;

/// A question as a query for the search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    pub query: String,
    /// The question cannot be understood alone.
    pub is_follow_up: bool,
    /// Words that the query has from the conversation.
    pub carried: Vec<String>,
}

/// Most words carried over. With more the ranking would be that of the earlier question.
const MAX_CARRIED: usize = 4;

/// Longest fragment in words, without its opener. A longer text has a verb that no list knows.
const MAX_FRAGMENT: usize = 5;

/// Resolves `question` against the `earlier` resolved questions, oldest first. `languages` and
/// `weight` are those of [`Tools`](super::Tools).
pub fn resolve(
    question: &str,
    earlier: &[&str],
    languages: &[&str],
    weight: &dyn Fn(&str) -> f64,
) -> Resolved {
    let question = question.trim();
    let Some(query) = query(question, earlier, languages, weight) else {
        return Resolved { query: question.to_owned(), is_follow_up: false, carried: Vec::new() };
    };
    let known = lower_words(question);
    let carried = lower_words(&query).into_iter().filter(|word| !known.contains(word)).collect();
    Resolved { query, is_follow_up: true, carried }
}

/// The completed question; `None` when it can be understood alone.
fn query(
    question: &str,
    earlier: &[&str],
    languages: &[&str],
    weight: &dyn Fn(&str) -> f64,
) -> Option<String> {
    let mut earlier = earlier.iter().rev().map(|before| before.trim());
    let before = earlier.find(|before| !before.is_empty())?;
    if question.is_empty() {
        return None;
    }
    if unspaced::is_unspaced(question) {
        return unspaced::query(question, before);
    }
    let (words, before_words) = (words(question), words(before));
    let all = words.iter().chain(&before_words).map(|word| word.lower.as_str());
    let language = Language::of(&all);
    Spaced { question, before, words, before_words, language, languages, weight }.query()
}

/// A word without the punctuation around it.
struct Word {
    lower: String,
    /// Byte offsets in the text.
    start: usize,
    end: usize,
}

fn words(text: &str) -> Vec<Word> {
    let origin = text.as_ptr() as usize;
    let is_edge = |c: char| {
        !c.is_alphanumeric()
            && !matches!(c, '_' | '<' | '>' | '`' | '+' | '#' | '&' | '*' | '@' | '$')
    };
    let to_word = |word: &str| {
        let start = word.as_ptr() as usize - origin;
        let lower = word.trim_matches('`').to_lowercase().replace('\u{2019}', "'");
        Word { lower, start, end: start + word.len() }
    };
    text.split_whitespace()
        .map(|word| word.trim_matches(is_edge))
        .filter(|word| !word.is_empty())
        .map(to_word)
        .collect()
}

fn lower_words(text: &str) -> Vec<String> {
    words(text).into_iter().map(|word| word.lower).collect()
}

/// A question in a language that separates words by spaces, and the question before it.
struct Spaced<'a> {
    question: &'a str,
    before: &'a str,
    /// The words of `question`.
    words: Vec<Word>,
    /// The words of `before`.
    before_words: Vec<Word>,
    language: &'static Language,
    languages: &'a [&'a str],
    weight: &'a dyn Fn(&str) -> f64,
}

impl Spaced<'_> {
    /// The completed question; `None` when it can be understood alone.
    fn query(&self) -> Option<String> {
        let Opening { len, is_contrast } = self.opening();
        let rest = &self.words[len..];
        let opened = len > 0;
        if self.content(rest).next().is_none() && self.reference(rest).is_none() {
            // *Why?* and *And then?* ask about the whole earlier question.
            let is_follow_up = opened || rest.len() <= 3 || self.is_hollow_question(rest);
            return is_follow_up.then(|| format!("{} {}", self.question, self.before));
        }
        if let Some(at) = self.reference(rest) {
            return Some(self.filled(len + at));
        }
        if self.is_hollow_question(rest) {
            return Some(self.appended(Verbs::Keep));
        }
        if is_contrast || self.is_fragment(rest, opened) {
            return Some(self.contrasted(rest));
        }
        (opened && !self.defines(rest)).then(|| self.appended(Verbs::Drop))
    }

    /// The words at the beginning that only continue the conversation.
    fn opening(&self) -> Opening {
        if let Some(len) = self.longest(0, self.language.contrasts) {
            return Opening { len, is_contrast: true };
        }
        let len = self.longest(0, self.language.openers).unwrap_or(0);
        match self.longest(len, self.language.contrasts) {
            Some(len) => Opening { len, is_contrast: true },
            None => Opening { len, is_contrast: false },
        }
    }

    /// The end of the longest of `phrases` that begins at word `at` of the question.
    fn longest(&self, at: usize, phrases: &[&str]) -> Option<usize> {
        let rest = self.words.get(at..)?;
        let len = |phrase: &&str| {
            let n = phrase.split(' ').count();
            let matches = phrase.split(' ').zip(rest).all(|(a, b)| a == b.lower);
            (matches && rest.len() >= n).then_some(at + n)
        };
        phrases.iter().filter_map(len).max()
    }

    /// The words that are not function words.
    fn content<'w>(&'w self, words: &'w [Word]) -> impl Iterator<Item = &'w Word> {
        words.iter().filter(|word| !self.language.is_small(&word.lower))
    }

    /// Whether the words say nothing without a subject.
    fn is_hollow_question(&self, words: &[Word]) -> bool {
        self.content(words).all(|word| self.language.is_hollow(&word.lower))
    }

    /// A question without a verb: *on Windows?*, *and structs?*
    fn is_fragment(&self, rest: &[Word], opened: bool) -> bool {
        let has_clause =
            rest.iter().any(|word| self.language.clause.contains(&word.lower.as_str()));
        let by_preposition =
            rest.first().is_some_and(|word| self.language.preposition(&word.lower).is_some());
        let is_short_question = rest.len() <= 2 && self.question.ends_with('?');
        rest.len() <= MAX_FRAGMENT && !has_clause && (opened || by_preposition || is_short_question)
    }

    /// *What is a closure?* can be understood alone, even after an *and*.
    fn defines(&self, rest: &[Word]) -> bool {
        let [what, is, ..] = rest else { return false };
        let asks_what = matches!(
            (what.lower.as_str(), is.lower.as_str()),
            ("what", "is" | "are") | ("was", "ist" | "sind") | ("qué", "es" | "son")
        );
        asks_what && rest.len() <= 5 && !self.is_hollow_question(rest)
    }

    /// The position of the first word that refers to the conversation.
    fn reference(&self, rest: &[Word]) -> Option<usize> {
        (0..rest.len()).find(|&at| self.is_reference(rest, at))
    }

    fn is_reference(&self, rest: &[Word], at: usize) -> bool {
        let language = self.language;
        let word = rest[at].lower.as_str();
        if language.possessives.contains(&word) {
            return self.names(&rest[..at]).next().is_none();
        }
        if language.pronouns.contains(&word) {
            return self.is_pronoun_reference(rest, at) && !self.is_second_clause(rest, at);
        }
        if language.demonstratives.contains(&word) {
            return self.is_demonstrative_reference(rest, at) && !self.is_second_clause(rest, at);
        }
        let is_inverted = ["-il", "-elle", "-ils", "-elles"].iter().any(|end| word.ends_with(end));
        self.has_pronoun_suffix(word)
            || self.is_other_reference(rest, at)
            || is_inverted && self.names(rest).next().is_none()
    }

    /// Whether the word at `at` is in a clause after one that names something, which the word may
    /// mean.
    fn is_second_clause(&self, rest: &[Word], at: usize) -> bool {
        let joint = (0..at).rev().find(|&joint| is_in(rest, joint, self.language.joints));
        joint.is_some_and(|joint| self.names(&rest[..joint]).next().is_some())
    }

    /// Not *one test*, *le vecteur*, *es gibt*, *is it possible to*.
    fn is_pronoun_reference(&self, rest: &[Word], at: usize) -> bool {
        let word = rest[at].lower.as_str();
        let is_determiner =
            self.language.articles.contains(&word) || matches!(word, "one" | "lo" | "uno");
        let is_article = is_determiner && !self.is_small_or_end(rest, at + 1);
        let is_after = |list: &[&str]| at > 0 && is_in(rest, at - 1, list);
        let is_expletive = is_after(&["is", "was"]) && is_in(rest, at + 2, &["to", "that"])
            || is_after(&["does", "did", "would"])
                && is_in(rest, at + 1, &["mean", "make", "take", "matter"])
            || is_in(rest, at + 1, &["gibt", "y", "faut"])
            || is_after(&["gibt"]);
        let is_interrogative =
            matches!(word, "welche" | "eine" | "einen" | "einer") && at + 1 < rest.len();
        !is_article && !is_expletive && !is_interrogative
    }

    /// Not *functions that panic*, *so that*, *das Haus*.
    fn is_demonstrative_reference(&self, rest: &[Word], at: usize) -> bool {
        let word = rest[at].lower.as_str();
        let is_conjunction = matches!(word, "that" | "que")
            && at > 0
            && at + 1 < rest.len()
            && (!self.is_small_or_end(rest, at - 1) || is_in(rest, at - 1, &["so", "such"]));
        let is_article =
            self.language.articles.contains(&word) && !self.is_small_or_end(rest, at + 1);
        !is_conjunction && !is_article
    }

    /// Spanish: *instalarlo*.
    fn has_pronoun_suffix(&self, word: &str) -> bool {
        const SUFFIXES: [&str; 12] = [
            "arlo", "erlo", "irlo", "arla", "erla", "irla", "arlos", "erlos", "irlos", "arlas",
            "erlas", "irlas",
        ];
        let has = |suffix: &&str| word.len() > suffix.len() + 1 && word.ends_with(*suffix);
        self.language.pronouns.contains(&"ellos") && SUFFIXES.iter().any(has)
    }

    /// *There*, *instead*; not *is there*. French *y* and *en* only at the end.
    fn is_other_reference(&self, rest: &[Word], at: usize) -> bool {
        let word = rest[at].lower.as_str();
        let is_existential = word == "there"
            && (at > 0 && is_in(rest, at - 1, &["is", "are", "was", "were"])
                || is_in(rest, at + 1, &["is", "are"]));
        let is_preposition = matches!(word, "en" | "y") && (at == 0 || at + 1 < rest.len());
        self.language.others.contains(&word) && !is_existential && !is_preposition
    }

    fn is_small_or_end(&self, rest: &[Word], at: usize) -> bool {
        rest.get(at).is_none_or(|word| self.language.is_small(&word.lower))
    }

    /// The words that name something: content words except verbs after *how do I* and hollow words.
    fn names<'w>(&'w self, words: &'w [Word]) -> impl Iterator<Item = &'w Word> {
        words.iter().enumerate().filter_map(move |(at, word)| {
            let is_name = !self.language.is_small(&word.lower)
                && !self.language.is_hollow(&word.lower)
                && !self.is_verb(words, at);
            is_name.then_some(word)
        })
    }

    /// Whether the word at `at` is a verb: *how do I install*, and the second of *build and run*.
    fn is_verb(&self, words: &[Word], at: usize) -> bool {
        self.language.before_verb.iter().any(|phrase| {
            let n = phrase.split(' ').count();
            let ends_at = |end: usize| {
                end >= n && phrase.split(' ').zip(&words[end - n..end]).all(|(a, b)| a == b.lower)
            };
            let is_joined =
                at >= 2 && self.language.joints.first() == Some(&words[at - 1].lower.as_str());
            ends_at(at) || is_joined && ends_at(at - 2)
        })
    }

    /// The subject of the earlier question without words of this one: its text as it is, or the
    /// rare words of it, where they are too far apart.
    fn topic(&self, verbs: Verbs) -> String {
        let own: Vec<String> = self.words.iter().flat_map(|word| self.terms(&word.lower)).collect();
        let is_new = |word: &Word| !self.terms(&word.lower).iter().any(|term| own.contains(term));
        let mut named: Vec<&Word> = match verbs {
            Verbs::Keep => self
                .content(&self.before_words)
                .filter(|word| !self.language.is_hollow(&word.lower))
                .collect(),
            Verbs::Drop => self.names(&self.before_words).collect(),
        };
        // A question that only has a verb keeps that.
        if named.is_empty() {
            named = self.content(&self.before_words).collect();
        }
        let mut kept: Vec<&Word> = named.into_iter().filter(|word| is_new(word)).collect();
        while kept.len() > MAX_CARRIED {
            let rarities: Vec<f64> = kept.iter().map(|word| self.rarity(&word.lower)).collect();
            let commonest = (0..kept.len()).min_by(|&a, &b| rarities[a].total_cmp(&rarities[b]));
            commonest.map(|at| kept.remove(at));
        }
        self.contiguous(&kept).unwrap_or_else(|| {
            let words = kept.iter().map(|word| self.before.slice(word.start..word.end));
            words.collect::<Vec<_>>().join(" ")
        })
    }

    /// The text of the earlier question from the first to the last of `kept`, with its article, if
    /// no other content word and no end of a sentence is between them. *A vector* reads better than
    /// *vector*, to people and to language models.
    fn contiguous(&self, kept: &[&Word]) -> Option<String> {
        let (first, last) = (kept.first()?, kept.last()?);
        let before_first = self.before_words.iter().rfind(|word| word.end <= first.start);
        let article =
            before_first.filter(|word| self.language.articles.contains(&word.lower.as_str()));
        let start = article.map_or(first.start, |word| word.start);
        let text = self.before.slice(start..last.end);
        let n_content = self
            .content(&self.before_words)
            .filter(|word| word.start >= first.start && word.end <= last.end)
            .count();
        let is_contiguous = n_content == kept.len() && !text.contains(['?', '.', '!', ';']);
        is_contiguous.then(|| text.to_owned())
    }

    fn terms(&self, word: &str) -> Vec<String> {
        analysis::query_terms(word, self.languages)
            .terms
            .into_iter()
            .flat_map(|term| term.variants)
            .collect()
    }

    /// How rare a word is in the index; 0 for one that the index lacks, which finds nothing.
    fn rarity(&self, word: &str) -> f64 {
        let unseen = (self.weight)("\u{1}");
        let terms = analysis::query_terms(word, self.languages).terms;
        let rarities = terms.iter().map(|term| {
            term.variants.iter().map(|form| (self.weight)(form)).fold(unseen, f64::min)
        });
        rarities.filter(|rarity| *rarity < unseen).fold(0.0, f64::max)
    }

    /// The question with the word at `at` replaced by the subject, or with the subject appended.
    fn filled(&self, at: usize) -> String {
        let word = &self.words[at];
        let lower = word.lower.as_str();
        let is_demonstrative = self.language.demonstratives.contains(&lower);
        let topic = self.topic(Verbs::Drop);
        if topic.is_empty() {
            return self.question.to_owned();
        }
        let replaced = |topic: &str| {
            let (start, end) = (self.question.slice(..word.start), self.question.slice(word.end..));
            format!("{start}{topic}{end}")
        };
        if self.language.pronouns.contains(&lower) {
            return replaced(&topic);
        }
        if self.language.possessives.contains(&lower) && matches!(lower, "its" | "their") {
            return replaced(&format!("{topic}'s"));
        }
        if is_demonstrative && self.is_small_or_end(&self.words, at + 1) {
            return replaced(&self.topic(Verbs::Keep));
        }
        self.appended(if is_demonstrative { Verbs::Keep } else { Verbs::Drop })
    }

    /// The question with the subject of the earlier one appended.
    fn appended(&self, verbs: Verbs) -> String {
        let topic = self.topic(verbs);
        if topic.is_empty() {
            self.question.to_owned()
        } else {
            format!("{} {topic}", self.question)
        }
    }

    /// The earlier question with the part that `rest` contrasts with replaced by it, if that part
    /// is evident.
    fn contrasted(&self, rest: &[Word]) -> String {
        let (Some(first), Some(last)) = (rest.first(), rest.last()) else {
            return self.question.to_owned();
        };
        let new = self.question.slice(first.start..last.end);
        let mark = self.before.slice(unspaced::without_end_mark(self.before).len()..);
        let replaced = |from: usize, to: usize| {
            format!(
                "{}{new}{}",
                self.before.slice(..self.before_words[from].start),
                self.before.slice(self.before_words[to - 1].end..)
            )
        };
        if let Some(group) = self.language.preposition(&first.lower) {
            let is_same = |word: &Word| self.language.preposition(&word.lower) == Some(group);
            return match self.before_words.iter().rposition(is_same) {
                Some(from) => replaced(from, self.phrase_end(from + 1)),
                None => format!("{} {new}{mark}", unspaced::without_end_mark(self.before)),
            };
        }
        match self.object(is_name(self.question.slice(first.start..first.end))) {
            Some((from, to)) => replaced(from, to),
            None => format!("{new}? {}", self.before),
        }
    }

    /// The end of the phrase that begins at `from`: the next preposition.
    fn phrase_end(&self, from: usize) -> usize {
        let is_preposition =
            |at: &usize| self.language.preposition(&self.before_words[*at].lower).is_some();
        (from + 1..self.before_words.len()).find(is_preposition).unwrap_or(self.before_words.len())
    }

    /// The last object of the earlier question, a name or a common noun: its range of words.
    fn object(&self, is_name_wanted: bool) -> Option<(usize, usize)> {
        let is_content = |at: usize| {
            !self.language.is_small(&self.before_words[at].lower)
                && !self.is_verb(&self.before_words, at)
        };
        if is_name_wanted {
            let is_named = |at: &usize| {
                let Word { start, end, .. } = self.before_words[*at];
                *at > 0 && is_content(*at) && is_name(self.before.slice(start..end))
            };
            let at = (0..self.before_words.len()).rev().find(is_named)?;
            return Some((at, at + 1));
        }
        let last = self.before_words.len().checked_sub(1).filter(|&at| is_content(at))?;
        let from = (0..=last).rev().take_while(|&at| is_content(at)).last()?;
        let lead = &self.before_words[from.checked_sub(1)?].lower;
        let is_clear = self.language.articles.contains(&lead.as_str())
            || self.language.preposition(lead).is_some()
            || self.is_verb(&self.before_words, from - 1);
        let starts_with_article = self.language.articles.contains(&lead.as_str());
        is_clear.then_some((if starts_with_article { from - 1 } else { from }, last + 1))
    }
}

/// Whether to carry the verbs of the earlier question over.
#[derive(Clone, Copy)]
enum Verbs {
    Keep,
    Drop,
}

/// The words at the beginning of a question that only continue the conversation.
struct Opening {
    len: usize,
    /// They announce that something is different: *what about*.
    is_contrast: bool,
}

/// Whether the word at `at` is in `list`.
fn is_in(words: &[Word], at: usize, list: &[&str]) -> bool {
    words.get(at).is_some_and(|word| list.contains(&word.lower.as_str()))
}

/// Written like a name: with a capital, or as code.
fn is_name(text: &str) -> bool {
    text.chars().any(|c| c.is_uppercase() || matches!(c, '<' | '`' | '_' | ':'))
}
