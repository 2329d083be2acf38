//! The kind of answer that a question asks for, detected from its words.
//!
//! Tables, read from the top: the first matching row decides. A wrong guess costs form, not truth:
//! whatever the intent, an answer consists of the documents' own sentences.

/// The kind of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Intent {
    /// What something is.
    Definition,
    /// Steps.
    HowTo,
    /// Why something fails, and what helps.
    Troubleshooting,
    /// How things differ.
    Comparison,
    /// A name, a date, a number, a reason, a short statement.
    Factoid,
    /// Several things of a kind.
    List,
    /// An overview of something, from several places.
    Summary,
}

impl Intent {
    pub const ALL: &[Self] = &[
        Self::Definition,
        Self::HowTo,
        Self::Troubleshooting,
        Self::Comparison,
        Self::Factoid,
        Self::List,
        Self::Summary,
    ];

    /// The stable name used on the command line and in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Definition => "definition",
            Self::HowTo => "how-to",
            Self::Troubleshooting => "troubleshooting",
            Self::Comparison => "comparison",
            Self::Factoid => "factoid",
            Self::List => "list",
            Self::Summary => "summary",
        }
    }

    /// The intent of that name, if there is one.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|intent| intent.name() == name)
    }

    /// Detects the intent from the words of a question.
    #[must_use]
    pub fn of(question: &str) -> Self {
        let words = Words::of(question);
        RULES.iter().find(|rule| rule.matches(&words)).map_or(Self::Factoid, |rule| rule.intent)
    }

    /// Words that ask for a kind of answer and not about a subject, as the index has them.
    pub(super) fn requests(self) -> &'static str {
        match self {
            Self::Summary => {
                "describe explain summarise summarize summary overview tell give main points \
                 please work works \
                 erklare beschreibe zusammenfassung uberblick explique resume resumen explica"
            }
            Self::Comparison => {
                "difference differences different differ compare comparison vs versus better \
                 unterschied"
            }
            Self::List => "list name enumerate nenne kinds types sorts",
            Self::Definition => "define definition meaning mean bedeutet",
            Self::Troubleshooting => "fix troubleshoot causes",
            Self::HowTo => "steps",
            Self::Factoid => "",
        }
    }

    /// Passages to retrieve where `base` is the configured number: a list, a comparison and above
    /// all a summary draw on more places than a fact does.
    #[must_use]
    pub fn k(self, base: usize) -> usize {
        match self {
            Self::Summary => base.saturating_mul(2),
            Self::Comparison | Self::List => base.saturating_add(base / 2),
            Self::Definition | Self::HowTo | Self::Troubleshooting | Self::Factoid => base,
        }
    }
}

/// Matches a question of at most `max_words` that has one of `any`, and one of `and` unless that is
/// empty. [`Words::has`] describes the phrases.
struct Rule {
    intent: Intent,
    any: &'static [&'static str],
    and: &'static [&'static str],
    max_words: usize,
}

const fn rule(intent: Intent, any: &'static [&'static str]) -> Rule {
    Rule { intent, any, and: &[], max_words: usize::MAX }
}

impl Rule {
    fn matches(&self, words: &Words<'_>) -> bool {
        words.words.len() <= self.max_words
            && words.has_any(self.any)
            && (self.and.is_empty() || words.has_any(self.and))
    }
}

const RULES: &[Rule] = &[
    rule(
        Intent::Comparison,
        &[
            "difference between",
            "differences between",
            "different from",
            "differ from",
            "vs",
            "versus",
            "^compare",
            "how .. compare to",
            "how .. compare with",
            "comparison of",
            "comparison between",
            "^which is better",
            "^distinguish .. from",
            "unterschied zwischen",
            "unterschiede zwischen",
            "unterscheidet sich",
            "unterscheiden sich",
            "^vergleiche",
            "différence entre",
            "différences entre",
            "diferencia entre",
            "diferencias entre",
            "^compara",
            "的区别",
            "的差别",
            "有什么区别",
            "有什么不同",
            "の違い",
        ],
    ),
    rule(
        Intent::Troubleshooting,
        &[
            "not working",
            "doesn t work",
            "does not work",
            "don t work",
            "isn t working",
            "won t start",
            "stopped working",
            "how do i fix",
            "how do you fix",
            "how can i fix",
            "how to fix",
            "troubleshoot",
            "error message",
            "what does the error",
            "funktioniert nicht",
            "geht nicht",
            "ne marche pas",
            "ne fonctionne pas",
            "no funciona",
            "报错",
            "出错",
            "動かない",
            "動作しない",
        ],
    ),
    Rule {
        intent: Intent::Troubleshooting,
        any: &[
            "why",
            "what causes",
            "what could cause",
            "what should i do",
            "what can i do",
            "what do i do",
            "what to do",
            "warum",
            "wieso",
            "was tun",
            "pourquoi",
            "por qué",
            "为什么",
            "怎么办",
            "なぜ",
        ],
        and: &[
            "fail",
            "fails",
            "failed",
            "failing",
            "failure",
            "error",
            "errors",
            "crash",
            "crashes",
            "crashed",
            "crashing",
            "broken",
            "breaks",
            "can t",
            "cannot",
            "won t",
            "unable",
            "stuck",
            "hang",
            "hangs",
            "slow",
            "missing",
            "wrong",
            "damaged",
            "locked",
            "denied",
            "refused",
            "fehler",
            "fehlschlägt",
            "kaputt",
            "langsam",
            "erreur",
            "échoue",
            "lent",
            "falla",
            "fallo",
            "lento",
            "失败",
            "错误",
            "失敗",
            "エラー",
        ],
        max_words: usize::MAX,
    },
    rule(
        Intent::HowTo,
        &[
            "how to",
            "how do i",
            "how do you",
            "how do we",
            "how can i",
            "how can you",
            "how can we",
            "how should i",
            "how should we",
            "how would i",
            "how does one",
            "steps to",
            "wie kann ich",
            "wie kann man",
            "^wie .. ich",
            "comment faire",
            "comment puis je",
            "cómo puedo",
            "como puedo",
            "如何",
            "怎么",
            "怎样",
            "どうやって",
            "するには",
        ],
    ),
    rule(
        Intent::Summary,
        &[
            "^summarise",
            "^summarize",
            "summary of",
            "overview",
            "main points",
            "^describe",
            "^explain",
            "can you explain",
            "can you describe",
            "please explain",
            "please describe",
            "tell me about",
            "^what is .. about",
            "^what s .. about",
            "^what are .. about",
            "how do",
            "how does .. work",
            "überblick",
            "zusammenfassung",
            "^fasse",
            "^erkläre",
            "^beschreibe",
            "^wie funktioniert",
            "résumé",
            "^résume",
            "^explique",
            "^décris",
            "comment fonctionne",
            "^resume",
            "resumen",
            "^explica",
            "cómo funciona",
            "总结",
            "概述",
            "概括",
            "介绍一下",
            "解释",
            "まとめ",
            "要約",
            "概要",
            "説明して",
        ],
    ),
    rule(
        Intent::List,
        &[
            "^list",
            "list all",
            "list the",
            "a list of",
            "which are",
            "what are the",
            "what are some",
            "what kinds",
            "what types",
            "what sorts",
            "which .. are there",
            "what .. are there",
            "name the",
            "^name",
            "^enumerate",
            "^nenne",
            "was sind die",
            "welche .. gibt es",
            "quels sont",
            "quelles sont",
            "cuáles son",
            "有哪些",
            "列出",
            "一覧",
        ],
    ),
    Rule {
        intent: Intent::Definition,
        any: &[
            "^what is",
            "^what are",
            "^what s",
            "what is a",
            "what is an",
            "what does",
            "^define",
            "definition of",
            "meaning of",
            "was ist",
            "was sind",
            "was bedeutet",
            "qu est ce que",
            "que signifie",
            "qué es",
            "qué significa",
            "什么是",
            "とは",
        ],
        and: &[],
        max_words: 6,
    },
];

/// What the answer to a factual question contains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AnswerType {
    Person,
    Place,
    Time,
    Number,
    Reason,
    Anything,
}

impl AnswerType {
    /// Its place in the declaration, as a feature.
    pub(super) fn index(self) -> f64 {
        f64::from(self as u8)
    }

    pub(super) fn of(question: &str) -> Self {
        let words = Words::of(question);
        let row = ANSWER_TYPES.iter().find(|(_, phrases)| words.has_any(phrases));
        row.map_or(Self::Anything, |(answer_type, _)| *answer_type)
    }
}

const ANSWER_TYPES: &[(AnswerType, &[&str])] = &[
    (
        AnswerType::Number,
        &[
            "how many",
            "how much",
            "how often",
            "how long",
            "how far",
            "how tall",
            "how high",
            "how large",
            "how big",
            "how old",
            "how fast",
            "how deep",
            "how wide",
            "what percentage",
            "what percent",
            "what number",
            "what population",
            "what fraction",
            "what amount",
            "what proportion",
            "wie viele",
            "wie viel",
            "wieviel",
            "combien",
            "cuantos",
            "cuantas",
            "cuánto",
            "cuántos",
            "cuántas",
            "quanti",
            "quanto",
            "quantos",
            "сколько",
            "多少",
            "几个",
            "幾",
        ],
    ),
    (
        AnswerType::Time,
        &[
            "when",
            "what year",
            "which year",
            "what date",
            "what day",
            "what month",
            "what decade",
            "what century",
            "which century",
            "wann",
            "quand",
            "cuándo",
            "quando",
            "когда",
            "何时",
            "什么时候",
            "哪一年",
            "哪年",
            "いつ",
        ],
    ),
    (
        AnswerType::Person,
        &["who", "whom", "whose", "wer", "wem", "qui", "quién", "кто", "谁", "誰"],
    ),
    (
        AnswerType::Place,
        &[
            "where",
            "what city",
            "which city",
            "what country",
            "which country",
            "what state",
            "what location",
            "wo",
            "où",
            "dónde",
            "где",
            "哪里",
            "哪儿",
            "在哪",
            "どこ",
        ],
    ),
    (
        AnswerType::Reason,
        &[
            "why",
            "what caused",
            "what causes",
            "what reason",
            "warum",
            "pourquoi",
            "por qué",
            "почему",
            "为什么",
            "なぜ",
        ],
    ),
];

/// Whether a question is about code, so that a block of code may be the answer.
pub(super) fn wants_code(question: &str) -> bool {
    let words = Words::of(question);
    words.has_any(&["example", "code", "command", "syntax", "snippet", "script"])
        || words.has_any(&["declare", "write a", "run", "flag", "option"])
            && Intent::of(question) != Intent::Factoid
        || ["`", "::", "()"].iter().any(|mark| question.contains(mark))
}

/// Whether a question asks who made or won something.
pub(super) fn asks_for_maker(question: &str) -> bool {
    const MAKERS: &[&str] = &[
        "who wrote",
        "who created",
        "who invented",
        "who founded",
        "who designed",
        "who developed",
        "who built",
        "who discovered",
        "who started",
        "who maintains",
        "who leads",
        "who won",
        "who coined",
        "wer schrieb",
        "wer erfand",
        "wer gründete",
        "qui a écrit",
        "qui a inventé",
        "qui a fondé",
    ];
    Words::of(question).has_any(MAKERS)
}

/// A question as the tables match it.
struct Words<'a> {
    text: &'a str,
    words: Vec<String>,
}

impl<'a> Words<'a> {
    fn of(text: &'a str) -> Self {
        let mut words: Vec<String> = text
            .split(|c: char| !c.is_alphanumeric())
            .filter(|word| !word.is_empty())
            .map(str::to_lowercase)
            .collect();
        // The editor VS Code is one thing, not two that are compared.
        words.dedup_by(|next, word| {
            let is_editor = word == "vs" && next == "code";
            is_editor.then(|| word.push_str(next));
            is_editor
        });
        Self { text, words }
    }

    fn has_any(&self, phrases: &[&str]) -> bool {
        phrases.iter().any(|phrase| self.has(phrase))
    }

    /// Whether the question has the words of `phrase` in sequence: `..` matches any words
    /// between them, `^` the beginning of the question. A phrase in a script without spaces is
    /// searched for as a substring.
    fn has(&self, phrase: &str) -> bool {
        if phrase.contains(|c| matches!(c, '\u{2e80}'..='\u{9fff}')) {
            return self.text.contains(phrase);
        }
        let (mut is_anchored, phrase) =
            phrase.strip_prefix('^').map_or((false, phrase), |rest| (true, rest));
        let mut rest = self.words.as_slice();
        for part in phrase.split(" .. ") {
            let len = part.split(' ').count();
            let matches = |window: &[String]| window.iter().map(String::as_str).eq(part.split(' '));
            let n_places = if is_anchored { 1 } else { usize::MAX };
            let Some(at) = rest.windows(len).take(n_places).position(matches) else {
                return false;
            };
            rest = &rest[at + len..];
            is_anchored = false;
        }
        true
    }
}
