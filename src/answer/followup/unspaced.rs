//! Follow-ups in Chinese and Japanese.
//!
//! Words have no evident edges, so nothing is replaced: the earlier question is placed before this
//! one, without its question words.

use crate::strings::StrExt as _;

/// Begin a question that continues the conversation.
const OPENERS: &[&str] = &[
    "那么",
    "那麼",
    "那",
    "还有",
    "還有",
    "另外",
    "但是",
    "但",
    "然后",
    "同样",
    "じゃあ",
    "では",
    "それでは",
    "そして",
    "それから",
    "でも",
    "また",
];

/// End a question that names only what is different.
const ENDINGS: &[&str] =
    &["呢", "は", "では", "の場合", "の場合は", "はどう", "はどうですか", "也一样吗"];

/// Refer to the conversation.
const REFERENCES: &[&str] = &[
    "它",
    "这个",
    "这些",
    "這個",
    "這些",
    "这样",
    "这种",
    "那个",
    "那些",
    "那样",
    "其中",
    "此外",
    "他们",
    "前者",
    "后者",
    "それ",
    "これ",
    "その",
    "この",
    "そこ",
    "そちら",
];

/// Whole questions about what was said.
const BARE_QUESTIONS: &[&str] = &[
    "为什么",
    "為什麼",
    "怎么",
    "怎么做",
    "如何",
    "比如",
    "例如",
    "举个例子",
    "なぜ",
    "どうして",
    "どうやって",
    "例えば",
    "なぜですか",
];

/// Question words, which are not carried over.
const QUESTION_WORDS: &[&str] = &[
    "什么是",
    "是什么",
    "什么",
    "如何",
    "怎么",
    "怎样",
    "为什么",
    "吗",
    "呢",
    "とは何ですか",
    "何ですか",
    "どのように",
    "どうやって",
    "ですか",
    "ますか",
    "なぜ",
];

/// Longest question in characters that one of [`ENDINGS`] makes a follow-up.
const MAX_FRAGMENT: usize = 16;

pub(super) fn is_unspaced(text: &str) -> bool {
    text.contains(|c| {
        matches!(c,
            '\u{3041}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{20000}'..='\u{3ffff}')
    })
}

pub(super) fn without_end_mark(text: &str) -> &str {
    text.trim_end_matches(|c: char| {
        c.is_whitespace() || matches!(c, '?' | '!' | '.' | '？' | '！' | '。')
    })
}

/// The completed question; `None` when it can be understood alone.
pub(super) fn query(question: &str, before: &str) -> Option<String> {
    let bare = without_end_mark(question);
    let opened =
        OPENERS.iter().find_map(|opener| bare.strip_prefix(opener)).filter(|rest| !rest.is_empty());
    let is_fragment =
        bare.chars().count() <= MAX_FRAGMENT && ENDINGS.iter().any(|ending| bare.ends_with(ending));
    let has_reference = REFERENCES.iter().any(|word| bare.contains(word));
    if opened.is_none() && !is_fragment && !has_reference && !BARE_QUESTIONS.contains(&bare) {
        return None;
    }
    let mut subject = without_end_mark(before).to_owned();
    for word in QUESTION_WORDS {
        subject = subject.replace(word, " ");
    }
    let subject = subject.one_line();
    let rest = opened.unwrap_or(bare);
    let rest = if is_fragment { rest.trim_end_matches('呢').trim() } else { rest };
    Some(format!("{subject} {rest}"))
}
