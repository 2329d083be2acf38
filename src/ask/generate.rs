//! The language model as a generator: prompt out, text in, every mark checked.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::analysis;
use crate::answer::{self, Evidence, Exchange, Intent, Prompt, Repetition, Stream};
use crate::document::Answer;
use crate::error::{Fault, Reason, Result};
use crate::llm::{ChatRole, Client, Endpoint, Finish, Message, Reply, Usage};
use crate::strings::StrExt as _;

use super::Event;

/// What the language model did.
#[derive(Debug)]
pub struct Writing {
    /// The model by the server's own account.
    pub model: String,
    pub finish: Finish,
    /// Why the text is broken off.
    pub trouble: Option<Fault>,
    pub usage: Option<Usage>,
    pub attempts: u32,
}

/// What was wrong with a language model's text and was put right or marked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checks {
    /// Numbers that were cited and not offered; they were removed.
    pub removed: Vec<usize>,
    /// Sentences that no cited source supports. The answer keeps them unless it has no others; then
    /// it is empty.
    pub unsupported: Vec<String>,
    /// Addresses that no source has; they were removed.
    pub addresses: usize,
}

/// The language model of the configuration.
///
/// # Errors
/// A usage fault that names the setting that is missing or wrong.
pub(super) fn client(llm: &Endpoint) -> Result<Client> {
    for (value, key) in [(&llm.base_url, "llm.base_url"), (&llm.model, "llm.model")] {
        if value.is_empty() {
            return Err(Fault::usage(format!("`generator = llm` needs `{key}`")).hint(
                "for example RAG_LLM_BASE_URL=http://localhost:11434/v1 and \
                 RAG_LLM_MODEL=llama3.2; \
                 or `--generator extractive`",
            ));
        }
    }
    Client::new(llm.clone()).map_err(|fault| match fault.hint_text() {
        Some(_) => fault,
        None => {
            fault.hint("see llm.base_url and llm.api_key; `rag doctor -v` shows where each is set")
        }
    })
}

/// The prompt for a question: as much of the evidence as fits, in the order of paths.
pub(super) fn prompt(
    question: &str,
    intent: Intent,
    earlier: &[Exchange],
    evidence: Vec<Evidence>,
    evidence_tokens: usize,
) -> Prompt {
    let fitting = answer::fit(evidence, evidence_tokens, &n_tokens);
    answer::prompt(question, earlier, fitting, wish(intent))
}

/// Tokens of a text, roughly and rather too many. Every language model has a tokenizer of its own;
/// four characters a token is what the common ones reach on English, and a token for each character
/// of other scripts is more than they need.
pub fn n_tokens(text: &str) -> usize {
    let ascii = text.bytes().filter(u8::is_ascii).count();
    ascii.div_ceil(4) + text.chars().filter(|c| !c.is_ascii()).count()
}

/// What kind of answer is wanted, told to a model.
fn wish(intent: Intent) -> &'static str {
    match intent {
        Intent::Definition => "Say what it is in one or two sentences.",
        Intent::HowTo => "Give the steps as a numbered list; quote commands exactly.",
        Intent::Troubleshooting => "Name the cause, then what to do.",
        Intent::Comparison => "Compare point by point, one line for each thing compared.",
        Intent::Factoid => "Answer in one sentence.",
        Intent::List => "Answer with a list.",
        Intent::Summary => "Summarise in at most six sentences.",
    }
}

/// Asks the configured language model for a word, to see whether it answers; yields its own name
/// for itself.
///
/// # Errors
/// A usage fault that names the setting that is missing or wrong; why the server does not answer.
pub fn probe(llm: &Endpoint, stop: &(dyn Fn() -> bool + Sync)) -> Result<String> {
    /// Fewer are refused by some servers.
    const MAX_TOKENS: u32 = 16;
    const MOST: Duration = Duration::from_secs(60);
    let most = llm.timeout.min(MOST);
    let hasty = Endpoint {
        attempts: 1,
        max_tokens: MAX_TOKENS,
        timeout: most,
        answer_timeout: most,
        ..llm.clone()
    };
    let client = client(&hasty)?;
    let reply = chat(&client, "Reply with one word.", "Is all well?", &mut |_| {}, stop)?;
    match (reply.finish, reply.trouble) {
        (Finish::Interrupted, _) => Err(Fault::interrupted()),
        (Finish::Broken, Some(trouble)) => Err(Fault::outside(trouble)),
        _ => Ok(analysis::untrusted::neutralise(&reply.model).into_owned()),
    }
}

/// Has the model answer. Its text is passed on piece by piece, as it may be shown, and cut when it
/// repeats itself. The pieces add up to the answer's text, with two exceptions: nothing is passed
/// on of an answer that abstains, and an answer that no source supports is withdrawn after it was
/// passed on.
///
/// # Errors
/// Those of [`Client::chat`]; an interruption before anything came; a model that says nothing.
pub(super) fn write(
    client: &Client,
    prompt: &Prompt,
    languages: &[&str],
    stop: &(dyn Fn() -> bool + Sync),
    on: &mut dyn FnMut(Event<'_>),
) -> Result<(Answer, Checks, Writing)> {
    let mut stream = Stream::new(&prompt.sources);
    let mut teller = AnswerStream { on, beginning: Some(String::new()) };
    let (mut repetition, repeats) = (Repetition::default(), AtomicBool::new(false));
    let mut said = String::new();
    let mut on_text = |text: &str| {
        let text = text.slice(..repetition.feed(text));
        said.push_str(text);
        teller.report(&stream.feed(text));
        repeats.store(repetition.is_found(), Ordering::Relaxed);
    };
    let should_stop = || repeats.load(Ordering::Relaxed) || stop();
    let mut reply = chat(client, &prompt.system, &prompt.user, &mut on_text, &should_stop)?;
    if repetition.is_found() {
        reply = Reply { finish: Finish::Repeating, trouble: None, reason: None, ..reply };
    }
    teller.report(&stream.finish());
    let vetted = answer::vet(&said, &prompt.sources, languages);
    if vetted.text.is_empty() {
        return Err(silent(reply));
    }
    // What was broken off might have been borne out by what follows; how it ended says that it is
    // not whole.
    let is_whole = !matches!(reply.finish, Finish::Broken | Finish::Interrupted);
    let is_shown = vetted.supported || !is_whole && !vetted.abstained;
    teller.finish(!is_shown);
    let answer = Answer {
        text: if is_shown { vetted.text } else { String::new() },
        supported: vetted.supported,
        citations: if is_shown { vetted.citations } else { answer::nearest(&prompt.sources, 3) },
    };
    let checks = Checks {
        removed: vetted.removed,
        unsupported: vetted.unsupported,
        addresses: vetted.n_addresses,
    };
    let Reply { model, finish, trouble, reason, usage, attempts, .. } = reply;
    let trouble =
        trouble.map(|trouble| Fault::outside(trouble).reason(reason.unwrap_or(Reason::BrokenOff)));
    let writing = Writing {
        model: analysis::untrusted::neutralise(&model).into_owned(),
        finish,
        trouble,
        usage,
        attempts,
    };
    Ok((answer, checks, writing))
}

/// Passes an answer on once it is certain that it is one.
struct AnswerStream<'a> {
    on: &'a mut dyn FnMut(Event<'_>),
    /// What came first, while it may still say that there is no answer. That is not said in the
    /// model's words.
    beginning: Option<String>,
}

impl AnswerStream<'_> {
    fn report(&mut self, text: &str) {
        let Some(beginning) = &mut self.beginning else { return (self.on)(Event::Text(text)) };
        beginning.push_str(text);
        if !answer::may_abstain(beginning) {
            self.finish(false);
        }
    }

    /// Tells what was held back, unless the text has proved to be `no_answer`.
    fn finish(&mut self, no_answer: bool) {
        if let Some(beginning) = self.beginning.take().filter(|_| !no_answer) {
            (self.on)(Event::Text(&beginning));
        }
    }
}

/// That nothing came which could be shown. Nothing is known about the sources then.
fn silent(reply: Reply) -> Fault {
    match (reply.finish, reply.trouble) {
        (Finish::Interrupted, _) => Fault::interrupted(),
        (_, Some(trouble)) => Fault::outside(format!("the language model broke off: {trouble}"))
            .reason(reply.reason.unwrap_or(Reason::BrokenOff)),
        (Finish::Length, _) => {
            Fault::outside("the language model used up its tokens and said nothing")
                .reason(Reason::Empty)
                .hint("a model that thinks first needs more: raise llm.max_tokens")
        }
        (Finish::Repeating, _) => {
            Fault::outside("the language model repeated itself and said nothing that can be shown")
                .reason(Reason::Empty)
        }
        _ => Fault::outside("the language model said nothing that can be shown")
            .reason(Reason::Empty),
    }
}

/// A follow-up question as one that stands by itself, by the model's account; `None` when it says
/// nothing of use.
pub(super) fn rewritten(
    client: &Client,
    question: &str,
    earlier: &[Exchange],
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<Option<String>> {
    /// A question that is longer is no question.
    const MAX_CHARS: usize = 400;
    let (system, user) = answer::rewriting(question, earlier);
    let reply = chat(client, &system, &user, &mut |_| {}, stop)?;
    let mut shown = Stream::new(&[]);
    let text = shown.feed(&reply.text) + &shown.finish();
    let text = text.trim().lines().next().unwrap_or_default().trim_matches(['"', ' ']).to_owned();
    let is_usable =
        reply.finish == Finish::Complete && !text.is_empty() && text.chars().count() <= MAX_CHARS;
    Ok(is_usable.then_some(text))
}

fn chat(
    client: &Client,
    system: &str,
    user: &str,
    on_text: &mut dyn FnMut(&str),
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<Reply> {
    let message = |role, content: &str| Message { role, content: content.to_owned() };
    client.chat(&[message(ChatRole::System, system), message(ChatRole::User, user)], on_text, stop)
}
