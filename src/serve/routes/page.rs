//! The web page. It is compiled into the program, and its scripts talk to this server only.

use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};

use crate::disk;
use crate::serve::error::{Error, Result};
use crate::strings::StrExt as _;

/// Content security policy: no other origin, nothing inline, no embedding in frames.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
     connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; \
     frame-ancestors 'none'";

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// Assets of the pages: name, media type, text.
const ASSETS: [(&str, &str, &str); 15] = [
    ("api.js", SCRIPT, include_str!("../page/api.js")),
    ("app.css", "text/css; charset=utf-8", include_str!("../page/app.css")),
    ("app.js", SCRIPT, include_str!("../page/app.js")),
    ("ask.js", SCRIPT, include_str!("../page/ask.js")),
    ("corpus.js", SCRIPT, include_str!("../page/corpus.js")),
    ("docs.js", SCRIPT, include_str!("../page/docs.js")),
    ("dom.js", SCRIPT, include_str!("../page/dom.js")),
    ("feedback.js", SCRIPT, include_str!("../page/feedback.js")),
    ("icon.svg", "image/svg+xml", include_str!("../page/icon.svg")),
    ("render.js", SCRIPT, include_str!("../page/render.js")),
    ("source.js", SCRIPT, include_str!("../page/source.js")),
    ("sse.js", SCRIPT, include_str!("../page/sse.js")),
    ("talks.js", SCRIPT, include_str!("../page/talks.js")),
    ("theme.js", SCRIPT, include_str!("../page/theme.js")),
    ("upload.js", SCRIPT, include_str!("../page/upload.js")),
];

/// A text that browsers may cache and revalidate by its `ETag`.
fn text(kind: &'static str, text: &'static str, request: &HeaderMap) -> Response {
    let tag = format!("\"{}\"", disk::sha256_hex(text.as_bytes()).slice(..32));
    let is_known =
        request.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes());
    let mut response = match is_known {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => ([(header::CONTENT_TYPE, kind)], text).into_response(),
    };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(header::ETAG, tag);
    }
    response
}

/// Show the web page
#[utoipa::path(
    get,
    path = "/",
    tag = "page",
    responses((status = 200, description = "The page", body = String, content_type = "text/html"),
        (status = 304, description = "Not modified"))
)]
pub async fn page(headers: HeaderMap) -> Response {
    text(HTML, include_str!("../page/index.html"), &headers)
}

/// Show the API reference
#[utoipa::path(
    get,
    path = "/docs",
    tag = "page",
    responses((status = 200, description = "The page", body = String, content_type = "text/html"),
        (status = 304, description = "Not modified"))
)]
pub async fn docs(headers: HeaderMap) -> Response {
    text(HTML, include_str!("../page/docs.html"), &headers)
}

/// Fetch an asset of the web page
#[utoipa::path(
    get,
    path = "/assets/{name}",
    tag = "page",
    params(("name" = String, Path, description = "File name, such as app.js")),
    responses(
        (
            status = 200,
            description = "The asset, with its own media type",
            body = String,
            content_type = "text/plain",
        ),
        (status = 304, description = "Not modified"),
        (status = 404, description = "No such asset"),
    )
)]
pub async fn asset(Path(name): Path<String>, headers: HeaderMap) -> Result<Response> {
    let found = ASSETS.iter().find(|(known, _, _)| *known == name);
    let (_, kind, words) = found.ok_or_else(|| Error::not_found("the page has no such asset"))?;
    Ok(text(kind, words, &headers))
}
