//! Formats of XML files in a ZIP archive: Office Open XML, `OpenDocument` and EPUB; ZIP archives of
//! documents.

mod archive;
mod date_names;
mod docx;
mod drawing;
mod epub;
mod folder;
pub(super) mod number;
mod number_codes;
mod numbering;
mod odf;
mod odf_lists;
mod pptx;
pub(super) mod xlsx;

use super::doc::{Extracted, NoText, ReadInner};
use crate::document::Format;

/// Reads an archive of documents, which is inside `depth` other files.
pub(super) fn archive(bytes: &[u8], depth: usize, read: ReadInner) -> Result<Extracted, NoText> {
    folder::folder(bytes, depth, read)
}

pub(super) fn parse(format: Format, bytes: &[u8]) -> Result<Extracted, NoText> {
    match format {
        Format::Docx => docx::docx(bytes),
        Format::Pptx => pptx::pptx(bytes),
        Format::Xlsx => xlsx::xlsx(bytes),
        Format::Epub => epub::epub(bytes),
        _ => odf::odf(format, bytes),
    }
}
