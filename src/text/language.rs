//! Which language a text is written in, when that is clear.

use whatlang::Lang;

use super::extract::{BlockKind, Extracted};
use crate::document::Format;
use crate::strings::StrExt as _;

/// Enough for a sure guess, and little enough to cost nothing beside reading the file.
const SAMPLE_CHARS: usize = 2000;

/// The ISO 639-1 code of the language of a document; `None` when it is not clear. Code in it is not
/// looked at; a file that is all code counts as English, as identifiers and most comments are,
/// unless it clearly is not.
pub fn language_of(doc: &Extracted) -> Option<&'static str> {
    let is_code = doc.format == Format::Code;
    let mut sample = String::new();
    let mut room = SAMPLE_CHARS;
    for block in &doc.blocks {
        if room == 0 {
            break;
        }
        if is_code || !matches!(block.kind, BlockKind::Code | BlockKind::Table) {
            let text = doc.text.slice(block.span.range());
            let end = text.char_indices().nth(room).map_or(text.len(), |(at, _)| at);
            room -= text.slice(..end).chars().count();
            sample.push_str(text.slice(..end));
            sample.push('\n');
        }
    }
    match detect(&sample) {
        // Names and keywords look like many languages in the Latin script, and like none in
        // another.
        _ if is_code && sample.is_ascii() => Some("en"),
        found if is_code => found.or(Some("en")),
        found => found,
    }
}

/// The ISO 639-1 code of the language of a text, judged by its first 2,000 characters; `None` when
/// it is not clear.
pub fn detect(text: &str) -> Option<&'static str> {
    let end = text.char_indices().nth(SAMPLE_CHARS).map_or(text.len(), |(at, _)| at);
    let found = whatlang::detect(text.slice(..end)).filter(whatlang::Info::is_reliable)?;
    code(found.lang())
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
        #[allow(unreachable_patterns, reason = "a later whatlang may know more languages")]
        _ => return None,
    };
    Some(code)
}
