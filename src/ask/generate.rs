//! The language model as a generator: a prompt out, a checked text back.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::draft::{CacheEntry, Draft, record};
use super::question::ResolvedQuestion;
use super::response::{Checks, Event, Writing};
use crate::analysis;
use crate::answer::{
    self, CHECKS_VERSION, Evidence, Exchange, Intent, PROMPT_VERSION, Prompt, Repetition, Stream,
};
use crate::cache::CachedAnswer;
use crate::config::Generator;
use crate::document::Answer;
use crate::engine::Engine;
use crate::error::{Fault, Kind, Reason, Result};
use crate::llm::{ChatRole, Client, Endpoint, Finish, Message, Reply};
use crate::strings::StrExt as _;

/// A client for the configured language model.
///
/// # Errors
/// A usage fault that names the setting that is missing or wrong.
pub(super) fn client(llm: &Endpoint) -> Result<Client> {
    for (value, key) in [(&llm.base_url, "llm.base_url"), (&llm.model, "llm.model")] {
        if value.is_empty() {
            return Err(Fault::usage(format!("`generator = llm` needs `{key}`")).hint(
                "for example RAG_LLM_BASE_URL=http://localhost:11434/v1 and \
                 RAG_LLM_MODEL=llama3.2; or `--generator extractive`",
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

/// Upper estimate of the tokens of a text. Tokenizers differ between language models: the common
/// ones reach four characters a token on English, and use at most a token for each character of
/// other scripts.
pub fn n_tokens(text: &str) -> usize {
    let ascii = text.bytes().filter(u8::is_ascii).count();
    ascii.div_ceil(4) + text.chars().filter(|c| !c.is_ascii()).count()
}

/// The sentence of the prompt that asks for the form of an answer.
fn form(intent: Intent) -> &'static str {
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

/// Asks the configured language model for a word, to see whether it answers. Returns the name that
/// the server gives for the model.
///
/// # Errors
/// A usage fault that names the setting that is missing or wrong; why the server does not answer.
pub fn probe(llm: &Endpoint, stop: &(dyn Fn() -> bool + Sync)) -> Result<String> {
    const MAX_TIMEOUT: Duration = Duration::from_secs(60);
    let llm = Endpoint { timeout: llm.timeout.min(MAX_TIMEOUT), ..llm.clone() };
    short_call(&llm, "Reply with one word.", stop)
}

/// Has a language model read the instructions of every prompt: its server loads the model, and
/// keeps what it has computed of the instructions for the next question.
///
/// # Errors
/// As [`probe`].
pub fn warm(llm: &Endpoint, stop: &(dyn Fn() -> bool + Sync)) -> Result<()> {
    let instructions = answer::prompt("", &[], Vec::new(), "").system;
    short_call(llm, &instructions, stop).map(drop)
}

/// Asks for a word, once. Returns the name that the server gives for the model.
fn short_call(llm: &Endpoint, system: &str, stop: &(dyn Fn() -> bool + Sync)) -> Result<String> {
    /// Some servers refuse fewer.
    const MAX_TOKENS: u32 = 16;
    let client = client(&Endpoint {
        attempts: 1,
        max_tokens: MAX_TOKENS,
        answer_timeout: llm.timeout,
        ..llm.clone()
    })?;
    let reply = chat(&client, system, "Is all well?", &mut |_| {}, stop)?;
    match (reply.finish, reply.trouble) {
        (Finish::Interrupted, _) => Err(Fault::interrupted()),
        (Finish::Broken, Some(trouble)) => Err(Fault::outside(trouble)),
        _ => Ok(analysis::untrusted::neutralise(&reply.model).into_owned()),
    }
}

/// Answers with the language model, from the cache where possible. The text is passed to `on` as
/// [`write()`] says.
pub(super) fn answer(
    engine: &Engine,
    client: &Client,
    languages: &[&str],
    question: &ResolvedQuestion<'_>,
    evidence: &[Evidence],
    on: &mut dyn FnMut(Event<'_>),
) -> Result<Draft> {
    let ResolvedQuestion { request, resolved, intent, earlier, .. } = question;
    let llm = &engine.config.llm;
    let fitting = answer::fit(evidence.to_vec(), llm.evidence_tokens, &n_tokens);
    let prompt = answer::prompt(resolved, earlier, fitting, form(*intent));
    let key = question.key(
        &prompt.sources,
        languages,
        &[
            Generator::Llm.name().as_bytes(),
            &PROMPT_VERSION.to_le_bytes(),
            &CHECKS_VERSION.to_le_bytes(),
            prompt.system.as_bytes(),
            prompt.user.as_bytes(),
            llm.base_url.as_bytes(),
            llm.model.as_bytes(),
            &llm.temperature.to_bits().to_le_bytes(),
            &llm.max_tokens.to_le_bytes(),
        ],
    );
    let entry = CacheEntry { engine, key, scope: &llm.model, caching: request.caching };
    if let Some(draft) = entry.read(&prompt.sources, |_| true) {
        on(Event::Text(&draft.answer.text));
        return Ok(Draft { sources: prompt.sources, ..draft });
    }

    let stop = &request.stop;
    let written = write(client, &prompt, languages, &|| engine.should_stop(stop), on);
    let (answer, checks, mut writing) = written.map_err(|fault| match fault.kind() {
        Kind::Interrupted => engine.check_stop(stop).err().unwrap_or(fault),
        _ => fault,
    })?;
    if writing.finish == Finish::Interrupted
        && let Err(late) = engine.check_stop(stop)
        && late.kind() == Kind::Late
    {
        (writing.finish, writing.trouble) = (Finish::Broken, Some(late));
    }
    let record = CachedAnswer {
        removed: checks.removed,
        unsupported: checks.unsupported,
        addresses: checks.addresses,
        writer: writing.model.clone(),
        ..record(&answer, &prompt.sources)
    };
    // An incomplete text is not what the model would say next time.
    if writing.finish == Finish::Complete {
        entry.write(&record, &prompt.sources);
    }
    Ok(Draft { sources: prompt.sources, writing: Some(writing), ..Draft::new(answer, record) })
}

/// Has the model write. Its text goes to `on` piece by piece, cleaned, and ends where it begins to
/// repeat itself. The pieces add up to the answer's text, with two exceptions: no piece is passed
/// of an answer that abstains, and an answer that no source supports becomes empty after its pieces
/// were passed.
///
/// # Errors
/// Those of [`Client::chat`]; an interruption before any text; a text of which nothing can be
/// shown.
fn write(
    client: &Client,
    prompt: &Prompt,
    languages: &[&str],
    stop: &(dyn Fn() -> bool + Sync),
    on: &mut dyn FnMut(Event<'_>),
) -> Result<(Answer, Checks, Writing)> {
    let mut stream = Stream::new(&prompt.sources);
    let mut answer_stream = AnswerStream { on, beginning: Some(String::new()) };
    let (mut repetition, repeats) = (Repetition::default(), AtomicBool::new(false));
    let mut text = String::new();
    let mut on_text = |piece: &str| {
        let piece = piece.slice(..repetition.feed(piece));
        text.push_str(piece);
        answer_stream.report(&stream.feed(piece));
        repeats.store(repetition.is_found(), Ordering::Relaxed);
    };
    let should_stop = || repeats.load(Ordering::Relaxed) || stop();
    let mut reply = chat(client, &prompt.system, &prompt.user, &mut on_text, &should_stop)?;
    if repetition.is_found() {
        reply = Reply { finish: Finish::Repeating, trouble: None, reason: None, ..reply };
    }
    answer_stream.report(&stream.finish());
    let vetted = answer::vet(&text, &prompt.sources, languages);
    if vetted.text.is_empty() {
        return Err(no_text(reply));
    }
    // What follows might have supported an incomplete text. Its finish says that it is incomplete.
    let is_whole = !matches!(reply.finish, Finish::Broken | Finish::Interrupted);
    let is_shown = vetted.supported || !is_whole && !vetted.abstained;
    answer_stream.finish(is_shown);
    let answer = Answer {
        text: if is_shown { vetted.text } else { String::new() },
        supported: vetted.supported,
        confidence: None,
        citations: if is_shown { vetted.citations } else { answer::nearest(&prompt.sources, 3) },
    };
    let checks = Checks {
        removed: vetted.removed,
        unsupported: vetted.unsupported,
        addresses: vetted.n_addresses,
    };
    Ok((answer, checks, writing(reply)))
}

fn writing(reply: Reply) -> Writing {
    let reason = reply.reason.unwrap_or(Reason::BrokenOff);
    Writing {
        model: analysis::untrusted::neutralise(&reply.model).into_owned(),
        finish: reply.finish,
        trouble: reply.trouble.map(|trouble| Fault::outside(trouble).reason(reason)),
        usage: reply.usage,
        attempts: reply.attempts,
    }
}

/// Passes text on once it certainly belongs to an answer.
struct AnswerStream<'a> {
    on: &'a mut dyn FnMut(Event<'_>),
    /// The text so far, while it may still turn out to say that the sources do not answer. Those
    /// words of the model are not shown.
    beginning: Option<String>,
}

impl AnswerStream<'_> {
    fn report(&mut self, text: &str) {
        let Some(beginning) = &mut self.beginning else { return (self.on)(Event::Text(text)) };
        beginning.push_str(text);
        if !answer::may_abstain(beginning) {
            self.finish(true);
        }
    }

    /// Passes on what was held back, if it `is_shown`.
    fn finish(&mut self, is_shown: bool) {
        if let Some(beginning) = self.beginning.take()
            && is_shown
        {
            (self.on)(Event::Text(&beginning));
        }
    }
}

/// The fault of a reply without text that can be shown. It says nothing about the sources.
fn no_text(reply: Reply) -> Fault {
    let empty = |message: &str| Fault::outside(message).reason(Reason::Empty);
    match (reply.finish, reply.trouble) {
        (Finish::Interrupted, _) => Fault::interrupted(),
        (_, Some(trouble)) => Fault::outside(format!("the language model broke off: {trouble}"))
            .reason(reply.reason.unwrap_or(Reason::BrokenOff)),
        (Finish::Length, _) => empty("the language model used up its tokens before it answered")
            .hint("a model that reasons first needs more: raise llm.max_tokens"),
        (Finish::Repeating, _) => {
            empty("the language model repeated itself and gave nothing that can be shown")
        }
        _ => empty("the language model gave nothing that can be shown"),
    }
}

/// A follow-up as a question that can be understood alone, in the model's words; `None` when its
/// reply is unusable.
pub(super) fn rewrite(
    client: &Client,
    question: &str,
    earlier: &[Exchange],
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<Option<String>> {
    /// A longer text is not a question.
    const MAX_CHARS: usize = 400;
    let (system, user) = answer::rewriting(question, earlier);
    let reply = chat(client, &system, &user, &mut |_| {}, stop)?;
    let mut stream = Stream::new(&[]);
    let text = stream.feed(&reply.text) + &stream.finish();
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
