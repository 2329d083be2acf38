//! A build without some of its features: it names what it lacks.

use crate::support::Sandbox;

#[cfg(not(feature = "serve"))]
#[test]
fn a_build_without_serve_reports_that() {
    let sandbox = Sandbox::new();
    sandbox.rag(["serve", "--port", "0"]).exits(1).says("this rag was built without `serve`");
}

#[cfg(not(feature = "mcp"))]
#[test]
fn a_build_without_mcp_reports_that() {
    let sandbox = Sandbox::new();
    sandbox.rag(["mcp"]).exits(1).says("this rag was built without `mcp`");
}

#[cfg(not(feature = "pdf"))]
#[test]
fn a_pdf_is_skipped_where_no_reader_is_built() {
    is_skipped("docs/report.pdf", b"%PDF-1.7\n1 0 obj\nendobj\n", "pdf");
}

#[cfg(not(feature = "office"))]
#[test]
fn an_office_file_is_skipped_where_no_reader_is_built() {
    // An archive whose first entry says that it is a text document.
    let odt = b"PK\x03\x04mimetypeapplication/vnd.oasis.opendocument.text";
    is_skipped("docs/report.odt", odt, "office");
}

/// A file of `docs` is not in the index, which is not a failure, and the message names the feature.
#[cfg(not(all(feature = "pdf", feature = "office")))]
fn is_skipped(path: &str, bytes: &[u8], feature: &str) {
    let sandbox = Sandbox::new();
    sandbox.write("docs/bees.md", "# Bees\n\nBees make honey.\n");
    sandbox.write(path, bytes);
    let summary = sandbox.ingest();
    assert_eq!((&summary["skipped"], &summary["failed"]), (&1.into(), &serde_json::json!([])));
    let listed = sandbox.rag(["documents", "list", "--skipped"]).ok();
    listed.prints(&format!("this rag was built without `{feature}`"));
}
