//! A language model that grades answers.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::answer;
use crate::ask::{self, Response};
use crate::config::Config;
use crate::engine::Engine;
use crate::error::{Fault, Result};
use crate::llm::{ChatRole, Client, Finish, Message};
use crate::strings::StrExt as _;

/// What answers are graded by.
pub const CRITERIA: [&str; 4] = ["correctness", "completeness", "groundedness", "relevance"];

const DESCRIPTIONS: [&str; 4] = [
    "the answer agrees with the passages that hold the right answer; if none are given, with the \
     passages that it cites. No answer is correct only if the passages do not answer the question",
    "the answer has everything that the question asks for",
    "the passages that the answer cites support every statement of it",
    "the answer is about the question and has nothing else",
];

/// A grade from 1 to 5 for each of [`CRITERIA`]; `None` where the model gave none.
pub type Grades = [Option<u8>; 4];

pub struct Judge {
    client: Arc<Client>,
}

impl Judge {
    /// # Errors
    /// A usage fault when no language model is configured.
    pub fn new(engine: &Engine) -> Result<Self> {
        need_language_model(&engine.config, "`--judge`")?;
        Ok(Self { client: ask::client(&engine.config.llm)? })
    }

    /// Grades an answer; `known` are passages with the right one. `None` if the reply of the model
    /// has no grades.
    ///
    /// # Errors
    /// Those of the language model.
    pub fn grade(
        &self,
        engine: &Engine,
        response: &Response,
        known: &[String],
    ) -> Result<Option<Grades>> {
        let criteria: Vec<(&str, &str)> = CRITERIA.into_iter().zip(DESCRIPTIONS).collect();
        let citations = response.answer.citations.iter();
        let cited: Vec<String> = citations.map(|cited| cited.hit.chunk.text.clone()).collect();
        let answer = &response.answer.text;
        let cited = if response.answer.supported { &cited[..] } else { &[] };
        let prompt = answer::grading(&criteria, &response.question, answer, cited, known);
        let reply = chat(engine, &self.client, prompt)?;
        Ok(object::<BTreeMap<String, serde_json::Value>>(&reply).and_then(|grades| read(&grades)))
    }
}

/// # Errors
/// A usage fault when no language model is configured; `what` needs it.
pub(super) fn need_language_model(config: &Config, what: &str) -> Result<()> {
    let missing = [("llm.base_url", &config.llm.base_url), ("llm.model", &config.llm.model)];
    match missing.iter().find(|(_, value)| value.is_empty()) {
        Some((key, _)) => {
            Err(Fault::usage(format!("{what} needs a language model: `{key}` is not set")).hint(
                "for example RAG_LLM_BASE_URL=http://localhost:11434/v1 and \
                 RAG_LLM_MODEL=llama3.2",
            ))
        }
        None => Ok(()),
    }
}

/// Grades out of range do not count.
fn read(grades: &BTreeMap<String, serde_json::Value>) -> Option<Grades> {
    let grade = |criterion: &str| {
        let grade = grades.get(criterion)?.as_f64()?.round();
        (1.0..=5.0).contains(&grade).then_some(grade as u8)
    };
    let grades = CRITERIA.map(grade);
    grades.iter().any(Option::is_some).then_some(grades)
}

/// The reply of the language model to a prompt.
///
/// # Errors
/// Those of [`Client::chat`]; a reply that broke off.
pub(super) fn chat(
    engine: &Engine,
    client: &Client,
    (system, user): (String, String),
) -> Result<String> {
    let message = |role, content| Message { role, content };
    let messages = [message(ChatRole::System, system), message(ChatRole::User, user)];
    let reply = client.chat(&messages, &mut |_| {}, &|| engine.interrupted())?;
    match (reply.finish, reply.trouble) {
        (Finish::Interrupted, _) => Err(Fault::interrupted()),
        (Finish::Broken, Some(why)) => {
            Err(Fault::outside(format!("the language model broke off: {why}")))
        }
        _ => Ok(reply.text),
    }
}

/// The JSON object in a reply, which may have words or reasoning around it.
pub(super) fn object<T: for<'a> serde::Deserialize<'a>>(reply: &str) -> Option<T> {
    let reply = reply.rsplit_once("</think>").map_or(reply, |(_, rest)| rest);
    let (start, end) = (reply.find('{')?, reply.rfind('}')? + 1);
    (start < end).then(|| serde_json::from_str(reply.slice(start..end)).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grades_are_read_from_the_object_in_a_reply() {
        let check = |reply: &str, expected: Option<Grades>| {
            let grades = object(reply).and_then(|grades| read(&grades));
            assert_eq!(grades, expected, "{reply}");
        };
        let full = r#"{"correctness": 5, "completeness": 4, "groundedness": 1, "relevance": 3}"#;
        check(full, Some([Some(5), Some(4), Some(1), Some(3)]));
        let around = format!("<think>{{1}}</think>Here:\n```json\n{full}\n```\nDone.");
        check(&around, Some([Some(5), Some(4), Some(1), Some(3)]));
        check(r#"{"correctness": 9, "relevance": "4"}"#, None);
        check(r#"{"correctness": 2, "relevance": 0}"#, Some([Some(2), None, None, None]));
        check("no object", None);
        check("} {", None);
    }
}
