//! Many questions, answered side by side, told in their order.

use std::io::{BufRead, Read as _};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};

use serde::Deserialize;
use serde_json::Value;

use crate::answer::Intent;
use crate::ask::{Asker, Request, Response};
use crate::config::Generator;
use crate::engine::Engine;
use crate::error::{Context as _, Fault, Result};

/// A line that is longer is no question.
const MAX_LINE_BYTES: u64 = 1 << 20;

/// Questions that may be under way or answered ahead of the one that is told next.
const MAX_AHEAD: usize = 64;

/// One question of many.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// Whatever the asker calls it; handed back with the answer.
    pub id: Option<Value>,
    pub question: String,
    pub intent: Option<Intent>,
}

/// What became of one line.
pub struct Item {
    /// 1-based.
    pub line: usize,
    /// What the line says, as far as it could be read.
    pub question: Option<Question>,
    pub outcome: Result<Response>,
}

/// Reads one line: a JSON object with `question` (or `query`, as in files for `rag eval`) and
/// perhaps `id` and `intent`, or the question itself.
///
/// # Errors
/// A usage fault for JSON that is no question.
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
        Fault::usage(format!("this line is no question: {e}"))
            .hint("a line is a question, or an object such as {\"id\": 1, \"question\": \"…\"}")
    })?;
    let intent = parsed.intent.as_deref().map(|name| {
        Intent::from_name(name).ok_or_else(|| Fault::usage(format!("there is no intent `{name}`")))
    });
    Ok(Question { id: parsed.id, question: parsed.question, intent: intent.transpose()? })
}

struct Task {
    line: usize,
    text: Result<String>,
    back: SyncSender<Item>,
}

/// Answers every line of `input`, in the way of `like` unless the line says otherwise, and tells
/// each answer in the order of the lines. A question that fails does not stop the others. Empty
/// lines are passed over.
///
/// # Errors
/// Whatever keeps the index from being opened or the input from being read; an interruption.
pub fn run(
    engine: &Engine,
    input: impl BufRead + Send,
    like: &Request,
    on_item: &mut dyn FnMut(Item),
) -> Result<()> {
    let workers = match engine.config.generator {
        Generator::Extractive => engine.config.threads,
        Generator::Llm => engine.config.batch_parallel,
    };
    let first = Asker::open(engine)?.share_threads(workers);
    let askers = (1..workers).map(|_| first.fork(engine)).collect::<Result<Vec<_>>>()?;
    // One channel hands out the work; the other keeps the order: a place in line for every answer
    // to come.
    let (tasks, work) = sync_channel::<Task>(workers);
    let (places, order) = sync_channel::<Receiver<Item>>(MAX_AHEAD);
    let work = &Mutex::new(work);
    std::thread::scope(|scope| {
        let feeder = scope.spawn(move || feed(engine, input, &tasks, &places));
        for mut asker in askers.into_iter().chain([first]) {
            scope.spawn(move || {
                loop {
                    let task = work.lock().unwrap_or_else(PoisonError::into_inner).recv();
                    let Ok(Task { line, text, back }) = task else { break };
                    let parsed = text.and_then(|text| parse(&text));
                    let (question, outcome) = match parsed {
                        Ok(question) => {
                            let request = Request {
                                question: question.question.clone(),
                                intent: question.intent.or(like.intent),
                                ..like.clone()
                            };
                            (
                                Some(question),
                                asker.ask_catching_panics(engine, &request, &mut |_| {}),
                            )
                        }
                        Err(fault) => (None, Err(fault)),
                    };
                    // Nobody listens any more when the process is being stopped.
                    let _ = back.send(Item { line, question, outcome });
                }
                std::mem::forget(asker);
            });
        }
        for place in order {
            if engine.interrupted() {
                break;
            }
            match place.recv() {
                Ok(item) => on_item(item),
                Err(_) => break,
            }
        }
        feeder.join().map_err(|_| Fault::failed("reading the questions failed"))?
    })?;
    if engine.interrupted() { Err(Fault::interrupted()) } else { Ok(()) }
}

/// Hands out the lines until there are no more, or nobody takes them.
fn feed(
    engine: &Engine,
    mut input: impl BufRead,
    tasks: &SyncSender<Task>,
    places: &SyncSender<Receiver<Item>>,
) -> Result<()> {
    for line in 1.. {
        let Some(text) = next_line(&mut input)?.filter(|_| !engine.interrupted()) else { break };
        if text.as_ref().is_ok_and(|text| text.trim().is_empty()) {
            continue;
        }
        let (back, place) = sync_channel(1);
        if places.send(place).is_err() || tasks.send(Task { line, text, back }).is_err() {
            break;
        }
    }
    Ok(())
}

/// The next line, or what is wrong with it; `None` at the end.
///
/// # Errors
/// When the input cannot be read.
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
            "the line has more than {MAX_LINE_BYTES} bytes"
        )))));
    }
    Ok(Some(String::from_utf8(bytes).map_err(|_| Fault::usage("the line is not valid UTF-8"))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    #[test]
    fn a_line_is_a_question_or_says_which() {
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
    fn a_line_is_text_or_says_why_not() {
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
