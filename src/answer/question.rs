//! A question as weighted terms, and which of them a text has.

use std::collections::HashMap;

use crate::analysis::{self, QueryTerm};
use crate::strings::StrExt as _;

use super::Tools;

/// A question, analysed against one index.
pub(super) struct Question<'a> {
    languages: &'a [&'a str],
    /// As in [`Tools`].
    rarity: &'a dyn Fn(&str) -> f64,
    terms: Vec<Asked>,
    by_variant: HashMap<String, Vec<usize>>,
    /// Weight of a term that the index does not have.
    unseen: f64,
}

/// Least weight of a term, as a share of the largest. On 240 and 500 passages anything from 0 to
/// 0.3 answers equally well.
const FLOOR: f64 = 0.2;

/// Weight of a rare word, as a share of the largest.
const RARE: f64 = 0.5;

struct Asked {
    /// How much of the question this term is: rarer is more.
    weight: f64,
    /// Occurs somewhere in the index.
    is_known: bool,
    /// Written with a capital inside the question: somebody or something in particular.
    is_name: bool,
}

/// Where a text has the terms of the question: positions by term, none where the term is missing.
pub(super) struct TermMatches {
    pub positions: Vec<Vec<u32>>,
    /// The text's own terms, in order.
    pub terms: Vec<String>,
}

impl<'a> Question<'a> {
    /// `requests` are words, parted by spaces, that do not belong to what is asked about.
    pub(super) fn new(text: &str, requests: &str, tools: &Tools<'a>) -> Self {
        // No text has this term: every term of a text has a letter or a digit in it.
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
        for term in terms {
            let rarity =
                term.variants.iter().map(|variant| (tools.weight)(variant)).fold(unseen, f64::min);
            let is_known = rarity < unseen;
            // In an index of a few pages on one subject the subject's own words are in every
            // passage, and without a floor they would weigh nothing against a word that the
            // question happens to put differently.
            let rarity = FLOOR * unseen + (1.0 - FLOOR) * rarity;
            // A compound counts by its parts unless the index knows it as a whole: half of all
            // writers leave the hyphen out.
            let is_form = term.weight < 0.5 || term.weight == 0.5 && !term.is_part;
            if is_form && !is_known {
                continue;
            }
            let factor = if is_hollow_pair(&term.variants[0], is_known) { 0.2 } else { 1.0 };
            let at = question.terms.len();
            question.terms.push(Asked {
                weight: rarity * f64::from(term.weight.min(1.0)) * factor,
                is_known,
                is_name: false,
            });
            for variant in term.variants {
                question.by_variant.entry(variant).or_default().push(at);
            }
        }
        question.mark_names(text);
        question
    }

    /// Marks the terms that are names. A question in capitals, or in Title Case, has none that can
    /// be told.
    fn mark_names(&mut self, text: &str) {
        let mut words = text
            .split_whitespace()
            .skip(1)
            .filter(|word| word.starts_with(char::is_alphabetic))
            .peekable();
        let has_small =
            words.peek().is_none() || words.any(|word| word.starts_with(char::is_lowercase));
        if !has_small {
            return;
        }
        let mut names = Vec::new();
        let mut first_word = None;
        for language in self
            .languages
            .iter()
            .map(|language| Some(*language))
            .chain(self.languages.is_empty().then_some(None))
        {
            analysis::index_terms(text, language, &mut |term| {
                let begins = *first_word.get_or_insert(term.position);
                if term.position > begins
                    && text.slice(term.start..term.end).starts_with(char::is_uppercase)
                {
                    names.extend(self.by_variant.get(term.text).into_iter().flatten().copied());
                }
            });
        }
        names.into_iter().for_each(|at| self.terms[at].is_name = true);
    }

    pub(super) fn len(&self) -> usize {
        self.terms.len()
    }

    pub(super) fn find(&self, text: &str) -> TermMatches {
        let mut found =
            TermMatches { positions: vec![Vec::new(); self.terms.len()], terms: Vec::new() };
        for (i, language) in self
            .languages
            .iter()
            .map(|language| Some(*language))
            .chain(self.languages.is_empty().then_some(None))
            .enumerate()
        {
            analysis::index_terms(text, language, &mut |term| {
                for &at in self.by_variant.get(term.text).into_iter().flatten() {
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

    /// Whether the question itself says `word`.
    pub(super) fn asks_for(&self, word: &str) -> bool {
        self.find(word).positions.iter().any(|positions| !positions.is_empty())
    }

    /// Whether the index says `word` seldom: names of people and places are rare, while "Listing"
    /// and "Chapter" begin with capitals on every page.
    pub(super) fn is_rare(&self, word: &str) -> bool {
        let mut rarest = 0.0_f64;
        analysis::index_terms(word, self.languages.first().copied(), &mut |term| {
            rarest = rarest.max((self.rarity)(term.text));
        });
        rarest >= RARE * self.unseen
    }

    /// Share of the question's weight for which `has` holds.
    pub(super) fn share(&self, has: impl Fn(usize) -> bool) -> f64 {
        let total: f64 = self.terms.iter().map(|term| term.weight).sum();
        let held: f64 = self
            .terms
            .iter()
            .enumerate()
            .filter(|&(at, _)| has(at))
            .map(|(_, term)| term.weight)
            .sum();
        if total > 0.0 { held / total } else { 0.0 }
    }

    pub(super) fn weight(&self, at: usize) -> f64 {
        self.terms[at].weight / self.unseen
    }

    /// Share of the question's weight in names for which `has` does not hold.
    pub(super) fn missing_names(&self, has: impl Fn(usize) -> bool) -> f64 {
        self.share(|at| self.terms[at].is_name && !has(at))
    }

    /// Share of the question's weight in terms that the index does not have at all.
    pub(super) fn unknown_share(&self) -> f64 {
        self.share(|at| !self.terms[at].is_known)
    }
}

/// Whether two characters of a script without spaces say little: most pairs that no text has
/// straddle two words, and pairs with a particle in them hold a sentence together. On Chinese
/// `XQuAD` this halves the share of wrong refusals.
fn is_hollow_pair(term: &str, is_known: bool) -> bool {
    let mut characters = term.chars();
    let (Some(a), Some(b), None) = (characters.next(), characters.next(), characters.next()) else {
        return false;
    };
    let is_unspaced = |c: char| matches!(c, '\u{3041}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{ac00}'..='\u{d7a3}' | '\u{20000}'..='\u{3ffff}');
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
