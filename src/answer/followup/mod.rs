//! A question that leans on the conversation → one that stands alone, without a model.
//!
//! *And on Windows?* after *How do I install Rust on Linux?* becomes *How do I install Rust on
//! Windows?*; *How do I uninstall it?* after that becomes *How do I uninstall Rust on Windows?*
//! What is carried is the question before as it was understood, so that chains hold. The surprising
//! rule: a question that stands alone is never touched, even where the conversation could add to
//! it, because a wrong word costs more than a missing one.

mod language;
#[cfg(test)]
mod tests;

use crate::analysis;
use crate::strings::StrExt as _;
use language::Language;

/// A question as the search should read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    pub query: String,
    /// The question could not be understood alone.
    pub is_follow_up: bool,
    /// Words of the conversation that the query has and the question has not.
    pub carried: Vec<String>,
}

/// Words carried at most: more of them, and the ranking is that of the question before.
const MAX_CARRIED: usize = 4;

/// Longest fragment in words, without its opener. What is longer has a verb in it that no list
/// knows.
const MAX_FRAGMENT: usize = 5;

/// Resolves `question` against `earlier`, the questions before it as they were resolved, oldest
/// first. `languages` and `weight` are those of [`Tools`](super::Tools).
pub fn resolve(
    question: &str,
    earlier: &[&str],
    languages: &[&str],
    weight: &dyn Fn(&str) -> f64,
) -> Resolved {
    let question = question.trim();
    let alone =
        || Resolved { query: question.to_owned(), is_follow_up: false, carried: Vec::new() };
    let Some(before) =
        earlier.iter().rev().map(|before| before.trim()).find(|before| !before.is_empty())
    else {
        return alone();
    };
    let query = if question.is_empty() {
        None
    } else if is_unspaced(question) {
        unspaced(question, before)
    } else {
        let (asked, said) = (words(question), words(before));
        let small = asked.iter().chain(&said).map(|word| word.lower.as_str());
        let language = Language::of(&small);
        Spaced { question, before, asked, said, language, languages, weight }.query()
    };
    match query {
        Some(query) => {
            let known = lower_words(question);
            let carried =
                lower_words(&query).into_iter().filter(|word| !known.contains(word)).collect();
            Resolved { query, is_follow_up: true, carried }
        }
        None => alone(),
    }
}

/// A word with the bytes that it stands at, without the punctuation around it.
struct Word {
    lower: String,
    start: usize,
    end: usize,
}

fn words(text: &str) -> Vec<Word> {
    let origin = text.as_ptr() as usize;
    let is_edge = |c: char| {
        !c.is_alphanumeric()
            && !matches!(c, '_' | '<' | '>' | '`' | '+' | '#' | '&' | '*' | '@' | '$')
    };
    let words = text
        .split_whitespace()
        .map(|word| word.trim_matches(is_edge))
        .filter(|word| !word.is_empty());
    let words = words.map(|word| {
        let start = word.as_ptr() as usize - origin;
        let lower = word.trim_matches('`').to_lowercase().replace('\u{2019}', "'");
        Word { lower, start, end: start + word.len() }
    });
    words.collect()
}

fn lower_words(text: &str) -> Vec<String> {
    words(text).into_iter().map(|word| word.lower).collect()
}

fn without_mark(text: &str) -> &str {
    text.trim_end_matches(|c: char| {
        c.is_whitespace() || matches!(c, '?' | '!' | '.' | '？' | '！' | '。')
    })
}

/// One question in a language that puts spaces between its words.
struct Spaced<'a> {
    question: &'a str,
    before: &'a str,
    asked: Vec<Word>,
    said: Vec<Word>,
    language: &'static Language,
    languages: &'a [&'a str],
    weight: &'a dyn Fn(&str) -> f64,
}

impl Spaced<'_> {
    /// The question made whole; `None` when it is whole.
    fn query(&self) -> Option<String> {
        let (from, names_contrast) = self.opening();
        let rest = &self.asked[from..];
        let opened = from > 0;
        if self.content(rest).next().is_none() && self.leaning(rest).is_none() {
            // *Why?* and *And then?* ask about all that was said.
            let leans = opened || rest.len() <= 3 || self.is_hollow_question(rest);
            return leans.then(|| format!("{} {}", self.question, self.before));
        }
        if let Some(at) = self.leaning(rest) {
            return Some(self.filled(from + at));
        }
        if self.is_hollow_question(rest) {
            return Some(self.appended(true));
        }
        if names_contrast || self.is_fragment(rest, opened) {
            return Some(self.contrasted(rest));
        }
        (opened && !self.defines(rest)).then(|| self.appended(false))
    }

    /// How many words only say that the question goes on, and whether they announce something
    /// different.
    fn opening(&self) -> (usize, bool) {
        let begins = |at: usize, phrase: &str| {
            let n = phrase.split(' ').count();
            let matches = phrase.split(' ').zip(self.asked.get(at..)?).all(|(a, b)| a == b.lower);
            (matches && self.asked.len() >= at + n).then_some(at + n)
        };
        let longest = |at: usize, phrases: &[&str]| {
            phrases.iter().filter_map(|phrase| begins(at, phrase)).max()
        };
        if let Some(at) = longest(0, self.language.contrasts) {
            return (at, true);
        }
        let at = longest(0, self.language.openers).unwrap_or(0);
        match longest(at, self.language.contrasts) {
            Some(at) => (at, true),
            None => (at, false),
        }
    }

    /// The words that say what is asked about: no small words and no verb after *how do I*.
    fn content<'w>(&'w self, words: &'w [Word]) -> impl Iterator<Item = &'w Word> {
        words.iter().filter(|word| !self.language.is_small(&word.lower))
    }

    fn is_hollow_question(&self, words: &[Word]) -> bool {
        self.content(words).all(|word| self.language.is_hollow(&word.lower))
    }

    /// A question without a verb: *on Windows?*, *and structs?*
    fn is_fragment(&self, rest: &[Word], opened: bool) -> bool {
        let has_clause =
            rest.iter().any(|word| self.language.clause.contains(&word.lower.as_str()));
        let by_preposition =
            rest.first().is_some_and(|word| self.language.preposition(&word.lower).is_some());
        let is_short_question = rest.len() <= 2 && self.question.ends_with('?');
        rest.len() <= MAX_FRAGMENT && !has_clause && (opened || by_preposition || is_short_question)
    }

    /// *What is a closure?* needs nothing, even after an *and*.
    fn defines(&self, rest: &[Word]) -> bool {
        let names = self.content(rest).filter(|word| !self.language.is_hollow(&word.lower));
        let names_some = names.count() > 0;
        let is_what_is = matches!(rest, [what, is, ..] if matches!((what.lower.as_str(), is.lower.as_str()),
            ("what", "is" | "are") | ("was", "ist" | "sind") | ("qué", "es" | "son")));
        names_some && is_what_is && rest.len() <= 5
    }

    /// Where a word stands that means something said before.
    fn leaning(&self, rest: &[Word]) -> Option<usize> {
        (0..rest.len()).find(|&at| self.leans(rest, at))
    }

    fn leans(&self, rest: &[Word], at: usize) -> bool {
        let language = self.language;
        let word = rest[at].lower.as_str();
        let is_in = |list: &[&str], at: usize| {
            rest.get(at).is_some_and(|word| list.contains(&word.lower.as_str()))
        };
        let is_small = |at: usize| rest.get(at).is_none_or(|word| language.is_small(&word.lower));
        // A name in the question itself, which the word may mean.
        let n_names = |until: usize| self.names(&rest[..until]).count();
        let joint = (0..at).rev().find(|&joint| is_in(language.joints, joint));
        let is_second_clause = joint.is_some_and(|joint| n_names(joint) > 0);
        if language.possessives.contains(&word) {
            return n_names(at) == 0;
        }
        if language.pronouns.contains(&word) {
            // *One test*, *le vecteur*, *es gibt*, *is it possible to*.
            let is_article = (language.articles.contains(&word)
                || matches!(word, "one" | "lo" | "uno"))
                && !is_small(at + 1);
            let is_after = |list: &[&str]| at > 0 && is_in(list, at - 1);
            let is_empty = is_after(&["is", "was"]) && is_in(&["to", "that"], at + 2)
                || is_after(&["does", "did", "would"])
                    && is_in(&["mean", "make", "take", "matter"], at + 1)
                || is_in(&["gibt", "y", "faut"], at + 1)
                || is_after(&["gibt"]);
            let is_asked =
                matches!(word, "welche" | "eine" | "einen" | "einer") && at + 1 < rest.len();
            return !is_article && !is_empty && !is_asked && !is_second_clause;
        }
        if language.demonstratives.contains(&word) {
            // *Functions that panic* and *so that* join; *das Haus* is an article.
            let is_joint = matches!(word, "that" | "que")
                && at > 0
                && at + 1 < rest.len()
                && (!is_small(at - 1) || is_in(&["so", "such"], at - 1));
            let is_article = language.articles.contains(&word) && !is_small(at + 1);
            return !is_joint && !is_article && !is_second_clause;
        }
        // A suffix: *instalarlo*.
        let has_suffix = language.pronouns.contains(&"ellos")
            && [
                "arlo", "erlo", "irlo", "arla", "erla", "irla", "arlos", "erlos", "irlos", "arlas",
                "erlas", "irlas",
            ]
            .iter()
            .any(|suffix| word.len() > suffix.len() + 1 && word.ends_with(suffix));
        let is_inverted = word.ends_with("-il")
            || word.ends_with("-elle")
            || word.ends_with("-ils")
            || word.ends_with("-elles");
        let is_existing = word == "there"
            && (at > 0 && is_in(&["is", "are", "was", "were"], at - 1)
                || is_in(&["is", "are"], at + 1));
        let is_other = language.others.contains(&word)
            && !is_existing
            && (word != "en" && word != "y" || at > 0 && at + 1 == rest.len());
        has_suffix || is_other || is_inverted && self.names(rest).next().is_none()
    }

    /// The words that name something: content without verbs after *how do I* and without hollow
    /// words.
    fn names<'w>(&'w self, words: &'w [Word]) -> impl Iterator<Item = &'w Word> {
        words.iter().enumerate().filter_map(move |(at, word)| {
            let is_name = !self.language.is_small(&word.lower)
                && !self.language.is_hollow(&word.lower)
                && !self.is_verb(words, at);
            is_name.then_some(word)
        })
    }

    /// *How do I install*: what follows the subject. Also the second of *build and run*.
    fn is_verb(&self, words: &[Word], at: usize) -> bool {
        self.language.before_verb.iter().any(|phrase| {
            let n = phrase.split(' ').count();
            let ends_at = |end: usize| {
                end >= n && phrase.split(' ').zip(&words[end - n..end]).all(|(a, b)| a == b.lower)
            };
            let is_joined =
                at >= 2 && self.language.joints.first() == Some(&words[at - 1].lower.as_str());
            ends_at(at) || is_joined && ends_at(at - 2)
        })
    }

    /// Bytes of the question before that name its subject, or its words where they stand too far
    /// apart.
    fn topic(&self, with_verbs: bool) -> String {
        let own: Vec<String> = self.asked.iter().flat_map(|word| self.terms(&word.lower)).collect();
        let is_new = |word: &Word| !self.terms(&word.lower).iter().any(|term| own.contains(term));
        let named: Vec<&Word> = if with_verbs {
            self.content(&self.said).filter(|word| !self.language.is_hollow(&word.lower)).collect()
        } else {
            self.names(&self.said).collect()
        };
        // A question of nothing but a verb still has that.
        let named = if named.is_empty() { self.content(&self.said).collect() } else { named };
        let mut kept: Vec<&Word> = named.into_iter().filter(|word| is_new(word)).collect();
        while kept.len() > MAX_CARRIED {
            let rarities: Vec<f64> = kept.iter().map(|word| self.rarity(&word.lower)).collect();
            let commonest = (0..kept.len()).min_by(|&a, &b| rarities[a].total_cmp(&rarities[b]));
            commonest.map(|at| kept.remove(at));
        }
        match (kept.first(), kept.last()) {
            (Some(first), Some(last)) => {
                // *A vector* reads better than *vector*, to people and to models of language.
                let article = self.said.iter().rfind(|word| word.end <= first.start);
                let article =
                    article.filter(|word| self.language.articles.contains(&word.lower.as_str()));
                let whole =
                    self.before.slice(article.map_or(first.start, |word| word.start)..last.end);
                let all_kept = self
                    .content(&self.said)
                    .filter(|word| word.start >= first.start && word.end <= last.end)
                    .count()
                    == kept.len();
                if all_kept && !whole.contains(['?', '.', '!', ';']) {
                    return whole.to_owned();
                }
                kept.iter()
                    .map(|word| self.before.slice(word.start..word.end))
                    .collect::<Vec<_>>()
                    .join(" ")
            }
            _ => String::new(),
        }
    }

    fn terms(&self, word: &str) -> Vec<String> {
        analysis::query_terms(word, self.languages)
            .terms
            .into_iter()
            .flat_map(|term| term.variants)
            .collect()
    }

    /// How rare a word is in the index. A word that the index does not have finds nothing, however
    /// rare it is.
    fn rarity(&self, word: &str) -> f64 {
        let unseen = (self.weight)("\u{1}");
        let terms = analysis::query_terms(word, self.languages).terms;
        let rarities = terms.iter().map(|term| {
            term.variants.iter().map(|form| (self.weight)(form)).fold(unseen, f64::min)
        });
        rarities.filter(|rarity| *rarity < unseen).fold(0.0, f64::max)
    }

    /// Puts the subject where the word at `at` stands for it, or behind the question.
    fn filled(&self, at: usize) -> String {
        let word = &self.asked[at];
        let lower = word.lower.as_str();
        let is_last_or_small =
            self.asked.get(at + 1).is_none_or(|next| self.language.is_small(&next.lower));
        let topic = self.topic(false);
        let (start, end) = (word.start, word.end);
        if topic.is_empty() {
            return self.question.to_owned();
        }
        if self.language.pronouns.contains(&lower) {
            return format!(
                "{}{topic}{}",
                self.question.slice(..start),
                self.question.slice(end..)
            );
        }
        if self.language.possessives.contains(&lower)
            && lower.is_ascii()
            && matches!(lower, "its" | "their")
        {
            return format!(
                "{}{topic}'s{}",
                self.question.slice(..start),
                self.question.slice(end..)
            );
        }
        if self.language.demonstratives.contains(&lower) && is_last_or_small {
            let topic = self.topic(true);
            return format!(
                "{}{topic}{}",
                self.question.slice(..start),
                self.question.slice(end..)
            );
        }
        self.appended(self.language.demonstratives.contains(&lower))
    }

    fn appended(&self, with_verbs: bool) -> String {
        let topic = self.topic(with_verbs);
        if topic.is_empty() {
            self.question.to_owned()
        } else {
            format!("{} {topic}", self.question)
        }
    }

    /// The question before, with what is different put in the place of what it differs from, where
    /// that is clear.
    fn contrasted(&self, rest: &[Word]) -> String {
        let (Some(first), Some(last)) = (rest.first(), rest.last()) else {
            return self.question.to_owned();
        };
        let new = self.question.slice(first.start..last.end);
        let mark = self.before.slice(without_mark(self.before).len()..);
        let put = |from: usize, to: usize, new: &str| {
            format!(
                "{}{new}{}",
                self.before.slice(..self.said[from].start),
                self.before.slice(self.said[to - 1].end..)
            )
        };
        if let Some(group) = self.language.preposition(&first.lower) {
            let is_same = |word: &Word| self.language.preposition(&word.lower) == Some(group);
            return match self.said.iter().rposition(is_same) {
                Some(from) => put(from, self.phrase_end(from + 1), new),
                None => format!("{} {new}{mark}", without_mark(self.before)),
            };
        }
        match self.object(is_name(self.question.slice(first.start..first.end))) {
            Some((from, to)) => put(from, to, new),
            None => format!("{new}? {}", self.before),
        }
    }

    /// Where the phrase that begins at `from` ends: at the next preposition.
    fn phrase_end(&self, from: usize) -> usize {
        let rest = self.said.iter().enumerate().skip(from + 1);
        rest.filter(|(_, word)| self.language.preposition(&word.lower).is_some())
            .map(|(at, _)| at)
            .next()
            .unwrap_or(self.said.len())
    }

    /// The last thing of its kind (a name, or a plain noun) that the question before is about:
    /// words from and to.
    fn object(&self, wants_name: bool) -> Option<(usize, usize)> {
        let is_content = |at: usize| {
            !self.language.is_small(&self.said[at].lower) && !self.is_verb(&self.said, at)
        };
        if wants_name {
            let is_named = |at: &usize| {
                let Word { start, end, .. } = self.said[*at];
                *at > 0 && is_content(*at) && is_name(self.before.slice(start..end))
            };
            let at = (0..self.said.len()).rev().find(is_named)?;
            return Some((at, at + 1));
        }
        let last = self.said.len().checked_sub(1).filter(|&at| is_content(at))?;
        let from = (0..=last).rev().take_while(|&at| is_content(at)).last()?;
        let lead = &self.said[from.checked_sub(1)?].lower;
        let is_clear = self.language.articles.contains(&lead.as_str())
            || self.language.preposition(lead).is_some()
            || self.is_verb(&self.said, from - 1);
        let starts_with_article = self.language.articles.contains(&lead.as_str());
        is_clear.then_some((if starts_with_article { from - 1 } else { from }, last + 1))
    }
}

/// Written like a name: with a capital, or as code.
fn is_name(text: &str) -> bool {
    text.chars().any(|c| c.is_uppercase() || matches!(c, '<' | '`' | '_' | ':'))
}

fn is_unspaced(text: &str) -> bool {
    text.chars().any(|c| matches!(c, '\u{3041}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{20000}'..='\u{3ffff}'))
}

/// Chinese and Japanese: words have no edges, so nothing is exchanged; the question before stands
/// behind this one, without the words that only ask.
fn unspaced(question: &str, before: &str) -> Option<String> {
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
    const ENDINGS: &[&str] =
        &["呢", "は", "では", "の場合", "の場合は", "はどう", "はどうですか", "也一样吗"];
    const LEANING: &[&str] = &[
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
    const WHY: &[&str] = &[
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
    let bare = without_mark(question);
    let starts =
        OPENERS.iter().find_map(|opener| bare.strip_prefix(opener)).filter(|rest| !rest.is_empty());
    let n_characters = bare.chars().count();
    let ends = n_characters <= 16 && ENDINGS.iter().any(|ending| bare.ends_with(ending));
    let leans = LEANING.iter().any(|word| bare.contains(word));
    if starts.is_none() && !ends && !leans && !WHY.contains(&bare) {
        return None;
    }
    const ASKING: &[&str] = &[
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
    let subject =
        ASKING.iter().fold(without_mark(before).to_owned(), |text, word| text.replace(word, " "));
    let subject = subject.split_whitespace().collect::<Vec<_>>().join(" ");
    let rest = starts.unwrap_or(bare);
    let rest = if ends { rest.trim_end_matches('呢').trim() } else { rest };
    Some(format!("{subject} {rest}"))
}
