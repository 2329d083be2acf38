//! Formats of XML files in a ZIP archive: Office Open XML, `OpenDocument` and EPUB.

mod archive;
mod docx;
mod drawing;
mod epub;
mod number;
mod numbering;
mod odf;
mod odf_lists;
mod pptx;
mod xlsx;

use super::doc::{Extracted, NoText};
use crate::document::Format;

pub(super) fn parse(format: Format, bytes: &[u8]) -> Result<Extracted, NoText> {
    match format {
        Format::Docx => docx::docx(bytes),
        Format::Pptx => pptx::pptx(bytes),
        Format::Xlsx => xlsx::xlsx(bytes),
        Format::Epub => epub::epub(bytes),
        _ => odf::odf(format, bytes),
    }
}
