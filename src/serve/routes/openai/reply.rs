//! Answers as text for clients of other APIs, with their sources at the end; and conversations that
//! such clients send along.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::ask::{self, n_tokens};
use crate::llm::{Finish, Usage};
use crate::naming;
use crate::serve::error::Result;
use crate::serve::routes::ask::answered;
use crate::service::{Ticket, Update};
use crate::sessions::Turn;
use crate::wire::CitationJson;

/// Turns before the question that are used. Follow-ups do not refer to earlier ones.
const MAX_EARLIER: usize = 20;

/// The heading of the sources at the end of an answer.
const SOURCES: &str = "\n\nSources:\n";

/// The text of an answer without support.
const UNSUPPORTED: &str = "Nothing in the index supports an answer.";

/// The text of an answer from an empty index.
const EMPTY: &str = "The index is empty.";

/// Who wrote an earlier message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Author {
    User,
    Assistant,
    /// A system prompt, a tool: not part of the conversation.
    Other,
}

/// The last questions with their answers.
pub fn conversation(messages: &[(Author, String)]) -> Vec<Turn> {
    let mut turns: Vec<Turn> = Vec::new();
    for (role, text) in messages {
        match (role, turns.last_mut()) {
            (Author::User, _) => {
                turns.push(Turn { question: text.clone(), ..Turn::default() });
            }
            (Author::Assistant, Some(turn)) => {
                let answer = text.split(SOURCES).next().unwrap_or_default();
                // A streamed answer that turned out to be unsupported ends with that sentence.
                turn.supported = !answer.ends_with(UNSUPPORTED);
                if turn.supported {
                    answer.clone_into(&mut turn.answer);
                }
            }
            _ => {}
        }
    }
    turns.retain(|turn| !turn.question.trim().is_empty());
    turns.drain(..turns.len().saturating_sub(MAX_EARLIER));
    turns
}

/// The text of an answer, or the sentence that there is none.
pub fn text(response: &ask::Response) -> &str {
    let text = response.answer.text.as_str();
    match text.is_empty() {
        true if response.index_empty => EMPTY,
        true => UNSUPPORTED,
        false => text,
    }
}

/// The list of sources at the end of a supported answer.
pub fn sources(response: &ask::Response) -> String {
    if !response.answer.supported {
        return String::new();
    }
    let lines = response.answer.citations.iter().map(|citation| {
        let (hit, extent) = (&citation.hit, citation.extent());
        let name = naming::name(&hit.root, &hit.path);
        match extent.within() {
            Some(place) => format!("[{}] {name} ({place})", citation.n),
            None => format!("[{}] {name}:{}", citation.n, extent.lines.first),
        }
    });
    let lines: Vec<String> = lines.collect();
    if lines.is_empty() { String::new() } else { format!("{SOURCES}{}", lines.join("\n")) }
}

pub fn citations(response: &ask::Response) -> Value {
    json!(response.answer.citations.iter().map(CitationJson::new).collect::<Vec<_>>())
}

/// Why the text ends: `stop`, or `length` at a limit of the language model.
pub fn finish(response: &ask::Response) -> &'static str {
    match response.writing.as_ref().map(|writing| writing.finish) {
        Some(Finish::Length | Finish::Repeating) => "length",
        _ => "stop",
    }
}

/// Token counts of the language model, or an estimate from the messages of the request and the
/// content of the reply.
pub fn usage(response: &ask::Response, n_prompt_tokens: u64, content: &str) -> Usage {
    let counted = response.writing.as_ref().and_then(|writing| writing.usage);
    counted.unwrap_or(Usage {
        prompt_tokens: n_prompt_tokens,
        completion_tokens: n_tokens(content) as u64,
        cached_tokens: None,
    })
}

/// An answer that is sent while it is written.
pub struct Writing {
    ticket: Ticket,
    /// The text that [`Writing::next`] has returned.
    sent: String,
}

impl Writing {
    pub fn new(ticket: Ticket) -> Self {
        Self { ticket, sent: String::new() }
    }

    /// The next piece of the text; `None` once the answer is complete.
    pub async fn next(&mut self) -> Result<Option<Arc<str>>> {
        loop {
            match self.ticket.next().await? {
                Some(Update::Text(text)) => {
                    self.sent.push_str(&text);
                    return Ok(Some(text));
                }
                Some(Update::Retrieved(_)) => {}
                None => return Ok(None),
            }
        }
    }

    /// The answer, and the end of its content after the pieces: the unsent text and the sources.
    pub async fn end(mut self) -> Result<(Arc<ask::Response>, String)> {
        let response = answered(&mut self.ticket).await?;
        let end = format!("{}{}", rest(text(&response), &self.sent), sources(&response));
        Ok((response, end))
    }
}

/// The part of `text` after what was `sent` already; a separate paragraph when `text` replaces what
/// was sent, which turned out to be unsupported.
fn rest(text: &str, sent: &str) -> String {
    match text.strip_prefix(sent) {
        Some(rest) => rest.to_owned(),
        None => format!("\n\n{text}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_ends_with_the_unsent_text() {
        assert_eq!(rest("Bees dance.", "Bees "), "dance.");
        assert_eq!(rest(UNSUPPORTED, ""), UNSUPPORTED);
        assert_eq!(rest(UNSUPPORTED, "I was told to"), format!("\n\n{UNSUPPORTED}"));
    }

    #[test]
    fn messages_become_turns() {
        let said = |role, text: &str| (role, text.to_owned());
        let turns = conversation(&[
            said(Author::Other, "be kind"),
            said(Author::Assistant, "Hello."),
            said(Author::User, "How do I install it?"),
            said(Author::User, "On Linux."),
            said(Author::Assistant, "With a script [1].\n\nSources:\n[1] a.md:1"),
            said(Author::Other, "{}"),
            said(Author::User, "And why?"),
            said(Author::Assistant, &format!("I was told to.\n\n{UNSUPPORTED}")),
            said(Author::User, " "),
            said(Author::Assistant, "?"),
        ]);
        let turns: Vec<(&str, &str)> =
            turns.iter().map(|turn| (&*turn.question, &*turn.answer)).collect();
        assert_eq!(
            turns,
            [("How do I install it?", ""), ("On Linux.", "With a script [1]."), ("And why?", "")]
        );
    }
}
