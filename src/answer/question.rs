//! A question as weighted terms, and the matches of these terms in a text.

use std::collections::HashMap;

use super::options::Tools;
use crate::analysis::{self, QueryTerm};
use crate::strings::StrExt as _;

/// A question, analysed against one index.
pub(super) struct Question<'a> {
    languages: &'a [&'a str],
    /// As in [`Tools`].
    rarity: &'a dyn Fn(&str) -> f64,
    terms: Vec<Term>,
    /// Indices of the terms that have a variant.
    by_variant: HashMap<String, Vec<usize>>,
    /// Weight of a term that the index does not have.
    unseen: f64,
}

/// Least weight of a term, as a share of the largest. On `XQuAD` (240 paragraphs;
/// `tests/measure.rs`) and on an index of 500 passages any floor from 0 to 0.3 answers equally
/// well.
const FLOOR: f64 = 0.2;

/// Least rarity of a rare word, as a share of the largest. Set by hand; `tests/measure.rs` shows
/// its effect on `XQuAD`.
const RARE: f64 = 0.5;

struct Term {
    /// Rarer terms weigh more.
    weight: f64,
    /// Occurs somewhere in the index.
    is_known: bool,
    /// Capitalised inside the question: the name of a person or a thing.
    is_name: bool,
    /// A number, a version, an identifier with one.
    has_digit: bool,
}

/// The matches of a question's terms in a text.
pub(super) struct TermMatches {
    /// By term; empty where the text lacks it.
    pub positions: Vec<Vec<u32>>,
    /// The text's own terms, in order.
    pub terms: Vec<String>,
}

impl<'a> Question<'a> {
    /// `requests` are words, separated by spaces, that ask for a form and not about a subject.
    pub(super) fn new(text: &str, requests: &str, tools: &Tools<'a>) -> Self {
        // No text has this term: every term has a letter or a digit.
        let unseen = (tools.weight)("\u{1}").max(f64::MIN_POSITIVE);
        let mut question = Self {
            languages: tools.languages,
            rarity: tools.weight,
            terms: Vec::new(),
            by_variant: HashMap::new(),
            unseen,
        };
        let mut terms = analysis::query_terms(text, tools.languages).terms;
        let is_request = |term: &QueryTerm| {
            requests
                .split_ascii_whitespace()
                .any(|word| term.variants.last().is_some_and(|plain| plain == word))
        };
        if !terms.iter().all(is_request) {
            terms.retain(|term| !is_request(term));
        }
        let irregular: Vec<_> = tools
            .languages
            .iter()
            .filter_map(|language| analysis::irregular_forms(language))
            .collect();
        for term in terms {
            let rarity =
                term.variants.iter().map(|variant| (tools.weight)(variant)).fold(unseen, f64::min);
            let is_known = rarity < unseen;
            // In a small index on one subject every passage has the subject's words. Without a
            // floor they would weigh nothing against a word that the documents put differently.
            let rarity = FLOOR * unseen + (1.0 - FLOOR) * rarity;
            // A compound that the index lacks counts by its parts: many writers omit the hyphen.
            let is_form = term.weight < 0.5 || term.weight == 0.5 && !term.is_part;
            if is_form && !is_known {
                continue;
            }
            let factor = if is_hollow_pair(&term.variants[0], is_known) { 0.2 } else { 1.0 };
            let at = question.terms.len();
            question.terms.push(Term {
                weight: rarity * f64::from(term.weight.min(1.0)) * factor,
                is_known,
                is_name: false,
                has_digit: term.variants[0].contains(|c: char| c.is_ascii_digit()),
            });
            let word = |form: &String| irregular.iter().find_map(|forms| forms.get(form)).cloned();
            let words: Vec<String> = term.variants.iter().filter_map(word).collect();
            for variant in term.variants.into_iter().chain(words) {
                question.by_variant.entry(variant).or_default().push(at);
            }
        }
        question.mark_names(text);
        question
    }

    /// Marks the terms that are names. In capitals or Title Case a question marks none.
    fn mark_names(&mut self, text: &str) {
        let mut words = text
            .split_whitespace()
            .skip(1)
            .filter(|word| word.starts_with(char::is_alphabetic))
            .peekable();
        let is_lowercase = |word: &str| word.starts_with(char::is_lowercase);
        if words.peek().is_some() && !words.any(is_lowercase) {
            return;
        }
        let mut names = Vec::new();
        let mut first_word = None;
        for language in self.analysers() {
            analysis::index_terms(text, language, &mut |term| {
                let first_word = *first_word.get_or_insert(term.position);
                if term.position > first_word
                    && text.slice(term.start..term.end).starts_with(char::is_uppercase)
                {
                    names.extend(self.by_variant.get(term.text).into_iter().flatten().copied());
                }
            });
        }
        names.into_iter().for_each(|at| self.terms[at].is_name = true);
    }

    /// The languages of the index, or none in particular.
    fn analysers(&self) -> impl Iterator<Item = Option<&'a str>> + use<'a> {
        let languages = self.languages.iter().copied().map(Some);
        languages.chain(self.languages.is_empty().then_some(None))
    }

    pub(super) fn len(&self) -> usize {
        self.terms.len()
    }

    /// The matches of the terms in a text.
    pub(super) fn find(&self, text: &str) -> TermMatches {
        let mut found =
            TermMatches { positions: vec![Vec::new(); self.terms.len()], terms: Vec::new() };
        for (i, language) in self.analysers().enumerate() {
            let irregular = language.and_then(analysis::irregular_forms);
            analysis::index_terms(text, language, &mut |term| {
                let word = irregular.and_then(|forms| forms.get(term.text)).map(String::as_str);
                let variants = [Some(term.text), word].into_iter().flatten();
                for &at in variants.filter_map(|text| self.by_variant.get(text)).flatten() {
                    if found.positions[at].last() != Some(&term.position) {
                        found.positions[at].push(term.position);
                    }
                }
                if i == 0 {
                    found.terms.push(term.text.to_owned());
                }
            });
        }
        found
    }

    /// Whether a text has no term that the question lacks.
    pub(super) fn says_all_of(&self, found: &TermMatches) -> bool {
        found.terms.iter().all(|term| self.by_variant.contains_key(term))
    }

    /// Whether the question itself has `word`.
    pub(super) fn mentions(&self, word: &str) -> bool {
        self.find(word).positions.iter().any(|positions| !positions.is_empty())
    }

    /// Whether `word` is rare in the index, as names of people and places are. "Listing" and
    /// "Chapter" have capitals too, but on every page.
    pub(super) fn is_rare(&self, word: &str) -> bool {
        let mut rarest = 0.0_f64;
        analysis::index_terms(word, self.languages.first().copied(), &mut |term| {
            rarest = rarest.max((self.rarity)(term.text));
        });
        rarest >= RARE * self.unseen
    }

    /// Share of the question's weight for which `has` holds.
    pub(super) fn share(&self, has: impl Fn(usize) -> bool) -> f64 {
        let (mut total, mut held) = (0.0, 0.0);
        for (at, term) in self.terms.iter().enumerate() {
            total += term.weight;
            if has(at) {
                held += term.weight;
            }
        }
        if total > 0.0 { held / total } else { 0.0 }
    }

    /// Weight of a term, as a share of the largest.
    pub(super) fn weight(&self, at: usize) -> f64 {
        self.terms[at].weight / self.unseen
    }

    /// Whether a term is a number or has one in it.
    pub(super) fn has_digit(&self, at: usize) -> bool {
        self.terms[at].has_digit
    }

    /// Share of the question's weight in names for which `has` does not hold.
    pub(super) fn missing_names(&self, has: impl Fn(usize) -> bool) -> f64 {
        self.share(|at| self.terms[at].is_name && !has(at))
    }

    /// Share of the question's weight in terms that the index lacks.
    pub(super) fn unknown_share(&self) -> f64 {
        self.share(|at| !self.terms[at].is_known)
    }
}

/// Whether a pair of characters of a script without spaces carries little meaning: most pairs that
/// no text has straddle two words, and pairs with a particle join words. On the Chinese `XQuAD`
/// (`tests/measure.rs`) this halves the share of wrong refusals.
fn is_hollow_pair(term: &str, is_known: bool) -> bool {
    let mut characters = term.chars();
    let (Some(a), Some(b), None) = (characters.next(), characters.next(), characters.next()) else {
        return false;
    };
    let is_unspaced = |c: char| {
        matches!(c,
            '\u{3041}'..='\u{30ff}'
            | '\u{3400}'..='\u{9fff}'
            | '\u{ac00}'..='\u{d7a3}'
            | '\u{20000}'..='\u{3ffff}')
    };
    let is_particle = |c: char| "的了是在和有多少何".contains(c);
    let is_hiragana = |c: char| matches!(c, '\u{3041}'..='\u{309f}');
    is_unspaced(a)
        && is_unspaced(b)
        && (!is_known || is_particle(a) || is_particle(b) || is_hiragana(a) && is_hiragana(b))
}

impl TermMatches {
    pub(super) fn has(&self, at: usize) -> bool {
        !self.positions[at].is_empty()
    }
}
