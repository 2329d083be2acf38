//! Raised numbers: ten to the third is no 103, and the mark of a note is no part of its word.

/// What a raised number shows after a text: `10` and `3` is `10³`, `fee` and `1` is `fee 1`. `None`
/// for other text, such as the ending of `1st`.
pub(super) fn raised(before: &str, text: &str) -> Option<String> {
    const DIGITS: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    /// Longer numbers are no exponents.
    const MAX_CHARS: usize = 4;
    let is_number = text.contains(|c: char| c.is_ascii_digit());
    if !is_number || text.chars().nth(MAX_CHARS).is_some() {
        return None;
    }
    if ends_word(before) {
        return Some(format!(" {text}"));
    }
    if !before.ends_with(|c: char| c.is_alphanumeric() || matches!(c, ')' | ']')) {
        return None;
    }
    text.chars()
        .map(|c| match c {
            '-' | '−' | '–' => Some('⁻'),
            '+' => Some('⁺'),
            c => c.to_digit(10).map(|digit| DIGITS[digit as usize]),
        })
        .collect()
}

/// Whether a text ends with a word or a sentence. Units are short.
fn ends_word(text: &str) -> bool {
    const UNITS: [&str; 6] = ["min", "sec", "mol", "rad", "cos", "sin"];
    if let Some(sentence) = text.strip_suffix(['.', ',', ';', ':', '!', '?', '"', '”', '’', '»'])
    {
        return sentence.ends_with(char::is_alphanumeric);
    }
    let word = text.rsplit(|c: char| !c.is_alphabetic()).next().unwrap_or_default();
    word.chars().nth(2).is_some() && !UNITS.contains(&word)
}

#[cfg(test)]
mod tests {
    use super::raised;

    #[test]
    fn exponents_are_raised_and_marks_of_notes_are_apart() {
        let shown = |before, text| raised(before, text).unwrap_or_else(|| text.to_owned());
        assert_eq!(shown("10", "3"), "³");
        assert_eq!(shown("5 s", "-1"), "⁻¹");
        assert_eq!(shown("the fee", "1"), " 1");
        assert_eq!(shown("It froze.", "12"), " 12");
        assert_eq!(shown("1", "st"), "st");
        assert_eq!(shown("in ", "1850"), "1850");
    }
}
