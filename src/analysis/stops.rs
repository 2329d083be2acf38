//! Where the sentences of a paragraph end: the rules of Unicode (UAX #29), which know the marks of
//! every script, under exceptions for markup, abbreviations, initials and numbers.
//!
//! Markup is first masked by marks of the same length that have the intended effect on the rules.

use std::ops::Range;

use icu_segmenter::SentenceSegmenter;
use icu_segmenter::options::SentenceBreakInvariantOptions;

use crate::strings::StrExt as _;

/// The sentences of a paragraph, which together are the whole paragraph.
pub(super) fn sentences(paragraph: &str) -> Vec<Range<usize>> {
    let masked = masked(paragraph);
    let is_lower_case = !paragraph.contains(char::is_uppercase);
    let segmenter = SentenceSegmenter::new(SentenceBreakInvariantOptions::default());
    let mut found = Vec::new();
    let mut start = 0;
    for end in segmenter.segment_str(&masked).skip(1).filter(|end| *end < paragraph.len()) {
        let stop = Stop {
            before: paragraph.slice(start..end),
            masked: masked.slice(start..end),
            following: paragraph.slice(end..),
        };
        if stop.ends_a_sentence(is_lower_case) {
            found.push(start..end);
            start = end;
        }
    }
    if start < paragraph.len() {
        found.push(start..paragraph.len());
    }
    found
}

/// The paragraph with as many bytes, in which lines do not end, code has no marks, and closing
/// markup and footnote marks are brackets. What begins a sentence other than a small letter is a
/// capital: by the rules alone, "1888. 27 mm" and "so. (see" are inside a sentence.
fn masked(paragraph: &str) -> String {
    let is_lower_case = !paragraph.contains(char::is_uppercase);
    let mut out = String::with_capacity(paragraph.len());
    let mut code = Code { end: 0, unclosed: 0 };
    let (mut note_end, mut break_end) = (0, 0);
    // The last character, and the one before the white space after it.
    let (mut last, mut before_space) = (' ', ' ');
    for (at, c) in paragraph.char_indices() {
        let is_after_mark = !last.is_alphanumeric() && !last.is_whitespace();
        let begins = last.is_whitespace() && !before_space.is_alphanumeric();
        if is_after_mark && c == '[' {
            note_end = at + footnote_len(paragraph.slice(at..)).unwrap_or(0);
        }
        let in_code = code.contains(paragraph, at, c);
        if c == '<' && !in_code {
            break_end = at + break_len(paragraph.slice(at..));
        }
        let mask = match c {
            _ if at < note_end => ')',
            _ if in_code => 'X',
            _ if at < break_end => ' ',
            '\n' | '\r' => ' ',
            '\u{85}' => '\u{A0}',
            '\u{2028}' | '\u{2029}' => '\u{2003}',
            // As three full stops.
            '…' => '﹒',
            '*' | '_' if is_after_mark => ')',
            // An opening bracket does not belong to the sentence before it.
            '「' | '『' | '（' | '【' | '《' | '〈' if is_after_mark => '中',
            '.' | '!' | '?' => c,
            _ if begins && c.is_ascii() && !c.is_ascii_alphabetic() && c != ' ' => 'X',
            _ if is_lower_case => capital(c),
            _ => c,
        };
        // Each byte of a longer character becomes one byte of the mask.
        let n = if mask.len_utf8() == c.len_utf8() { 1 } else { c.len_utf8() };
        out.extend(std::iter::repeat_n(mask, n));
        if c.is_whitespace() && !last.is_whitespace() {
            before_space = last;
        }
        last = if at < break_end { ' ' } else { c };
    }
    out
}

/// The length of the line break `<br>` at the head of `rest`.
fn break_len(rest: &str) -> usize {
    let tag = rest.get(1..3).filter(|name| name.eq_ignore_ascii_case("br"));
    let end = tag.and_then(|_| rest.slice(3..).trim_start_matches([' ', '/']).strip_prefix('>'));
    end.map_or(0, |after| rest.len() - after.len())
}

/// The capital of a letter, if it is as long.
fn capital(c: char) -> char {
    let mut capitals = c.to_uppercase();
    match (capitals.next(), capitals.next()) {
        (Some(capital), None) if capital.len_utf8() == c.len_utf8() => capital,
        _ => c,
    }
}

/// Code spans: the `!` of `println!` does not end a sentence.
struct Code {
    /// The end of the current or last one.
    end: usize,
    /// A bit for each number of backticks in a row that does not occur again.
    unclosed: u64,
}

impl Code {
    /// Whether the character at an offset is inside a span. Offsets come in order.
    fn contains(&mut self, text: &str, at: usize, c: char) -> bool {
        if at >= self.end && c == '`' {
            let rest = text.slice(at..);
            let n = rest.find(|c| c != '`').unwrap_or(rest.len());
            self.end = at + n;
            let bit = u32::try_from(n).ok().and_then(|n| 1_u64.checked_shl(n)).unwrap_or(0);
            if bit > 0 && self.unclosed & bit == 0 {
                match super::plain::find_run(rest.slice(n..), n) {
                    Some(close) => self.end = at + n + close + n,
                    None => self.unclosed |= bit,
                }
            }
        }
        at < self.end
    }
}

/// The length of the footnote mark (`[12]`, `[^note]`, `[citation needed]`) at the head of `rest`.
fn footnote_len(rest: &str) -> Option<usize> {
    let inside = rest.strip_prefix('[')?;
    let close = inside.bytes().take(24).position(|b| b == b']').filter(|&close| close > 0)?;
    let label = inside.slice(..close);
    let is_note = label.starts_with('^')
        || label.ends_with("needed")
        || label.chars().all(|c| c.is_ascii_digit() || ", –-".contains(c));
    (is_note && !inside.slice(close + 1..).starts_with(['(', '['])).then_some(close + 2)
}

/// A place where a sentence ends by the rules of Unicode.
struct Stop<'a> {
    /// From the start of the sentence, with the white space after it.
    before: &'a str,
    masked: &'a str,
    following: &'a str,
}

impl Stop<'_> {
    fn ends_a_sentence(&self, is_lower_case: bool) -> bool {
        let sentence = self.masked.trim_end();
        let is_mark = |c: char| !c.is_alphanumeric() && !c.is_whitespace();
        let marks = sentence.slice(sentence.trim_end_matches(is_mark).len()..);
        let Some(next) = self.following.chars().next() else { return true };
        if sentence.len() == self.masked.len() {
            // Where spaces separate words, they separate sentences too: not in `A..B`.
            let is_unspaced = |c: char| matches!(c, '。' | '！' | '？' | '｡' | '．');
            // 「…。」と言った continues the sentence.
            let continues = !marks.ends_with(is_unspaced)
                && matches!(next, '\u{3041}'..='\u{309f}' | '、' | '，' | ',');
            return marks.contains(is_unspaced) && !continues;
        }
        let is_terminal = |c: &char| matches!(c, '.' | '!' | '?' | '﹒');
        let n_marks = marks.chars().filter(is_terminal).count();
        if next.is_lowercase() && !(is_lower_case && n_marks == 1) {
            return false;
        }
        let stop = marks.find('.').filter(|_| n_marks == 1);
        let stop = stop.map(|at| sentence.len() - marks.len() + at);
        !stop.is_some_and(|at| is_abbreviated(self.before.slice(..at), self.following))
    }
}

/// Abbreviations that never end a sentence.
const TITLES: &[&str] = &[
    "mr", "mrs", "ms", "dr", "prof", "st", "gen", "col", "lt", "sgt", "capt", "cmdr", "adm", "rep",
    "sen", "gov", "rev", "hon", "pres", "mt", "messrs", "e.g", "i.e", "vs", "cf", "viz", "approx",
    "resp", "esp", "incl", "ex", "z.b", "d.h", "u.a", "o.ä", "s.o", "s.u", "i.d.r", "i.a", "bzw",
    "ggf", "ca", "hr", "fr", "frl", "dipl", "ing", "mme", "mlle", "mm", "ste", "mgr", "p.ex", "sr",
    "sra", "srta", "dra", "ud", "uds", "excmo", "dott", "sig", "avv", "dhr", "mevr", "drs", "o.a",
    "bijv", "t.ex", "bl.a", "f.eks", "np", "tzn", "т.е", "т.к", "т.н", "г-н", "г-жа", "им", "ул",
    "проф",
];

/// Abbreviations that do not end a sentence before a number or a bracket.
const COUNTERS: &[&str] = &[
    "fig", "figs", "eq", "eqs", "no", "nos", "nr", "nrs", "vol", "vols", "pp", "p", "sec", "secs",
    "ch", "chap", "art", "arts", "tab", "abb", "bd", "s", "al", "ref", "refs", "jan", "feb", "mar",
    "apr", "jun", "jul", "aug", "sep", "sept", "oct", "nov", "dec", "ed", "eds", "n", "v", "ver",
    "app", "par", "para", "op", "b.c", "a.d", "est", "circa", "c", "abs", "kap", "ziff", "lit",
    "anm", "núm", "num", "pág", "págs", "pag", "tel", "tél", "ext", "cap", "blz", "hfst", "kl",
    "рис", "стр", "табл", "гл", "ст", "п", "№", "ok", "str", "rys", "tbl", "cl", "reg", "ser",
];

/// Words before the initial of a name.
const BEFORE_NAMES: &[&str] = &[
    "by", "from", "of", "with", "for", "to", "against", "and", "&", "von", "vom", "mit", "und",
    "für", "gegen", "durch", "de", "par", "pour", "avec", "et", "que", "del", "por", "con", "y",
    "da", "di", "van", "door", "met", "en", "av", "och", "og", "til", "af", "przez", "и", "от",
    "для", "с", "к",
];

/// Words before a letter that is no initial.
const BEFORE_LABELS: &[&str] = &[
    "vitamin",
    "plan",
    "type",
    "class",
    "group",
    "part",
    "option",
    "appendix",
    "section",
    "figure",
    "table",
    "step",
    "point",
    "column",
    "row",
    "level",
    "grade",
    "schedule",
    "exhibit",
    "annex",
    "gate",
    "hall",
    "room",
    "team",
    "phase",
    "variant",
    "hepatitis",
    "model",
    "version",
    "category",
    "block",
    "wing",
    "zone",
    "line",
    "area",
    "drive",
    "key",
    "series",
    "typ",
    "gruppe",
    "klasse",
    "teil",
    "anhang",
    "saal",
    "raum",
    "groupe",
    "partie",
    "annexe",
    "grupo",
    "tipo",
    "anexo",
];

/// Months in languages that write a day with a full stop: "3. Mai".
const MONTHS: &[&str] = &[
    "januar",
    "jänner",
    "februar",
    "feber",
    "märz",
    "april",
    "mai",
    "juni",
    "juli",
    "august",
    "september",
    "oktober",
    "november",
    "dezember",
    "desember",
    "december",
    "january",
    "mars",
    "februari",
    "januari",
    "maj",
    "augusti",
];

/// Words before an ordinal number in German: "im 2. Obergeschoss".
const BEFORE_ORDINALS: &[&str] = &[
    "der", "die", "das", "den", "dem", "des", "am", "im", "vom", "zum", "zur", "beim", "ein",
    "eine", "einen", "einem", "einer", "jeder", "jede", "jedes", "jeden", "bis",
];

/// Whether the full stop after `before` belongs to an abbreviation, an initial or a number.
fn is_abbreviated(before: &str, following: &str) -> bool {
    let is_separator = |c: char| c.is_whitespace() || "([{\"'“‘*_/—–".contains(c);
    let word = before.rsplit(is_separator).next().unwrap_or("");
    let head = before.slice(..before.len() - word.len()).trim_end();
    let (next, next_word) = (following.chars().next().unwrap_or(' '), first_word(following));
    let lower = with_letters_before(head, word).to_lowercase();
    if TITLES.contains(&lower.as_str()) {
        return true;
    }
    if COUNTERS.contains(&lower.as_str()) {
        let is_roman = next_word.len() > 1 && next_word.chars().all(|c| "IVXLC".contains(c));
        let is_lettered = next.is_ascii_uppercase() && next_word.contains(|c: char| c.is_numeric());
        if next.is_numeric() || matches!(next, '(' | '[' | '#') || is_roman || is_lettered {
            return true;
        }
    }
    if before.trim().chars().all(|c| c.is_ascii_digit() || c == '#') {
        // "1." or "#." at the head of a list item.
        return true;
    }
    is_ordinal(head, word, next_word) || is_initial(head, word, following)
}

/// A word with the single letters and full stops before it: "B" after "z." is "z.B".
fn with_letters_before(head: &str, word: &str) -> String {
    let mut joined = word.to_owned();
    let mut letters = head.split_whitespace().rev().take(3);
    while word.chars().count() == 1
        && let Some(letter) = letters.next().and_then(|word| word.strip_suffix('.'))
        && letter.chars().count() == 1
    {
        joined = format!("{letter}.{joined}");
    }
    joined
}

fn first_word(text: &str) -> &str {
    text.slice(..text.find(|c: char| !c.is_alphanumeric()).unwrap_or(text.len()))
}

/// Whether a number is an ordinal of German and its neighbours, which have a full stop.
fn is_ordinal(head: &str, word: &str, next_word: &str) -> bool {
    if word.len() > 2 || !word.chars().all(|c| c.is_ascii_digit()) {
        return false;
    }
    let next = next_word.to_lowercase();
    let previous = head.rsplit(char::is_whitespace).next().unwrap_or("").to_lowercase();
    MONTHS.contains(&next.as_str())
        || BEFORE_ORDINALS.contains(&previous.as_str()) && !super::is_stop_word(&next, "de")
}

/// Whether a letter is the initial of a name, or a letter within an acronym: "by J. Smith" and
/// "U.S. Army", but not "vitamin C. Citrus fruits".
fn is_initial(head: &str, word: &str, following: &str) -> bool {
    let is_letter = |word: &str| word.chars().count() == 1 && word.chars().all(char::is_uppercase);
    let next_word = first_word(following);
    let is_single = word.chars().count() == 1 && word.chars().all(char::is_alphabetic);
    let next_is_letter =
        next_word.chars().count() == 1 && following.slice(next_word.len()..).starts_with('.');
    if is_single && (next_is_letter || next_word == "Chr") {
        return true;
    }
    let is_acronym =
        word.contains('.') && word.split('.').all(|letter| letter.chars().count() == 1);
    if !(is_letter(word) || is_acronym)
        || !following.starts_with(char::is_uppercase)
        || super::is_stop_word(&next_word.to_lowercase(), "en")
    {
        return false;
    }
    let mut words = head.split_whitespace().rev();
    let previous = words.next().unwrap_or("");
    let bare = previous.trim_end_matches([',', ':', ';', '(', '[', '“', '—']);
    let lower = bare.to_lowercase();
    if is_acronym || head.is_empty() || previous.ends_with('.') {
        return true;
    }
    if BEFORE_NAMES.contains(&lower.as_str()) {
        // "from A to B. Trains run" has two letters, "between you and I" a pronoun.
        let is_list = words.next().is_some_and(|word| is_letter(word.trim_end_matches(',')));
        return !(is_list || word == "I" && lower == "and");
    }
    let follows_a_name = bare.starts_with(char::is_uppercase) || bare.len() < previous.len();
    let is_label = is_letter(bare) || BEFORE_LABELS.contains(&lower.as_str());
    follows_a_name && word != "I" && !is_label
}
