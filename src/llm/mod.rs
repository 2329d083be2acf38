//! A chat with a language model: any server that speaks the chat protocol of OpenAI (Ollama,
//! llama.cpp, vLLM, `LM Studio`, OpenAI itself), at the address that the configuration names and at
//! no other.
//!
//! What a server sends is data. Its time and its size are bounded: it may be silent for
//! [`Endpoint::timeout`] and take [`Endpoint::answer_timeout`] for all tries of a call, beside the
//! waits between them; a line has at most 1 MiB, a text 4 MiB, a stream 64 MiB. A try is repeated
//! only while no text has come, so no text is ever shown twice. The key leaves [`Secret`] for the
//! header of a request and for nothing else.

mod breaker;
mod reply;
mod retry;
mod sse;

#[cfg(test)]
mod tests;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub use crate::config::Endpoint;
use crate::config::Secret;
use crate::error::{Fault, Reason, Result};
use crate::http::{Exchange, Head, Poster, Trouble};
use crate::telemetry::{self, LlmTokens};

use breaker::Breaker;
pub use breaker::State;
use reply::{Bad, Dialect, Said};
pub use retry::Timing;

const LOOK_AT_ADDRESS: &str = "is the address right? It ends in `/v1` for most servers";
/// Longer than anybody waits, and short enough to be added up.
const MAX_TIMEOUT: Duration = Duration::from_secs(24 * 3600);
/// The most bytes of one stream. Each token is wrapped in some hundred bytes, and thoughts are not
/// shown.
const MAX_STREAM_BYTES: usize = 64 << 20;
/// The most bytes of a reply in one piece: a text of 4 MiB, escaped.
const MAX_JSON_BYTES: usize = 8 << 20;
/// The most bytes read of a refusal.
const MAX_REFUSAL_BYTES: usize = 64 << 10;

/// Who says a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChatRole {
    System,
    User,
    Assistant,
}

/// One turn of a chat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub role: ChatRole,
    pub content: String,
}

/// Why a text ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// The model had no more to say.
    Complete,
    /// [`Endpoint::max_tokens`] were reached.
    Length,
    /// The caller wanted no more.
    Interrupted,
    /// The caller cut a text that went round in circles.
    Repeating,
    /// The server failed or withheld the rest. [`Reply::trouble`] says which.
    Broken,
}

/// Tokens by the server's own count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    pub prompt_tokens: u64,
    pub completion_tokens: u64,
    /// Tokens of the prompt that the server had read before. `None` when it does not say.
    pub cached_tokens: Option<u64>,
}

/// What came of a call. The text is the model's, untouched: control characters, and the
/// `<think>...</think>` that some models begin with, are left to the caller. It may be empty, as
/// when all tokens went into thoughts that a server keeps apart (`reasoning_content`), which are
/// not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    pub text: String,
    pub finish: Finish,
    /// Why the text is [`Finish::Broken`]: one sentence.
    pub trouble: Option<String>,
    /// The same for anybody to read.
    pub reason: Option<Reason>,
    /// The model by the server's own account, as one short line.
    pub model: String,
    pub usage: Option<Usage>,
    /// Tries that it took.
    pub attempts: u32,
}

/// One server for all threads of a process.
pub struct Client {
    endpoint: Endpoint,
    poster: Poster,
    timing: Timing,
    /// Any thread reads and writes both.
    breaker: Mutex<Breaker>,
    dialect: Mutex<Dialect>,
}

/// A try, or a call, that yielded nothing.
struct Failure {
    fault: Fault,
    next: Next,
}

/// What a failure says about the next try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// It may go better.
    Retry,
    /// It may go better after this time.
    RetryAfter(Duration),
    /// It would go the same way.
    Same,
    /// It would go the same way, and the server is well: the request or the settings are wrong.
    Refused,
}

/// Counts a call that is over.
fn report(called: &std::result::Result<Reply, Failure>) {
    let outcome = match called {
        Ok(Reply { finish: Finish::Complete, .. }) => "complete",
        Ok(Reply { finish: Finish::Length, .. }) => "length",
        Ok(Reply { finish: Finish::Interrupted | Finish::Repeating, .. }) => "interrupted",
        Ok(Reply { finish: Finish::Broken, .. }) => "broken",
        Err(_) => "failed",
    };
    let usage = called.as_ref().ok().and_then(|reply| reply.usage);
    let tokens = usage.map_or_else(LlmTokens::default, |usage| LlmTokens {
        prompt: usage.prompt_tokens,
        cached: usage.cached_tokens.unwrap_or_default(),
        completion: usage.completion_tokens,
    });
    telemetry::llm_called(outcome, called.as_ref().map_or(1, |reply| reply.attempts), tokens);
}

impl Client {
    /// # Errors
    /// [`Kind::Usage`](crate::error::Kind::Usage) when the address, the key or the number of tries
    /// makes no sense.
    pub fn new(endpoint: Endpoint) -> Result<Self> {
        Self::with_timing(endpoint, Timing::real())
    }

    /// As [`Client::new`], with another clock.
    pub fn with_timing(endpoint: Endpoint, timing: Timing) -> Result<Self> {
        let is_time = |time: Duration| !time.is_zero() && time <= MAX_TIMEOUT;
        if endpoint.attempts == 0 || !is_time(endpoint.timeout) || !is_time(endpoint.answer_timeout)
        {
            return Err(Fault::usage(
                "a language model needs a try, and a time-out of at most a day",
            ));
        }
        let url = format!("{}/chat/completions", endpoint.base_url.trim_end_matches('/'));
        let key = endpoint.api_key.as_ref().map(Secret::expose);
        let poster = Poster::new(&url, key, endpoint.timeout)?;
        // Twice what the tries may take, and the longest waits.
        let patience =
            endpoint.answer_timeout * 2 + 2 * retry::MAX_RETRY_AFTER * endpoint.attempts.min(1000);
        let breaker = Mutex::new(Breaker::new(patience));
        Ok(Self { endpoint, poster, timing, breaker, dialect: Mutex::default() })
    }

    /// Asks for the next message. `on_text` gets the text piece by piece as it comes; `stop` is
    /// asked at least every 50 ms and ends the call with what came.
    ///
    /// # Errors
    /// [`Kind::Outside`](crate::error::Kind::Outside) when no text came: the server cannot be
    /// reached, refuses, says nothing or nonsense. Once text came, every failure is a
    /// [`Finish::Broken`].
    pub fn chat(
        &self,
        messages: &[Message],
        on_text: &mut dyn FnMut(&str),
        stop: &(dyn Fn() -> bool + Sync),
    ) -> Result<Reply> {
        locked(&self.breaker).admit((self.timing.now)()).map_err(|left| {
            telemetry::llm_called("refused", 0, LlmTokens::default());
            let n = breaker::MOST_FAILURES;
            let s = left.as_secs_f64().ceil();
            Fault::outside(format!(
                "{} failed {n} times in a row and is left alone for {s} s",
                self.endpoint.base_url
            ))
            .reason(Reason::Paused)
            .retry_after(left)
            .hint("look at the server; after that time it is asked again")
        })?;
        let called = self.call(messages, on_text, &|| stop());
        let now = (self.timing.now)();
        let mut breaker = locked(&self.breaker);
        match &called {
            Ok(Reply { finish: Finish::Interrupted | Finish::Repeating, .. }) => {
                breaker.learnt_nothing(now)
            }
            Ok(Reply { finish: Finish::Complete | Finish::Length, .. })
            | Err(Failure { next: Next::Refused, .. }) => {
                breaker.succeeded();
            }
            Ok(Reply { finish: Finish::Broken, .. }) | Err(_) => breaker.failed(now),
        }
        telemetry::breaker("llm", breaker.is_open());
        if breaker.is_open() {
            telemetry::warn!(
                "the language model failed again and again and is left alone for a while"
            );
        }
        report(&called);
        called.map_err(|failure| failure.fault)
    }

    /// Whether the server is asked, or left alone after it failed again and again.
    pub fn state(&self) -> State {
        locked(&self.breaker).state((self.timing.now)())
    }

    /// All tries of one call.
    fn call(
        &self,
        messages: &[Message],
        on_text: &mut dyn FnMut(&str),
        stop: &dyn Fn() -> bool,
    ) -> std::result::Result<Reply, Failure> {
        let mut end = (self.timing.now)() + self.endpoint.answer_timeout;
        let mut attempts = 0;
        loop {
            attempts += 1;
            let mut said = Said::default();
            let failure = match self.attempt(messages, end, &mut said, on_text, stop) {
                Ok(finish) => return Ok(self.reply(said, finish, attempts, None)),
                Err(failure) if !said.text.is_empty() => {
                    // What follows the end of the text is not missed.
                    let finish = said.finish.unwrap_or(Finish::Broken);
                    let fault = &failure.fault;
                    let reply = self.reply(said, finish, attempts, Some(fault.to_string()));
                    let reason = fault.reason_given().filter(|_| finish == Finish::Broken);
                    return Ok(Reply { reason: reason.or(reply.reason), ..reply });
                }
                Err(failure) => failure,
            };
            let random = (self.timing.random)();
            let wait = match failure.next {
                Next::Retry => Some(retry::back_off(attempts, random)),
                Next::RetryAfter(time) => retry::as_asked(time, random),
                Next::Same | Next::Refused => None,
            };
            let Some(wait) = wait.filter(|_| attempts < self.endpoint.attempts) else {
                return Err(failure);
            };
            (self.timing.wait)(wait, stop);
            end += wait;
            if stop() {
                return Ok(self.reply(said, Finish::Interrupted, attempts, None));
            }
        }
    }

    fn reply(&self, said: Said, finish: Finish, attempts: u32, trouble: Option<String>) -> Reply {
        let trouble = trouble.or_else(|| Some("the server withheld the rest".to_owned()));
        let trouble = trouble.filter(|_| finish == Finish::Broken);
        let reason = trouble.as_ref().map(|_| Reason::BrokenOff);
        let model = said.model.unwrap_or_else(|| self.endpoint.model.clone());
        Reply { text: said.text, finish, trouble, reason, model, usage: said.usage, attempts }
    }

    /// One try, which is one request, or two or three where the server has to be addressed another
    /// way.
    fn attempt(
        &self,
        messages: &[Message],
        end: Duration,
        said: &mut Said,
        on_text: &mut dyn FnMut(&str),
        stop: &dyn Fn() -> bool,
    ) -> std::result::Result<Finish, Failure> {
        loop {
            let dialect = *locked(&self.dialect);
            let body = reply::request(&self.endpoint, messages, dialect);
            let left = end.saturating_sub((self.timing.now)());
            let mut exchange = match self.poster.post(body, left, stop) {
                Ok(exchange) => exchange,
                Err(trouble) => return self.ended(trouble),
            };
            let head = exchange.head();
            if head.status == 200 {
                return self.read(&mut exchange, &head, said, on_text, stop);
            }
            let words = reply::words_of(&refusal(&mut exchange, stop));
            if stop() {
                return Ok(Finish::Interrupted);
            }
            match dialect.after(&words).filter(|_| matches!(head.status, 400 | 422)) {
                Some(other) => {
                    let mut known = locked(&self.dialect);
                    *known = known.and(other);
                }
                None => return Err(self.refused(head.status, head.retry_after, &words)),
            }
        }
    }

    /// Reads a reply to its end.
    fn read(
        &self,
        exchange: &mut Exchange,
        head: &Head,
        said: &mut Said,
        on_text: &mut dyn FnMut(&str),
        stop: &dyn Fn() -> bool,
    ) -> std::result::Result<Finish, Failure> {
        match head.content_type.as_str() {
            "text/event-stream" => self.read_events(exchange, said, on_text, stop),
            "application/json" => self.read_json(exchange, said, on_text, stop),
            other => {
                let what = if other.is_empty() {
                    "something without a type".to_owned()
                } else {
                    reply::clean(other, None)
                };
                let fault = self
                    .fault(&format!("answered with {what}, which is no chat"))
                    .reason(Reason::Garbled);
                Err(Failure { fault: fault.hint(LOOK_AT_ADDRESS), next: Next::Same })
            }
        }
    }

    fn read_events(
        &self,
        exchange: &mut Exchange,
        said: &mut Said,
        on_text: &mut dyn FnMut(&str),
        stop: &dyn Fn() -> bool,
    ) -> std::result::Result<Finish, Failure> {
        let mut events = sse::Events::default();
        let mut ready = Vec::new();
        let mut n_bytes = 0;
        loop {
            let piece = match exchange.next(stop) {
                Ok(piece) => piece,
                Err(trouble) => return self.ended(trouble),
            };
            let Some(piece) = piece else { break };
            n_bytes += piece.len();
            let pushed = events.push(&piece, &mut ready);
            for data in ready.drain(..) {
                // One piece may hold thousands of events.
                if stop() {
                    return Ok(Finish::Interrupted);
                }
                said.event(&data, on_text).map_err(|bad| self.bad(bad))?;
                if said.is_over {
                    return Ok(said.finish.unwrap_or(Finish::Complete));
                }
            }
            if pushed.is_err() || n_bytes > MAX_STREAM_BYTES {
                return Err(self.nonsense("sends more than a reply can be"));
            }
        }
        if let Some(data) = events.finish() {
            said.event(&data, on_text).map_err(|bad| self.bad(bad))?;
        }
        match said.finish {
            Some(finish) => Ok(finish),
            None if said.is_over => Ok(Finish::Complete),
            None => Err(self.nonsense("closed the connection before the end of the reply")),
        }
    }

    /// A server that does not stream sends everything at once.
    fn read_json(
        &self,
        exchange: &mut Exchange,
        said: &mut Said,
        on_text: &mut dyn FnMut(&str),
        stop: &dyn Fn() -> bool,
    ) -> std::result::Result<Finish, Failure> {
        let mut body = Vec::new();
        loop {
            match exchange.next(stop) {
                Ok(Some(piece)) => body.extend_from_slice(&piece),
                Ok(None) => break,
                Err(trouble) => return self.ended(trouble),
            }
            if body.len() > MAX_JSON_BYTES {
                return Err(self.nonsense("sends more than a reply can be"));
            }
        }
        said.whole(&body, on_text).map_err(|bad| self.bad(bad))?;
        Ok(said.finish.unwrap_or(Finish::Complete))
    }

    /// How a try ends that the connection ended, or the caller.
    fn ended(&self, trouble: Trouble) -> std::result::Result<Finish, Failure> {
        let s = self.endpoint.timeout.as_secs_f64();
        let reason = match &trouble {
            Trouble::Stopped => return Ok(Finish::Interrupted),
            Trouble::Silent | Trouble::Late => Reason::Late,
            Trouble::Refused(_) | Trouble::Unreachable(_) => Reason::Unreachable,
            Trouble::Cut(_) => Reason::BrokenOff,
        };
        let (fault, next) = match trouble {
            Trouble::Stopped => return Ok(Finish::Interrupted),
            Trouble::Silent => {
                let hint = "a large model or a long prompt may need a longer time-out";
                (self.fault(&format!("was silent for {s} s")).hint(hint), Next::Retry)
            }
            Trouble::Late => {
                let s = self.endpoint.answer_timeout.as_secs_f64();
                let hint = "`llm.answer_timeout_s` is how long an answer may take";
                (self.fault(&format!("did not end its reply within {s} s")).hint(hint), Next::Same)
            }
            Trouble::Refused(cause) => {
                let hint = match self.poster.is_local() {
                    true => "is the server running? `ollama serve` starts Ollama",
                    false => "is the server running, and is the port right?",
                };
                (self.fault("refused the connection").because(cause).hint(hint), Next::Retry)
            }
            Trouble::Unreachable(cause) => {
                (self.fault("cannot be reached").because(cause).hint(LOOK_AT_ADDRESS), Next::Retry)
            }
            Trouble::Cut(cause) => (self.fault("broke off").because(cause), Next::Retry),
        };
        Err(Failure { fault: fault.reason(reason), next })
    }

    /// A reply whose status is not 200.
    fn refused(&self, status: u16, retry_after: Option<Duration>, words: &str) -> Failure {
        let quoted = match self.clean(words) {
            words if words.is_empty() => String::new(),
            words => format!(": {words}"),
        };
        let fault = self
            .fault(&format!("answered {status} for the model {:?}{quoted}", self.endpoint.model));
        let next = match (status, retry_after) {
            (408 | 429 | 500 | 502 | 503 | 504, Some(time)) => Next::RetryAfter(time),
            (408 | 429 | 500 | 502 | 503 | 504, None) => Next::Retry,
            (400..500, _) => Next::Refused,
            _ => Next::Same,
        };
        let fault = fault.reason(match status {
            401 | 403 => Reason::Unauthorized,
            404 => Reason::NotFound,
            429 | 503 | 529 => Reason::Overloaded,
            400..500 => Reason::Rejected,
            _ => Reason::Failing,
        });
        let fault = match retry_after {
            Some(time) if matches!(status, 429 | 503 | 529) => fault.retry_after(time),
            _ => fault,
        };
        let fault = match (status, retry_after) {
            (401 | 403, _) => match self.endpoint.api_key {
                Some(_) => fault.hint("the server does not take the key"),
                None => fault.hint("the server wants a key"),
            },
            (404, _) => fault.hint(
                "does the server have this model, and is the address right, \
                 `/v1` included?",
            ),
            (300..400, _) => fault.hint(
                "redirects are not followed, because the key would go along; set the \
                     address they lead to",
            ),
            (_, Some(time))
                if matches!(next, Next::RetryAfter(_)) && time > retry::MAX_RETRY_AFTER =>
            {
                fault.hint(format!("the server asks to be left alone for {} s", time.as_secs()))
            }
            (400 | 413 | 422, _) => {
                fault.hint("does the prompt fit the model, and does the model take these settings?")
            }
            _ => fault,
        };
        Failure { fault, next }
    }

    fn bad(&self, bad: Bad) -> Failure {
        match bad {
            Bad::NotJson => self.nonsense("sent something that is no part of a chat"),
            Bad::TooMuch => self.nonsense("sends more than a reply can be"),
            Bad::Error { words, status } => self.refused(status.unwrap_or(500), None, &words),
        }
    }

    fn nonsense(&self, what: &str) -> Failure {
        Failure { fault: self.fault(what).reason(Reason::Garbled), next: Next::Retry }
    }

    fn fault(&self, what: &str) -> Fault {
        Fault::outside(format!("{} {what}", self.endpoint.base_url))
    }

    fn clean(&self, words: &str) -> String {
        reply::clean(words, self.endpoint.api_key.as_ref().map(Secret::expose))
    }
}

/// The beginning of the body of a refusal; what does not come is not waited for twice.
fn refusal(exchange: &mut Exchange, stop: &dyn Fn() -> bool) -> Vec<u8> {
    let mut body = Vec::new();
    while body.len() < MAX_REFUSAL_BYTES
        && let Ok(Some(piece)) = exchange.next(stop)
    {
        body.extend_from_slice(&piece);
    }
    body.truncate(MAX_REFUSAL_BYTES);
    body
}

/// A panic elsewhere leaves numbers that are still right.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
