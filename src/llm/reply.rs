//! The JSON of requests and replies. Lenient where servers differ: some server omits each of the
//! optional fields. Pure.

use serde_json::{Map, Value, json};

use super::message::{Finish, Message, Usage};
use crate::config::Endpoint;
use crate::strings::StrExt as _;

/// Most bytes of the text of a reply.
pub const MAX_TEXT_BYTES: usize = 4 << 20;
/// Most characters of a server's own words in a fault.
const MAX_QUOTED_CHARS: usize = 300;

/// Fields of a request that not every server takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dialect {
    /// Asks for the token counts of a streamed reply.
    pub asks_for_usage: bool,
    /// Limits the reply by `max_completion_tokens`, as OpenAI's newer models require.
    pub uses_max_completion: bool,
}

impl Default for Dialect {
    fn default() -> Self {
        Self { asks_for_usage: true, uses_max_completion: false }
    }
}

impl Dialect {
    /// The dialect to try after a server refused a request with these words; `None` if they are
    /// about something else.
    pub fn after(self, words: &str) -> Option<Self> {
        if self.asks_for_usage && words.contains("stream_options") {
            return Some(Self { asks_for_usage: false, ..self });
        }
        (!self.uses_max_completion && words.contains("max_completion_tokens"))
            .then_some(Self { uses_max_completion: true, ..self })
    }

    /// What two threads learnt together.
    pub fn and(self, other: Self) -> Self {
        Self {
            asks_for_usage: self.asks_for_usage && other.asks_for_usage,
            uses_max_completion: self.uses_max_completion || other.uses_max_completion,
        }
    }
}

/// The body of a request.
pub fn request(endpoint: &Endpoint, messages: &[Message], dialect: Dialect) -> Vec<u8> {
    let messages: Vec<Value> = messages
        .iter()
        .map(|message| json!({"role": message.role.name(), "content": message.content}))
        .collect();
    let mut body = Map::new();
    body.insert("model".to_owned(), json!(endpoint.model));
    body.insert("messages".to_owned(), Value::Array(messages));
    body.insert("temperature".to_owned(), json!(endpoint.temperature));
    let limit = if dialect.uses_max_completion { "max_completion_tokens" } else { "max_tokens" };
    body.insert(limit.to_owned(), json!(endpoint.max_tokens));
    body.insert("stream".to_owned(), json!(true));
    if dialect.asks_for_usage {
        body.insert("stream_options".to_owned(), json!({"include_usage": true}));
    }
    Value::Object(body).to_string().into_bytes()
}

/// Why a piece of a reply cannot be read.
#[derive(Debug, PartialEq, Eq)]
pub enum Invalid {
    /// It is not JSON, or not part of a chat.
    NotJson,
    /// The server reports an error, in these words and with this status.
    Error { words: String, status: Option<u16> },
    /// The text exceeds [`MAX_TEXT_BYTES`].
    TooLong,
}

/// A reply as far as it has arrived.
#[derive(Debug, Default)]
pub struct Received {
    pub text: String,
    /// The model, as the server names it.
    pub model: Option<String>,
    pub usage: Option<Usage>,
    /// Why the text ended, once the server has reported it.
    pub finish: Option<Finish>,
    /// The server has reported the end of the reply.
    pub is_over: bool,
}

impl Received {
    /// Takes the data of one event.
    pub fn event(&mut self, data: &[u8], on_text: &mut dyn FnMut(&str)) -> Result<(), Invalid> {
        match data.trim_ascii() {
            // A keep-alive of some servers.
            b"" => Ok(()),
            b"[DONE]" => {
                self.is_over = true;
                Ok(())
            }
            data => self.json(data, "/choices/0/delta/content", on_text),
        }
    }

    /// Takes a reply that was not streamed.
    pub fn whole(&mut self, body: &[u8], on_text: &mut dyn FnMut(&str)) -> Result<(), Invalid> {
        self.json(body, "/choices/0/message/content", on_text)?;
        if self.finish.is_none() && self.text.is_empty() {
            // JSON, but not a chat.
            return Err(Invalid::NotJson);
        }
        self.is_over = true;
        Ok(())
    }

    fn json(
        &mut self,
        data: &[u8],
        content: &str,
        on_text: &mut dyn FnMut(&str),
    ) -> Result<(), Invalid> {
        let value: Value = serde_json::from_slice(data).map_err(|_| Invalid::NotJson)?;
        if !value.is_object() {
            return Err(Invalid::NotJson);
        }
        if value.get("error").is_some_and(|error| !error.is_null()) || value["object"] == "error" {
            return Err(Invalid::Error {
                words: message_in(&value).unwrap_or_default(),
                status: status_of(&value),
            });
        }
        if let Some(model) = value["model"].as_str().filter(|model| !model.is_empty()) {
            self.model = Some(one_line(model, None));
        }
        if let Some(usage) = usage(&value) {
            self.usage = Some(usage);
        }
        if let Some(text) =
            value.pointer(content).and_then(Value::as_str).filter(|text| !text.is_empty())
        {
            if self.text.len() + text.len() > MAX_TEXT_BYTES {
                return Err(Invalid::TooLong);
            }
            self.text.push_str(text);
            on_text(text);
        }
        match value.pointer("/choices/0/finish_reason").and_then(Value::as_str) {
            None | Some("") => {}
            Some("length") => self.finish = Some(Finish::Length),
            Some("content_filter" | "error") => self.finish = Some(Finish::Broken),
            Some(_) => self.finish = Some(Finish::Complete),
        }
        Ok(())
    }
}

/// Token counts, in the places where servers put them.
fn usage(value: &Value) -> Option<Usage> {
    let at = |path: &str| value.pointer(path).and_then(Value::as_u64);
    // OpenAI, vLLM and newer llama.cpp; DeepSeek; llama.cpp; older llama.cpp.
    const CACHED: [&str; 4] = [
        "/usage/prompt_tokens_details/cached_tokens",
        "/usage/prompt_cache_hit_tokens",
        "/timings/cache_n",
        "/tokens_cached",
    ];
    let cached_tokens = CACHED.into_iter().find_map(at);
    // llama.cpp counts in `prompt_n` what was not in its cache.
    let prompt = at("/usage/prompt_tokens")
        .or_else(|| Some(at("/timings/prompt_n")? + cached_tokens.unwrap_or(0)));
    let completion = at("/usage/completion_tokens").or_else(|| at("/timings/predicted_n"));
    (prompt.is_some() || completion.is_some()).then(|| Usage {
        prompt_tokens: prompt.unwrap_or(0),
        completion_tokens: completion.unwrap_or(0),
        cached_tokens,
    })
}

/// The HTTP status of an error in a stream.
fn status_of(value: &Value) -> Option<u16> {
    let code = [value.pointer("/error/code"), value.get("code")]
        .into_iter()
        .flatten()
        .find_map(Value::as_u64);
    code.and_then(|code| u16::try_from(code).ok()).filter(|code| (400..600).contains(code))
}

fn message_in(value: &Value) -> Option<String> {
    let places = [
        value.pointer("/error/message"),
        value.get("error"),
        value.get("message"),
        value.get("detail"),
    ];
    places.into_iter().flatten().find_map(Value::as_str).map(ToOwned::to_owned)
}

/// The message of a refusal: the one in its JSON, or its plain text; empty for an HTML page.
pub fn message_of(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    match serde_json::from_slice::<Value>(body) {
        Ok(value) => message_in(&value).unwrap_or_else(|| text.into_owned()),
        Err(_) if text.trim_start().starts_with('<') => String::new(),
        Err(_) => text.into_owned(),
    }
}

/// Untrusted words as one short line, without control characters and without the key, which some
/// servers repeat.
pub fn one_line(words: &str, key: Option<&str>) -> String {
    let words: String = words.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let mut words = words.one_line();
    if let Some(key) = key.filter(|key| !key.is_empty()) {
        words = words.replace(key, "(the key)");
    }
    match words.char_indices().nth(MAX_QUOTED_CHARS) {
        Some((end, _)) => format!("{}…", words.slice(..end)),
        None => words,
    }
}
