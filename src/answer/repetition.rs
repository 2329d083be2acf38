//! Detects a language model that repeats itself.
//!
//! A model in a loop writes the same words until its tokens are used up. Citation marks, list
//! numbers, case and white space may differ between the rounds, so the comparison ignores them.

/// Least rounds of a loop.
const MIN_ROUNDS: usize = 4;
/// Least characters of all rounds together. Rulers, empty table cells and closing brackets repeat
/// too.
const MIN_CHARS: usize = 200;
/// Longest round that is detected, in characters. The text is at least [`MIN_ROUNDS`] times as long
/// by then.
const MAX_ROUND: usize = 800;
/// Characters between two checks.
const CHECK_EVERY: usize = 64;

/// Watches a text as it arrives.
#[derive(Clone, Debug, Default)]
pub struct Repetition {
    /// The end of the text without the ignored characters, as long as it is compared.
    tail: Vec<char>,
    line: LinePosition,
    /// Digits that may be a list number, or an opening bracket and digits that may be a mark.
    held: String,
    since_check: usize,
    is_found: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum LinePosition {
    /// After white space, bullets and digits only.
    #[default]
    Start,
    Inside,
}

impl Repetition {
    /// Takes the next piece of the text, and returns how many of its bytes come before a loop was
    /// detected: all of them until then.
    pub fn feed(&mut self, text: &str) -> usize {
        for (at, c) in text.char_indices() {
            if self.is_found {
                return at;
            }
            self.push(c);
            if self.since_check >= CHECK_EVERY {
                self.since_check = 0;
                self.is_found = is_loop(&self.tail);
            }
        }
        text.len()
    }

    pub fn is_found(&self) -> bool {
        self.is_found
    }

    fn push(&mut self, c: char) {
        if self.held.starts_with('[') {
            match c {
                '0'..='9' if self.held.len() < 6 => return self.held.push(c),
                // A mark.
                ']' if self.held.len() > 1 => return self.held.clear(),
                _ => self.release(),
            }
        }
        if self.line == LinePosition::Start {
            match c {
                '0'..='9' if self.held.len() < 6 => return self.held.push(c),
                // A list number.
                '.' | ')' if !self.held.is_empty() => return self.held.clear(),
                '-' | '*' | '+' | '•' if self.held.is_empty() => return,
                _ if self.held.is_empty() => {}
                _ => self.release(),
            }
        }
        match c {
            '\n' | '\r' => self.line = LinePosition::Start,
            '[' => self.held.push('['),
            c if c.is_whitespace() => {}
            c => {
                self.line = LinePosition::Inside;
                self.keep(c);
            }
        }
    }

    /// Treats the held characters as text.
    fn release(&mut self) {
        self.line = LinePosition::Inside;
        for c in std::mem::take(&mut self.held).chars() {
            self.keep(c);
        }
    }

    fn keep(&mut self, c: char) {
        self.tail.extend(c.to_lowercase());
        self.since_check += 1;
        const MAX_TAIL: usize = MIN_ROUNDS * MAX_ROUND;
        if self.tail.len() >= 2 * MAX_TAIL {
            self.tail.drain(..self.tail.len() - MAX_TAIL);
        }
    }
}

/// Whether a text ends with enough rounds of the same characters. One pass backwards: the prefix
/// function of the reversed text gives the period of each length.
fn is_loop(text: &[char]) -> bool {
    let n = text.len().min(MIN_ROUNDS * MAX_ROUND);
    let back = |at: usize| text[text.len() - 1 - at];
    let mut border = vec![0; n];
    for at in 1..n {
        let mut k: usize = border[at - 1];
        while k > 0 && back(at) != back(k) {
            k = border[k - 1];
        }
        k += usize::from(back(at) == back(k));
        border[at] = k;
        let (length, period) = (at + 1, at + 1 - k);
        if length >= MIN_CHARS && length >= MIN_ROUNDS * period {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes of `text` before a loop, in one piece and in pieces of one character.
    #[track_caller]
    fn kept(text: &str) -> usize {
        let whole = Repetition::default().feed(text);
        let mut watch = Repetition::default();
        let mut pieces = 0;
        for c in text.chars() {
            pieces += watch.feed(c.encode_utf8(&mut [0; 4]));
        }
        assert_eq!(pieces, whole, "the pieces make a difference: {text:?}");
        assert_eq!(watch.is_found(), whole < text.len());
        whole
    }

    #[track_caller]
    fn check_loop(text: &str, rounds: usize) {
        let all = text.repeat(rounds);
        let kept = kept(&all);
        assert!(kept < all.len(), "no loop in {text:?}");
        let most = (MIN_ROUNDS + 1) * text.chars().count().max(MIN_CHARS);
        assert!(all[..kept].chars().count() <= most, "{kept} bytes of {text:?}");
    }

    #[test]
    fn a_loop_is_cut() {
        check_loop("Use only what the sources say. Add nothing from memory.\n", 32);
        check_loop("the ", 300);
        check_loop("はい、", 300);
        check_loop(&"a long thought that has no end and so on ".repeat(10), 8);
        let numbered: String =
            (1..40).map(|n| format!("{n}. You answer a question from sources. [{n}]\n")).collect();
        assert!(kept(&numbered) < numbered.len());
        let prose = "Honey bees dance to tell the others where flowers are. ".to_owned();
        let late =
            format!("{prose}{}", "They sing loudly in the evening, all of them.\n".repeat(20));
        assert!((prose.len()..late.len()).contains(&kept(&late)));
    }

    #[test]
    fn similar_lines_are_not_a_loop() {
        let check = |text: &str| assert_eq!(kept(text), text.len(), "{text:?}");
        check("");
        check("no no no no no no no no no no");
        check(&"-".repeat(80));
        check(&format!("| a | b | c |\n|---|---|---|\n{}", "| 1 | 2 | 3 |\n".repeat(4)));
        check(&"Run `rag ingest` again, then look whether the file is listed.\n".repeat(3));
        let versions: String =
            (0..40).map(|n| format!("Version 1.{n} was released in {}.\n", 1980 + n)).collect();
        check(&versions);
        let steps: String =
            (0..60).map(|n| format!("{n}. Take part {} of the kit.\n", 7 * n)).collect();
        check(&steps);
        check("    }\n  }\n}\n\n[1] [2] [3] argv[1] argv[2] argv[3]");
    }
}
