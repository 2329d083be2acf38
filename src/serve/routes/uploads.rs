//! `POST /documents` and `POST /documents/text`: a document that a client sends, as its bytes or as
//! text in JSON. It is kept below the data directory and ingested like any other.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Extension;
use axum::body::Bytes;
use axum::extract::{FromRequest as _, Request, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};
use tokio_stream::StreamExt as _;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{IntoParams, ToSchema};

use super::documents::exactly;
use super::ingest::Wish;
use super::{App, Error, apart, asking};
use crate::documents;
use crate::engine::Engine;
use crate::error::{Fault, Kind, Result as Outcome};
use crate::index::{Meta, Root};
use crate::jobs::Priority;
use crate::naming;
use crate::serve::body::{self, Json, length};
use crate::serve::error::{ErrorBody, Result};
use crate::serve::extractors::Query;
use crate::serve::guard::Allowed;
use crate::serve::room::Room;
use crate::serve::sandbox::{self, FileName, Folder, Incoming};

/// What the folder of uploads is called in an index.
const NAME: &str = "uploads";

/// Pieces of a body that wait for the disk.
const AHEAD: usize = 4;

/// A body that comes more slowly than this is given up, once it has had the time that every body
/// has.
const MIN_BYTES_PER_S: u64 = 64 << 10;

/// Room that is reserved at a time for a body whose length is not announced.
const STEP: u64 = 16 << 20;

/// How long a document that was removed before waits for another writer, to be let in again.
const WAIT: Duration = Duration::from_secs(5);

/// Which document
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct UploadQuery {
    /// Its path, such as notes/today.md
    #[param(schema_with = path_schema)]
    path: Option<String>,
    /// Name of the index
    #[param(pattern = "^[A-Za-z0-9_][A-Za-z0-9._-]{0,99}$")]
    index: Option<String>,
    /// critical, high, normal, low or background; what is above normal needs the scope admin
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
    /// Name of the index
    #[schema(pattern = "^[A-Za-z0-9_][A-Za-z0-9._-]{0,99}$")]
    index: Option<String>,
    /// critical, high, normal, low or background
    #[schema(pattern = "^(critical|high|normal|low|background)$")]
    priority: Option<String>,
}

/// Paths lead downwards: no part is hidden, and none has control characters, backslashes or bytes
/// that are still encoded. A part has up to 255 bytes.
fn path_schema() -> RefOr<Schema> {
    let part = r"([0-9A-Za-z_-][0-9A-Za-z_ .-]{0,100}|[^./\\%\x00-\x20\x7f-\x9f][^/\\%\x00-\x1f\x7f-\x9f]{0,50})";
    let schema = ObjectBuilder::new()
        .schema_type(Type::String)
        .max_length(Some(1024))
        .pattern(Some(format!("^{part}(/{part}){{0,15}}$")))
        .description(Some("Its path, such as notes/today.md"));
    RefOr::T(schema.into())
}

/// A document that was uploaded
#[derive(Serialize, ToSchema)]
pub struct UploadReply {
    /// The job that ingests it
    job_id: String,
    message: String,
    /// What the folder of uploads is called in the index
    root: &'static str,
    /// Its path below that folder
    path: String,
    bytes: u64,
}

/// Upload a document
///
/// The body is the file, of any type that can be ingested. It is kept on the server, in the place
/// of one that had the same path, and a job begins that ingests the uploads of the index. Its
/// folders stay as they are. Without a `path`, a body of JSON is taken as `POST /documents/text`
/// takes it.
#[utoipa::path(
    post,
    path = "/documents",
    tag = "documents",
    params(UploadQuery),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses(
        (status = 202, description = "It is kept, and a job queued", body = UploadReply, content_type = "application/json"),
        (status = 404, description = "The model of the index is not here", body = ErrorBody),
    )
)]
pub async fn documents_upload(
    State(app): State<Arc<App>>,
    Extension(allowed): Extension<Allowed>,
    Query(query): Query<UploadQuery>,
    request: Request,
) -> Result<(StatusCode, axum::Json<UploadReply>)> {
    let Some(path) = query.path else {
        if !body::is_json(request.headers()) {
            return Err(Error::usage("`path` is missing: it says where the document is kept")
                .param("path")
                .hint("POST /documents?path=notes/today.md"));
        }
        let Json(text) = Json::<UploadBody>::from_request(request, &app).await?;
        let UploadBody { path, text, index, priority } = text;
        let (index, priority) = (index.or(query.index), priority.or(query.priority));
        return uploaded_text(app, allowed, UploadBody { path, text, index, priority }).await;
    };
    let priority = asking::priority(query.priority.as_deref(), allowed)?;
    if body::kind(request.headers()).starts_with("multipart/") {
        return Err(Error::unsupported(
            "the body must be the file itself, not a form that has it as a part",
        )
        .hint("curl --data-binary @FILE 'http://…/documents?path=NAME'"));
    }
    let index = index_name(&app, query.index.as_deref())?;
    let name = FileName::new(&path)?;
    let bytes = received(&app, &index, &name, request).await?;
    taken(app, index, name, priority, bytes).await
}

/// Upload a document as text
///
/// As `POST /documents`, with the document's text in JSON.
#[utoipa::path(
    post,
    path = "/documents/text",
    tag = "documents",
    request_body = UploadBody,
    responses(
        (status = 202, description = "It is kept, and a job queued", body = UploadReply, content_type = "application/json"),
        (status = 404, description = "The model of the index is not here", body = ErrorBody),
    )
)]
pub async fn documents_text(
    State(app): State<Arc<App>>,
    Extension(allowed): Extension<Allowed>,
    Json(body): Json<UploadBody>,
) -> Result<(StatusCode, axum::Json<UploadReply>)> {
    uploaded_text(app, allowed, body).await
}

async fn uploaded_text(
    app: Arc<App>,
    allowed: Allowed,
    body: UploadBody,
) -> Result<(StatusCode, axum::Json<UploadReply>)> {
    let UploadBody { path, text, index, priority } = body;
    let priority = asking::priority(priority.as_deref(), allowed)?;
    let index = index_name(&app, index.as_deref())?;
    let name = FileName::new(&path)?;
    let (own, bytes) = (name.clone(), text.len() as u64);
    let folder = folder(app.engine(), &index);
    apart(&app, move |app| {
        let room = reserve(app, bytes)?;
        kept(&folder, &own, text.as_bytes()).map_err(in_the_way)?;
        room.fill(bytes);
        Ok(())
    })
    .await?;
    taken(app, index, name, priority, bytes).await
}

/// Queues a job for a document that is kept, and says so.
async fn taken(
    app: Arc<App>,
    index: String,
    name: FileName,
    priority: Priority,
    bytes: u64,
) -> Result<(StatusCode, axum::Json<UploadReply>)> {
    let path = name.as_str().to_owned();
    let job_id = apart(&app, move |app| queued(app.engine(), &index, &name, priority)).await?;
    let message = format!("kept; GET /ingest/status/{job_id} says when it is ingested");
    Ok((StatusCode::ACCEPTED, axum::Json(UploadReply { job_id, message, root: NAME, path, bytes })))
}

/// What keeps a file from its place is another upload, not the request.
fn in_the_way(fault: Fault) -> Error {
    match fault.kind() {
        Kind::Usage => Error::conflict(fault.to_string()),
        _ => fault.into(),
    }
}

fn index_name(app: &App, given: Option<&str>) -> Result<String> {
    sandbox::index_name(given, &app.engine().config.index).map(str::to_owned)
}

/// Where uploads for an index are kept.
fn folder(engine: &Engine, index: &str) -> PathBuf {
    engine.config.data_dir.join(NAME).join(index)
}

/// Room for an upload beside those that there are. One that is half written counts twice in a count
/// of files.
fn reserve(app: &App, bytes: u64) -> Result<Room> {
    let folder = app.engine().config.data_dir.join(NAME);
    Room::reserve(&app.uploads, bytes, app.settings().max_uploads_bytes, || sandbox::bytes(&folder))
}

fn kept(folder: &std::path::Path, name: &FileName, bytes: &[u8]) -> Outcome<()> {
    let mut file = Incoming::begin(folder, name)?;
    file.write(bytes)?;
    file.finish()
}

/// Writes the body of a request to its file as it comes, and yields its length.
async fn received(app: &Arc<App>, index: &str, name: &FileName, request: Request) -> Result<u64> {
    let most = app.engine().config.max_file_bytes;
    let too_large =
        || Error::too_large(format!("a document may have {most} bytes (ingest.max_file_bytes)"));
    let is_chunked = body::is_chunked(request.headers());
    let announced = length(request.headers());
    if announced > most {
        return Err(too_large());
    }
    let room = |bytes| apart(app, move |app| reserve(app, bytes));
    let mut rooms = vec![room(if is_chunked { STEP.min(most) } else { announced }).await?];
    let (folder, name) = (folder(app.engine(), index), name.clone());
    let (sender, mut receiver) = mpsc::channel::<Bytes>(AHEAD);
    let (whole, is_whole) = oneshot::channel::<()>();
    let writing = tokio::task::spawn_blocking(move || -> Outcome<()> {
        let mut file = Incoming::begin(&folder, &name)?;
        while let Some(bytes) = receiver.blocking_recv() {
            file.write(&bytes)?;
        }
        // The file of a body that broke off is dropped.
        if is_whole.blocking_recv().is_ok() { file.finish() } else { Ok(()) }
    });
    let mut pieces = request.into_body().into_data_stream();
    let began = Instant::now();
    let passing = async {
        let mut n: u64 = 0;
        loop {
            let patience = app.settings().body_timeout + Duration::from_secs(n / MIN_BYTES_PER_S);
            let piece =
                tokio::time::timeout(patience.saturating_sub(began.elapsed()), pieces.next()).await;
            let Some(piece) = piece.map_err(|_| body::too_slow())? else { break };
            let piece = piece.map_err(|_| body::ended_early())?;
            n += piece.len() as u64;
            if n > most {
                return Err(too_large());
            }
            while is_chunked && n > STEP.saturating_mul(rooms.len() as u64) {
                rooms.push(room(STEP).await?);
            }
            if sender.send(piece).await.is_err() {
                // The disk said no; what it said comes below.
                return Ok(n);
            }
        }
        drop(sender);
        match is_chunked || n == announced {
            true => Ok(n),
            false => Err(body::ended_early()),
        }
    };
    let passed = passing.await;
    if passed.is_ok() {
        let _ = whole.send(());
    } else {
        drop(whole);
    }
    writing.await.map_err(|_| Error::internal())?.map_err(in_the_way)?;
    let n = passed?;
    if let Some(room) = rooms.pop() {
        room.fill(n);
    }
    Ok(n)
}

/// Has the uploads of an index ingested; its folders stay as they are.
fn queued(engine: &Engine, index: &str, name: &FileName, priority: Priority) -> Result<String> {
    let uploads = folder(engine, index)
        .canonicalize()
        .map_err(|e| Fault::failed("the uploads are gone").because(e))?;
    let uploads = uploads
        .to_str()
        .ok_or_else(|| Fault::failed("the data directory is not valid UTF-8"))?
        .to_owned();
    let meta = engine.store.pointer(index)?.map(|_| engine.store.meta(index)).transpose()?;
    let own = Root::new(NAME, &*uploads);
    if let Some(meta) = &meta {
        let_in_again(engine, index, meta, &own, name)?;
    }
    let model = meta.map(|meta| meta.model.name);
    let folders = vec![Folder { real: uploads, name: own.given }];
    Wish { index: index.to_owned(), model, folders, only: false, no_cache: false, priority }
        .submit(engine)
}

/// A document that was removed and comes again is meant to be there.
fn let_in_again(
    engine: &Engine,
    index: &str,
    meta: &Meta,
    own: &Root,
    name: &FileName,
) -> Result<()> {
    if meta.removed.binary_search(&own.absolute(name.as_str())).is_err() {
        return Ok(());
    }
    let mut config = engine.config.clone();
    index.clone_into(&mut config.index);
    documents::restore(&engine.with(config), &[exactly(&naming::name(NAME, name.as_str()))], WAIT)?;
    Ok(())
}

/// Removes the file of a document that left the index, if it was an upload.
pub fn forget(engine: &Engine, index: &str, root: &Root, path: &str) -> Result<()> {
    let folder = folder(engine, index);
    let is_own = folder.canonicalize().is_ok_and(|real| real.to_str() == Some(&root.real));
    match FileName::new(path) {
        Ok(name) if is_own => Ok(sandbox::remove(&folder, &name)?),
        _ => Ok(()),
    }
}
