//! Snowball stemmers by language code.

use rust_stemmers::Algorithm;

use super::fold;

/// The stemmer of one language. Making one costs nothing: it is a function pointer.
pub(super) struct Stemmer {
    inner: rust_stemmers::Stemmer,
}

impl Stemmer {
    /// The stemmer for an ISO 639 code (two or three letters, region ignored), if there is one.
    pub(super) fn of(language: &str) -> Option<Self> {
        Some(Self { inner: rust_stemmers::Stemmer::create(algorithm(language)?) })
    }

    /// Hands over the forms under which a word is indexed: its stem; and, when accents changed the
    /// stem, also the stem of the word typed without them. Snowball needs accents (French *-ité* is
    /// a suffix, *-ite* is not), and people do not type them.
    pub(super) fn forms(&self, folded: &str, accented: &str, each: &mut dyn FnMut(&str)) {
        if !is_stemmable(folded) {
            return each(folded);
        }
        let bare = self.inner.stem(folded);
        if folded != accented {
            let mut form = String::new();
            fold::fold_into(&self.inner.stem(accented), &mut form);
            if form != bare {
                each(&form);
            }
        }
        each(&bare);
    }
}

/// Identifiers with digits in them (`sha256`, `p53`) mean exactly what they say, and two letters
/// have no ending.
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
