//! Answers many questions in parallel and reports the answers in order.

use std::io::{BufRead, Read as _};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use serde::Deserialize;
use serde_json::Value;

use crate::answer::Intent;
use crate::ask::{Asker, Request, Response};
use crate::config::Generator;
use crate::engine::Engine;
use crate::error::{Context as _, Fault, Result, locked};

/// Longer lines are refused.
const MAX_LINE_BYTES: u64 = 1 << 20;

/// Questions that may be in progress or answered before the next one is reported.
const MAX_AHEAD: usize = 64;

#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// Chosen by the caller, returned with the answer.
    pub id: Option<Value>,
    pub question: String,
    pub intent: Option<Intent>,
}

/// The outcome of one line.
pub struct Item {
    /// 1-based.
    pub line: usize,
    /// `None` if the line is invalid.
    pub question: Option<Question>,
    pub outcome: Result<Response>,
}

/// Parses one line: a question, or a JSON object with `question` (or `query`, as in files for
/// `rag eval`) and optionally `id` and `intent`.
///
/// # Errors
/// A usage fault for JSON that is not a question.
pub fn parse(line: &str) -> Result<Question> {
    #[derive(Deserialize)]
    struct BatchLine {
        #[serde(alias = "query")]
        question: String,
        #[serde(alias = "_id")]
        id: Option<Value>,
        intent: Option<String>,
    }
    let line = line.trim();
    if !line.starts_with(['{', '"']) {
        return Ok(Question { id: None, question: line.to_owned(), intent: None });
    }
    if let Ok(question) = serde_json::from_str::<String>(line) {
        return Ok(Question { id: None, question, intent: None });
    }
    let parsed: BatchLine = serde_json::from_str(line).map_err(|e| {
        Fault::usage(format!("invalid question: {e}"))
            .hint("write a question or an object such as {\"id\": 1, \"question\": \"…\"}")
    })?;
    let intent = parsed.intent.as_deref().map(|name| {
        Intent::from_name(name).ok_or_else(|| Fault::usage(format!("unknown intent `{name}`")))
    });
    Ok(Question { id: parsed.id, question: parsed.question, intent: intent.transpose()? })
}

struct Task {
    line: usize,
    text: Result<String>,
    reply: SyncSender<Item>,
}

/// Answers every line of `input`, as `template` says unless the line says otherwise, and reports
/// the answers in the order of the lines. A failed question does not stop the others. Empty lines
/// are skipped.
///
/// # Errors
/// A failure to open the index or read the input; an interrupt.
pub fn run(
    engine: &Engine,
    input: impl BufRead + Send,
    template: &Request,
    on_item: &mut dyn FnMut(Item),
) -> Result<()> {
    let workers = match engine.config.generator {
        Generator::Extractive => engine.config.threads,
        Generator::Llm => engine.config.batch_parallel,
    };
    let first = Asker::open(engine)?.share_threads(workers);
    let askers = (1..workers).map(|_| first.fork(engine)).collect::<Result<Vec<_>>>()?;
    // One channel distributes the tasks, the other keeps the order of their replies.
    let (tasks, queue) = sync_channel::<Task>(workers);
    let (replies, ordered) = sync_channel::<Receiver<Item>>(MAX_AHEAD);
    let queue = &Mutex::new(queue);
    std::thread::scope(|scope| {
        let feeder = scope.spawn(move || feed(engine, input, &tasks, &replies));
        for asker in askers.into_iter().chain([first]) {
            scope.spawn(move || work(engine, asker, template, queue));
        }
        for reply in ordered {
            if engine.interrupted() {
                break;
            }
            match reply.recv() {
                Ok(item) => on_item(item),
                Err(_) => break,
            }
        }
        feeder.join().map_err(|_| Fault::failed("reading the questions failed"))?
    })?;
    engine.check_interrupted()
}

/// Answers tasks until there are no more.
fn work(engine: &Engine, mut asker: Asker, template: &Request, queue: &Mutex<Receiver<Task>>) {
    loop {
        let task = locked(queue).recv();
        let Ok(Task { line, text, reply }) = task else { break };
        let (question, outcome) = match text.and_then(|text| parse(&text)) {
            Ok(question) => {
                let request = Request {
                    question: question.question.clone(),
                    intent: question.intent.or(template.intent),
                    ..template.clone()
                };
                let outcome = asker.ask_catching_panics(engine, &request, &mut |_| {});
                (Some(question), outcome)
            }
            Err(fault) => (None, Err(fault)),
        };
        // The receiver is gone after an interrupt.
        let _ = reply.send(Item { line, question, outcome });
    }
    // The system frees the network and the maps faster than their destructors.
    std::mem::forget(asker);
}

/// Distributes the lines until there are no more or the receivers are gone.
fn feed(
    engine: &Engine,
    mut input: impl BufRead,
    tasks: &SyncSender<Task>,
    replies: &SyncSender<Receiver<Item>>,
) -> Result<()> {
    for line in 1.. {
        let Some(text) = next_line(&mut input)?.filter(|_| !engine.interrupted()) else { break };
        if text.as_ref().is_ok_and(|text| text.trim().is_empty()) {
            continue;
        }
        let (reply, receiver) = sync_channel(1);
        if replies.send(receiver).is_err() || tasks.send(Task { line, text, reply }).is_err() {
            break;
        }
    }
    Ok(())
}

/// The next line, or why it is invalid; `None` at the end.
///
/// # Errors
/// A failure to read the input.
pub fn next_line(input: &mut impl BufRead) -> Result<Option<Result<String>>> {
    let what = || "cannot read the questions".to_owned();
    let mut bytes = Vec::new();
    let n = input.by_ref().take(MAX_LINE_BYTES).read_until(b'\n', &mut bytes).or_failed(what)?;
    if n == 0 {
        return Ok(None);
    }
    if n as u64 == MAX_LINE_BYTES && bytes.last() != Some(&b'\n') {
        input.skip_until(b'\n').or_failed(what)?;
        return Ok(Some(Err(Fault::usage(format!(
            "the line is longer than {MAX_LINE_BYTES} bytes"
        )))));
    }
    Ok(Some(String::from_utf8(bytes).map_err(|_| Fault::usage("the line is not valid UTF-8"))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    #[test]
    fn a_line_is_a_question_or_an_object() {
        let plain = |text: &str| Question { id: None, question: text.to_owned(), intent: None };
        assert_eq!(parse(" What is a lock? \n").unwrap(), plain("What is a lock?"));
        assert_eq!(parse(r#""What is {a}?""#).unwrap(), plain("What is {a}?"));
        assert_eq!(parse(r#"{"query": "q", "relevant": {"a": 1}}"#).unwrap(), plain("q"));
        let full = parse(r#"{"id": 7, "question": "q", "intent": "list"}"#).unwrap();
        assert_eq!(
            full,
            Question { id: Some(7.into()), question: "q".into(), intent: Some(Intent::List) }
        );
        assert!(parse(r#"{"q": 1}"#).is_err());
        assert!(
            parse(r#"{"question": "q", "intent": "poem"}"#)
                .unwrap_err()
                .to_string()
                .contains("`poem`")
        );
    }

    #[test]
    fn invalid_lines_are_reported_and_skipped() {
        let long = "x".repeat(MAX_LINE_BYTES as usize + 5);
        let text = [b"one\n\xff\n".as_slice(), long.as_bytes(), b"\nlast"].concat();
        let mut input = text.as_slice();
        let mut next = || next_line(&mut input).expect("reads");
        assert_eq!(next().expect("a line").expect("text"), "one\n");
        assert!(next().expect("a line").is_err_and(|fault| fault.kind() == Kind::Usage));
        assert!(next().expect("a line").is_err_and(|fault| fault.to_string().contains("bytes")));
        assert_eq!(next().expect("a line").expect("text"), "last");
        assert!(next().is_none());
    }
}
