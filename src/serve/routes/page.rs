//! The page for people. It is part of the program, and asks nobody but this server.

use axum::http::{HeaderName, header};

/// Nothing from elsewhere, nothing inline, no frame around it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

type Asset = ([(HeaderName, &'static str); 3], &'static str);

fn asset(kind: &'static str, text: &'static str) -> Asset {
    // It changes with the program.
    let headers =
        [(header::CONTENT_TYPE, kind), (header::CONTENT_SECURITY_POLICY, POLICY), (header::CACHE_CONTROL, "no-cache")];
    (headers, text)
}

/// Show the page
#[utoipa::path(get, path = "/", tag = "page", responses((status = 200, description = "HTML")))]
pub async fn page() -> Asset {
    asset("text/html; charset=utf-8", include_str!("../page/index.html"))
}

/// Fetch the page's script
#[utoipa::path(get, path = "/assets/app.js", tag = "page", responses((status = 200, description = "JavaScript")))]
pub async fn script() -> Asset {
    asset("text/javascript; charset=utf-8", include_str!("../page/app.js"))
}

/// Fetch the page's style
#[utoipa::path(get, path = "/assets/app.css", tag = "page", responses((status = 200, description = "CSS")))]
pub async fn style() -> Asset {
    asset("text/css; charset=utf-8", include_str!("../page/app.css"))
}
