//! `GET /documents/original`: the file of a document, as it is now.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::documents::{DocumentQuery, snapshot};
use crate::document::Format;
use crate::documents::Document;
use crate::index::State as DocumentState;
use crate::serve::error::{Error, ErrorBody, Result};
use crate::serve::extractors::{Call, Query};
use crate::serve::sandbox;

const PIECE_BYTES: usize = 64 << 10;
/// Pieces that are read ahead of a slow client.
const AHEAD: usize = 4;

/// For files that a browser shows: nothing in them runs or loads. A sandbox would keep the browser
/// from showing a PDF, which has none of this server's rights in its viewer.
const POLICY: &str = "default-src 'none'; sandbox";

/// Download the file of a document
///
/// The file as it is now, which may have changed since it was ingested. Text and PDF files are
/// shown by browsers; others are downloaded.
#[utoipa::path(
    get,
    path = "/documents/original",
    tag = "documents",
    params(DocumentQuery),
    responses(
        (status = 200, description = "The file", content(
            (String = "text/plain"), (Vec<u8> = "application/pdf"), (Vec<u8> = "image/png"),
            (Vec<u8> = "image/jpeg"), (Vec<u8> = "application/octet-stream"))),
        (status = 404, description = "No such document, or its file is gone", body = ErrorBody),
    )
)]
pub async fn documents_original(
    Call { app, allowed, .. }: Call,
    Query(mut query): Query<DocumentQuery>,
) -> Result<Response> {
    query.index = allowed.index(query.index, &app)?;
    let (file, n_bytes, format, path) = app
        .blocking(move |app| {
            let Document { roots, record, .. } =
                query.find(&*snapshot(app, query.index.as_deref())?)?;
            let root = roots.get(record.root).filter(|_| record.state == DocumentState::Indexed);
            let root = root.ok_or_else(|| Error::not_found("the document is not indexed"))?;
            if root.is_site() {
                return Err(
                    Error::not_found("the document is a web page").hint("open it at its address")
                );
            }
            let (file, n_bytes) = sandbox::open_file(Path::new(&root.real), &record.path)?;
            let format = record.format.as_deref().and_then(Format::of_name);
            Ok((file, n_bytes, format, record.path))
        })
        .await?;
    let (kind, is_shown) = media_type(format, &path);
    let name = path.rsplit('/').next().unwrap_or_default();
    let disposition = format!(
        "{}; filename*=UTF-8''{}",
        if is_shown { "inline" } else { "attachment" },
        percent_encoded(name)
    );
    let mut response = Body::from_stream(ReceiverStream::new(pieces(file))).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CONTENT_LENGTH, n_bytes.into());
    if let Ok(disposition) = disposition.parse() {
        headers.insert(header::CONTENT_DISPOSITION, disposition);
    }
    if kind != "application/pdf" {
        headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    }
    Ok(response)
}

/// The media type of a file, and whether a browser may show it. Files that may contain scripts are
/// never shown as such.
fn media_type(format: Option<Format>, path: &str) -> (&'static str, bool) {
    let ending = path.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
    match format {
        Some(Format::Pdf) => ("application/pdf", true),
        Some(Format::Image) if ending == "png" => ("image/png", true),
        Some(Format::Image) if matches!(&*ending, "jpg" | "jpeg") => ("image/jpeg", true),
        Some(
            Format::Plain
            | Format::Markdown
            | Format::ReStructuredText
            | Format::Code
            | Format::Csv
            | Format::Json
            | Format::JsonLines
            | Format::Latex
            | Format::Org
            | Format::AsciiDoc
            | Format::Man
            | Format::Subtitles
            | Format::Calendar
            | Format::Contacts,
        ) => ("text/plain; charset=utf-8", true),
        _ => ("application/octet-stream", false),
    }
}

/// The file in pieces, read on a thread for blocking work, which ends when the client leaves.
fn pieces(mut file: File) -> mpsc::Receiver<std::io::Result<Bytes>> {
    let (sender, receiver) = mpsc::channel(AHEAD);
    tokio::task::spawn_blocking(move || {
        loop {
            let mut piece = vec![0; PIECE_BYTES];
            let read = file.read(&mut piece).map(|n| {
                piece.truncate(n);
                Bytes::from(piece)
            });
            let is_last = read.as_ref().map_or(true, Bytes::is_empty);
            let is_empty = read.as_ref().is_ok_and(Bytes::is_empty);
            if (!is_empty && sender.blocking_send(read).is_err()) || is_last {
                return;
            }
        }
    });
    receiver
}

/// A file name for the header `Content-Disposition` (RFC 5987).
fn percent_encoded(name: &str) -> String {
    let encode = |byte: u8| match byte {
        b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'.' | b'_' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    };
    name.bytes().map(encode).collect()
}
