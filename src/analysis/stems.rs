//! Snowball stemmers by language code, and words with irregular forms, which no stemmer knows.

use std::collections::HashMap;
use std::sync::LazyLock;

use rust_stemmers::Algorithm;

use super::normalize;
use crate::strings::table_lines;

/// The stemmer of one language. It is a function pointer, so making one is free.
pub(super) struct Stemmer {
    inner: rust_stemmers::Stemmer,
}

impl Stemmer {
    /// The stemmer for an ISO 639 code (two or three letters, region ignored), if there is one.
    pub(super) fn of(language: &str) -> Option<Self> {
        Some(Self { inner: rust_stemmers::Stemmer::create(algorithm(language)?) })
    }

    /// Passes the indexed forms of a word to `each`: its stem and, where accents change the stem,
    /// also the stem without them. Snowball needs accents (French *-ité* is a suffix, *-ite* is
    /// not), and queries often lack them.
    pub(super) fn forms(&self, normalized: &str, accented: &str, each: &mut dyn FnMut(&str)) {
        if !is_stemmable(normalized) {
            return each(normalized);
        }
        let bare = self.inner.stem(normalized);
        if normalized != accented {
            let mut form = String::new();
            normalize::strip_accents_into(&self.inner.stem(accented), &mut form);
            if form != bare {
                each(&form);
            }
        }
        each(&bare);
    }
}

/// Stems of irregular forms with the stems of their words, of one language: *leav* for *left*.
/// They are not indexed: as forms of one term, *given* and *give* or *written* and *write* find
/// worse (nDCG@10 of the lexical retriever on CACM 0.501, without them 0.514). In a passage that
/// was found they tell that it has the word.
#[must_use]
pub fn irregular_forms(language: &str) -> Option<&'static HashMap<String, String>> {
    matches!(algorithm(language), Some(Algorithm::English)).then(|| &*ENGLISH)
}

static ENGLISH: LazyLock<HashMap<String, String>> =
    LazyLock::new(|| irregular(include_str!("irregular/en.txt"), Algorithm::English));

/// The stems of irregular forms with those of their words, from lines of a word and its forms.
fn irregular(table: &str, algorithm: Algorithm) -> HashMap<String, String> {
    let stemmer = rust_stemmers::Stemmer::create(algorithm);
    let mut stems = HashMap::new();
    for line in table_lines(table) {
        let mut words = line.split_whitespace().map(|word| stemmer.stem(word).into_owned());
        let word = words.next().unwrap_or_default();
        stems.extend(words.map(|form| (form, word.clone())));
    }
    stems
}

/// Identifiers with digits (`sha256`, `p53`) and words of two letters have no inflections.
fn is_stemmable(word: &str) -> bool {
    word.len() > 2 && !word.bytes().any(|b| b.is_ascii_digit())
}

fn algorithm(language: &str) -> Option<Algorithm> {
    let code = language.split(['-', '_']).next().unwrap_or(language);
    Some(match code {
        "ar" | "ara" => Algorithm::Arabic,
        "da" | "dan" => Algorithm::Danish,
        "nl" | "nld" | "dut" => Algorithm::Dutch,
        "en" | "eng" => Algorithm::English,
        "fi" | "fin" => Algorithm::Finnish,
        "fr" | "fra" | "fre" => Algorithm::French,
        "de" | "deu" | "ger" => Algorithm::German,
        "el" | "ell" | "gre" => Algorithm::Greek,
        "hu" | "hun" => Algorithm::Hungarian,
        "it" | "ita" => Algorithm::Italian,
        "no" | "nb" | "nn" | "nor" | "nob" | "nno" => Algorithm::Norwegian,
        "pt" | "por" => Algorithm::Portuguese,
        "ro" | "ron" | "rum" => Algorithm::Romanian,
        "ru" | "rus" => Algorithm::Russian,
        "es" | "spa" => Algorithm::Spanish,
        "sv" | "swe" => Algorithm::Swedish,
        "ta" | "tam" => Algorithm::Tamil,
        "tr" | "tur" => Algorithm::Turkish,
        _ => return None,
    })
}
