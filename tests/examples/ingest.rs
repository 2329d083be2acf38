//! Indexes a folder: `cargo run --release --example ingest -- DATA_DIR FOLDER`.
//!
//! The index is written below `DATA_DIR`. The model and ONNX Runtime are found as `rag` finds them:
//! below `DATA_DIR`, in `RAG_ASSETS_DIR`, or in this checkout after `scripts/setup`.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "examples print and read the clock"
)]

use std::sync::atomic::AtomicBool;
use std::time::SystemTime;

use rag::config::{Config, World};
use rag::engine::Engine;
use rag::error::{Fault, Result};
use rag::ingest::{self, Event, Request};
use rag::model::forbid_telemetry;

/// Setting it, for example in a signal handler, ends an ingest early.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

fn main() -> Result<()> {
    // ONNX Runtime reports to its makers otherwise. To be called before threads start.
    forbid_telemetry();
    let mut args = std::env::args().skip(1);
    let (Some(data_dir), Some(folder)) = (args.next(), args.next()) else {
        return Err(Fault::usage("usage: ingest DATA_DIR FOLDER"));
    };
    // Settings come from files, the environment and flags, here one.
    let flags = [("data_dir", data_dir, "DATA_DIR".to_owned())];
    let mut config = Config::load(&World::from_process(), &flags)?;
    // Child processes of `rag` parse PDF, office files and mail. Without it, these files fail.
    config.program = Some("rag".into());
    let engine = Engine::new(config, SystemTime::now, &INTERRUPTED);

    let request = Request { dirs: vec![folder.into()], ..Request::default() };
    let report = ingest::run(&engine, &request, &mut |event| {
        if let Event::Note(note) = event {
            println!("{note}");
        }
    })?;
    println!("{} documents, {} passages", report.documents, report.chunks);
    for (path, reason) in &report.failed {
        println!("failed: {path}: {reason}");
    }
    Ok(())
}
