//! What a model said → what may be shown of it, and what of it the sources do not bear out.
//!
//! The text is cleaned as [`Stream`] cleans it. Support is judged sentence by sentence, by words:
//! it finds what was made up of other words, other numbers, other names. It cannot find a sentence
//! that turns the words of a source around.

use std::collections::HashSet;

use crate::analysis::{Kind, Passage, index_terms, is_stop_word, passages, plain, query_terms};
use crate::document::{Citation, Span};
use crate::strings::StrExt as _;

use super::citations::marks;
use super::evidence::Evidence;
use super::prompt::{NO_ANSWER, is_instruction};
use super::stream::Stream;

/// Version of what is checked; raise it when the same text may be judged differently, so that kept
/// answers are judged anew.
pub const CHECKS_VERSION: u32 = 2;

/// Least share of a sentence's content words that its sources must have. Among sentences of `XQuAD`
/// paragraphs, each held against the next paragraph, 96 % are found out; against its own, none.
const MIN_SHARE: f64 = 0.4;
/// Fewer content words than this say nothing that could be checked.
const MIN_TERMS: usize = 2;

/// A model's answer after it has been checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Vetted {
    /// As [`Stream`] shows it: the numbers are those that were offered.
    pub text: String,
    /// The sources that the text cites, by number.
    pub citations: Vec<Citation>,
    /// Numbers that were cited and not offered, each once, in order of appearance.
    pub removed: Vec<usize>,
    /// Sentences without a citation, or whose sources have other words, numbers or names. Each
    /// stands in `text` word for word.
    pub unsupported: Vec<String>,
    /// Whether the sources bear out anything of it: a sentence, or what has a citation and says too
    /// little to be checked. Where they bear out nothing, the text is no answer.
    pub supported: bool,
    /// Addresses that no source has and that were left out.
    pub n_addresses: usize,
    /// The model said that the sources do not answer, or nothing at all.
    pub abstained: bool,
}

/// Checks `answer` against the `sources` it was offered, `[1]` first. `languages` are those of the
/// index: their stemmers tell which words are the same.
#[must_use]
pub fn vet(answer: &str, sources: &[Evidence], languages: &[&str]) -> Vetted {
    let mut stream = Stream::new(sources);
    let mut text = stream.feed(answer);
    text.push_str(&stream.finish());
    let marks = marks(&text);
    let cited: HashSet<usize> = marks.iter().map(|(_, n)| *n).collect();
    let citation = |(source, n): (&Evidence, usize)| {
        cited.contains(&n).then(|| Citation { n, hit: source.hit.clone() })
    };
    let citations: Vec<Citation> = sources.iter().zip(1..).filter_map(citation).collect();
    let bare = Bare::new(&text, &marks);
    let abstained = abstains(&bare.text);
    let Verdict { unsupported, n_supported } =
        if abstained { Verdict::default() } else { verdict(&text, &bare, sources, languages) };
    let is_cited = !citations.is_empty();
    Vetted {
        supported: !abstained && (n_supported > 0 || unsupported.is_empty() && is_cited),
        citations,
        removed: stream.removed().to_vec(),
        n_addresses: stream.n_addresses(),
        unsupported,
        abstained,
        text,
    }
}

/// Whether an answer that begins with `beginning`, as [`Stream`] shows it, may yet prove to be
/// [`Vetted::abstained`]. Looks at no more than the first words, so that it may be asked after
/// every piece.
#[must_use]
pub fn may_abstain(beginning: &str) -> bool {
    const MAX_CHARS: usize = 4 * NO_ANSWER.len();
    let beginning: String = beginning.chars().take(MAX_CHARS).collect();
    let (said, expected) =
        (words(&Bare::new(&beginning, &marks(&beginning)).text), words(NO_ANSWER));
    let is_on_the_way =
        said.split_last().is_none_or(|(last, whole)| match expected.get(whole.len()) {
            Some(word) => expected.starts_with(whole) && word.starts_with(last.as_str()),
            None => said.starts_with(&expected),
        });
    is_on_the_way || is_nothing(&said)
}

/// Whether an answer begins with the sentence that says there is none.
fn abstains(bare: &str) -> bool {
    let said = words(bare);
    is_nothing(&said) || said.starts_with(&words(NO_ANSWER))
}

fn is_nothing(said: &[String]) -> bool {
    said.iter().all(String::is_empty)
}

/// The words of a text in lower case, without what stands around them.
fn words(text: &str) -> Vec<String> {
    let is_quote = |c: char| !c.is_alphanumeric();
    text.split_whitespace().map(|word| word.trim_matches(is_quote).to_lowercase()).collect()
}

/// A text without its marks.
struct Bare {
    text: String,
    /// Where each mark was, its length, its number.
    marks: Vec<(usize, usize, usize)>,
}

impl Bare {
    fn new(text: &str, marks: &[(Span, usize)]) -> Self {
        let mut bare = Self {
            text: String::with_capacity(text.len()),
            marks: Vec::with_capacity(marks.len()),
        };
        let mut at = 0;
        for &(span, n) in marks {
            bare.text.push_str(text.slice(at..span.start));
            bare.marks.push((bare.text.len(), span.len(), n));
            at = span.end;
        }
        bare.text.push_str(text.slice(at..));
        bare
    }

    /// The bytes of the marked text that `span` stands for, marks inside it included.
    fn marked(&self, span: Span) -> Span {
        let before = |is_before: &dyn Fn(usize) -> bool| {
            self.marks
                .iter()
                .filter(|(at, ..)| is_before(*at))
                .map(|(_, len, _)| len)
                .sum::<usize>()
        };
        Span::new(
            span.start + before(&|at| at <= span.start),
            span.end + before(&|at| at < span.end),
        )
    }

    /// For each passage the numbers of its marks. A mark belongs to what stands before it, unless
    /// it begins a line.
    fn cited(&self, passages: &[Passage]) -> Vec<Vec<usize>> {
        let mut cited = vec![Vec::new(); passages.len()];
        for &(at, _, n) in &self.marks {
            let next = passages.partition_point(|passage| passage.span.start < at);
            let last = next.checked_sub(1);
            let begins_line = last.is_none_or(|last| {
                passages[last].span.end < at
                    && self.text.slice(passages[last].span.end..at).contains('\n')
            });
            let leads = passages
                .get(next)
                .is_some_and(|next| !self.text.slice(at..next.span.start).contains('\n'));
            if begins_line && leads {
                cited[next].push(n);
            } else if let Some(last) = last {
                cited[last].push(n);
            }
        }
        cited
    }
}

/// What became of the sentences that claim something.
#[derive(Default)]
struct Verdict {
    unsupported: Vec<String>,
    n_supported: usize,
}

fn verdict(text: &str, bare: &Bare, sources: &[Evidence], languages: &[&str]) -> Verdict {
    let known: Vec<HashSet<String>> =
        sources.iter().map(|source| terms(source, languages)).collect();
    let is_foreign = is_foreign(&bare.text, sources, languages);
    let passages = passages(&bare.text);
    let cited = bare.cited(&passages);
    let mut verdict = Verdict::default();
    for (passage, cited) in passages.iter().zip(cited) {
        if matches!(passage.kind, Kind::Heading | Kind::Code) {
            continue;
        }
        let sentence = plain(bare.text.slice(passage.span.range()));
        // What announces, and what asks, claims nothing.
        if sentence.ends_with([':', '：', '?', '？']) {
            continue;
        }
        let known: Vec<&HashSet<String>> = cited.iter().filter_map(|n| known.get(n - 1)).collect();
        let claim = Claim::new(&sentence, languages);
        if claim.says_nothing() {
            verdict.n_supported += usize::from(!known.is_empty());
        } else if claim.is_borne_out(&known, is_foreign) && !is_instruction(&sentence) {
            // Documents about such programs have the words of the instructions, too.
            verdict.n_supported += 1;
        } else {
            let span = bare.marked(passage.span);
            verdict.unsupported.extend(text.get(span.range()).map(str::to_owned));
        }
    }
    verdict
}

/// Every term of a source, its title and headings.
fn terms(source: &Evidence, languages: &[&str]) -> HashSet<String> {
    let hit = &source.hit;
    let mut terms = HashSet::new();
    let context = crate::document::context_line(hit.title.as_deref(), &hit.chunk.heading);
    for text in [&hit.chunk.text, &context] {
        for language in languages.iter().map(|language| Some(*language)).chain([None]) {
            index_terms(text, language, &mut |term| {
                terms.insert(term.text.to_owned());
            });
        }
    }
    terms
}

/// What a sentence says, in terms; each term in all its variants.
struct Claim {
    terms: Vec<Vec<String>>,
    numbers: Vec<Vec<String>>,
    names: Vec<Vec<String>>,
}

impl Claim {
    fn new(sentence: &str, languages: &[&str]) -> Self {
        // Quotation marks would be read as those of a search.
        let sentence = sentence.replace(['"', '“', '”', '„'], " ");
        let is_number = |term: &str| {
            term.starts_with(|c: char| c.is_ascii_digit())
                && term.bytes().all(|b| b.is_ascii_digit() || b == b'.')
        };
        let is_stop = |word: &str| {
            languages.iter().any(|language| is_stop_word(&word.to_lowercase(), language))
        };
        let asked = query_terms(&sentence, languages).terms;
        let numbers = asked
            .iter()
            .filter(|term| is_number(&term.variants[0]))
            .map(|term| term.variants.clone())
            .collect();
        let terms: Vec<Vec<String>> =
            asked.into_iter().filter(|term| !term.is_part).map(|term| term.variants).collect();
        // In German every noun has a capital.
        let has_names =
            !languages.iter().any(|language| language.starts_with("de") || *language == "ger");
        let words = sentence
            .split_whitespace()
            .map(|word| word.trim_matches(|c: char| !c.is_alphanumeric()));
        let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
        let is_capital = |word: &str| word.starts_with(char::is_uppercase);
        let is_title = words.iter().filter(|word| is_capital(word)).count() * 2 > words.len();
        let names = words.iter().skip(1).filter(|word| has_names && !is_title && is_capital(word));
        let names = names.filter(|word| word.chars().nth(1).is_some() && !is_stop(word));
        let names = names
            .filter_map(|word| {
                Some(query_terms(word, languages).terms.into_iter().next()?.variants)
            })
            .collect();
        Self { terms, numbers, names }
    }

    fn says_nothing(&self) -> bool {
        self.terms.len() < MIN_TERMS && self.numbers.is_empty()
    }

    /// Whether the cited sources have every number, every name and enough of the words. In another
    /// language than theirs words prove nothing, and names are spelled anew.
    fn is_borne_out(&self, known: &[&HashSet<String>], is_foreign: bool) -> bool {
        let has = |variants: &Vec<String>| {
            known.iter().any(|known| variants.iter().any(|term| known.contains(term)))
        };
        let n_found = self.terms.iter().filter(|term| has(term)).count();
        let has_words = n_found as f64 >= MIN_SHARE * self.terms.len() as f64;
        !known.is_empty()
            && self.numbers.iter().all(has)
            && (is_foreign || has_words && self.names.iter().all(has))
    }
}

/// Whether an answer is in another language than its sources, as far as script and short words
/// tell.
fn is_foreign(answer: &str, sources: &[Evidence], languages: &[&str]) -> bool {
    let letters = |text: &str, is_european: bool| {
        text.chars().filter(|c| c.is_alphabetic() && (*c < '\u{530}') == is_european).count()
    };
    let is_european = |text: &str| letters(text, true) > letters(text, false);
    let quoted: String = sources.iter().map(|source| source.hit.chunk.text.as_str()).collect();
    if is_european(answer) != is_european(&quoted) {
        return true;
    }
    let words: Vec<String> = answer.split_whitespace().map(str::to_lowercase).collect();
    // A language without a list of short words cannot be told this way.
    let can_tell = |language: &str| {
        ["the", "und", "les", "los", "che", "para", "het", "и"]
            .iter()
            .any(|word| is_stop_word(word, language))
    };
    const ENOUGH_WORDS: usize = 8;
    const LEAST_SHORT: f64 = 0.1;
    if !is_european(answer) || words.len() < ENOUGH_WORDS || !languages.iter().all(|l| can_tell(l))
    {
        return false;
    }
    let n_short =
        |language: &str| words.iter().filter(|word| is_stop_word(word, language)).count() as f64;
    languages.iter().all(|language| n_short(language) < LEAST_SHORT * words.len() as f64)
}
