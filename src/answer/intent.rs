//! What kind of answer a question wants, told from its first words.

/// What kind of answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Intent {
    /// A name, a date, a number, a short statement.
    Fact,
    /// What something is.
    Definition,
    /// Steps.
    HowTo,
    /// Several things of a kind.
    List,
    /// Reasons and descriptions.
    Explanation,
}

impl Intent {
    /// The stable name used on the command line and in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Fact => "fact",
            Self::Definition => "definition",
            Self::HowTo => "how-to",
            Self::List => "list",
            Self::Explanation => "explanation",
        }
    }

    /// The intent of that name, if there is one.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|intent| intent.name() == name)
    }

    pub const ALL: &[Self] = &[Self::Fact, Self::Definition, Self::HowTo, Self::List, Self::Explanation];

    /// Tells from the words of a question.
    #[must_use]
    pub fn of(question: &str) -> Self {
        let words = words(question);
        let has = |phrase: &str| contains(&words, phrase);
        if [
            "how do",
            "how to",
            "how can",
            "how should",
            "how would i",
            "steps to",
            "how does one",
            "wie kann ich",
            "comment faire",
        ]
        .iter()
        .any(|p| has(p))
            || question.contains("如何")
            || question.contains("怎么")
            || question.contains("怎样")
        {
            // "How do plants breathe" asks for an explanation; "how do I install it" for steps.
            let asks_for_steps = [
                "how to",
                "how do i",
                "how do you",
                "how do we",
                "how can i",
                "how can you",
                "how can we",
                "how should i",
                "steps to",
                "wie kann ich",
            ]
            .iter()
            .any(|p| has(p));
            return if asks_for_steps || !question.is_ascii() { Self::HowTo } else { Self::Explanation };
        }
        if ["list", "which are", "what are the", "what kinds", "what types", "name the"].iter().any(|p| has(p))
            && !has("what are the odds")
        {
            return Self::List;
        }
        if ["why", "explain", "describe", "warum", "pourquoi"].iter().any(|p| has(p)) || question.contains("为什么")
        {
            return Self::Explanation;
        }
        let is_short = words.len() <= 6;
        if is_short
            && (["what is a", "what is an", "what s a", "define", "meaning of", "what does"].iter().any(|p| has(p))
                || starts(&words, "what is")
                || starts(&words, "what are"))
            || question.contains("什么是")
        {
            return Self::Definition;
        }
        Self::Fact
    }
}

/// What the missing piece of a factual question looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    Person,
    Place,
    Time,
    Number,
    Reason,
    Anything,
}

impl Wanted {
    pub(super) fn of(question: &str) -> Self {
        let words = words(question);
        let has = |phrase: &str| contains(&words, phrase);
        let any = |phrases: &[&str]| phrases.iter().any(|phrase| has(phrase));
        let holds = |parts: &[&str]| parts.iter().any(|part| question.contains(part));
        if any(&[
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
        ]) || any(&[
            "what percentage",
            "what percent",
            "what number",
            "what population",
            "what fraction",
            "what amount",
            "what proportion",
        ]) || any(&[
            "wie viele",
            "wie viel",
            "wieviel",
            "combien",
            "cuantos",
            "cuantas",
            "cuánto",
            "quanti",
            "quanto",
            "quantos",
            "сколько",
        ]) || holds(&["多少", "几个", "幾"])
        {
            return Self::Number;
        }
        if any(&[
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
        ]) || has("in what year")
            || holds(&["何时", "什么时候", "哪一年", "哪年", "いつ"])
        {
            return Self::Time;
        }
        if any(&["who", "whom", "whose", "wer", "wem", "qui", "quién", "кто"]) || holds(&["谁", "誰"]) {
            return Self::Person;
        }
        if any(&[
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
        ]) || holds(&["哪里", "哪儿", "在哪", "どこ"])
        {
            return Self::Place;
        }
        if any(&["why", "what caused", "what reason", "warum", "pourquoi", "почему"]) || holds(&["为什么", "なぜ"])
        {
            return Self::Reason;
        }
        Self::Anything
    }
}

/// Whether a question is about code, so that a block of it may be the answer.
pub(super) fn wants_code(question: &str) -> bool {
    let words = words(question);
    let any = |phrases: &[&str]| phrases.iter().any(|phrase| contains(&words, phrase));
    any(&["example", "code", "command", "syntax", "snippet", "script"])
        || any(&["declare", "write a", "run", "flag", "option"]) && Intent::of(question) != Intent::Fact
        || question.contains('`')
        || question.contains("::")
        || question.contains("()")
}

fn words(question: &str) -> Vec<String> {
    question.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase).collect()
}

fn contains(words: &[String], phrase: &str) -> bool {
    let n = phrase.split(' ').count();
    words.windows(n).any(|window| window.iter().map(String::as_str).eq(phrase.split(' ')))
}

fn starts(words: &[String], phrase: &str) -> bool {
    words.iter().map(String::as_str).zip(phrase.split(' ')).filter(|(a, b)| a == b).count() == phrase.split(' ').count()
}
