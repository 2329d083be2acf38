//! What a chat server is sent, and what is read from the JSON that it answers with. Lenient about
//! everything that differs between servers, because each field that is missing is one that some
//! server leaves out. Pure.

use serde_json::{Map, Value, json};

use super::{ChatRole, Endpoint, Finish, Message, Usage};
use crate::strings::StrExt as _;

/// The most text of one reply, in bytes.
pub const MAX_TEXT_BYTES: usize = 4 << 20;
/// The most characters of a server's own words that a fault shows.
const MAX_QUOTED_CHARS: usize = 300;

/// Fields of a request that not every server takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dialect {
    /// Asks for the token counts of a streamed reply.
    pub asks_for_usage: bool,
    /// The bound of a reply is `max_completion_tokens`, as newer models of OpenAI want it.
    pub says_completion: bool,
}

impl Default for Dialect {
    fn default() -> Self {
        Self { asks_for_usage: true, says_completion: false }
    }
}

impl Dialect {
    /// What to say instead to a server that refused a request with these words; `None` if they are
    /// about other things.
    pub fn after(self, words: &str) -> Option<Self> {
        if self.asks_for_usage && words.contains("stream_options") {
            return Some(Self { asks_for_usage: false, ..self });
        }
        (!self.says_completion && words.contains("max_completion_tokens"))
            .then_some(Self { says_completion: true, ..self })
    }

    /// What both of two threads have learnt.
    pub fn and(self, other: Self) -> Self {
        Self {
            asks_for_usage: self.asks_for_usage && other.asks_for_usage,
            says_completion: self.says_completion || other.says_completion,
        }
    }
}

/// The body of a request.
pub fn request(endpoint: &Endpoint, messages: &[Message], dialect: Dialect) -> Vec<u8> {
    let role = |message: &Message| match message.role {
        ChatRole::System => "system",
        ChatRole::User => "user",
        ChatRole::Assistant => "assistant",
    };
    let messages: Vec<Value> = messages
        .iter()
        .map(|message| json!({"role": role(message), "content": message.content}))
        .collect();
    let mut body = Map::new();
    body.insert("model".to_owned(), json!(endpoint.model));
    body.insert("messages".to_owned(), Value::Array(messages));
    body.insert("temperature".to_owned(), json!(endpoint.temperature));
    let bound = if dialect.says_completion { "max_completion_tokens" } else { "max_tokens" };
    body.insert(bound.to_owned(), json!(endpoint.max_tokens));
    body.insert("stream".to_owned(), json!(true));
    if dialect.asks_for_usage {
        body.insert("stream_options".to_owned(), json!({"include_usage": true}));
    }
    Value::Object(body).to_string().into_bytes()
}

/// Why a piece of a reply was not taken.
#[derive(Debug, PartialEq, Eq)]
pub enum Bad {
    /// It is no JSON.
    NotJson,
    /// The server says, in these words and with this status, that it failed.
    Error { words: String, status: Option<u16> },
    /// There is more text than anybody reads.
    TooMuch,
}

/// What a server has said so far.
#[derive(Debug, Default)]
pub struct Said {
    pub text: String,
    /// The model by the server's own account.
    pub model: Option<String>,
    pub usage: Option<Usage>,
    /// Why the text ended, once the server told.
    pub finish: Option<Finish>,
    /// True once the server said that nothing will follow.
    pub is_over: bool,
}

impl Said {
    /// Takes the data of one event.
    pub fn event(&mut self, data: &[u8], on_text: &mut dyn FnMut(&str)) -> Result<(), Bad> {
        match data.trim_ascii() {
            // Some servers keep the connection alive so.
            b"" => Ok(()),
            b"[DONE]" => {
                self.is_over = true;
                Ok(())
            }
            data => self.json(data, "/choices/0/delta/content", on_text),
        }
    }

    /// Takes a reply that was not streamed.
    pub fn whole(&mut self, body: &[u8], on_text: &mut dyn FnMut(&str)) -> Result<(), Bad> {
        self.json(body, "/choices/0/message/content", on_text)?;
        if self.finish.is_none() && self.text.is_empty() {
            // JSON, but no chat.
            return Err(Bad::NotJson);
        }
        self.is_over = true;
        Ok(())
    }

    fn json(
        &mut self,
        data: &[u8],
        content: &str,
        on_text: &mut dyn FnMut(&str),
    ) -> Result<(), Bad> {
        let value: Value = serde_json::from_slice(data).map_err(|_| Bad::NotJson)?;
        if !value.is_object() {
            return Err(Bad::NotJson);
        }
        if value.get("error").is_some_and(|error| !error.is_null()) || value["object"] == "error" {
            return Err(Bad::Error {
                words: words_of_json(&value).unwrap_or_default(),
                status: status_of(&value),
            });
        }
        if let Some(model) = value["model"].as_str().filter(|model| !model.is_empty()) {
            self.model = Some(clean(model, None));
        }
        if let Some(usage) = usage(&value) {
            self.usage = Some(usage);
        }
        if let Some(text) =
            value.pointer(content).and_then(Value::as_str).filter(|text| !text.is_empty())
        {
            if self.text.len() + text.len() > MAX_TEXT_BYTES {
                return Err(Bad::TooMuch);
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

/// Token counts, wherever a server puts them.
fn usage(value: &Value) -> Option<Usage> {
    let at = |path: &str| value.pointer(path).and_then(Value::as_u64);
    // OpenAI, vLLM and newer llama.cpp; DeepSeek; llama.cpp; older llama.cpp.
    let cached = [
        "/usage/prompt_tokens_details/cached_tokens",
        "/usage/prompt_cache_hit_tokens",
        "/timings/cache_n",
    ];
    let cached_tokens = cached.into_iter().chain(["/tokens_cached"]).find_map(at);
    // What llama.cpp calls `prompt_n` is what was not in its cache.
    let prompt = at("/usage/prompt_tokens")
        .or_else(|| Some(at("/timings/prompt_n")? + cached_tokens.unwrap_or(0)));
    let completion = at("/usage/completion_tokens").or_else(|| at("/timings/predicted_n"));
    match (prompt, completion) {
        (None, None) => None,
        (prompt, completion) => Some(Usage {
            prompt_tokens: prompt.unwrap_or(0),
            completion_tokens: completion.unwrap_or(0),
            cached_tokens,
        }),
    }
}

/// The HTTP status that an error in a stream would have had.
fn status_of(value: &Value) -> Option<u16> {
    let code = [value.pointer("/error/code"), value.get("code")]
        .into_iter()
        .flatten()
        .find_map(Value::as_u64);
    code.and_then(|code| u16::try_from(code).ok()).filter(|code| (400..600).contains(code))
}

fn words_of_json(value: &Value) -> Option<String> {
    let places = [
        value.pointer("/error/message"),
        value.get("error"),
        value.get("message"),
        value.get("detail"),
    ];
    places.into_iter().flatten().find_map(Value::as_str).map(ToOwned::to_owned)
}

/// What the body of a refusal says: the message in its JSON, or its plain text. A page for browsers
/// says nothing.
pub fn words_of(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    match serde_json::from_slice::<Value>(body) {
        Ok(value) => words_of_json(&value).unwrap_or_else(|| text.into_owned()),
        Err(_) if text.trim_start().starts_with('<') => String::new(),
        Err(_) => text.into_owned(),
    }
}

/// A stranger's words as one short line, without control characters and without the key, which some
/// servers repeat.
pub fn clean(words: &str, key: Option<&str>) -> String {
    let words: String = words.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let mut words = words.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some(key) = key.filter(|key| !key.is_empty()) {
        words = words.replace(key, "(the key)");
    }
    match words.char_indices().nth(MAX_QUOTED_CHARS) {
        Some((end, _)) => format!("{}…", words.slice(..end)),
        None => words,
    }
}
