//! Detects the language of a text.

use whatlang::Lang;

use super::extract::{BlockKind, Extracted};
use crate::analysis;
use crate::document::Format;
use crate::strings::StrExt as _;

/// Enough for a reliable result, at a small cost compared with reading the file.
const SAMPLE_CHARS: usize = 2000;

/// The ISO 639-1 code of the language of a document; `None` when it is unclear. Code blocks and
/// tables are ignored. A file of code is English, as identifiers and most comments are, unless
/// another language is detected.
pub fn language_of(doc: &Extracted) -> Option<&'static str> {
    let is_code = doc.format == Format::Code;
    let mut sample = String::new();
    let mut room = SAMPLE_CHARS;
    for block in &doc.blocks {
        if room == 0 {
            break;
        }
        if is_code || !matches!(block.kind, BlockKind::Code | BlockKind::Table { .. }) {
            let text = first_chars(doc.text.slice(block.span.range()), room);
            room -= text.chars().count();
            sample.push_str(text);
            sample.push('\n');
        }
    }
    match detect(&sample) {
        // Names and keywords resemble many languages of the Latin script, and none of another.
        _ if is_code && sample.is_ascii() => Some("en"),
        found if is_code => found.or(Some("en")),
        found => found,
    }
}

/// The ISO 639-1 code of the language of a text, from its first `SAMPLE_CHARS`; `None` when it is
/// unclear.
pub fn detect(text: &str) -> Option<&'static str> {
    let sample = first_chars(text, SAMPLE_CHARS);
    match whatlang::detect(sample).filter(whatlang::Info::is_reliable) {
        Some(found) => code(found.lang()),
        None => by_function_words(sample),
    }
}

/// The language of a text that is too short for its letters to tell: the one that has most of its
/// function words.
fn by_function_words(text: &str) -> Option<&'static str> {
    const LANGUAGES: [&str; 8] = ["en", "de", "fr", "es", "it", "pt", "nl", "ru"];
    /// One may be a name, or a word of several languages.
    const LEAST: usize = 2;
    let mut counts = [0; LANGUAGES.len()];
    analysis::index_terms(text, None, &mut |term| {
        for (count, language) in counts.iter_mut().zip(LANGUAGES) {
            *count += usize::from(analysis::is_stop_word(term.text, language));
        }
    });
    let best = counts.into_iter().max().filter(|best| *best >= LEAST)?;
    let mut found = LANGUAGES.into_iter().zip(counts).filter(|(_, count)| *count == best);
    let (language, _) = found.next()?;
    found.next().is_none().then_some(language)
}

fn first_chars(text: &str, n: usize) -> &str {
    let end = text.char_indices().nth(n).map_or(text.len(), |(at, _)| at);
    text.slice(..end)
}

fn code(lang: Lang) -> Option<&'static str> {
    let code = match lang {
        Lang::Afr => "af",
        Lang::Aka => "ak",
        Lang::Amh => "am",
        Lang::Ara => "ar",
        Lang::Aze => "az",
        Lang::Bel => "be",
        Lang::Ben => "bn",
        Lang::Bul => "bg",
        Lang::Cat => "ca",
        Lang::Ces => "cs",
        Lang::Cmn => "zh",
        Lang::Cym => "cy",
        Lang::Dan => "da",
        Lang::Deu => "de",
        Lang::Ell => "el",
        Lang::Eng => "en",
        Lang::Epo => "eo",
        Lang::Est => "et",
        Lang::Fin => "fi",
        Lang::Fra => "fr",
        Lang::Guj => "gu",
        Lang::Heb => "he",
        Lang::Hin => "hi",
        Lang::Hrv => "hr",
        Lang::Hun => "hu",
        Lang::Hye => "hy",
        Lang::Ind => "id",
        Lang::Ita => "it",
        Lang::Jav => "jv",
        Lang::Jpn => "ja",
        Lang::Kan => "kn",
        Lang::Kat => "ka",
        Lang::Khm => "km",
        Lang::Kor => "ko",
        Lang::Lat => "la",
        Lang::Lav => "lv",
        Lang::Lit => "lt",
        Lang::Mal => "ml",
        Lang::Mar => "mr",
        Lang::Mkd => "mk",
        Lang::Mya => "my",
        Lang::Nep => "ne",
        Lang::Nld => "nl",
        Lang::Nob => "nb",
        Lang::Ori => "or",
        Lang::Pan => "pa",
        Lang::Pes => "fa",
        Lang::Pol => "pl",
        Lang::Por => "pt",
        Lang::Ron => "ro",
        Lang::Rus => "ru",
        Lang::Sin => "si",
        Lang::Slk => "sk",
        Lang::Slv => "sl",
        Lang::Sna => "sn",
        Lang::Spa => "es",
        Lang::Srp => "sr",
        Lang::Swe => "sv",
        Lang::Tam => "ta",
        Lang::Tel => "te",
        Lang::Tgl => "tl",
        Lang::Tha => "th",
        Lang::Tuk => "tk",
        Lang::Tur => "tr",
        Lang::Ukr => "uk",
        Lang::Urd => "ur",
        Lang::Uzb => "uz",
        Lang::Vie => "vi",
        Lang::Yid => "yi",
        Lang::Zul => "zu",
        #[allow(unreachable_patterns, reason = "a later whatlang may have more languages")]
        _ => return None,
    };
    Some(code)
}
