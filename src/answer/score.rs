//! What speaks for a sentence as the answer to a question.

use crate::analysis::{self, Kind};
use crate::strings::StrExt as _;

use super::evidence::Evidence;
use super::extractive::Wish;
use super::intent::{AnswerType, Intent};
use super::question::{Question, TermMatches};

/// One sentence that could be quoted.
pub(super) struct Candidate {
    /// Index of the evidence it stands in.
    pub source: usize,
    pub kind: Kind,
    /// A list item that the document numbers.
    pub is_numbered: bool,
    /// As it would be shown.
    pub text: String,
    pub n_words: usize,
    pub found: TermMatches,
    /// Says what to do.
    pub helps: bool,
    pub features: Features,
    pub score: f64,
}

impl Candidate {
    /// A heading, or a question of the text's own.
    pub(super) fn is_title(&self) -> bool {
        self.kind == Kind::Heading || self.text.ends_with(['?', '？', '؟'])
    }
}

/// Each between 0 and 1, larger speaks for the sentence, unless said otherwise.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Features {
    /// Share of the question's weight in the sentence.
    pub coverage: f64,
    /// Share that only the sentences beside it have.
    pub beside: f64,
    /// Share that only its headings and the rest of its passage have.
    pub around: f64,
    /// How many of the question's neighbouring terms are neighbours here.
    pub together: f64,
    /// It has what the question asks for: a number, a date, a name.
    pub fits: f64,
    /// The whole passage's share of the question.
    pub passage: f64,
    /// Share of the question in the heading it stands under.
    pub titled: f64,
    /// The same for the first sentence below a heading that is a question.
    pub replies: f64,
    /// Troubleshooting: it says what is the matter, or what helps.
    pub mends: f64,
    /// 1 for the best passage, falling with its place.
    pub place: f64,
    /// Cosine with the question; 0 where there is none.
    pub cosine: f64,
    /// Against: too short to say anything.
    pub is_short: f64,
    /// Against: a question, a heading, a caption; twice as much for code that nobody asked for.
    pub is_odd: f64,
    /// Against: leans on the sentence before it.
    pub leans: f64,
    /// It says what the thing asked about is.
    pub defines: f64,
    /// Against: it announces what the text will do.
    pub is_meta: f64,
    /// Length in words against 40.
    pub length: f64,
}

/// Every sentence of the evidence, scored, in order.
pub(super) fn candidates(
    question: &Question<'_>,
    wish: &Wish,
    evidence: &[Evidence],
) -> Vec<Candidate> {
    let mut all = Vec::new();
    for (source, piece) in evidence.iter().enumerate() {
        let chunk = &piece.hit.chunk;
        let context = crate::document::context_line(piece.hit.title.as_deref(), &chunk.heading);
        let context = question.find(&context);
        let heading =
            chunk.heading.last().map(String::as_str).or(piece.hit.title.as_deref()).unwrap_or("");
        let mut asks = is_question(heading);
        let mut heading = question.find(heading);
        let first = all.len();
        let readable = analysis::readable(&piece.hit.path, &chunk.text);
        for passage in analysis::passages(&readable) {
            let raw = readable.slice(passage.span.range());
            let text =
                if passage.kind == Kind::Code { raw.to_owned() } else { analysis::plain(raw) };
            if text.is_empty() {
                continue;
            }
            let found = question.find(&text);
            let n_words = n_words(&text);
            let helps = wish.intent == Intent::Troubleshooting && helps(&text);
            let is_numbered = raw.starts_with(|c: char| c.is_ascii_digit());
            all.push(Candidate {
                source,
                kind: passage.kind,
                is_numbered,
                text,
                n_words,
                found,
                helps,
                features: Features::default(),
                score: 0.0,
            });
        }
        let sentences = &mut all[first..];
        let in_passage: Vec<bool> = (0..question.len())
            .map(|term| context.has(term) || sentences.iter().any(|s| s.found.has(term)))
            .collect();
        let passage = question.share(|term| in_passage[term]);
        for i in 0..sentences.len() {
            if sentences[i].kind == Kind::Heading {
                asks = is_question(&sentences[i].text);
                heading = question.find(&sentences[i].text);
            }
            let here = &sentences[i];
            let is_beside = |term: usize| {
                i > 0 && sentences[i - 1].found.has(term)
                    || sentences.get(i + 1).is_some_and(|next| next.found.has(term))
            };
            let coverage = question.share(|term| here.found.has(term));
            let titled = question.share(|term| heading.has(term));
            let is_opening = i == 0 || sentences[i - 1].is_title();
            let features = Features {
                coverage,
                beside: question.share(|term| !here.found.has(term) && is_beside(term)),
                around: question
                    .share(|term| !here.found.has(term) && !is_beside(term) && in_passage[term]),
                together: together(question, &here.found),
                fits: f64::from(u8::from(fits(wish.wanted, here, question))),
                passage,
                titled,
                replies: if asks && is_opening { titled } else { 0.0 },
                mends: if wish.intent == Intent::Troubleshooting { mends(here) } else { 0.0 },
                place: 1.0 / (1.0 + piece.place as f64),
                cosine: 0.0,
                is_short: (1.0 - here.n_words as f64 / 8.0).max(0.0),
                is_odd: oddness(here, wish),
                leans: f64::from(u8::from(leans(&here.text))),
                is_meta: f64::from(u8::from(is_about_itself(&here.text))),
                defines: if wish.intent == Intent::Definition {
                    defines(here, coverage)
                } else {
                    0.0
                },
                length: (here.n_words as f64 / 40.0).min(1.0),
            };
            sentences[i].features = features;
        }
    }
    all
}

impl Features {
    pub(super) fn score(&self, intent: Intent) -> f64 {
        // A heading tells what steps, lists and definitions are about; facts stand anywhere.
        let heading = if intent == Intent::Factoid { 0.4 } else { 1.2 };
        3.0 * self.coverage
            + 1.0 * self.beside
            + 0.6 * self.around
            + 0.7 * self.together
            + 0.6 * self.fits
            + 1.0 * self.passage
            + 0.8 * self.place
            + 1.5 * self.cosine
            + heading * self.titled
            + 1.0 * self.replies
            + 0.5 * self.mends
            + 1.0 * self.defines
            - 1.0 * self.is_short
            - 1.0 * self.is_odd
            - 0.1 * self.leans
            - 0.5 * self.is_meta
            + 0.5 * self.length
    }
}

/// Words as a reader counts them; two characters of a script without spaces make one.
pub(super) fn n_words(text: &str) -> usize {
    let unspaced = text.chars().filter(|c| matches!(c, '\u{e00}'..='\u{eff}' | '\u{3041}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{20000}'..='\u{3ffff}')).count();
    text.split_whitespace().filter(|word| word.chars().any(char::is_alphanumeric)).count()
        + unspaced / 2
}

/// Share of the question's neighbouring pairs of terms that stand within three words of each other.
fn together(question: &Question<'_>, found: &TermMatches) -> f64 {
    const REACH: u32 = 3;
    let n = question.len();
    if n < 2 {
        return 0.0;
    }
    let near = |a: &[u32], b: &[u32]| {
        a.iter().any(|&x| b.iter().any(|&y| x != y && x.abs_diff(y) <= REACH))
    };
    let weight = |at: usize| question.weight(at).min(question.weight(at + 1));
    let total: f64 = (0..n - 1).map(weight).sum();
    let held: f64 = (0..n - 1)
        .filter(|&at| near(&found.positions[at], &found.positions[at + 1]))
        .map(weight)
        .sum();
    if total > 0.0 { held / total } else { 0.0 }
}

/// How far something is from a sentence that can stand in an answer.
fn oddness(candidate: &Candidate, wish: &Wish) -> f64 {
    let text = candidate.text.as_str();
    let is_open = text.ends_with(['?', '？', '؟', ':', '：']);
    let is_closed = text
        .trim_end_matches(|c: char| "\"'”’»)]*_`」』）".contains(c))
        .ends_with(['.', '!', '。', '！', '．', '।', '۔', '…', '።', '។', ';']);
    match candidate.kind {
        // In source code every passage has some, and it has many words.
        Kind::Code => 2.0 * f64::from(u8::from(!wish.wants_code)),
        Kind::Heading => 1.0,
        _ if is_open || candidate.n_words == 0 => 1.0,
        // A caption, a label, a line of a form. Thai ends its sentences with nothing.
        Kind::Sentence
            if !is_closed
                && candidate.n_words < 15
                && !text.contains(|c| matches!(c, '\u{e00}'..='\u{eff}')) =>
        {
            0.5
        }
        Kind::Sentence | Kind::Item { .. } | Kind::Row => 0.0,
    }
}

/// Begins with a word that means something said before.
pub(super) fn leans(text: &str) -> bool {
    const WORDS: &str = "he she it they this these that those his her its their such however \
         therefore thus also but and so then \
        instead otherwise here there both another other him them hence moreover furthermore \
        additionally similarly likewise \
        nevertheless";
    const PHRASES: &[&str] = &[
        "to do so",
        "to do this",
        "to do that",
        "in this case",
        "in that case",
        "for this reason",
        "because of this",
        "as a result",
        "for example",
        "for instance",
        "in addition",
        "in other words",
        "on the other hand",
        "by doing",
        "at first glance",
        "along the way",
        "其",
        "他",
        "她",
        "它",
        "这",
        "那",
    ];
    let lower = text.chars().take(24).flat_map(char::to_lowercase).collect::<String>();
    let first = lower.split(|c: char| !c.is_alphanumeric()).next().unwrap_or("");
    is_listed(first, WORDS) || PHRASES.iter().any(|phrase| lower.starts_with(phrase))
}

/// Talks about the text instead of its subject.
fn is_about_itself(text: &str) -> bool {
    const OPENINGS: &[&str] = &[
        "in this chapter",
        "in this section",
        "in this article",
        "in this guide",
        "in this tutorial",
        "in the next",
        "in the following",
        "let’s",
        "let's",
        "next, ",
        "now that",
        "see ",
        "we’ll ",
        "we'll ",
    ];
    let lower = text.chars().take(24).flat_map(char::to_lowercase).collect::<String>();
    OPENINGS.iter().any(|opening| lower.starts_with(opening))
}

fn is_listed(word: &str, list: &str) -> bool {
    !word.is_empty() && list.split_ascii_whitespace().any(|entry| entry == word)
}

/// How much a sentence looks like a definition: it begins with what is asked about and goes on to
/// say what it is.
fn defines(candidate: &Candidate, coverage: f64) -> f64 {
    const SAYS: &[&str] = &[
        " is ",
        " are ",
        " was ",
        " were ",
        " means ",
        " refers to ",
        " known as ",
        " describes ",
        " stands for ",
        "是",
    ];
    // "X is a kind of Y" says more about X than "X is great".
    const SAYS_KIND: &[&str] = &[
        " is a ",
        " is an ",
        " are a ",
        " are an ",
        " was a ",
        " was an ",
        " means ",
        " refers to ",
    ];
    let mut first_positions =
        candidate.found.positions.iter().filter_map(|positions| positions.first().copied());
    let Some(first) = first_positions.by_ref().min() else { return 0.0 };
    let last = candidate
        .found
        .positions
        .iter()
        .filter_map(|positions| positions.first().copied())
        .max()
        .unwrap_or(first);
    if first > 2 || last > first + 4 || coverage < 0.5 {
        return 0.0;
    }
    let says_any = |list: &[&str]| list.iter().any(|says| candidate.text.contains(says));
    if says_any(SAYS_KIND) {
        1.0
    } else if says_any(SAYS) {
        0.8
    } else {
        0.5
    }
}

fn is_question(text: &str) -> bool {
    text.trim_end().ends_with(['?', '？', '؟'])
}

const REASONS: &[&str] = &[
    "because",
    "due to",
    "since",
    "so that",
    "in order to",
    "reason",
    "caused",
    "as a result",
    "therefore",
    "owing to",
    "led to",
    "因为",
    "由于",
    "因此",
];

/// 1 for a cause and 1 for a remedy, halved.
fn mends(candidate: &Candidate) -> f64 {
    const CAUSES: &[&str] = &[
        "means that",
        "happens when",
        "occurs when",
        "are not what",
        "changed",
        "weil ",
        "parce que",
        "porque ",
    ];
    let lower = candidate.text.to_lowercase();
    let explains = [REASONS, CAUSES].concat().iter().any(|cause| lower.contains(cause));
    0.5 * f64::from(u8::from(explains)) + 0.5 * f64::from(u8::from(candidate.helps))
}

/// Whether a sentence says what to do: it begins with a command, or advises.
fn helps(text: &str) -> bool {
    const COMMANDS: &str = "run try use set make give wait add remove delete rebuild update \
         upgrade restart install reinstall         configure check choose change enable disable \
         close open free increase reduce replace pass";
    const ADVICE: &[&str] = &[
        "make sure",
        "you can ",
        "you need to ",
        "you must ",
        "should ",
        "instead",
        "to fix ",
        "to avoid ",
        "to solve ",
        "try ",
        "run `",
        "use `",
        "set `",
        "versuche",
        "installiere",
        "essaye",
        "请",
        "可以",
        "してください",
    ];
    let lower = text.to_lowercase();
    let first = lower.split(|c: char| !c.is_alphanumeric()).next().unwrap_or("");
    is_listed(first, COMMANDS) || ADVICE.iter().any(|advice| lower.contains(advice))
}

/// Whether a sentence has a thing of the kind that is asked for and that the question does not name
/// itself.
fn fits(wanted: AnswerType, candidate: &Candidate, question: &Question<'_>) -> bool {
    let text = candidate.text.as_str();
    let is_new = |word: &str| !question.asks_for(word);
    let mut words = text
        .split(|c: char| c.is_whitespace() || "()[],;:\"“”—–/".contains(c))
        .filter(|word| !word.is_empty());
    match wanted {
        AnswerType::Number => words.any(|word| is_number(word) && is_new(word)),
        AnswerType::Time => {
            words.any(|word| is_time(word) && is_new(word))
                || text.contains('年') && text.contains(|c: char| c.is_ascii_digit())
        }
        AnswerType::Person | AnswerType::Place => {
            let is_capital =
                |word: &str| word.starts_with(char::is_uppercase) && word.chars().count() > 1;
            words.skip(1).any(|word| is_capital(word) && is_new(word) && question.is_rare(word))
        }
        AnswerType::Reason => {
            let lower = text.to_lowercase();
            REASONS.iter().any(|reason| lower.contains(reason))
        }
        AnswerType::Anything => false,
    }
}

fn is_number(word: &str) -> bool {
    const NUMBERS: &str = "one two three four five six seven eight nine ten eleven twelve dozen \
         hundred hundreds thousand \
        thousands million millions billion half quarter third twice once several percent";
    word.contains(|c: char| c.is_numeric())
        || is_listed(&word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase(), NUMBERS)
}

fn is_time(word: &str) -> bool {
    const TIMES: &str = "january february march april may june july august september october \
         november december century bc ad \
        bce monday tuesday wednesday thursday friday saturday sunday spring summer autumn winter \
        decade \
        yesterday today tomorrow ago";
    let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
    let digits = bare.trim_end_matches(|c: char| !c.is_ascii_digit());
    let is_year = digits.len() == 4
        && digits.bytes().all(|b| b.is_ascii_digit())
        && digits.starts_with(['1', '2']);
    is_year || is_listed(&bare.to_lowercase(), TIMES) && (bare != "may")
}
