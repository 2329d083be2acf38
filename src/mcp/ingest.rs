//! The one tool that changes something: a job like any other, watched until it is over.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rmcp::RoleServer;
use rmcp::model::ProgressNotificationParam;
use rmcp::service::RequestContext;
use serde_json::{Value, json};

use super::Server;
use crate::engine::Engine;
use crate::error::{Fault, Result};
use crate::jobs::{IngestSpec, Job, Spec, State, Work};
use crate::work;

/// How often the job is looked at.
const LOOK: Duration = Duration::from_millis(200);

/// Has the folders ingested, tells how far that is, and cancels it when the client does.
///
/// # Errors
/// A usage fault for a folder that lies beneath none of `roots`; why the job failed.
pub(super) async fn run(
    server: &Server,
    dirs: &[String],
    index: &str,
    roots: &[PathBuf],
    context: &RequestContext<RoleServer>,
) -> Result<Value> {
    let (given, allowed, name) = (dirs.to_vec(), roots.to_vec(), index.to_owned());
    let id = server.apart(move |engine| submit(engine, given, &allowed, name)).await?;
    let mut told = 0.0;
    loop {
        let id = id.clone();
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            () = context.ct.cancelled() => {
                server.apart(move |engine| engine.jobs.cancel(&id, engine.now_ms())).await?;
                return Err(Fault::interrupted());
            }
        }
        let job = server.apart(move |engine| engine.jobs.get(&id, engine.now_ms())).await?;
        if job.state.is_over() {
            return over(&job);
        }
        let progress = &job.progress;
        if let Some(token) = context.meta.get_progress_token().filter(|_| progress.share > told) {
            told = progress.share;
            let message = format!("{}: {}", progress.stage, progress.message);
            let param =
                ProgressNotificationParam::new(token, told).with_total(1.0).with_message(message);
            // A client that is gone is noticed by the protocol.
            let _ = context.peer.notify_progress(param).await;
        }
    }
}

fn submit(engine: &Engine, dirs: Vec<String>, roots: &[PathBuf], index: String) -> Result<String> {
    if dirs.is_empty() {
        return Err(Fault::usage("`dirs` names no folder"));
    }
    let real = dirs.iter().map(|dir| beneath(Path::new(dir), roots)).collect::<Result<Vec<_>>>()?;
    // The worker looks again whether each is still there and no link.
    let names = real.iter().cloned().zip(dirs).collect();
    let model = engine.config.model.clone();
    let spec = IngestSpec { index, model, dirs: real, names, ..IngestSpec::default() };
    let id = work::submit(engine, Spec::new(Work::Ingest(spec)))?;
    work::start_worker(engine)?;
    Ok(id)
}

/// Where a folder beneath one of `roots` really is.
///
/// # Errors
/// The same for a folder that is elsewhere and for one that is not there: nobody learns what there
/// is.
fn beneath(dir: &Path, roots: &[PathBuf]) -> Result<String> {
    let is_beneath = |real: &PathBuf| {
        real.is_dir()
            && roots
                .iter()
                .filter_map(|root| root.canonicalize().ok())
                .any(|root| real.starts_with(root))
    };
    let real = dir
        .canonicalize()
        .ok()
        .filter(is_beneath)
        .and_then(|real| real.into_os_string().into_string().ok());
    real.ok_or_else(|| {
        Fault::usage("that is no folder beneath those that may be ingested")
            .hint("the user allows folders with `rag mcp --allow-ingest --root FOLDER`")
    })
}

fn over(job: &Job) -> Result<Value> {
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
        _ => Err(Fault::failed(format!("the job `{}` has ended as {}", job.id, job.state.name()))),
    }
}
