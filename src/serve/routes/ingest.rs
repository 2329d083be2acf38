//! `/ingest/*`: starts, lists, follows and cancels ingest jobs, like `rag ingest --detach`.

use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, Schema, Type};
use utoipa::{IntoParams, ToSchema};

use super::params;
use super::sse::{self, Stream};
use crate::config;
use crate::engine::Engine;
use crate::jobs::{IngestSpec, Job, Priority, Spec, State as JobState, Work};
use crate::serve::access::Scope;
use crate::serve::app::App;
use crate::serve::body::Json;
use crate::serve::error::{Error, ErrorBody, Result};
use crate::serve::extractors::{Call, PathParam, Query};
use crate::serve::guard::{self, Allowed, RequestId};
use crate::serve::sandbox::{self, Folder, Roots};
use crate::serve::watcher::{Jobs, public_job};
use crate::sites;
use crate::tokens::Indexes;
use crate::wire;
use crate::work;

/// Folders to ingest
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct IngestBody {
    /// A folder below the roots that `GET /config` lists
    #[schema(nullable = false)]
    dir: Option<String>,
    /// Several folders, instead of `dir`
    #[schema(nullable = false, min_items = 1)]
    dirs: Option<Vec<String>>,
    #[schema(schema_with = urls_schema)]
    urls: Option<Vec<String>>,
    /// Ingest the pages that sitemaps list below the addresses (default: false)
    sitemap: Option<bool>,
    /// Embedding model
    #[schema(pattern = "^[A-Za-z0-9_][A-Za-z0-9._-]{0,99}$")]
    model: Option<String>,
    /// Index name (default: the configured index). The folders are added to it or updated; its
    /// other folders and uploads are kept
    #[schema(pattern = "^[A-Za-z0-9_][A-Za-z0-9._-]{0,99}$")]
    index: Option<String>,
    /// Remove every other folder, and uploads, from the index (default: false)
    only: Option<bool>,
    /// Read and write the cache of vectors (default: true)
    use_cache: Option<bool>,
    /// Queue priority: critical, high, normal, low or background (default: normal). critical and
    /// high need the scope admin
    #[schema(pattern = "^(critical|high|normal|low|background)$")]
    priority: Option<String>,
}

/// Every text that matches the pattern is the address of a page; other addresses, such as those of
/// a number or with letters of other scripts, do not match.
fn urls_schema() -> RefOr<Schema> {
    let label = "[a-z0-9]+(-[a-z0-9]+){0,3}";
    let rest = r"(:[0-9]{1,4})?([/?#].*)?";
    let pattern = format!(r"^https?://{label}(\.{label}){{0,3}}\.[a-z]{{2,12}}{rest}$");
    let url = ObjectBuilder::new().schema_type(Type::String).pattern(Some(pattern));
    let words = "Addresses of web pages, beside folders or instead of them; needs the scope admin";
    let urls = ArrayBuilder::new().items(url).min_items(Some(1)).description(Some(words));
    RefOr::T(Schema::Array(urls.build()))
}

/// A queued job
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

/// The parameters of a new ingest job.
pub struct NewJob {
    pub index: String,
    pub model: Option<String>,
    pub folders: Vec<Folder>,
    /// Addresses of web pages.
    pub urls: Vec<String>,
    /// The pages that sitemaps list below the addresses, instead of the pages there.
    pub sitemap: bool,
    /// Removes all other folders from the index.
    pub only: bool,
    pub no_cache: bool,
    pub priority: Priority,
}

impl NewJob {
    /// Queues the job and starts a worker. An equal job that is queued already is returned instead.
    pub fn submit(self, engine: &Engine) -> Result<String> {
        let mut config = engine.config.clone();
        if let Some(model) = self.model {
            if !config::is_name(&model) {
                return Err(Error::usage("invalid model name").param("model"));
            }
            if engine.model(&model).is_err() {
                return Err(Error::not_found("the server has no model of that name")
                    .hint("`rag model list` lists the models"));
            }
            config.model = model;
        }
        config.index.clone_from(&self.index);
        let spec = IngestSpec {
            index: self.index,
            model: config.model.clone(),
            dirs: self.folders.iter().map(|folder| folder.real.clone()).collect(),
            urls: self.urls,
            sitemap: self.sitemap,
            names: self.folders.into_iter().map(|folder| (folder.real, folder.name)).collect(),
            only: self.only,
            no_cache: self.no_cache,
            ..IngestSpec::default()
        };
        let spec = Spec { priority: self.priority, ..Spec::new(Work::Ingest(spec)) };
        let place = engine.jobs.place()?;
        let is_here = |job: &String| Some(job) == place.as_ref();
        // Where its files are follows from its folders.
        let is_equal = |job: &Job| {
            let known = Spec { place: None, ..job.spec.clone() };
            job.state == JobState::Queued
                && known == spec
                && job.spec.place.as_ref().is_none_or(is_here)
        };
        if let Some(job) = engine.jobs.list(engine.now_ms())?.into_iter().find(is_equal) {
            return Ok(job.id);
        }
        let engine = engine.with(config);
        let id = work::submit(&engine, spec)?;
        work::start_worker(&engine)?;
        Ok(id)
    }
}

/// Start an ingest job
///
/// The job runs in the background; until it is done, questions are answered from the index as it
/// was. Only folders below the setting `serve.roots` are allowed: a label that `GET /config` lists,
/// optionally followed by a path.
#[utoipa::path(
    post,
    path = "/ingest/start",
    tag = "ingest",
    request_body = IngestBody,
    responses(
        (status = 202, description = "The job is queued", body = StartedReply),
        (status = 404, description = "No such model", body = ErrorBody),
    )
)]
pub async fn ingest_start(
    Call { app, allowed, .. }: Call,
    Json(body): Json<IngestBody>,
) -> Result<(StatusCode, axum::Json<StartedReply>)> {
    let index = allowed.index(body.index, &app)?;
    if !allowed.indexes().is_all() {
        // A folder may belong to other indexes.
        return Err(Error::forbidden("a token for all indexes is required to ingest folders")
            .hint("upload documents with POST /documents"));
    }
    let urls = body.urls.unwrap_or_default();
    let dirs: Vec<String> = match (body.dir, body.dirs) {
        (Some(dir), None) => vec![dir],
        (None, Some(dirs)) if !dirs.is_empty() => dirs,
        (None, None) if !urls.is_empty() => Vec::new(),
        _ => return Err(Error::usage("give either `dir`, one folder, or `dirs`, several")),
    };
    if !urls.is_empty() && allowed.scope < Scope::Admin {
        return Err(Error::forbidden("`urls` requires the scope admin"));
    }
    for url in &urls {
        sites::address(url).map_err(|fault| Error::usage(fault.to_string()).param("urls"))?;
    }
    let sitemap = body.sitemap.unwrap_or(false);
    let priority = params::priority(body.priority.as_deref(), &allowed)?;
    let (model, no_cache) = (body.model, !body.use_cache.unwrap_or(true));
    let only = body.only.unwrap_or(false);
    let (job_id, (n_folders, n_pages)) = app
        .blocking(move |app| {
            let engine = app.engine();
            let index = sandbox::index_name(index.as_deref(), &engine.config.index)?.to_owned();
            let roots = Roots::new(&app.settings().roots);
            let folders = dirs.iter().map(|dir| roots.folder(dir)).collect::<Result<Vec<_>>>()?;
            let n = (folders.len(), urls.len());
            let job = NewJob { index, model, folders, urls, sitemap, only, no_cache, priority };
            Ok((job.submit(engine)?, n))
        })
        .await?;
    let counted = |n: usize, one: &str, several: &str| match n {
        0 => None,
        1 => Some(format!("1 {one}")),
        n => Some(format!("{n} {several}")),
    };
    let queued =
        [counted(n_folders, "folder", "folders"), counted(n_pages, "address", "addresses")];
    let queued = queued.into_iter().flatten().collect::<Vec<_>>().join(" and ");
    let message = format!("queued {queued}; GET /ingest/status/{job_id} shows the progress");
    Ok((StatusCode::ACCEPTED, axum::Json(StartedReply { job_id, message })))
}

/// The job with this id.
///
/// # Errors
/// The same for an unknown and for a malformed id, and for a job of another index.
fn find(engine: &Engine, indexes: &Indexes, id: &str) -> Result<Job> {
    if !sandbox::is_id(id) {
        return Err(no_job());
    }
    let jobs = engine.jobs.list(engine.now_ms())?;
    jobs.into_iter().find(|job| job.id == id && is_about(job, indexes)).ok_or_else(no_job)
}

/// Whether a job is about an index that the token may use.
fn is_about(job: &Job, indexes: &Indexes) -> bool {
    let Work::Ingest(spec) = &job.spec.work;
    indexes.allows(&spec.index)
}

fn no_job() -> Error {
    Error::not_found("there is no such job").hint("GET /ingest/list lists the jobs")
}

/// Show a job and its progress
///
/// The reply is that of `rag jobs show --json`.
#[utoipa::path(
    get,
    path = "/ingest/status/{id}",
    tag = "ingest",
    params(("id" = String, Path, description = "The `job_id` from the reply that started the job")),
    responses(
        (status = 200, description = "The job", body = wire::JobJson),
        (status = 404, description = "No such job", body = ErrorBody),
    )
)]
pub async fn ingest_status(
    Call { app, allowed, .. }: Call,
    PathParam(id): PathParam,
) -> Result<axum::Json<Value>> {
    let job = app.blocking(move |app| find(app.engine(), &allowed.indexes(), &id)).await?;
    Ok(axum::Json(public_job(wire::job(&job))))
}

/// Selects jobs
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ListQuery {
    /// queued, running, succeeded, failed or cancelled
    #[param(pattern = "^(queued|running|succeeded|failed|cancelled)$")]
    state: Option<String>,
}

/// List jobs
///
/// Rows as in `rag jobs list --json`, oldest first.
#[utoipa::path(
    get,
    path = "/ingest/list",
    tag = "ingest",
    params(ListQuery),
    responses((status = 200, description = "The jobs, oldest first", body = JobsReply))
)]
pub async fn ingest_list(
    Call { app, allowed, .. }: Call,
    Query(ListQuery { state }): Query<ListQuery>,
) -> Result<axum::Json<JobsReply>> {
    let all = [
        JobState::Queued,
        JobState::Running,
        JobState::Succeeded,
        JobState::Failed,
        JobState::Cancelled,
    ];
    let state = params::named("state", state.as_deref(), &all, JobState::name)?;
    let indexes = allowed.indexes();
    let jobs = app
        .blocking(move |app| {
            let engine = app.engine();
            let before = work::keep_from(engine);
            let mut jobs = engine.jobs.list(engine.now_ms())?;
            jobs.retain(|job| job.ended_ms.is_none_or(|ended| ended >= before));
            jobs.retain(|job| is_about(job, &indexes));
            Ok(jobs)
        })
        .await?;
    let matches = |job: &&Job| state.is_none_or(|state| job.state == state);
    let jobs = jobs.iter().filter(matches).map(|job| public_job(wire::job(job))).collect();
    Ok(axum::Json(JobsReply { jobs }))
}

/// Follow a job
///
/// Server-sent events: `progress` with the job whenever it changes, then `done` with its final
/// state, or `error`.
#[utoipa::path(
    get,
    path = "/ingest/events/{id}",
    tag = "ingest",
    params(("id" = String, Path, description = "The `job_id` from the reply that started the job")),
    responses(
        (
            status = 200,
            description = "Events",
            body = sse::SentEvent,
            content_type = "text/event-stream",
        ),
        (status = 404, description = "No such job", body = ErrorBody),
    )
)]
pub async fn ingest_events(
    Call { app, id: request, allowed }: Call,
    PathParam(id): PathParam,
) -> Result<Response> {
    let indexes = allowed.indexes();
    let id = app.blocking(move |app| find(app.engine(), &indexes, &id).map(|job| job.id)).await?;
    Ok(sse::response(move |stream| stream_job(app, request, allowed, id, stream)))
}

/// Sends the states of a job until it ends.
async fn stream_job(
    app: Arc<App>,
    request: RequestId,
    allowed: Allowed,
    id: String,
    stream: Stream,
) {
    let mut jobs = app.watcher.follow();
    let mut tokens = app.access.changes();
    let mut sent = None;
    let error = loop {
        let now: Jobs = jobs.borrow_and_update().clone();
        let job = now.as_ref().and_then(|now| now.get(&id)).cloned().map(public_job);
        // The log may have been read before the job was added.
        if job.is_none() && sent.is_some() {
            break no_job();
        }
        if let Some(job) = job {
            if job["ended"].is_number() {
                return stream.end("done", job).await;
            }
            if sent.as_ref() != Some(&job) {
                if !stream.send("progress", job.clone()).await {
                    return;
                }
                sent = Some(job);
            }
        }
        tokio::select! {
            changed = jobs.changed() => if changed.is_err() { break Error::internal() },
            _ = tokens.changed() => if !guard::is_still_allowed(&app, &allowed) {
                break Error::unauthorized("the token is not valid any more");
            },
            () = stream.closed() => return,
            () = app.stopping.cancelled() => break Error::closing(),
        }
    };
    stream.end("error", json!({ "error": error.json(&request.0) })).await;
}

/// Cancel a queued or running job
#[utoipa::path(
    post,
    path = "/ingest/cancel/{id}",
    tag = "ingest",
    params(("id" = String, Path, description = "The `job_id` from the reply that started the job")),
    responses(
        (status = 200, description = "The job", body = wire::JobJson),
        (status = 404, description = "No such job", body = ErrorBody),
    )
)]
pub async fn ingest_cancel(
    Call { app, allowed, .. }: Call,
    PathParam(id): PathParam,
) -> Result<axum::Json<Value>> {
    let job = app
        .blocking(move |app| {
            let engine = app.engine();
            if find(engine, &allowed.indexes(), &id)?.state.is_over() {
                return Err(Error::conflict("the job has already ended"));
            }
            Ok(engine.jobs.cancel(&id, engine.now_ms())?)
        })
        .await?;
    Ok(axum::Json(public_job(wire::job(&job))))
}
