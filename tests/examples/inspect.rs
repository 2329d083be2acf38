//! Prints what the learned choice of answers sees of questions, for `scripts/train`:
//! `inspect DATA_DIR MAX_COMPARED < QUESTIONS`.
//!
//! Reads a JSON object per line with `id`, `question` and an optional `filter`; prints one per
//! question with `id` and `parts`. `MAX_COMPARED` units are compared with a question by vector.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "examples print and read the clock"
)]

use std::io::BufRead as _;
use std::sync::atomic::AtomicBool;
use std::time::SystemTime;

use rag::ask::{Asker, Request};
use rag::config::{Config, World};
use rag::engine::Engine;
use rag::error::{Fault, Result};
use rag::filter::Filter;
use rag::model::forbid_telemetry;
use serde::Deserialize;

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

#[derive(Deserialize)]
struct Question {
    id: String,
    question: String,
    filter: Option<String>,
}

fn main() -> Result<()> {
    forbid_telemetry();
    let usage = || Fault::usage("usage: inspect DATA_DIR MAX_COMPARED < QUESTIONS");
    let mut args = std::env::args().skip(1);
    let (Some(data_dir), Some(max_compared)) = (args.next(), args.next()) else {
        return Err(usage());
    };
    let max_compared: usize = max_compared.parse().map_err(|_| usage())?;
    let flags = [("data_dir", data_dir, "DATA_DIR".to_owned())];
    let config = Config::load(&World::from_process(), &flags)?;
    let engine = Engine::new(config, SystemTime::now, &INTERRUPTED);
    let mut asker = Asker::open(&engine)?;
    for line in std::io::stdin().lock().lines() {
        let line = line.map_err(|error| Fault::failed(error.to_string()))?;
        let question: Question =
            serde_json::from_str(&line).map_err(|error| Fault::usage(error.to_string()))?;
        let filter = question.filter.as_deref().map(Filter::parse).transpose()?;
        let request = Request { question: question.question, filter, ..Request::default() };
        let parts = asker.inspect(&engine, &request, max_compared)?;
        println!("{}", serde_json::json!({ "id": question.id, "parts": parts }));
    }
    Ok(())
}
