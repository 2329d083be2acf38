//! `POST /documents` and `POST /documents/text`: uploads a document, as a file or as text in JSON.
//! It is stored below the data directory and ingested like any other file.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::{BodyDataStream, Bytes};
use axum::extract::{FromRequest as _, Request};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};
use tokio_stream::StreamExt as _;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{IntoParams, ToSchema};

use super::ingest::NewJob;
use super::params;
use crate::documents;
use crate::engine::Engine;
use crate::error::{Fault, Kind, Result as Outcome};
use crate::index::{Meta, Root};
use crate::jobs::{self, Priority};
use crate::naming;
use crate::serve::app::App;
use crate::serve::body::{self, Json};
use crate::serve::error::{Error, ErrorBody, Result};
use crate::serve::extractors::{Call, Query};
use crate::serve::guard::Allowed;
use crate::serve::limits::WRITER_WAIT;
use crate::serve::sandbox::{self, FileName, Folder, Incoming};
use crate::serve::upload_quota::Reservation;

/// The root of uploads in an index, and their folder in the data directory. Where machines share
/// their indexes, each has a root of its own: another machine does not have the files.
const NAME: &str = "uploads";

/// Characters of the name of a data directory that tell roots apart.
const PLACE_CHARS: usize = 8;

/// Pieces of a body that are buffered for the disk.
const AHEAD: usize = 4;

/// The slowest accepted transfer, after the time that every body has.
const MIN_BYTES_PER_S: u64 = 64 << 10;

/// The part of the quota that is reserved at a time for a chunked body.
const STEP: u64 = 16 << 20;

/// Selects the path and the index of an upload
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct UploadQuery {
    /// Path of the document, such as notes/today.md
    #[param(schema_with = path_schema)]
    path: Option<String>,
    /// Index name (default: the configured index)
    #[param(pattern = "^[A-Za-z0-9_][A-Za-z0-9._-]{0,99}$")]
    index: Option<String>,
    /// Queue priority: critical, high, normal, low or background (default: normal). critical and
    /// high need the scope admin
    #[param(pattern = "^(critical|high|normal|low|background)$")]
    priority: Option<String>,
}

/// A document as text
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UploadBody {
    #[schema(schema_with = path_schema)]
    path: String,
    text: String,
    /// Index name (default: the configured index)
    #[schema(pattern = "^[A-Za-z0-9_][A-Za-z0-9._-]{0,99}$")]
    index: Option<String>,
    /// Queue priority: critical, high, normal, low or background (default: normal). critical and
    /// high need the scope admin
    #[schema(pattern = "^(critical|high|normal|low|background)$")]
    priority: Option<String>,
}

/// Relative paths without hidden segments, control characters, backslashes or percent-encoded
/// bytes. A segment has up to 255 bytes.
fn path_schema() -> RefOr<Schema> {
    let part = concat!(
        r"([0-9A-Za-z_-][0-9A-Za-z_ .-]{0,100}",
        r"|[^./\\%\x00-\x20\x7f-\x9f][^/\\%\x00-\x1f\x7f-\x9f]{0,50})",
    );
    let schema = ObjectBuilder::new()
        .schema_type(Type::String)
        .max_length(Some(1024))
        .pattern(Some(format!("^{part}(/{part}){{0,15}}$")))
        .description(Some("Path of the document, such as notes/today.md"));
    RefOr::T(schema.into())
}

/// The reply of status 202.
type Accepted = (StatusCode, axum::Json<UploadReply>);

/// An uploaded document
#[derive(Serialize, ToSchema)]
pub struct UploadReply {
    /// The job that ingests it
    job_id: String,
    message: String,
    /// Root of uploads in the index
    root: String,
    /// Path relative to the root
    path: String,
    bytes: u64,
}

/// Upload a document
///
/// The body is a file of any supported format. The server stores it, replacing an earlier upload
/// with the same path, and queues a job that ingests the uploads of the index. Other folders of the
/// index are kept. Without `path`, a JSON body is handled like `POST /documents/text`.
#[utoipa::path(
    post,
    path = "/documents",
    tag = "documents",
    params(UploadQuery),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses(
        (
            status = 202,
            description = "The document is stored, and a job is queued",
            body = UploadReply,
        ),
        (status = 404, description = "The model of the index is not installed", body = ErrorBody),
    )
)]
pub async fn documents_upload(
    Call { app, allowed, .. }: Call,
    Query(query): Query<UploadQuery>,
    request: Request,
) -> Result<Accepted> {
    let Some(path) = query.path else {
        if !body::is_json(request.headers()) {
            return Err(Error::usage("`path` is missing")
                .param("path")
                .hint("for example POST /documents?path=notes/today.md"));
        }
        let Json(text) = Json::<UploadBody>::from_request(request, &app).await?;
        let UploadBody { path, text, index, priority } = text;
        let (index, priority) = (index.or(query.index), priority.or(query.priority));
        return upload_text(app, allowed, UploadBody { path, text, index, priority }).await;
    };
    let priority = params::priority(query.priority.as_deref(), &allowed)?;
    if body::media_type(request.headers()).starts_with("multipart/") {
        return Err(Error::unsupported("the body must be the file itself, not a multipart form")
            .hint("curl --data-binary @FILE 'http://…/documents?path=NAME'"));
    }
    let index = allowed.index(query.index, &app)?;
    let index = index_name(&app, index.as_deref())?;
    let name = FileName::new(&path)?;
    let bytes = receive(&app, &index, &name, request).await?;
    accept(app, index, name, priority, bytes).await
}

/// Upload a document as text
///
/// As `POST /documents`, with the text of the document in JSON.
#[utoipa::path(
    post,
    path = "/documents/text",
    tag = "documents",
    request_body = UploadBody,
    responses(
        (
            status = 202,
            description = "The document is stored, and a job is queued",
            body = UploadReply,
        ),
        (status = 404, description = "The model of the index is not installed", body = ErrorBody),
    )
)]
pub async fn documents_text(
    Call { app, allowed, .. }: Call,
    Json(body): Json<UploadBody>,
) -> Result<Accepted> {
    upload_text(app, allowed, body).await
}

async fn upload_text(app: Arc<App>, allowed: Allowed, body: UploadBody) -> Result<Accepted> {
    let UploadBody { path, text, index, priority } = body;
    let priority = params::priority(priority.as_deref(), &allowed)?;
    let index = allowed.index(index, &app)?;
    let index = index_name(&app, index.as_deref())?;
    let name = FileName::new(&path)?;
    let (file_name, bytes) = (name.clone(), text.len() as u64);
    let folder = folder(app.engine(), &index)?;
    app.blocking(move |app| {
        let reservation = reserve(app, bytes)?;
        write_file(&folder, &file_name, text.as_bytes()).map_err(path_conflict)?;
        reservation.commit(bytes);
        Ok(())
    })
    .await?;
    accept(app, index, name, priority, bytes).await
}

/// Queues a job for a stored document.
async fn accept(
    app: Arc<App>,
    index: String,
    name: FileName,
    priority: Priority,
    bytes: u64,
) -> Result<Accepted> {
    let path = name.as_str().to_owned();
    let (job_id, root) = app
        .blocking(move |app| {
            let id = queue_job(app.engine(), &index, &name, priority)?;
            Ok((id, root_name(app.engine())?))
        })
        .await?;
    let message = format!("stored; GET /ingest/status/{job_id} shows the ingest");
    Ok((StatusCode::ACCEPTED, axum::Json(UploadReply { job_id, message, root, path, bytes })))
}

/// A usage fault of the file system means that the path conflicts with another upload.
fn path_conflict(fault: Fault) -> Error {
    match fault.kind() {
        Kind::Usage => Error::conflict(fault.to_string()),
        _ => fault.into(),
    }
}

fn index_name(app: &App, given: Option<&str>) -> Result<String> {
    sandbox::index_name(given, &app.engine().config.index).map(str::to_owned)
}

/// What tells the uploads of this data directory from those of others, if others share its indexes.
fn place(engine: &Engine) -> Outcome<Option<String>> {
    if !engine.store.is_shared() {
        return Ok(None);
    }
    let place = jobs::place(&engine.config.jobs_dir)?;
    Ok(Some(place.chars().take(PLACE_CHARS).collect()))
}

/// The root of uploads to this server.
fn root_name(engine: &Engine) -> Outcome<String> {
    Ok(match place(engine)? {
        None => NAME.to_owned(),
        Some(place) => format!("{NAME}-{place}"),
    })
}

/// The folder of the uploads of an index. Its path is that of no other machine, even where data
/// directories have equal paths.
fn folder(engine: &Engine, index: &str) -> Outcome<PathBuf> {
    let all = engine.config.data_dir.join(NAME);
    Ok(match place(engine)? {
        None => all.join(index),
        Some(place) => all.join(format!("{index}.{place}")),
    })
}

/// Reserves a part of the quota. A scan also measures unfinished files, which then count twice.
fn reserve(app: &App, bytes: u64) -> Result<Reservation> {
    let folder = app.engine().config.data_dir.join(NAME);
    let scan = || sandbox::total_bytes(&folder);
    Reservation::new(&app.uploads, bytes, app.settings().max_uploads_bytes, scan)
}

fn write_file(folder: &Path, name: &FileName, bytes: &[u8]) -> Outcome<()> {
    let mut file = Incoming::begin(folder, name)?;
    file.write(bytes)?;
    file.finish()
}

/// Writes the body of a request to its file as it arrives, and returns its length.
async fn receive(app: &Arc<App>, index: &str, name: &FileName, request: Request) -> Result<u64> {
    let mut transfer = Transfer::new(app, request).await?;
    let (folder, name) = (folder(app.engine(), index)?, name.clone());
    let (sender, mut receiver) = mpsc::channel::<Bytes>(AHEAD);
    let (complete, is_complete) = oneshot::channel::<()>();
    let writing = tokio::task::spawn_blocking(move || -> Outcome<()> {
        let mut file = Incoming::begin(&folder, &name)?;
        while let Some(bytes) = receiver.blocking_recv() {
            file.write(&bytes)?;
        }
        // An incomplete body leaves no file.
        if is_complete.blocking_recv().is_ok() { file.finish() } else { Ok(()) }
    });
    let received = transfer.run(sender).await;
    if received.is_ok() {
        let _ = complete.send(());
    } else {
        drop(complete);
    }
    writing.await.map_err(|_| Error::internal())?.map_err(path_conflict)?;
    let n = received?;
    if let Some(reservation) = transfer.reservations.pop() {
        reservation.commit(n);
    }
    Ok(n)
}

/// A body on its way to the disk, with its limits.
struct Transfer<'a> {
    app: &'a Arc<App>,
    pieces: BodyDataStream,
    max_bytes: u64,
    /// The announced length; `None` for a chunked body.
    length: Option<u64>,
    started: Instant,
    reservations: Vec<Reservation>,
}

impl<'a> Transfer<'a> {
    /// Reserves the quota of the body: all of its length, or the first step of a chunked body.
    async fn new(app: &'a Arc<App>, request: Request) -> Result<Self> {
        let max_bytes = app.engine().config.max_file_bytes;
        let headers = request.headers();
        let length = (!body::is_chunked(headers)).then(|| body::length(headers));
        if body::length(headers) > max_bytes {
            return Err(too_large(max_bytes));
        }
        let first = length.unwrap_or(STEP.min(max_bytes));
        let reservations = vec![app.blocking(move |app| reserve(app, first)).await?];
        let pieces = request.into_body().into_data_stream();
        Ok(Self { app, pieces, max_bytes, length, started: Instant::now(), reservations })
    }

    /// Sends the pieces of the body to the writer, and returns their total length.
    async fn run(&mut self, writer: mpsc::Sender<Bytes>) -> Result<u64> {
        let mut n: u64 = 0;
        while let Some(piece) = self.next(n).await? {
            n += piece.len() as u64;
            if n > self.max_bytes {
                return Err(too_large(self.max_bytes));
            }
            while self.length.is_none() && n > STEP.saturating_mul(self.reservations.len() as u64) {
                self.reservations.push(self.app.blocking(|app| reserve(app, STEP)).await?);
            }
            if writer.send(piece).await.is_err() {
                // The writer failed; the caller gets its error.
                return Ok(n);
            }
        }
        match self.length.is_none_or(|length| n == length) {
            true => Ok(n),
            false => Err(body::incomplete()),
        }
    }

    /// The next piece of the body, of which `n` bytes have arrived.
    async fn next(&mut self, n: u64) -> Result<Option<Bytes>> {
        let limit = self.app.settings().body_timeout + Duration::from_secs(n / MIN_BYTES_PER_S);
        let left = limit.saturating_sub(self.started.elapsed());
        let piece = tokio::time::timeout(left, self.pieces.next()).await;
        let piece = piece.map_err(|_| body::timed_out())?;
        piece.transpose().map_err(|_| body::incomplete())
    }
}

fn too_large(max_bytes: u64) -> Error {
    Error::too_large(format!("the document exceeds {max_bytes} bytes (ingest.max_file_bytes)"))
}

/// Queues a job that ingests the uploads of an index.
fn queue_job(engine: &Engine, index: &str, name: &FileName, priority: Priority) -> Result<String> {
    let uploads = folder(engine, index)?
        .canonicalize()
        .map_err(|e| Fault::failed("the folder of uploads is missing").because(e))?;
    let uploads = uploads
        .to_str()
        .ok_or_else(|| Fault::failed("the data directory is not valid UTF-8"))?
        .to_owned();
    let meta = engine.store.pointer(index)?.map(|_| engine.store.meta(index)).transpose()?;
    let own = Root::new(&*root_name(engine)?, &*uploads);
    if let Some(meta) = &meta {
        restore_removed(engine, index, meta, &own, name)?;
    }
    let model = meta.map(|meta| meta.model.name);
    let folders = vec![Folder { real: uploads, name: own.given }];
    let index = index.to_owned();
    NewJob {
        index,
        model,
        folders,
        urls: Vec::new(),
        sitemap: false,
        only: false,
        no_cache: false,
        priority,
    }
    .submit(engine)
}

/// Lifts the removal of a document that is uploaded again.
fn restore_removed(
    engine: &Engine,
    index: &str,
    meta: &Meta,
    own: &Root,
    name: &FileName,
) -> Result<()> {
    let absolute = own.absolute(name.as_str());
    if meta.removed.binary_search(&absolute).is_err() {
        return Ok(());
    }
    // Without its folder in the index, a removed document is known by its absolute path only.
    let glob = match meta.roots.iter().any(|root| root.real == own.real) {
        true => params::exact_glob(&naming::name(&own.given, name.as_str())),
        false => params::exact_glob(&absolute),
    };
    documents::restore(&engine.of_index(index), &[glob], WRITER_WAIT)?;
    Ok(())
}

/// Removes the file of a document, if it was an upload.
pub fn remove_file(engine: &Engine, index: &str, root: &Root, path: &str) -> Result<()> {
    match FileName::new(path) {
        Ok(name) if is_own(engine, index, &root.real) => {
            Ok(sandbox::remove(&folder(engine, index)?, &name)?)
        }
        _ => Ok(()),
    }
}

/// Whether a folder is that of the uploads of an index.
pub fn is_own(engine: &Engine, index: &str, real: &str) -> bool {
    let own = folder(engine, index).ok().and_then(|own| own.canonicalize().ok());
    own.is_some_and(|own| own.to_str() == Some(real))
}
