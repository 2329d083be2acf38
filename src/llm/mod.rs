//! A chat with a language model: any server that speaks OpenAI's chat protocol (Ollama, llama.cpp,
//! vLLM, LM Studio, OpenAI itself), at the configured address and no other.
//!
//! What a server sends is data, bounded in time and size. It may be silent for
//! [`Endpoint::timeout`], and all attempts of a call together may take
//! [`Endpoint::answer_timeout`], waits between them not counted. A line has at most 1 MiB, a text 4
//! MiB, a stream 64 MiB. An attempt is repeated only while no text has arrived, so no text is ever
//! shown twice. The key leaves [`Secret`] for the header of a request only.

mod breaker;
mod failure;
mod message;
mod reply;
mod retry;
mod sse;
#[cfg(test)]
mod tests;

use std::sync::Mutex;
use std::time::Duration;

use breaker::Breaker;
pub use breaker::State;
use failure::{Failure, Next, Server};
pub use message::{ChatRole, Finish, Message, Reply, Usage};
use reply::{Dialect, Received};
pub use retry::Timing;

pub use crate::config::Endpoint;
use crate::config::Secret;
use crate::error::{Fault, Reason, Result, locked};
use crate::http::{Exchange, Head, Poster, Trouble};
use crate::telemetry::{self, LlmTokens};

/// Longer than any useful wait, and short enough to be added up.
const MAX_TIMEOUT: Duration = Duration::from_secs(24 * 3600);
/// Most bytes of a stream. Each token is wrapped in some hundred bytes, and reasoning is not shown.
const MAX_STREAM_BYTES: usize = 64 << 20;
/// Most bytes of a reply that is not streamed: a text of 4 MiB, escaped.
const MAX_JSON_BYTES: usize = 8 << 20;
/// Most bytes read of a refusal.
const MAX_REFUSAL_BYTES: usize = 64 << 10;

/// One server, for all threads of a process.
pub struct Client {
    endpoint: Endpoint,
    poster: Poster,
    timing: Timing,
    /// Read and written by every thread.
    breaker: Mutex<Breaker>,
    dialect: Mutex<Dialect>,
}

/// One call: what it sends, where its text goes, and when it ends.
struct Call<'a> {
    messages: &'a [Message],
    on_text: &'a mut dyn FnMut(&str),
    stop: &'a dyn Fn() -> bool,
    /// By the clock of [`Timing`].
    deadline: Duration,
    /// The reply to the current attempt so far.
    received: Received,
}

impl Client {
    /// # Errors
    /// [`Kind::Usage`](crate::error::Kind::Usage) for an invalid address, key, time-out or number
    /// of attempts.
    pub fn new(endpoint: Endpoint) -> Result<Self> {
        Self::with_timing(endpoint, Timing::real())
    }

    /// As [`Client::new`], with another clock.
    pub fn with_timing(endpoint: Endpoint, timing: Timing) -> Result<Self> {
        let is_valid = |time: Duration| !time.is_zero() && time <= MAX_TIMEOUT;
        if endpoint.attempts == 0
            || !is_valid(endpoint.timeout)
            || !is_valid(endpoint.answer_timeout)
        {
            return Err(Fault::usage(
                "a language model needs at least one attempt, and time-outs of at most a day",
            ));
        }
        let url = format!("{}/chat/completions", endpoint.base_url.trim_end_matches('/'));
        let key = endpoint.api_key.as_ref().map(Secret::expose);
        let poster = Poster::new(&url, key, endpoint.timeout)?;
        // Twice the time of all attempts, and the longest waits.
        let patience =
            endpoint.answer_timeout * 2 + 2 * retry::MAX_RETRY_AFTER * endpoint.attempts.min(1000);
        let breaker = Mutex::new(Breaker::new(patience));
        Ok(Self { endpoint, poster, timing, breaker, dialect: Mutex::default() })
    }

    /// Asks for the next message. `on_text` receives the text piece by piece as it arrives. `stop`
    /// is called at least every 50 ms; true ends the call with the text so far.
    ///
    /// # Errors
    /// [`Kind::Outside`](crate::error::Kind::Outside) when no text arrived: the server cannot be
    /// reached, refuses, sends nothing or an invalid reply. After the first text every failure is a
    /// [`Finish::Broken`].
    pub fn chat(
        &self,
        messages: &[Message],
        on_text: &mut dyn FnMut(&str),
        stop: &(dyn Fn() -> bool + Sync),
    ) -> Result<Reply> {
        locked(&self.breaker).admit((self.timing.now)()).map_err(|pause| self.paused(pause))?;
        let mut call = Call {
            messages,
            on_text,
            stop: &|| stop(),
            deadline: (self.timing.now)() + self.endpoint.answer_timeout,
            received: Received::default(),
        };
        let begun = (self.timing.now)();
        let outcome = self.call(&mut call);
        if let Ok(Reply { usage: Some(usage), .. }) = &outcome {
            let elapsed = (self.timing.now)().saturating_sub(begun);
            telemetry::llm_speed(usage.completion_tokens, elapsed);
        }
        self.update_breaker(&outcome);
        count(&outcome);
        outcome.map_err(|failure| failure.fault)
    }

    /// The state of the circuit breaker.
    pub fn state(&self) -> State {
        locked(&self.breaker).state((self.timing.now)())
    }

    /// The fault of a call that the breaker does not admit for another `pause`.
    fn paused(&self, pause: Duration) -> Fault {
        telemetry::llm_called("refused", 0, LlmTokens::default());
        let (n, s) = (breaker::MAX_FAILURES, pause.as_secs_f64().ceil());
        let url = &self.endpoint.base_url;
        Fault::outside(format!("{url} failed {n} times in a row; the next try is in {s} s"))
            .reason(Reason::Paused)
            .retry_after(pause)
            .hint("check the server, then ask again")
    }

    fn update_breaker(&self, outcome: &std::result::Result<Reply, Failure>) {
        let now = (self.timing.now)();
        let mut breaker = locked(&self.breaker);
        let was_open = breaker.is_open();
        match outcome {
            Ok(Reply { finish: Finish::Interrupted | Finish::Repeating, .. }) => {
                breaker.aborted(now);
            }
            Ok(Reply { finish: Finish::Complete | Finish::Length, .. })
            | Err(Failure { next: Next::Refused, .. }) => breaker.succeeded(),
            Ok(Reply { finish: Finish::Broken, .. }) | Err(_) => breaker.failed(now),
        }
        telemetry::llm_breaker(i8::from(breaker.is_open()) - i8::from(was_open));
        if breaker.is_open() {
            telemetry::warn!("the language model failed repeatedly and is paused");
        }
    }

    /// All attempts of one call.
    fn call(&self, call: &mut Call<'_>) -> std::result::Result<Reply, Failure> {
        let mut attempts = 0;
        loop {
            attempts += 1;
            call.received = Received::default();
            let attempt = self.attempt(call);
            let received = std::mem::take(&mut call.received);
            let failure = match attempt {
                Ok(finish) => return Ok(self.reply(received, finish, attempts, None)),
                Err(failure) if !received.text.is_empty() => {
                    return Ok(self.partial_reply(received, attempts, &failure.fault));
                }
                Err(failure) => failure,
            };
            let random = (self.timing.random)();
            let wait = match failure.next {
                Next::Retry => Some(retry::back_off(self.endpoint.retry_waits, attempts, random)),
                Next::RetryAfter(time) => retry::requested(time, random),
                Next::Fail | Next::Refused => None,
            };
            let Some(wait) = wait.filter(|_| attempts < self.endpoint.attempts) else {
                return Err(failure);
            };
            (self.timing.wait)(wait, call.stop);
            call.deadline += wait;
            if (call.stop)() {
                return Ok(self.reply(received, Finish::Interrupted, attempts, None));
            }
        }
    }

    /// The reply of an attempt that failed after its first text. A failure after the end of the
    /// text does not matter.
    fn partial_reply(&self, received: Received, attempts: u32, fault: &Fault) -> Reply {
        let finish = received.finish.unwrap_or(Finish::Broken);
        let reply = self.reply(received, finish, attempts, Some(fault.to_string()));
        let reason = fault.reason_given().filter(|_| finish == Finish::Broken);
        Reply { reason: reason.or(reply.reason), ..reply }
    }

    fn reply(
        &self,
        received: Received,
        finish: Finish,
        attempts: u32,
        trouble: Option<String>,
    ) -> Reply {
        let is_broken = finish == Finish::Broken;
        let trouble = trouble.unwrap_or_else(|| "the server withheld the rest".to_owned());
        Reply {
            text: received.text,
            finish,
            trouble: is_broken.then_some(trouble),
            reason: is_broken.then_some(Reason::BrokenOff),
            model: received.model.unwrap_or_else(|| self.endpoint.model.clone()),
            usage: received.usage,
            attempts,
        }
    }

    /// One attempt: one request, or up to three where the server needs another dialect.
    fn attempt(&self, call: &mut Call<'_>) -> std::result::Result<Finish, Failure> {
        loop {
            let dialect = *locked(&self.dialect);
            let body = reply::request(&self.endpoint, call.messages, dialect);
            let left = call.deadline.saturating_sub((self.timing.now)());
            let mut exchange = match self.poster.post(body, left, call.stop) {
                Ok(exchange) => exchange,
                Err(trouble) => return self.ended(trouble),
            };
            let head = exchange.head();
            if head.status == 200 {
                return self.read(&mut exchange, &head, call);
            }
            let words = reply::message_of(&refusal(&mut exchange, call.stop));
            if (call.stop)() {
                return Ok(Finish::Interrupted);
            }
            match dialect.after(&words).filter(|_| matches!(head.status, 400 | 422)) {
                Some(other) => {
                    let mut known = locked(&self.dialect);
                    *known = known.and(other);
                }
                None => {
                    return Err(self.server().refused(head.status, head.retry_after, &words));
                }
            }
        }
    }

    /// Reads a reply to its end.
    fn read(
        &self,
        exchange: &mut Exchange,
        head: &Head,
        call: &mut Call<'_>,
    ) -> std::result::Result<Finish, Failure> {
        match head.content_type.as_str() {
            "text/event-stream" => self.read_events(exchange, call),
            "application/json" => self.read_json(exchange, call),
            other => Err(self.server().not_a_chat(other)),
        }
    }

    fn read_events(
        &self,
        exchange: &mut Exchange,
        call: &mut Call<'_>,
    ) -> std::result::Result<Finish, Failure> {
        let mut events = sse::Events::default();
        let mut ready = Vec::new();
        let mut n_bytes = 0;
        loop {
            let piece = match exchange.next(call.stop) {
                Ok(Some(piece)) => piece,
                Ok(None) => break,
                Err(trouble) => return self.ended(trouble),
            };
            n_bytes += piece.len();
            let pushed = events.push(&piece, &mut ready);
            for data in ready.drain(..) {
                // One piece may have thousands of events.
                if (call.stop)() {
                    return Ok(Finish::Interrupted);
                }
                self.receive_event(&data, call)?;
                if call.received.is_over {
                    return Ok(call.received.finish.unwrap_or(Finish::Complete));
                }
            }
            if pushed.is_err() || n_bytes > MAX_STREAM_BYTES {
                return Err(self.server().too_long());
            }
        }
        if let Some(data) = events.finish() {
            self.receive_event(&data, call)?;
        }
        match call.received.finish {
            Some(finish) => Ok(finish),
            None if call.received.is_over => Ok(Finish::Complete),
            None => Err(self.server().garbled("closed the connection before the end of the reply")),
        }
    }

    fn receive_event(&self, data: &[u8], call: &mut Call<'_>) -> std::result::Result<(), Failure> {
        let received = call.received.event(data, call.on_text);
        received.map_err(|invalid| self.server().invalid(invalid))
    }

    /// Reads a reply that is not streamed.
    fn read_json(
        &self,
        exchange: &mut Exchange,
        call: &mut Call<'_>,
    ) -> std::result::Result<Finish, Failure> {
        let mut body = Vec::new();
        loop {
            match exchange.next(call.stop) {
                Ok(Some(piece)) => body.extend_from_slice(&piece),
                Ok(None) => break,
                Err(trouble) => return self.ended(trouble),
            }
            if body.len() > MAX_JSON_BYTES {
                return Err(self.server().too_long());
            }
        }
        let received = call.received.whole(&body, call.on_text);
        received.map_err(|invalid| self.server().invalid(invalid))?;
        Ok(call.received.finish.unwrap_or(Finish::Complete))
    }

    /// The end of an attempt whose connection ended, or that the caller ended.
    fn ended(&self, trouble: Trouble) -> std::result::Result<Finish, Failure> {
        self.server().ended(trouble).map_or(Ok(Finish::Interrupted), Err)
    }

    fn server(&self) -> Server<'_> {
        Server { endpoint: &self.endpoint, is_local: self.poster.is_local() }
    }
}

/// Counts a finished call.
fn count(outcome: &std::result::Result<Reply, Failure>) {
    let name = match outcome {
        Ok(Reply { finish: Finish::Complete, .. }) => "complete",
        Ok(Reply { finish: Finish::Length, .. }) => "length",
        Ok(Reply { finish: Finish::Interrupted | Finish::Repeating, .. }) => "interrupted",
        Ok(Reply { finish: Finish::Broken, .. }) => "broken",
        Err(_) => "failed",
    };
    let usage = outcome.as_ref().ok().and_then(|reply| reply.usage);
    let tokens = usage.map_or_else(LlmTokens::default, |usage| LlmTokens {
        prompt: usage.prompt_tokens,
        cached: usage.cached_tokens.unwrap_or_default(),
        completion: usage.completion_tokens,
    });
    telemetry::llm_called(name, outcome.as_ref().map_or(1, |reply| reply.attempts), tokens);
}

/// The beginning of the body of a refusal, as far as it arrives.
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
