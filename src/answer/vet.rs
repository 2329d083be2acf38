//! Checks of a language model's answer: the text that may be shown, and the sentences in it that
//! the sources do not support.
//!
//! The text is cleaned as [`Stream`] cleans it. Support is judged by words, sentence by sentence:
//! the check detects invented words, numbers and names. It cannot detect a sentence that reverses
//! the meaning of a source.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap, HashSet};

use super::citations::marks;
use super::evidence::Evidence;
use super::prompt::{NO_ANSWER, is_instruction};
use super::stream::Stream;
use crate::analysis::{
    Passage, QueryTerm, index_terms, is_stop_word, passages, plain, query_terms,
};
use crate::document::{Citation, Span, Unit, UnitKind, context_line};
use crate::strings::StrExt as _;

/// Version of the checks. Raise it when the same text may be judged differently, so that no cached
/// answer is reused.
pub const CHECKS_VERSION: u32 = 3;

/// Least share of a sentence's content words that its sources must have. Of the sentences of
/// English `XQuAD` paragraphs, 96 % count as unsupported by the next paragraph and none by their
/// own (`tests/generated.rs` repeats it).
const MIN_SHARE: f64 = 0.4;
/// A sentence with fewer content words claims nothing that can be checked.
const MIN_TERMS: usize = 2;

/// A language model's answer after the checks.
#[derive(Clone, Debug, PartialEq)]
pub struct Vetted {
    /// As [`Stream`] shows it: every number is that of a source.
    pub text: String,
    /// The sources that the text cites, by number.
    pub citations: Vec<Citation>,
    /// Numbers that were cited and that no source has, each once, in order of appearance.
    pub removed: Vec<usize>,
    /// Sentences without a citation, or whose sources have other words, numbers or names, as they
    /// are in `text`.
    pub unsupported: Vec<String>,
    /// Whether the sources support anything of it: a sentence, or a cited remark that says too
    /// little to be checked. Otherwise the text is not an answer.
    pub supported: bool,
    /// Number of addresses that no source has; removed.
    pub n_addresses: usize,
    /// The model replied that the sources do not answer, or nothing.
    pub abstained: bool,
}

/// Checks `answer` against the `sources` of its prompt, `[1]` first. `languages` are those of the
/// index: their stemmers decide which words are equal.
#[must_use]
pub fn vet(answer: &str, sources: &[Evidence], languages: &[&str]) -> Vetted {
    let mut stream = Stream::new(sources);
    let mut text = stream.feed(answer);
    text.push_str(&stream.finish());
    let marks = marks(&text);
    let cited: HashSet<usize> = marks.iter().map(|(_, n)| *n).collect();
    let bare = Bare::new(&text, &marks);
    let abstained = abstains(&bare.text);
    let Verdict { unsupported, n_supported, mut units } =
        if abstained { Verdict::default() } else { judge(&text, &bare, sources, languages) };
    let citations: Vec<Citation> = sources
        .iter()
        .zip(1..)
        .filter(|(_, n)| cited.contains(n))
        .map(|(source, n)| Citation {
            n,
            hit: source.hit.clone(),
            quoted: units.remove(&n).map(Vec::from_iter).unwrap_or_default(),
        })
        .collect();
    let is_cited = !citations.is_empty();
    Vetted {
        supported: !abstained && (n_supported > 0 || unsupported.is_empty() && is_cited),
        citations,
        removed: stream.removed().to_vec(),
        n_addresses: stream.n_addresses(),
        unsupported,
        abstained,
        text,
    }
}

/// Whether an answer that begins with `beginning`, as [`Stream`] shows it, may still turn out to
/// abstain. Reads the first words only, so it is cheap after every piece.
#[must_use]
pub fn may_abstain(beginning: &str) -> bool {
    const MAX_CHARS: usize = 4 * NO_ANSWER.len();
    let beginning: String = beginning.chars().take(MAX_CHARS).collect();
    let answer_words = words(&Bare::new(&beginning, &marks(&beginning)).text);
    let expected = words(NO_ANSWER);
    let Some((last, whole)) = answer_words.split_last() else { return true };
    let is_prefix = match expected.get(whole.len()) {
        Some(word) => expected.starts_with(whole) && word.starts_with(last.as_str()),
        None => answer_words.starts_with(&expected),
    };
    is_prefix || is_empty(&answer_words)
}

/// Whether an answer begins with [`NO_ANSWER`] or has no words.
fn abstains(bare: &str) -> bool {
    let answer_words = words(bare);
    is_empty(&answer_words) || answer_words.starts_with(&words(NO_ANSWER))
}

fn is_empty(answer_words: &[String]) -> bool {
    answer_words.iter().all(String::is_empty)
}

/// The words of a text in lower case, without surrounding punctuation.
fn words(text: &str) -> Vec<String> {
    let bare = |word: &str| word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
    text.split_whitespace().map(bare).collect()
}

/// A text without its marks.
struct Bare {
    text: String,
    /// Of each mark the position in `text`, its length and its number.
    marks: Vec<(usize, usize, usize)>,
}

impl Bare {
    fn new(text: &str, marks: &[(Span, usize)]) -> Self {
        let mut bare = Self {
            text: String::with_capacity(text.len()),
            marks: Vec::with_capacity(marks.len()),
        };
        let mut at = 0;
        for &(span, n) in marks {
            bare.text.push_str(text.slice(at..span.start));
            bare.marks.push((bare.text.len(), span.len(), n));
            at = span.end;
        }
        bare.text.push_str(text.slice(at..));
        bare
    }

    /// The span of the marked text that corresponds to `span`, with the marks inside it.
    fn marked(&self, span: Span) -> Span {
        let (mut start, mut end) = (span.start, span.end);
        for (at, len, _) in &self.marks {
            start += if *at <= span.start { *len } else { 0 };
            end += if *at < span.end { *len } else { 0 };
        }
        Span::new(start, end)
    }

    /// For each passage the numbers of its marks. A mark belongs to the passage before it, unless
    /// it begins a line.
    fn cited(&self, passages: &[Passage]) -> Vec<Vec<usize>> {
        let mut cited = vec![Vec::new(); passages.len()];
        for &(at, _, n) in &self.marks {
            let next = passages.partition_point(|passage| passage.span.start < at);
            let last = next.checked_sub(1);
            let begins_line = last.is_none_or(|last| {
                passages[last].span.end < at
                    && self.text.slice(passages[last].span.end..at).contains('\n')
            });
            let leads = passages
                .get(next)
                .is_some_and(|next| !self.text.slice(at..next.span.start).contains('\n'));
            if begins_line && leads {
                cited[next].push(n);
            } else if let Some(last) = last {
                cited[last].push(n);
            }
        }
        cited
    }
}

/// The outcome for the sentences that claim something.
#[derive(Default)]
struct Verdict {
    unsupported: Vec<String>,
    n_supported: usize,
    /// For each source, by its number, the units that best support sentences.
    units: HashMap<usize, BTreeSet<usize>>,
}

fn judge(text: &str, bare: &Bare, sources: &[Evidence], languages: &[&str]) -> Verdict {
    let known: Vec<HashSet<String>> =
        sources.iter().map(|source| terms(source, languages)).collect();
    let units: Vec<Vec<HashSet<String>>> =
        sources.iter().map(|source| unit_terms(source, languages)).collect();
    let is_foreign = is_foreign(&bare.text, sources, languages);
    let passages = passages(&bare.text);
    let cited = bare.cited(&passages);
    let mut verdict = Verdict::default();
    for (passage, cited) in passages.iter().zip(cited) {
        if matches!(passage.kind, UnitKind::Heading | UnitKind::Code) {
            continue;
        }
        let sentence = plain(bare.text.slice(passage.span.range()));
        // An announcement and a question claim nothing.
        if sentence.ends_with([':', '：', '?', '？']) {
            continue;
        }
        let known: Vec<&HashSet<String>> = cited.iter().filter_map(|n| known.get(n - 1)).collect();
        let claim = Claim::new(&sentence, languages);
        if claim.is_empty() {
            verdict.n_supported += usize::from(!known.is_empty());
        } else if claim.is_supported(&known, is_foreign) && !is_instruction(&sentence) {
            // Documents about language models may contain the words of the instructions.
            verdict.n_supported += 1;
            for n in cited {
                let unit = units.get(n - 1).and_then(|units| claim.best_unit(units));
                if let Some(unit) = unit {
                    verdict.units.entry(n).or_default().insert(unit);
                }
            }
        } else {
            let span = bare.marked(passage.span);
            verdict.unsupported.extend(text.get(span.range()).map(str::to_owned));
        }
    }
    verdict
}

/// Every term of a source, its title and its headings.
fn terms(source: &Evidence, languages: &[&str]) -> HashSet<String> {
    let hit = &source.hit;
    let mut terms = HashSet::new();
    let context = context_line(hit.title.as_deref(), &hit.chunk.heading);
    for text in [&hit.chunk.text, &context] {
        add_terms(text, languages, &mut terms);
    }
    terms
}

/// The terms of each unit of a source; headings have none, because they state nothing.
fn unit_terms(source: &Evidence, languages: &[&str]) -> Vec<HashSet<String>> {
    let chunk = &source.hit.chunk;
    let terms = |unit: &Unit| {
        let mut terms = HashSet::new();
        if !matches!(unit.kind, UnitKind::Heading | UnitKind::Header) {
            add_terms(chunk.text.slice(unit.span.range()), languages, &mut terms);
        }
        terms
    };
    chunk.units.iter().map(terms).collect()
}

fn add_terms(text: &str, languages: &[&str], terms: &mut HashSet<String>) {
    for language in languages.iter().map(|language| Some(*language)).chain([None]) {
        index_terms(text, language, &mut |term| {
            terms.insert(term.text.to_owned());
        });
    }
}

/// What a sentence claims, in terms; each term with all its variants.
struct Claim {
    terms: Vec<Vec<String>>,
    numbers: Vec<Vec<String>>,
    names: Vec<Vec<String>>,
}

impl Claim {
    fn new(sentence: &str, languages: &[&str]) -> Self {
        // Quotation marks would read as those of a query.
        let sentence = sentence.replace(['"', '“', '”', '„'], " ");
        let all = query_terms(&sentence, languages).terms;
        let is_number = |term: &&QueryTerm| is_number(&term.variants[0]);
        let numbers = all.iter().filter(is_number).map(|term| term.variants.clone()).collect();
        let whole = all.into_iter().filter(|term| !term.is_part);
        Self {
            terms: whole.map(|term| term.variants).collect(),
            numbers,
            names: names(&sentence, languages),
        }
    }

    fn is_empty(&self) -> bool {
        self.terms.len() < MIN_TERMS && self.numbers.is_empty()
    }

    /// The unit with most of the claim's terms, if it has enough of them; the first of several.
    fn best_unit(&self, units: &[HashSet<String>]) -> Option<usize> {
        let n_found = |unit: &HashSet<String>| {
            let has = |variants: &&Vec<String>| variants.iter().any(|term| unit.contains(term));
            self.terms.iter().chain(&self.numbers).filter(has).count()
        };
        let counts = units.iter().map(n_found).enumerate();
        let (best, most) = counts.max_by_key(|&(at, n)| (n, Reverse(at)))?;
        let n_terms = self.terms.len() + self.numbers.len();
        (most > 0 && most as f64 >= MIN_SHARE * n_terms as f64).then_some(best)
    }

    /// Whether the cited sources have every number, every name and enough of the words. In another
    /// language than theirs only numbers count: words differ, and names are spelled differently.
    fn is_supported(&self, known: &[&HashSet<String>], is_foreign: bool) -> bool {
        let has = |variants: &Vec<String>| {
            known.iter().any(|known| variants.iter().any(|term| known.contains(term)))
        };
        let n_found = self.terms.iter().filter(|term| has(term)).count();
        let has_words = n_found as f64 >= MIN_SHARE * self.terms.len() as f64;
        !known.is_empty()
            && self.numbers.iter().all(has)
            && (is_foreign || has_words && self.names.iter().all(has))
    }
}

fn is_number(term: &str) -> bool {
    term.starts_with(|c: char| c.is_ascii_digit())
        && term.bytes().all(|b| b.is_ascii_digit() || b == b'.')
}

/// The capitalised words of a sentence after its first, unless it is in Title Case. In German every
/// noun has a capital, so capitals mark no names.
fn names(sentence: &str, languages: &[&str]) -> Vec<Vec<String>> {
    if languages.iter().any(|language| language.starts_with("de") || *language == "ger") {
        return Vec::new();
    }
    let words: Vec<&str> = sentence
        .split_whitespace()
        .map(|word| word.trim_matches(|c: char| !c.is_alphanumeric()))
        .filter(|word| !word.is_empty())
        .collect();
    let is_capital = |word: &&&str| word.starts_with(char::is_uppercase);
    if words.iter().filter(is_capital).count() * 2 > words.len() {
        return Vec::new();
    }
    let is_stop = |word: &str| {
        let lower = word.to_lowercase();
        languages.iter().any(|language| is_stop_word(&lower, language))
    };
    words
        .iter()
        .skip(1)
        .filter(is_capital)
        .filter(|word| word.chars().nth(1).is_some() && !is_stop(word))
        .filter_map(|word| Some(query_terms(word, languages).terms.into_iter().next()?.variants))
        .collect()
}

/// Whether an answer is in another language than its sources, as far as script and short words
/// show.
fn is_foreign(answer: &str, sources: &[Evidence], languages: &[&str]) -> bool {
    let letters = |text: &str, is_european: bool| {
        text.chars().filter(|c| c.is_alphabetic() && (*c < '\u{530}') == is_european).count()
    };
    let is_european = |text: &str| letters(text, true) > letters(text, false);
    let quoted: String = sources.iter().map(|source| source.hit.chunk.text.as_str()).collect();
    if is_european(answer) != is_european(&quoted) {
        return true;
    }
    let words: Vec<String> = answer.split_whitespace().map(str::to_lowercase).collect();
    // This works only for languages with a list of short words.
    let has_list = |language: &str| {
        ["the", "und", "les", "los", "che", "para", "het", "и"]
            .iter()
            .any(|word| is_stop_word(word, language))
    };
    const ENOUGH_WORDS: usize = 8;
    const LEAST_SHORT: f64 = 0.1;
    if !is_european(answer) || words.len() < ENOUGH_WORDS || !languages.iter().all(|l| has_list(l))
    {
        return false;
    }
    let n_short =
        |language: &str| words.iter().filter(|word| is_stop_word(word, language)).count() as f64;
    languages.iter().all(|language| n_short(language) < LEAST_SHORT * words.len() as f64)
}
