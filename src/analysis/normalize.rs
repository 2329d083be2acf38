//! Normalization of words: compatibility forms resolved, lower case, accents removed.
//!
//! Accents are removed from Latin and Greek letters only. In Cyrillic (й), Devanagari (vowel signs)
//! and kana (が) the marks make a different letter, and removing them would merge different words.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Characters that change only the appearance of text: soft hyphen, zero-width joiners, direction
/// marks, variation selectors.
pub(super) fn is_ignorable(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{200c}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'
        | '\u{2066}'..='\u{2069}' | '\u{fe00}'..='\u{fe0f}')
}

pub(super) fn is_apostrophe(c: char) -> bool {
    matches!(c, '\'' | '\u{2019}' | '\u{2018}' | '\u{ff07}' | '\u{2bc}')
}

pub(super) fn is_hyphen(c: char) -> bool {
    matches!(c, '-' | '\u{2010}' | '\u{2011}' | '\u{ff0d}')
}

/// Writes `raw` in lower case with compatibility forms resolved and accents kept, as stemmers
/// expect. Apostrophes are removed.
pub(super) fn lower_into(raw: &str, out: &mut String) {
    out.clear();
    if raw.is_ascii() {
        out.extend(raw.bytes().filter(|&b| b != b'\'').map(|b| char::from(b.to_ascii_lowercase())));
        return;
    }
    let keep = |c: &char| !is_ignorable(*c) && !is_apostrophe(*c);
    // NFKC turns ½ into 1⁄2, and 6½ into 61⁄2.
    if raw.contains(is_vulgar_fraction) {
        out.extend(raw.chars().filter(keep).flat_map(char::to_lowercase));
    } else {
        out.extend(
            raw.chars().filter(keep).nfkc().flat_map(char::to_lowercase).map(final_forms).nfc(),
        );
    }
}

fn is_vulgar_fraction(c: char) -> bool {
    matches!(c, '\u{bc}'..='\u{be}' | '\u{2150}'..='\u{215f}' | '\u{2189}')
}

/// Maps letters with several shapes or code points in free variation to one.
fn final_forms(c: char) -> char {
    match c {
        'ς' => 'σ',
        'ё' => 'е',
        'أ' | 'إ' | 'آ' | 'ٱ' => 'ا',
        'ى' | 'ی' => 'ي',
        'ک' => 'ك',
        'ة' => 'ه',
        '\u{660}'..='\u{669}' => digit(c, 0x660),
        '\u{6f0}'..='\u{6f9}' => digit(c, 0x6f0),
        '\u{966}'..='\u{96f}' => digit(c, 0x966),
        '\u{2010}' | '\u{2011}' => '-',
        _ => c,
    }
}

fn digit(c: char, zero: u32) -> char {
    char::from_digit(c as u32 - zero, 10).unwrap_or(c)
}

/// Writes `lower`, a result of [`lower_into`], without accents.
pub(super) fn strip_accents_into(lower: &str, out: &mut String) {
    out.clear();
    if lower.is_ascii() {
        out.push_str(lower);
        return;
    }
    let mut base = '\0';
    let mut decomposed = String::with_capacity(lower.len());
    for c in lower.nfd() {
        if is_combining_mark(c) {
            if drops_mark(base, c) {
                continue;
            }
        } else {
            base = c;
        }
        match c {
            'ß' => decomposed.push_str("ss"),
            'æ' => decomposed.push_str("ae"),
            'œ' => decomposed.push_str("oe"),
            'þ' => decomposed.push_str("th"),
            'ø' => decomposed.push('o'),
            'ł' => decomposed.push('l'),
            'đ' | 'ð' => decomposed.push('d'),
            'ħ' => decomposed.push('h'),
            'ı' => decomposed.push('i'),
            'ŋ' => decomposed.push('n'),
            '\u{640}' => {}
            c => decomposed.push(c),
        }
    }
    out.extend(decomposed.nfc());
}

fn drops_mark(base: char, mark: char) -> bool {
    match base {
        'a'..='z' | '\u{c0}'..='\u{24f}' | '\u{1e00}'..='\u{1eff}' => {
            matches!(mark,
                '\u{300}'..='\u{36f}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}')
        }
        '\u{370}'..='\u{3ff}' | '\u{1f00}'..='\u{1fff}' => matches!(mark, '\u{300}'..='\u{36f}'),
        // Stress marks of dictionaries.
        '\u{400}'..='\u{52f}' => matches!(mark, '\u{300}' | '\u{301}'),
        '\u{590}'..='\u{5ff}' => matches!(mark, '\u{591}'..='\u{5c7}'),
        '\u{600}'..='\u{6ff}' => {
            matches!(mark, '\u{64b}'..='\u{65f}' | '\u{670}' | '\u{6d6}'..='\u{6ed}')
        }
        _ => false,
    }
}
