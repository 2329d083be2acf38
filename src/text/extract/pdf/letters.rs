//! Characters of glyphs: ligatures, separate accents, the direction of scripts.

/// Appends a character: ligatures are divided, spaces are merged, and a separate accent is combined
/// with its letter.
pub(super) fn push(text: &mut String, c: char) {
    let letters = match c {
        '\u{FB00}' => "ff",
        '\u{FB01}' => "fi",
        '\u{FB02}' => "fl",
        '\u{FB03}' => "ffi",
        '\u{FB04}' => "ffl",
        '\u{FB05}' | '\u{FB06}' => "st",
        '\u{AD}' => "-",
        c if c.is_whitespace() => {
            if !text.ends_with(' ') {
                text.push(' ');
            }
            return;
        }
        _ => {
            if let Some(accent) = text.chars().next_back().and_then(combining)
                && c.is_alphabetic()
                && let Some(whole) = unicode_normalization::char::compose(plain_letter(c), accent)
            {
                text.pop();
                text.push(whole);
                return;
            }
            text.push(c);
            return;
        }
    };
    text.push_str(letters);
}

fn plain_letter(c: char) -> char {
    match c {
        '\u{131}' => 'i',
        '\u{237}' => 'j',
        c => c,
    }
}

/// The combining form of an accent that TeX draws before its letter. ASCII accents are separate
/// characters.
fn combining(c: char) -> Option<char> {
    Some(match c {
        '\u{B4}' => '\u{301}',
        '\u{A8}' => '\u{308}',
        '\u{2C6}' => '\u{302}',
        '\u{2DC}' => '\u{303}',
        '\u{2C7}' => '\u{30C}',
        '\u{2DA}' => '\u{30A}',
        '\u{2D8}' => '\u{306}',
        '\u{B8}' => '\u{327}',
        _ => return None,
    })
}

pub(super) fn is_right_to_left(text: &str) -> bool {
    text.chars().any(
        |c| matches!(c, '\u{590}'..='\u{8FF}' | '\u{FB1D}'..='\u{FDFF}' | '\u{FE70}'..='\u{FEFF}'),
    )
}
