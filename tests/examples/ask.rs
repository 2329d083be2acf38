//! Answers a question with citations: `cargo run --release --example ask -- DATA_DIR QUESTION`.
//!
//! `DATA_DIR` has an index, as the example `ingest` or `rag ingest` writes it.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "examples print and read the clock"
)]

use std::sync::atomic::AtomicBool;
use std::time::SystemTime;

use rag::ask::{Asker, Request};
use rag::config::{Config, World};
use rag::engine::Engine;
use rag::error::{Fault, Result};
use rag::model::forbid_telemetry;

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

fn main() -> Result<()> {
    forbid_telemetry();
    let mut args = std::env::args().skip(1);
    let (Some(data_dir), Some(question)) = (args.next(), args.next()) else {
        return Err(Fault::usage("usage: ask DATA_DIR QUESTION"));
    };
    let flags = [("data_dir", data_dir, "DATA_DIR".to_owned())];
    let config = Config::load(&World::from_process(), &flags)?;
    let engine = Engine::new(config, SystemTime::now, &INTERRUPTED);

    // An asker keeps the index and the model open for further questions.
    let mut asker = Asker::open(&engine)?;
    let request = Request { question, ..Request::default() };
    let response = asker.ask(&engine, &request, &mut |_| {})?;
    if !response.answer.supported {
        println!("Nothing in the index supports an answer. The nearest passages:");
    }
    println!("{}", response.answer.text);
    for citation in &response.answer.citations {
        let hit = &citation.hit;
        println!("[{}] {}:{}", citation.n, hit.path, citation.extent().lines.first);
    }
    Ok(())
}
