//! The tool `ingest`, the only one that changes an index. It queues a job and follows it to its
//! end.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rmcp::RoleServer;
use rmcp::model::ProgressNotificationParam;
use rmcp::service::RequestContext;
use serde_json::{Value, json};

use super::blocking::blocking;
use crate::engine::Engine;
use crate::error::{Fault, Result};
use crate::jobs::{IngestSpec, Job, Spec, State, Work};
use crate::service::Service;
use crate::work;

/// How often the state of the job is read.
const POLL: Duration = Duration::from_millis(200);

/// Ingests folders, reports progress, and cancels the job when the client does.
///
/// # Errors
/// A usage fault for a folder that is not below one of `roots`; the reason of a failed job.
pub(super) async fn run(
    service: &Arc<Service>,
    dirs: &[String],
    index: &str,
    roots: &[PathBuf],
    context: &RequestContext<RoleServer>,
) -> Result<Value> {
    let (given, allowed, name) = (dirs.to_vec(), roots.to_vec(), index.to_owned());
    let id = blocking(service, move |engine| submit(engine, given, &allowed, name)).await?;
    let mut reported = 0.0;
    loop {
        let id = id.clone();
        tokio::select! {
            () = tokio::time::sleep(POLL) => {}
            () = context.ct.cancelled() => {
                blocking(service, move |engine| engine.jobs.cancel(&id, engine.now_ms())).await?;
                return Err(Fault::interrupted());
            }
        }
        let job = blocking(service, move |engine| engine.jobs.get(&id, engine.now_ms())).await?;
        if job.state.is_over() {
            return result(&job);
        }
        let progress = &job.progress;
        if let Some(token) = context.meta.get_progress_token().filter(|_| progress.share > reported)
        {
            reported = progress.share;
            let message = format!("{}: {}", progress.stage, progress.message);
            let param = ProgressNotificationParam::new(token, reported)
                .with_total(1.0)
                .with_message(message);
            // The protocol notices a client that has disconnected.
            let _ = context.peer.notify_progress(param).await;
        }
    }
}

fn submit(engine: &Engine, dirs: Vec<String>, roots: &[PathBuf], index: String) -> Result<String> {
    if dirs.is_empty() {
        return Err(Fault::usage("`dirs` is empty"));
    }
    let real = dirs
        .iter()
        .map(|dir| canonical_below(Path::new(dir), roots))
        .collect::<Result<Vec<_>>>()?;
    // The worker checks again that each folder exists and is not a link.
    let names = real.iter().cloned().zip(dirs).collect();
    let model = engine.config.model.clone();
    let spec = IngestSpec { index, model, dirs: real, names, ..IngestSpec::default() };
    let id = work::submit(engine, Spec::new(Work::Ingest(spec)))?;
    work::start_worker(engine)?;
    Ok(id)
}

/// The canonical path of a folder below one of `roots`.
///
/// # Errors
/// The same for a folder outside and for a missing one, so clients cannot probe what exists.
fn canonical_below(dir: &Path, roots: &[PathBuf]) -> Result<String> {
    let is_allowed = |real: &PathBuf| {
        real.is_dir()
            && roots
                .iter()
                .filter_map(|root| root.canonicalize().ok())
                .any(|root| real.starts_with(root))
    };
    let real = dir
        .canonicalize()
        .ok()
        .filter(is_allowed)
        .and_then(|real| real.into_os_string().into_string().ok());
    real.ok_or_else(|| {
        Fault::usage("not a folder below an allowed root")
            .hint("the user allows folders with `rag mcp --allow-ingest --root FOLDER`")
    })
}

/// The result of an ended job.
fn result(job: &Job) -> Result<Value> {
    match (job.state, &job.result, &job.reason) {
        (State::Succeeded, Some(result), _) => {
            let mut object = json!({ "job_id": job.id, "state": job.state.name() });
            for key in ["documents", "chunks", "read", "removed", "removed_documents"] {
                object[key] = result[key].clone();
            }
            object["failed"] = result["n_failed"].clone();
            Ok(object)
        }
        (_, _, Some(reason)) => {
            let fault = Fault::failed(format!("the job `{}` failed: {}", job.id, reason.message));
            Err(match &reason.hint {
                Some(hint) => fault.hint(hint.clone()),
                None => fault,
            })
        }
        _ => Err(Fault::failed(format!(
            "the job `{}` ended in the state {}",
            job.id,
            job.state.name()
        ))),
    }
}
