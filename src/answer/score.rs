//! Features of a sentence as the answer to a question, and their weights.

use super::evidence::Evidence;
use super::features::flag;
use super::intent::{AnswerType, Intent};
use super::polarity;
use super::question::{Question, TermMatches};
use super::rows::{Columns, Row};
use super::spec::AnswerSpec;
use crate::analysis;
use crate::document::{Chunk, Location, UnitKind, context_line, extension_of, kind_name};
use crate::strings::{StrExt, lines};

/// A sentence, row or block of code that could be quoted.
pub(super) struct Candidate {
    /// Index of its evidence.
    pub source: usize,
    /// Index of its unit in the passage; `None` in source code.
    pub unit: Option<usize>,
    pub kind: UnitKind,
    /// Its slide, sheet or attachment: what stands by itself. Sentences run over pages.
    pub sheet: Option<Location>,
    /// The number of a list item in its document; 0 where the format numbers items by itself.
    pub number: Option<u32>,
    /// As an answer shows it.
    pub text: String,
    pub n_words: usize,
    pub found: TermMatches,
    /// Of a row its cells without the names of their columns, and the matches in them.
    pub own: Option<(String, TermMatches)>,
    /// For each term of the question whether the title of the document has it.
    pub in_title: Vec<bool>,
    /// It says that something is not so.
    pub negates: bool,
    /// It has no term that the question lacks: a title, a label.
    pub repeats_question: bool,
    pub features: Features,
    /// Cosine with the question on the common scale (`Tools::scaled`); `None` where it was not
    /// compared.
    pub cosine: Option<f64>,
}

impl Candidate {
    /// A heading, or a question in the text.
    pub fn is_title(&self) -> bool {
        self.kind == UnitKind::Heading || self.text.ends_with(['?', '？', '؟'])
    }

    /// Whether it introduces what follows.
    pub fn announces(&self) -> bool {
        !self.is_alone() && self.text.ends_with([':', '：'])
    }

    /// The first unit of a list item, or a row.
    pub fn begins_item(&self) -> bool {
        matches!(self.kind, UnitKind::Item { first: true } | UnitKind::Row)
    }

    /// A row or a record: it is complete without its neighbours and without a full stop.
    pub fn is_alone(&self) -> bool {
        matches!(self.kind, UnitKind::Row | UnitKind::Record)
    }

    /// Whether the title of its document has a term of the question.
    pub fn in_title(&self, term: usize) -> bool {
        self.in_title.get(term).is_some_and(|has| *has)
    }

    /// Whether it has a term of the question, the names of its columns left out.
    pub fn has_own(&self, term: usize) -> bool {
        self.own.as_ref().map_or(&self.found, |(_, found)| found).has(term)
    }
}

/// Each between 0 and 1; larger is better, unless said otherwise.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Features {
    /// Share of the question's weight in the sentence.
    pub coverage: f64,
    /// Further share in the neighbouring sentences.
    pub in_neighbours: f64,
    /// Further share in the headings and the rest of the passage.
    pub in_context: f64,
    /// Share of the question's neighbouring terms that are neighbours here.
    pub adjacency: f64,
    /// It has what the question asks for: a number, a date, a name.
    pub has_type: f64,
    /// Share of the question's weight in the heading above.
    pub in_heading: f64,
    /// The same for the first sentence below a heading that is a question.
    pub answers_heading: f64,
    /// Troubleshooting: it names a cause, or a remedy.
    pub explains: f64,
    /// Penalty: too short to say anything.
    pub brevity: f64,
    /// Penalty: a question, a heading, a caption; 2 for code that the question does not ask for.
    pub oddness: f64,
    /// It says what the subject of the question is.
    pub defines: f64,
    /// Penalty: it announces what the text will do.
    pub meta: f64,
}

/// Every sentence of the evidence with its features, in order.
pub(super) fn candidates(
    question: &Question<'_>,
    spec: &AnswerSpec,
    evidence: &[Evidence],
) -> Vec<Candidate> {
    let mut all = Vec::new();
    for (source, piece) in evidence.iter().enumerate() {
        let mut sentences = sentences(question, source, piece);
        set_features(question, spec, piece, &mut sentences);
        all.append(&mut sentences);
    }
    all
}

/// The sentences of one passage, without features.
fn sentences(question: &Question<'_>, source: usize, piece: &Evidence) -> Vec<Candidate> {
    let chunk = &piece.hit.chunk;
    let maker = Maker { question, source };
    if !chunk.units.is_empty() {
        return maker.of_units(&piece.hit.path, chunk);
    }
    let readable = analysis::readable(&piece.hit.path, &chunk.text);
    let passages = analysis::passages(&readable).into_iter();
    passages
        .filter_map(|passage| {
            let raw = readable.slice(passage.span.range());
            maker.candidate(None, passage.kind, raw, Shown::of(passage.kind, raw))
        })
        .collect()
}

/// Makes the candidates of one passage.
struct Maker<'a> {
    question: &'a Question<'a>,
    source: usize,
}

/// A text as an answer shows it, and as it is searched for terms if that differs.
#[derive(Default)]
struct Shown {
    text: String,
    searched: Option<String>,
    own: Option<String>,
}

impl Shown {
    fn of(kind: UnitKind, raw: &str) -> Self {
        let text = match kind {
            UnitKind::Code => raw.to_owned(),
            UnitKind::Record => record(raw),
            _ => analysis::plain(raw),
        };
        Self { text, ..Self::default() }
    }

    fn of_row(raw: &str, columns: &Columns) -> Self {
        let Row { quote, searched, own } = Row::new(raw, columns);
        Self { text: quote, searched: Some(searched), own: Some(own) }
    }
}

/// A record without surrounding white space in its lines, which are its own: a stack trace, a
/// message of several lines.
pub(super) fn record(raw: &str) -> String {
    let lines = lines(raw).map(StrExt::one_line);
    lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
}

/// The part of a location that stands by itself; sentences run over pages.
fn sheet(location: &Location) -> Option<Location> {
    let inside = |at: &Option<Box<Location>>| at.as_deref().and_then(sheet).map(Box::new);
    match location {
        Location::Page(_) | Location::Cell(_) => None,
        Location::Sheet(name, _) => Some(Location::Sheet(name.clone(), String::new())),
        Location::Attachment { message, name, at } => {
            Some(Location::Attachment { message: *message, name: name.clone(), at: inside(at) })
        }
        Location::File { name, at } => Some(Location::File { name: name.clone(), at: inside(at) }),
        Location::Slide(_) | Location::Message(_) => Some(location.clone()),
    }
}

fn is_csv(path: &str) -> bool {
    matches!(extension_of(&kind_name(path)), "csv" | "tsv")
}

impl Maker<'_> {
    fn of_units(&self, path: &str, chunk: &Chunk) -> Vec<Candidate> {
        let mut candidates = Vec::new();
        let mut columns = match chunk.heading.last() {
            // The first row of CSV is the heading of the others.
            Some(names) if is_csv(path) => Columns::of_heading(names),
            _ => Columns::of(&chunk.table_header),
        };
        let mut before = UnitKind::Row;
        for (n, unit) in chunk.units.iter().enumerate() {
            let raw = chunk.text.slice(unit.span.range());
            let begins_table = unit.kind == UnitKind::Header && before != UnitKind::Header;
            if begins_table || !matches!(unit.kind, UnitKind::Header | UnitKind::Row) {
                columns = Columns::default();
            }
            before = unit.kind;
            let shown = match unit.kind {
                UnitKind::Header => {
                    columns.add(raw);
                    continue;
                }
                UnitKind::Row => Shown::of_row(raw, &columns),
                kind => Shown::of(kind, raw),
            };
            let candidate = self.candidate(Some(n), unit.kind, raw, shown);
            let sheet = unit.location.as_ref().and_then(sheet);
            candidates.extend(candidate.map(|candidate| Candidate { sheet, ..candidate }));
        }
        candidates
    }

    /// `None` when nothing would be shown.
    fn candidate(
        &self,
        unit: Option<usize>,
        kind: UnitKind,
        raw: &str,
        Shown { text, searched, own }: Shown,
    ) -> Option<Candidate> {
        let Self { question, source } = *self;
        let found = question.find(searched.as_ref().unwrap_or(&text));
        (!text.is_empty()).then(|| Candidate {
            source,
            unit,
            kind,
            sheet: None,
            number: number(raw).filter(|_| matches!(kind, UnitKind::Item { .. })),
            n_words: n_words(&text),
            repeats_question: question.says_all_of(&found),
            found,
            own: own.map(|own| (own.clone(), question.find(&own))),
            in_title: Vec::new(),
            negates: polarity::negates(&text),
            features: Features::default(),
            cosine: None,
            text,
        })
    }
}

fn set_features(
    question: &Question<'_>,
    spec: &AnswerSpec,
    piece: &Evidence,
    sentences: &mut [Candidate],
) {
    let chunk = &piece.hit.chunk;
    let title = piece.hit.title.as_deref();
    let context = question.find(&context_line(title, &chunk.heading));
    let titled =
        question.find(title.or(chunk.heading.first().map(String::as_str)).unwrap_or_default());
    let in_title: Vec<bool> = (0..question.len()).map(|term| titled.has(term)).collect();
    let heading = chunk.heading.last().map(String::as_str).or(title).unwrap_or("");
    let mut heading_asks = is_question(heading);
    let mut heading = question.find(heading);
    let in_passage = (0..question.len())
        .map(|term| context.has(term) || sentences.iter().any(|s| s.found.has(term)))
        .collect();
    let passage = Passage { question, spec, in_passage };
    for at in 0..sentences.len() {
        // The messages after one that asks answer it.
        let asks = sentences[at].kind == UnitKind::Record && is_question(&sentences[at].text);
        if sentences[at].kind == UnitKind::Heading || asks {
            heading_asks = is_question(&sentences[at].text);
            heading = question.find(&sentences[at].text);
        }
        let in_heading = question.share(|term| heading.has(term));
        let is_opening = at == 0 || sentences[at - 1].is_title();
        let answers_heading = if heading_asks && is_opening { in_heading } else { 0.0 };
        let features = passage.features(sentences, at);
        sentences[at].features = Features { in_heading, answers_heading, ..features };
        sentences[at].in_title.clone_from(&in_title);
    }
}

/// What the features of all sentences of one passage depend on.
struct Passage<'a> {
    question: &'a Question<'a>,
    spec: &'a AnswerSpec,
    /// For each term of the question whether the passage or its headings have it.
    in_passage: Vec<bool>,
}

impl Passage<'_> {
    /// The features of one sentence, those of its heading left out.
    fn features(&self, sentences: &[Candidate], at: usize) -> Features {
        let Self { question, spec, in_passage } = self;
        let here = &sentences[at];
        let is_in_neighbour = |term: usize| {
            at > 0 && sentences[at - 1].found.has(term)
                || sentences.get(at + 1).is_some_and(|next| next.found.has(term))
        };
        let coverage = question.share(|term| here.found.has(term));
        Features {
            coverage,
            in_neighbours: question.share(|term| !here.found.has(term) && is_in_neighbour(term)),
            in_context: question
                .share(|term| !here.found.has(term) && !is_in_neighbour(term) && in_passage[term]),
            adjacency: adjacency(question, &here.found),
            has_type: flag(has_type(spec.answer_type, here, question)),
            explains: if spec.intent == Intent::Troubleshooting { explains(here) } else { 0.0 },
            brevity: match here.is_alone() {
                true => 0.0,
                false => (1.0 - here.n_words as f64 / 8.0).max(0.0),
            },
            oddness: oddness(here, spec),
            meta: flag(is_meta(&here.text)),
            defines: if spec.intent == Intent::Definition { defines(here, coverage) } else { 0.0 },
            ..Features::default()
        }
    }
}

/// Words as a reader counts them; two characters of a script without spaces make one.
pub(super) fn n_words(text: &str) -> usize {
    let is_unspaced = |c: &char| {
        matches!(c,
            '\u{e00}'..='\u{eff}'
            | '\u{3041}'..='\u{30ff}'
            | '\u{3400}'..='\u{9fff}'
            | '\u{20000}'..='\u{3ffff}')
    };
    let words = text.split_whitespace().filter(|word| word.contains(char::is_alphanumeric));
    words.count() + text.chars().filter(is_unspaced).count() / 2
}

/// Share of the question's neighbouring pairs of terms that occur within three words of each other.
fn adjacency(question: &Question<'_>, found: &TermMatches) -> f64 {
    const REACH: u32 = 3;
    let n = question.len();
    if n < 2 {
        return 0.0;
    }
    let near = |a: &[u32], b: &[u32]| {
        a.iter().any(|&x| b.iter().any(|&y| x != y && x.abs_diff(y) <= REACH))
    };
    let (mut total, mut near_weight) = (0.0, 0.0);
    for (a, b) in (0..n).zip(1..n) {
        let weight = question.weight(a).min(question.weight(b));
        total += weight;
        if near(&found.positions[a], &found.positions[b]) {
            near_weight += weight;
        }
    }
    if total > 0.0 { near_weight / total } else { 0.0 }
}

/// How unlike a sentence of an answer something is.
fn oddness(candidate: &Candidate, spec: &AnswerSpec) -> f64 {
    let text = candidate.text.as_str();
    let is_open = text.ends_with(['?', '？', '؟', ':', '：']);
    let is_closed = text
        .trim_end_matches(|c: char| "\"'”’»)]*_`」』）".contains(c))
        .ends_with(['.', '!', '。', '！', '．', '।', '۔', '…', '።', '។', ';']);
    match candidate.kind {
        // Every passage of source code has some, with many words.
        UnitKind::Code => 2.0 * flag(!spec.wants_code),
        UnitKind::Heading => 1.0,
        _ if candidate.n_words == 0 => 1.0,
        UnitKind::Row | UnitKind::Record => 0.0,
        _ if is_open => 1.0,
        // A caption, a label, a line of a form. Thai sentences end without a mark.
        UnitKind::Sentence
            if !is_closed
                && candidate.n_words < 15
                && !text.contains(|c| matches!(c, '\u{e00}'..='\u{eff}')) =>
        {
            0.5
        }
        UnitKind::Sentence | UnitKind::Item { .. } | UnitKind::Header => 0.0,
    }
}

/// The number with which a line begins; 0 for the `#.` of an item that reStructuredText numbers.
fn number(line: &str) -> Option<u32> {
    let digits = line.len() - line.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    if line.starts_with('#') { Some(0) } else { line.slice(..digits).parse().ok() }
}

/// Whether a sentence begins with a word that refers to the one before.
pub(super) fn is_dependent(text: &str) -> bool {
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
    let lower = opening(text);
    is_listed(first_word(&lower), WORDS) || PHRASES.iter().any(|phrase| lower.starts_with(phrase))
}

/// Whether a sentence is about the text instead of its subject.
fn is_meta(text: &str) -> bool {
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
    let lower = opening(text);
    OPENINGS.iter().any(|opening| lower.starts_with(opening))
}

/// The first characters in lower case, enough for every opening phrase listed here.
fn opening(text: &str) -> String {
    text.chars().take(24).flat_map(char::to_lowercase).collect()
}

fn first_word(text: &str) -> &str {
    text.split(|c: char| !c.is_alphanumeric()).next().unwrap_or("")
}

fn is_listed(word: &str, list: &str) -> bool {
    !word.is_empty() && list.split_ascii_whitespace().any(|entry| entry == word)
}

/// How much a sentence looks like a definition: it begins with the subject of the question and says
/// what that is.
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
    let firsts = || candidate.found.positions.iter().filter_map(|positions| positions.first());
    let (Some(&first), Some(&last)) = (firsts().min(), firsts().max()) else { return 0.0 };
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

/// Half for a cause, half for a remedy.
fn explains(candidate: &Candidate) -> f64 {
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
    let names_cause = REASONS.iter().chain(CAUSES).any(|cause| lower.contains(cause));
    0.5 * flag(names_cause) + 0.5 * flag(gives_advice(&candidate.text))
}

/// Whether a sentence says what to do: it begins with an imperative, or advises.
fn gives_advice(text: &str) -> bool {
    const COMMANDS: &str = "run try use set make give wait add remove delete rebuild update \
         upgrade restart install reinstall configure check choose change enable disable \
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
    is_listed(first_word(&lower), COMMANDS) || ADVICE.iter().any(|advice| lower.contains(advice))
}

/// Whether a sentence has something of the type that is asked for and that the question itself does
/// not have.
fn has_type(answer_type: AnswerType, candidate: &Candidate, question: &Question<'_>) -> bool {
    // A column called "Exhaust" is not a name.
    let text = candidate.own.as_ref().map_or(&candidate.text, |(own, _)| own).as_str();
    let is_new = |word: &str| !question.mentions(word);
    let mut words = text
        .split(|c: char| c.is_whitespace() || "()[],;:\"“”—–/".contains(c))
        .filter(|word| !word.is_empty());
    match answer_type {
        AnswerType::Number => words.any(|word| is_number(word) && is_new(word)),
        AnswerType::Time => {
            words.any(|word| (is_time(word) || is_may(word, text)) && is_new(word))
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

/// The month, not the verb: with a capital inside a sentence.
fn is_may(word: &str, text: &str) -> bool {
    word.trim_matches(|c: char| !c.is_alphanumeric()) == "May" && !text.starts_with("May")
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
