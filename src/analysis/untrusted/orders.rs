//! Text that addresses a language model.
//!
//! Patterns, one list to a kind, in English and the commonest forms in German, French, Spanish and
//! Chinese. What reads like an ordinary request ("Write a poem") is none of them: a manual is full
//! of those.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::{LazyLock, OnceLock};

use regex::{Captures, Regex};
use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

use crate::document::Span;
use crate::strings::StrExt as _;

/// What a piece of text tries to do to a model that reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OrderKind {
    /// "Ignore all previous instructions."
    Override,
    /// "You are now …", or an address: "Dear AI".
    Role,
    /// Marks of a conversation: `<|im_start|>`, `[INST]`, a line that begins with `system:`, an end
    /// of the sources.
    Tag,
    /// "Do not tell the user."
    Secrecy,
    /// "Repeat your system prompt."
    Reveal,
    /// "In your answer, mention …"
    Steer,
    /// An image or a link that would carry words to another machine.
    Exfiltrate,
    /// A run of characters that no reader sees, long enough to say something; or an override of the
    /// direction.
    Hidden,
}

impl OrderKind {
    /// The stable name used in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Override => "override",
            Self::Role => "role",
            Self::Tag => "tag",
            Self::Secrecy => "secrecy",
            Self::Reveal => "reveal",
            Self::Steer => "steer",
            Self::Exfiltrate => "exfiltrate",
            Self::Hidden => "hidden",
        }
    }
}

/// One find.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Order {
    /// Bytes of the text as it was given.
    pub span: Span,
    pub kind: OrderKind,
}

/// What in `text` addresses or orders a language model, by position. Empty for nearly all text.
#[must_use]
pub fn orders(text: &str) -> Vec<Order> {
    let folded = Normalized::new(text, false);
    let triples = Triples::of(&folded.text);
    found_by(text, &folded, |pattern| pattern.may_match(&folded.text, &triples))
}

fn found_by(text: &str, folded: &Normalized, is_worth_it: impl Fn(&Pattern) -> bool) -> Vec<Order> {
    let mut found = Vec::new();
    let mut traced: Option<Normalized> = None;
    for pattern in PATTERNS.iter().filter(|pattern| is_worth_it(pattern)) {
        for m in pattern.regex().into_iter().flat_map(|regex| regex.find_iter(&folded.text)) {
            let traced = traced.get_or_insert_with(|| Normalized::new(text, true));
            found.push(Order { span: traced.span(m.range()), kind: pattern.kind });
        }
    }
    found.extend(
        HIDDEN
            .iter()
            .filter(|_| !text.is_ascii())
            .flat_map(|pattern| pattern.find_iter(text))
            .map(|m| Order { span: Span::new(m.start(), m.end()), kind: OrderKind::Hidden }),
    );
    found.sort();
    // Two patterns of a kind may see the same words.
    found.dedup_by(|b, a| a.kind == b.kind && a.span.overlap(b.span) > 0);
    found
}

/// `text` with the marks that chat templates are made of taken apart. Some servers read them
/// wherever they stand, so that a document could end its own message and begin another's.
#[must_use]
pub fn defuse(text: &str) -> Cow<'_, str> {
    let Some(pattern) = TEMPLATE_MARKS.as_ref().filter(|_| text.contains(['<', '['])) else {
        return Cow::Borrowed(text);
    };
    pattern.replace_all(text, |mark: &Captures<'_>| {
        let mut chars = mark[0].chars();
        let first = chars.next().map(String::from).unwrap_or_default();
        format!("{first} {}", chars.as_str())
    })
}

/// A text as patterns want it: no invisible characters, no accents, no quotation marks, emphasis or
/// code ticks, one white space at a time, lower case.
struct Normalized {
    text: String,
    /// For every byte of `text`, the bytes of the original that it came from, where it is traced.
    origins: Option<Vec<Range<usize>>>,
}

impl Normalized {
    fn new(original: &str, is_traced: bool) -> Self {
        let mut folded =
            Self { text: String::with_capacity(original.len()), origins: is_traced.then(Vec::new) };
        let (mut at, mut last, mut was_hidden) = (0, None, false);
        loop {
            // Letters that stand for themselves; nearly every text is made of nothing else.
            while !was_hidden && let Some(c @ (b' '..=b'~' | b'\n')) = original.as_bytes().get(at) {
                let word = original.as_bytes()[at..]
                    .iter()
                    .take_while(|c| c.is_ascii_alphanumeric())
                    .count();
                match word {
                    0 => folded.put(char::from(*c), at..at + 1),
                    word => folded.take(original.slice(at..at + word), at),
                }
                at += word.max(1);
                last = original.slice(..at).chars().next_back();
            }
            let Some(super::Step { len, put }) = super::step(original.slice(at..), last, true)
            else {
                break;
            };
            last = put.or(last);
            let hidden = original.slice(at..).chars().next().and_then(hidden_ascii);
            // A message in tags is no part of the word that it follows.
            if hidden.is_some() != was_hidden {
                folded.push(' ', at..at + len);
                was_hidden = hidden.is_some();
            }
            if let Some(c) = hidden.or(put) {
                folded.push(c, at..at + len);
            }
            at += len;
        }
        folded
    }

    fn push(&mut self, c: char, origin: Range<usize>) {
        // Nearly every character of nearly every text; it has no other form.
        if c.is_ascii() {
            return self.put(c.to_ascii_lowercase(), origin);
        }
        for c in std::iter::once(c).nfkd().flat_map(char::to_lowercase) {
            self.put(c, origin.clone());
        }
    }

    fn put(&mut self, c: char, origin: Range<usize>) {
        let c = match c {
            '*' | '`' | '"' | '\'' | '“' | '”' | '„' | '‘' | '’' | '«' | '»' | '\u{200c}'
            | '\u{200d}' => {
                return;
            }
            c if !c.is_ascii() && is_combining_mark(c) => return,
            '\n' if self.text.ends_with(' ') => {
                self.text.pop();
                self.origins.as_mut().map(Vec::pop);
                '\n'
            }
            '_' if self.text.ends_with(char::is_whitespace) => return,
            c if c.is_whitespace() && self.text.ends_with(char::is_whitespace) => return,
            '\n' => '\n',
            '_' => ' ',
            c if c.is_whitespace() => ' ',
            c => latin(c),
        };
        self.text.push(c);
        if let Some(origins) = &mut self.origins {
            origins.extend(std::iter::repeat_n(origin, c.len_utf8()));
        }
    }

    /// Letters and digits of ASCII, which begin at `at`.
    fn take(&mut self, word: &str, at: usize) {
        let from = self.text.len();
        self.text.push_str(word);
        self.text.get_mut(from..).into_iter().for_each(str::make_ascii_lowercase);
        if let Some(origins) = &mut self.origins {
            origins.extend((at..at + word.len()).map(|at| at..at + 1));
        }
    }

    /// What was found, in the text as it was given; this must be traced.
    fn span(&self, found: Range<usize>) -> Span {
        let origin = |at: usize| self.origins.as_ref().and_then(|origins| origins.get(at));
        let start = origin(found.start).map_or(0, |origin| origin.start);
        let end = found.end.checked_sub(1).and_then(origin).map_or(start, |origin| origin.end);
        Span::new(start, end.max(start))
    }
}

/// The character that a tag character spells: a whole order can be written in them, and nobody sees
/// it.
fn hidden_ascii(c: char) -> Option<char> {
    matches!(c, '\u{e0020}'..='\u{e007e}').then(|| char::from_u32(c as u32 - 0xe0000)).flatten()
}

/// Letters of other scripts that look like Latin ones. Words of those scripts become nonsense,
/// which matches nothing.
fn latin(c: char) -> char {
    match c {
        'а' | 'α' => 'a',
        'е' => 'e',
        'і' | 'ι' => 'i',
        'ј' => 'j',
        'о' | 'ο' => 'o',
        'р' | 'ρ' => 'p',
        'с' => 'c',
        'ѕ' => 's',
        'у' => 'y',
        'х' => 'x',
        'ԁ' => 'd',
        'һ' => 'h',
        'ν' => 'v',
        c => c,
    }
}

/// Groups of pieces: whatever a pattern matches has at least one piece of each.
type Pieces = &'static [&'static [&'static str]];

/// A pattern that is compiled when a text first has a piece of what it looks for: ordinary text has
/// few, and to compile all takes longer than to answer a question.
struct Pattern {
    kind: OrderKind,
    pieces: Pieces,
    source: &'static str,
    compiled: OnceLock<Option<Regex>>,
}

impl Pattern {
    fn regex(&self) -> Option<&Regex> {
        self.compiled.get_or_init(|| compiled(self.source)).as_ref()
    }

    /// Whether `text`, of which these are the triples, has a piece of each group.
    fn may_match(&self, text: &str, triples: &Triples) -> bool {
        let has = |piece: &&str| triples.may_hold(piece) && text.contains(*piece);
        self.pieces.iter().all(|group| group.iter().any(has))
    }
}

/// Which three bytes stand side by side somewhere in a text. Nearly every piece that is not there
/// has three that are not, and to look those up takes a hundredth of the time that searching the
/// text takes.
struct Triples([u64; Self::WORDS]);

impl Triples {
    const WORDS: usize = 256;

    fn of(text: &str) -> Self {
        let mut triples = Self([0; Self::WORDS]);
        for triple in text.as_bytes().windows(3) {
            let (word, bit) = Self::place(triple);
            triples.0[word] |= bit;
        }
        triples
    }

    /// False only where `piece` is no part of the text.
    fn may_hold(&self, piece: &str) -> bool {
        let is_there = |triple: &[u8]| {
            let (word, bit) = Self::place(triple);
            self.0[word] & bit != 0
        };
        piece.as_bytes().windows(3).all(is_there)
    }

    /// Several triples share a place: letters and signs lie close together, so multiplying spreads
    /// them.
    fn place(triple: &[u8]) -> (usize, u64) {
        let number = triple.iter().fold(0u32, |number, byte| number << 8 | u32::from(*byte));
        let place = number.wrapping_mul(0x9e37_79b1) >> 18;
        (place as usize / 64, 1 << (place % 64))
    }
}

/// Words, white space and boundaries are those of ASCII, which is what folded text of European
/// languages is. The tables of Unicode take ten times as long to compile.
fn compiled(pattern: &str) -> Option<Regex> {
    let ascii = [
        (r"\w", "[[:word:]]"),
        (r"\W", "[[:^word:]]"),
        (r"\s", "[[:space:]]"),
        (r"\b", r"(?-u:\b)"),
    ];
    Regex::new(
        &ascii.iter().fold(pattern.to_owned(), |pattern, (from, to)| pattern.replace(from, to)),
    )
    .ok()
}

static PATTERNS: LazyLock<Vec<Pattern>> = LazyLock::new(|| {
    let of_kind = |(kind, patterns): &(OrderKind, &'static [(Pieces, &'static str)])| {
        let kind = *kind;
        patterns.iter().map(move |&(pieces, source)| Pattern {
            kind,
            pieces,
            source,
            compiled: OnceLock::new(),
        })
    };
    TABLE.iter().flat_map(of_kind).collect()
});

static HIDDEN: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(HIDDEN_RUN).ok());

static TEMPLATE_MARKS: LazyLock<Option<Regex>> = LazyLock::new(|| compiled(TEMPLATE_MARK));

/// Eight tags (a flag takes six), five selectors, eight zero-width characters; one override of the
/// direction.
const HIDDEN_RUN: &str = r"[\x{e0000}-\x{e007f}]{8,}|[\x{fe00}-\x{fe0f}\x{e0100}-\x{e01ef}]{5,}|[\x{200b}-\x{200d}\x{2060}-\x{2064}\x{feff}]{8,}|[\x{202d}\x{202e}]";

const TEMPLATE_MARK: &str = r"(?i)<[|｜][\w▁./-]{1,40}[|｜]>|\[/?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS|TOOL_CONTENT)\]|<</?SYS>>|</?(?:s|bos|eos|pad|unk|think|thinking|start_of_turn|end_of_turn|tool_call|tool_response)>";

/// Patterns over [`Normalized`] text, each with the pieces of what it matches.
const TABLE: [(OrderKind, &[(Pieces, &str)]); 7] = [
    (
        OrderKind::Override,
        &[
            (
                &[
                    &[
                        "ignore",
                        "disregard",
                        "forget",
                        "override",
                        "bypass",
                        "overlook",
                        "neglect",
                        "follow",
                        "attention",
                    ],
                    &[
                        "instruction",
                        "prompt",
                        "direction",
                        "directive",
                        "command",
                        "guideline",
                        "orders",
                    ],
                ],
                r"\b(ignore|disregard|forget|override|bypass|overlook|neglect|(do not|dont|stop) follow(ing)?|pay no attention to)\s(\w+\s){0,4}?(previous|prior|above|earlier|preceding|foregoing|former|original|initial|system|your|my|other|all|any|every)\s(\w+\s){0,3}?(instructions?|prompts?|directions?|directives?|commands?|guidelines?|orders)\b",
            ),
            (
                &[&["ignore", "disregard", "forget"], &["everything", "anything", "what"]],
                r"\b(ignore|disregard|forget) (all |absolutely )?(everything|anything|what) (that )?(is |was |has been |have been |you |i |we |they )?(above|before|prior|previously|were told|have been told|was told|told|said|know|learned)\b",
            ),
            (
                &[
                    &["ignore", "disregard", "forget"],
                    &[
                        "rules",
                        "training",
                        "programming",
                        "context",
                        "message",
                        "constraints",
                        "text",
                    ],
                ],
                r"\b(ignore|disregard|forget) (all |any )?(of )?(your|the|all) (previous|prior|earlier|original|safety|system) (rules|training|programming|context|messages?|constraints|text)\b",
            ),
            (
                &[
                    &["instruction"],
                    &[
                        "new ",
                        "updated",
                        "revised",
                        "real ",
                        "actual ",
                        "important",
                        "urgent",
                        "special",
                    ],
                ],
                r"\b(new|updated|revised|real|actual|important|urgent|special) (system )?instructions?( for (you|the (ai|model|assistant)))?:",
            ),
            (
                &[&["your new", "your real", "your actual", "your true", "your only"]],
                r"\byour (new|real|actual|true|only) (task|instructions?|goal|objective|role|purpose|job|mission) (is|are)\b",
            ),
            (
                &[&["ignorier", "vergiss", "vergessen", "missachte"]],
                r"\b(ignoriere|ignorieren sie|vergiss|vergessen sie|missachte|missachten sie)\s(\w+\s){0,5}?(anweisung(en)?|instruktion(en)?|befehle?|vorgaben|anordnungen)\b",
            ),
            (
                &[
                    &["ignor", "oubli", "ne tiens", "ne tenez"],
                    &["instruction", "consigne", "directive", "ordre"],
                ],
                r"\b(ignor(e|es|ez|er)|oubli(e|es|ez|er)|ne (tiens|tenez) (pas|aucun) compte d(e|es)) (\w+\s){0,5}?(instructions?|consignes?|directives?|ordres)\b",
            ),
            (
                &[&["instrucciones", "indicaciones", "ordenes", "directrices"]],
                r"\b(ignora|ignore|ignorad|ignorar|olvida|olvide|olvidad|haz caso omiso de|haga caso omiso de)\s(\w+\s){0,5}?(instrucciones|indicaciones|ordenes|directrices)\b",
            ),
            (
                &[&["忽略", "无视", "無視", "忘记", "忘記", "忘掉", "不要", "忽视", "忽視"]],
                r"(忽略|无视|無視|忘记|忘記|忘掉|不要理会|不要理會|忽视|忽視|不要遵守|不要遵循)[^。！？!?\n]{0,12}(指令|指示|提示词|提示詞|命令|吩咐)",
            ),
        ],
    ),
    (
        OrderKind::Role,
        &[
            (
                &[&["you are now", "you are no longer"]],
                r"\byou are (now|no longer) (an? (ai|assistant|bot|chatbot|model|pirate|hacker|expert|unrestricted|evil|helpful|different|new)|dan\b|bound|restricted|called|named|acting|playing|free (of|from)|in \w+ mode)",
            ),
            (&[&["pretend "]], r"\bpretend (to be|that you are|you are|youre) (an?|the|my|dan)\b"),
            (
                &[&["act as", "behave as", "respond as", "answer as"]],
                r"(?m)(^|[.!?:;]\s)(please )?(act|behave|respond|answer) as (if you (are|were)|an? (ai|unrestricted|evil|assistant|hacker|pirate|different|jailbroken|uncensored))\b",
            ),
            (
                &[&["from now on", "henceforth", "from this point"]],
                r"\b(from now on|henceforth|from this point on(ward)?),? (you (will|must|shall|are)|only (answer|reply|respond)|always (answer|reply|respond)|(answer|reply|respond) (only|with|in))\b",
            ),
            (
                &[&[
                    "developer mode",
                    "dan mode",
                    "jailbreak mode",
                    "god mode",
                    "debug mode",
                    "sudo mode",
                    "admin mode",
                    "do anything now",
                ]],
                r"\b(developer|dan|jailbreak|god|debug|sudo|admin) mode (is )?(now )?(enabled|activated|on|unlocked)\b|\b(enter|enable|activate) (dan|jailbreak|god|developer) mode\b|\bdo anything now\b",
            ),
            (
                &[
                    &[
                        "dear ",
                        "hey ",
                        "hello ",
                        "hi ",
                        "attention ",
                        "note to",
                        "note for",
                        "message to",
                        "message for",
                        "instruction",
                        "notice to",
                        "listen ",
                    ],
                    &[" ai", "llm", "language model", "chatbot", "chatgpt", "artificial"],
                ],
                r"\b(dear|hey|hello|hi|attention|note (to|for)|message (to|for)|instructions? (to|for)|notice to|listen) (the |any |all |every )?(ai|llms?|language models?|large language models?|chatbots?|chatgpt|ai (assistants?|models?|agents?|systems?)|artificial intelligence)\b",
            ),
            (
                &[&["if you are "]],
                r"\bif you are (an? |the )?(ai|llm|language model|large language model|chatbot|ai (assistant|model|agent))\b",
            ),
            (
                &[&["reading this", "processing this", "izing this", "ising this", "parsing this"]],
                r"\b(ais?|llms?|language models?|assistants?|agents?) (that is |that are |who (is|are) )?(reading|processing|summari[sz]ing|parsing) this\b",
            ),
            (
                &[&["du bist", "sie sind", "ab jetzt", "ab sofort"]],
                r"\b(du bist|sie sind) (jetzt|nun|ab sofort|ab jetzt) (ein|eine|kein|keine|der|die|nicht mehr)\b|\bab (jetzt|sofort) (bist|wirst|antwortest|musst|sollst) du\b",
            ),
            (
                &[&["tu es ", "vous etes ", "maintenant", "desormais"]],
                r"\b(tu es|vous etes) (maintenant|desormais|a present) (un|une|le|la)\b|\b(a partir de maintenant|desormais),? (tu|vous) (es|etes|dois|devez|vas|allez|reponds|repondez)\b",
            ),
            (
                &[&["ahora eres", "eres ahora", "partir de ahora", "desde ahora"]],
                r"\b(ahora eres|eres ahora|a partir de ahora,? eres|desde ahora,? eres) (un|una|el|la)\b|\ba partir de ahora,? (debes|responde|responderas|vas a)\b",
            ),
            (
                &[&["你现在是", "你現在是", "从现在", "從現在", "扮演"]],
                r"你现在是(一|个|我|名|位|ai)|你現在是(一|個|我|名|位|ai)|(从现在(开始|起)|從現在(開始|起))[，,]?你(就?是|要|必须|必須|只|将|將)|你(将|將|要|必须|必須)扮演",
            ),
        ],
    ),
    (
        OrderKind::Tag,
        &[
            (
                &[&[
                    "<|",
                    "[inst]",
                    "[/inst]",
                    "<<sys",
                    "<</sys",
                    "of turn>",
                    "<system",
                    "</system",
                    "<assistant",
                    "</assistant",
                    "<tool",
                    "</tool",
                    "<function",
                    "</function",
                ]],
                r"<\|\w[\w▁./ -]{1,38}\|>|\[/?inst\]|<</?sys>>|<(start|end) of turn>|</?(system|assistant|system[ -]prompt|tool call|tool response|function calls?)>",
            ),
            (
                &[&["system", "assistant", "chatgpt"]],
                r"(?m)^[\s>#\-]*[\[({<]*(system|assistant|chatgpt|ai assistant)( (prompt|message|override|note|instructions?|update))?[\])}>]*:( |\n|$)",
            ),
            (
                &[&["[system", "[assistant", "[admin", "[developer"]],
                r"(?m)^[\s>]*\[(system|assistant|admin|developer)( (prompt|message|override|note|instructions?))?\]",
            ),
            (
                &[&["##"]],
                r"(?m)^[\s>]*#{2,4} ?(instruction|system|assistant|human|response|system prompt|system message):? ?$",
            ),
            (
                &[&["##"]],
                r"(?m)^[\s>]*#{2,4} ?(instructions?|system|assistant|human|user|response|system prompt|system message):",
            ),
            (
                &[
                    &["begin ", "start ", "end "],
                    &[
                        "prompt",
                        "system message",
                        "context",
                        "sources",
                        "evidence",
                        "retrieved ",
                        "untrusted ",
                        "user query",
                        "user question",
                        "user input",
                    ],
                ],
                r"(?m)^[\W_]*(begin|start|end)( of)?( the)? (system prompt|system message|prompt|context|sources|evidence|retrieved \w+|untrusted \w+|user (query|question|input))[\W_]*$",
            ),
            (&[&["sources-"]], r"(?m)^\s*sources-[0-9a-f]{8,}\s*$"),
            (&[&["系统", "系統", "助手"]], r"(?m)^[\s>#\-]*(系统|系統|助手)(提示|消息|指令)?:"),
        ],
    ),
    (
        OrderKind::Secrecy,
        &[
            (
                &[
                    &["user", "human", "reader"],
                    &["tell", "inform", "mention", "reveal", "alert", "say"],
                ],
                r"\b((do not|dont|never|must not|without)( ever)?) (tell(ing)?|inform(ing)?|mention(ing)? (this |it |that )?to|reveal(ing)? (this |it |that )?to|alert(ing)?|say(ing)? (this |it |anything )?to) (the |your |any )?(users?|humans?|readers?)\b",
            ),
            (
                &[&["mention ", "reveal ", "disclose ", "acknowledge ", "repeat "]],
                r"\b(do not|dont|never) (mention|reveal|disclose|acknowledge|repeat) (these|this|that you|the) (instructions?|prompt|message|were|have been|received)\b",
            ),
            (
                &[&["nutzer", "anwender"]],
                r"\b(sage|erzahle|verrate|sagen sie|erzahlen sie|verraten sie|teile|teilen sie) (es |dies |das )?(dem|der|den) (nutzer|benutzer|anwender)(in|n|innen)? (nicht|nichts|niemals|kein)",
            ),
            (
                &[&["utilisat"]],
                r"\bne (le |les |lui )?(dis|dites|revele|revelez|mentionne|mentionnez|signale|signalez)\w* (pas|rien|jamais)\s(\w+\s){0,3}?(lutilisateur|utilisateurs?|lutilisatrice)\b",
            ),
            (
                &[&["usuari"]],
                r"\b(no|nunca) (se )?(le |les |lo )?(digas|diga|reveles|revele|menciones|mencione|informes|cuentes)\s(\w+\s){0,3}?(al|a la|a los) usuari[oa]s?\b",
            ),
            (
                &[&["用户", "用戶", "使用者"]],
                r"(不要|别|別|不得|切勿)(告诉|告訴|透露|提醒|通知|告知)[^。！？!?\n]{0,6}(用户|用戶|使用者)",
            ),
        ],
    ),
    (
        OrderKind::Reveal,
        &[
            (
                &[&[
                    "system prompt",
                    "system message",
                    "system instruction",
                    "hidden prompt",
                    "hidden instr",
                    "initial prompt",
                    "initial instr",
                    "secret prompt",
                    "secret instr",
                    "original prompt",
                    "original instr",
                    "your prompt",
                    "your instr",
                    "your guide",
                    "your rules",
                ]],
                r"\b(reveal|print|show|repeat|output|display|leak|disclose|send|give|tell|write|share|expose|summari[sz]e)\s(\w+\s){0,4}?(system prompt|system message|system instructions|(hidden|initial|secret|original) (prompt|instructions)|your (prompt|instructions|guidelines|rules))\b",
            ),
            (
                &[&[
                    "reveal",
                    "leak",
                    "disclose",
                    "send",
                    "exfiltrate",
                    "mail",
                    "forward",
                    "upload",
                ]],
                r"\b(reveal|leak|disclose|send|exfiltrate|e-?mail|forward|upload)\s(\w+\s){0,3}?(your|the users|users) (api keys?|passwords?|credentials|secrets?|access tokens?|private keys?|conversation|chat history|data)\b",
            ),
            (
                &[
                    &["systemanweisung", "systemnachricht", "prompt"],
                    &["zeig", "nenne", "verrate", "gib", "wiederhole", "drucke", "offenbare"],
                ],
                r"\b(zeige?|nenne|verrate|gib|wiederhole|drucke|offenbare)\s(\w+\s){0,4}?(system-?\s?prompt|systemanweisung(en)?|systemnachricht)\b",
            ),
            (
                &[&["systeme"]],
                r"\b(revele|affiche|montre|repete|donne|imprime)[zr]?\s(\w+\s){0,4}?(prompt systeme|invite systeme|message systeme|instructions systeme)\b",
            ),
            (
                &[&["sistema", "system prompt"]],
                r"\b(revel[ae]|muestr[ae]|repit[ae]|repite|imprim[ae]|imprime|ensen[ae])\s(\w+\s){0,4}?((prompt|mensaje|instrucciones|indicaciones) (del? )?sistema|system prompt)\b",
            ),
            (
                &[&["提示", "指令"]],
                r"(透露|显示|顯示|输出|輸出|打印|泄露|洩露|重复|重複|告诉我|告訴我)[^。！？!?\n]{0,8}(系统提示|系統提示|系统指令|系統指令|提示词|提示詞)",
            ),
        ],
    ),
    (
        OrderKind::Steer,
        &[
            (
                &[&["your "], &["response", "answer", "reply", "replies", "output", "message"]],
                r"\b(add|append|include|insert|integrate|incorporate|modify|augment|enhance|encode|encrypt|decode|translate|render|reverse|invert|rewrite|rephrase|replace|convert|shift|scramble|jumble|misspell|anagram|rearrange|group|combine|substitute|remove|introduce|express|apply|use|change|alter|end|begin|start|finish|conclude|precede|prefix|write|provide|reply|represent)\b[^\n]{0,120}?\byour (\w+ )?(response|answer|reply|replies|responses|answers|output|message)\b",
            ),
            (
                &[&["in your "], &["response", "answer", "reply", "output", "message"]],
                r"(?m)(^|[.!?:;,]\s)in your (response|answer|reply|output|message),? (add|append|include|insert|mention|suggest|tease|say|state|tell|recommend|promote|advise|claim|write|use|always|never|do not|dont)\b",
            ),
            (
                &[&["reply ", "respond "]],
                r"(?m)(^|[.!?:;]\s)(please )?(always |only )?(reply|respond) (to the user )?(only |exactly |always )?(in|with|using|backward|by)\b",
            ),
            (
                &[&[" the user "]],
                r"\b(tell|inform|convince|persuade|instruct|advise|ask) the user (that|to (click|visit|download|install|send|call|enter|provide|go to))\b",
            ),
            (
                &[&["antwort"]],
                r"\b(antworte|antworten sie) (nur|ausschliesslich|immer|stattdessen) |\bin (deiner|ihrer) antwort\b[^\n]{0,40}?\b(erwahne|erwahnen|fuge|fugen|schreibe|schreiben|empfiehl|empfehlen)\b",
            ),
            (
                &[&["repond", "reponse"]],
                r"\b(reponds|repondez) (uniquement|seulement|toujours|plutot) |\bdans (ta|votre) reponse,? (ajoute|mentionne|inclus|ecris|recommande|incluez|ecrivez)",
            ),
            (
                &[&["responde", "responda", "contesta", "respuesta"]],
                r"\b(responde|responda|contesta) (solo|solamente|unicamente|siempre) |\ben (tu|su) respuesta,? (anade|agrega|incluye|menciona|escribe|recomienda|incluya|mencione)\b",
            ),
            (
                &[&["回答", "回复", "回覆", "答复", "答案"]],
                r"在(你|您)的(回答|回复|回覆|答复|答案)(中|里|裡)[，,]?(加入|添加|提到|包含|写|寫|推荐|推薦|说|說)|(只|仅|僅)(用|以)[^。\n]{1,8}(回答|回复|回覆)",
            ),
        ],
    ),
    (
        OrderKind::Exfiltrate,
        &[
            (
                &[&["!["]],
                r"!\[[^\]\n]*\]\(\s?<?(https?:)?//[^\s)>]+?[?&#](q|query|data|d|s|secret|text|t|msg|message|content|prompt|history|chat|c|info|key|token|leak|exfil|payload|answer|summary|user|email)=",
            ),
            (
                &[&["]("]],
                r"!?\[[^\]\n]*\]\(\s?<?(https?:)?//[^\s)>]*?([=/](\{|\[|\$|<|%7b|…|\.\.\.)|[?&]\w{1,30}=[)\s>])",
            ),
            (
                &[&["<img"]],
                r"<img\s[^>\n]*?src ?= ?(https?:)?//[^\s>]+?([?&#](q|query|data|d|secret|text|msg|message|content|prompt|history|chat|key|token|payload|answer)=|[=/](\{|\[|\$))",
            ),
        ],
    ),
];

#[cfg(test)]
pub(super) fn n_compiled() -> (usize, usize) {
    let n = PATTERNS.iter().filter(|pattern| pattern.regex().is_some()).count();
    (PATTERNS.len() + 2, n + usize::from(HIDDEN.is_some()) + usize::from(TEMPLATE_MARKS.is_some()))
}

/// [`orders`] by every pattern, whatever the text has.
#[cfg(test)]
pub(super) fn orders_by_all(text: &str) -> Vec<Order> {
    found_by(text, &Normalized::new(text, false), |_| true)
}

/// Every pattern as it is written, with its pieces.
#[cfg(test)]
pub(super) fn patterns() -> impl Iterator<Item = (Pieces, &'static str)> {
    TABLE.iter().flat_map(|(_, patterns)| patterns.iter().copied())
}
