//! `/ingest/*`: jobs like those of `rag ingest --detach`, begun, listed, followed and cancelled.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use super::sse::{self, Stream};
use super::{App, Error, apart, asking};
use crate::config;
use crate::engine::Engine;
use crate::jobs::{IngestSpec, Job, Priority, Spec, State as JobState, Work};
use crate::serve::body::Json;
use crate::serve::error::{Result, public};
use crate::serve::extractors::{Part, Query};
use crate::serve::guard::{Allowed, RequestId};
use crate::serve::sandbox::{self, Folder, Roots};
use crate::serve::watcher::Jobs;
use crate::wire;
use crate::work;

/// Folders to ingest
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct IngestBody {
    /// A folder beneath those that `GET /config` lists
    #[schema(nullable = false)]
    dir: Option<String>,
    /// Several folders, instead of `dir`
    #[schema(nullable = false, min_items = 1)]
    dirs: Option<Vec<String>>,
    /// Embedding model
    #[schema(pattern = "^[A-Za-z0-9_][A-Za-z0-9._-]{0,99}$")]
    model: Option<String>,
    /// Name of the index. The folders are added to it or brought up to date; what it has of other
    /// folders, and uploads, stay as they are
    #[schema(pattern = "^[A-Za-z0-9_][A-Za-z0-9._-]{0,99}$")]
    index: Option<String>,
    /// Take every other folder out of the index, and uploads; false when it is not given
    only: Option<bool>,
    /// Read and write the cache of vectors; true when it is not given
    use_cache: Option<bool>,
    /// critical, high, normal, low or background; what is above normal needs the scope admin
    #[schema(pattern = "^(critical|high|normal|low|background)$")]
    priority: Option<String>,
}

/// A job that was queued
#[derive(Serialize, ToSchema)]
pub struct StartedReply {
    job_id: String,
    message: String,
}

/// Jobs
#[derive(Serialize, ToSchema)]
pub struct JobsReply {
    #[schema(value_type = Vec<wire::JobJson>)]
    jobs: Vec<Value>,
}

/// A job, to be queued.
pub struct Wish {
    pub index: String,
    pub model: Option<String>,
    pub folders: Vec<Folder>,
    /// The index has no other folders afterwards.
    pub only: bool,
    pub no_cache: bool,
    pub priority: Priority,
}

impl Wish {
    /// Queues the job, or finds one in the queue that would do the same, and starts a worker.
    pub fn submit(self, engine: &Engine) -> Result<String> {
        let mut config = engine.config.clone();
        if let Some(model) = self.model {
            if !config::is_name(&model) {
                return Err(Error::usage("that cannot be the name of a model").param("model"));
            }
            if engine.model(&model).is_err() {
                return Err(Error::not_found("there is no model of that name here")
                    .hint("`rag model list` shows them"));
            }
            config.model = model;
        }
        config.index.clone_from(&self.index);
        let spec = IngestSpec {
            index: self.index,
            model: config.model.clone(),
            dirs: self.folders.iter().map(|folder| folder.real.clone()).collect(),
            names: self.folders.into_iter().map(|folder| (folder.real, folder.name)).collect(),
            only: self.only,
            no_cache: self.no_cache,
            ..IngestSpec::default()
        };
        let spec = Spec { priority: self.priority, ..Spec::new(Work::Ingest(spec)) };
        let same = |job: &Job| job.state == JobState::Queued && job.spec == spec;
        if let Some(job) = engine.jobs.list(engine.now_ms())?.into_iter().find(same) {
            return Ok(job.id);
        }
        let engine = engine.with(config);
        let id = work::submit(&engine, spec)?;
        work::start_worker(&engine)?;
        Ok(id)
    }
}

/// Begin to ingest folders
///
/// The job goes on in the background; the index answers as before until it is done. Only folders
/// beneath those of the setting `serve.roots` are taken: `GET /config` lists their names, and a
/// path below may follow.
#[utoipa::path(
    post,
    path = "/ingest/start",
    tag = "ingest",
    request_body = IngestBody,
    responses(
        (status = 202, description = "The job is queued", body = StartedReply, content_type = "application/json"),
        (status = 404, description = "There is no such model", body = crate::serve::error::ErrorBody),
    )
)]
pub async fn ingest_start(
    State(app): State<Arc<App>>,
    Extension(allowed): Extension<Allowed>,
    Json(body): Json<IngestBody>,
) -> Result<(StatusCode, axum::Json<StartedReply>)> {
    let asked: Vec<String> = match (body.dir, body.dirs) {
        (Some(dir), None) => vec![dir],
        (None, Some(dirs)) if !dirs.is_empty() => dirs,
        _ => return Err(Error::usage("name one folder as `dir`, or several as `dirs`")),
    };
    let priority = asking::priority(body.priority.as_deref(), allowed)?;
    let (index, model, no_cache) = (body.index, body.model, !body.use_cache.unwrap_or(true));
    let only = body.only.unwrap_or(false);
    let (job_id, n) = apart(&app, move |app| {
        let engine = app.engine();
        let index = sandbox::index_name(index.as_deref(), &engine.config.index)?.to_owned();
        let roots = Roots::new(&app.settings().roots);
        let folders = asked.iter().map(|dir| roots.folder(dir)).collect::<Result<Vec<_>>>()?;
        let n = folders.len();
        let wish = Wish { index, model, folders, only, no_cache, priority };
        Ok((wish.submit(engine)?, n))
    })
    .await?;
    let folders = if n == 1 { "1 folder".to_owned() } else { format!("{n} folders") };
    let message =
        format!("{folders} will be ingested; GET /ingest/status/{job_id} says how far that is");
    Ok((StatusCode::ACCEPTED, axum::Json(StartedReply { job_id, message })))
}

/// A job as clients are told of it: what went wrong without places of this machine.
fn job_json(mut job: Value) -> Value {
    if let Some(reason) = job["reason"].as_str() {
        job["reason"] = public(reason).into();
    }
    if let Some(dir) = job["result"]["index_dir"].as_str() {
        let generation = dir.rsplit('/').next().unwrap_or_default();
        job["result"]["index_dir"] = format!("indexes/{generation}").into();
    }
    job
}

/// The job of this id.
///
/// # Errors
/// The same for an id that was never given and for what is none.
fn find(engine: &Engine, id: &str) -> Result<Job> {
    if !sandbox::is_id(id) {
        return Err(no_job());
    }
    let jobs = engine.jobs.list(engine.now_ms())?;
    jobs.into_iter().find(|job| job.id == id).ok_or_else(no_job)
}

fn no_job() -> Error {
    Error::not_found("there is no such job").hint("GET /ingest/list shows what there is")
}

/// Say how far a job is
///
/// The reply is that of `rag jobs show --json`.
#[utoipa::path(
    get,
    path = "/ingest/status/{id}",
    tag = "ingest",
    params(("id" = String, Path, description = "The `job_id` that began it")),
    responses(
        (status = 200, description = "The job", body = wire::JobJson, content_type = "application/json"),
        (status = 404, description = "There is no such job", body = crate::serve::error::ErrorBody),
    )
)]
pub async fn ingest_status(
    State(app): State<Arc<App>>,
    Part(id): Part,
) -> Result<axum::Json<Value>> {
    let job = apart(&app, move |app| find(app.engine(), &id)).await?;
    Ok(axum::Json(job_json(wire::job(&job))))
}

/// Which jobs
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ListQuery {
    /// queued, running, succeeded, failed or cancelled
    #[param(pattern = "^(queued|running|succeeded|failed|cancelled)$")]
    state: Option<String>,
}

/// List the jobs
///
/// In the order in which they were asked for, as `rag jobs list --json` has them.
#[utoipa::path(
    get,
    path = "/ingest/list",
    tag = "ingest",
    params(ListQuery),
    responses((status = 200, description = "The jobs", body = JobsReply, content_type = "application/json"))
)]
pub async fn ingest_list(
    State(app): State<Arc<App>>,
    Query(ListQuery { state }): Query<ListQuery>,
) -> Result<axum::Json<JobsReply>> {
    let all = [
        JobState::Queued,
        JobState::Running,
        JobState::Succeeded,
        JobState::Failed,
        JobState::Cancelled,
    ];
    let state =
        asking::named("state", state.as_deref(), all.iter().map(|state| state.name()), |name| {
            all.into_iter().find(|state| state.name() == name)
        })?;
    let jobs = apart(&app, |app| {
        let engine = app.engine();
        let before = work::keep_from(engine);
        let mut jobs = engine.jobs.list(engine.now_ms())?;
        jobs.retain(|job| job.ended_ms.is_none_or(|ended| ended >= before));
        Ok(jobs)
    })
    .await?;
    let is_meant = |job: &&Job| state.is_none_or(|state| job.state == state);
    let jobs = jobs.iter().filter(is_meant).map(|job| job_json(wire::job(job))).collect();
    Ok(axum::Json(JobsReply { jobs }))
}

/// Follow a job
///
/// Server-sent events: `progress` with the job as it is now, whenever that changes, then `done`
/// with the job as it ended, or `error`.
#[utoipa::path(
    get,
    path = "/ingest/events/{id}",
    tag = "ingest",
    params(("id" = String, Path, description = "The `job_id` that began it")),
    responses(
        (status = 200, description = "Events", body = sse::SentEvent, content_type = "text/event-stream"),
        (status = 404, description = "There is no such job", body = crate::serve::error::ErrorBody),
    )
)]
pub async fn ingest_events(
    State(app): State<Arc<App>>,
    Extension(request): Extension<RequestId>,
    Part(id): Part,
) -> Result<Response> {
    let id = apart(&app, move |app| find(app.engine(), &id).map(|job| job.id)).await?;
    Ok(sse::response(move |stream| followed(app, request, id, stream)))
}

/// Follows a job that there is.
async fn followed(app: Arc<App>, request: RequestId, id: String, stream: Stream) {
    let mut jobs = app.watcher.follow(&app);
    let mut told_last = None;
    let error = loop {
        let now: Jobs = jobs.borrow_and_update().clone();
        let job = now.as_ref().and_then(|now| now.get(&id)).cloned().map(job_json);
        // A look at the log that was made before the job was asked for knows nothing of it yet.
        if job.is_none() && told_last.is_some() {
            break no_job();
        }
        if let Some(job) = job {
            let is_over = job["ended"].is_number();
            if is_over {
                return stream.end("done", &job).await;
            }
            if told_last.as_ref() != Some(&job) {
                if !stream.send("progress", &job).await {
                    return;
                }
                told_last = Some(job);
            }
        }
        tokio::select! {
            changed = jobs.changed() => if changed.is_err() { break Error::internal() },
            () = stream.left() => return,
            () = app.stopping.cancelled() => break Error::closing(),
        }
    };
    stream.end("error", &json!({ "error": error.json(&request.0) })).await;
}

/// Take a job from the queue, or stop it
#[utoipa::path(
    post,
    path = "/ingest/cancel/{id}",
    tag = "ingest",
    params(("id" = String, Path, description = "The `job_id` that began it")),
    responses(
        (status = 200, description = "The job", body = wire::JobJson, content_type = "application/json"),
        (status = 404, description = "There is no such job", body = crate::serve::error::ErrorBody),
    )
)]
pub async fn ingest_cancel(
    State(app): State<Arc<App>>,
    Part(id): Part,
) -> Result<axum::Json<Value>> {
    let job = apart(&app, move |app| {
        let engine = app.engine();
        if find(engine, &id)?.state.is_over() {
            return Err(Error::conflict("the job is over already"));
        }
        Ok(engine.jobs.cancel(&id, engine.now_ms())?)
    })
    .await?;
    Ok(axum::Json(job_json(wire::job(&job))))
}
