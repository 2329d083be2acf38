//! The archive of XML files, and what its readers share.

use std::collections::HashMap;
use std::io::{Cursor, Read as _};

use zip::ZipArchive;
use zip::result::ZipError;

use crate::text::extract::doc::NoText;
use crate::text::extract::{decode, xml};

/// Maximum unpacked bytes of one file. Text is compressed to about a tenth and the size of files is
/// limited, so a file that unpacks to more is a bomb.
const MAX_UNPACKED: u64 = 192 << 20;

/// An archive whose parts are read by name.
pub(super) struct Archive<'a> {
    zip: ZipArchive<Cursor<&'a [u8]>>,
    left: u64,
}

impl<'a> Archive<'a> {
    pub(super) fn open(bytes: &'a [u8]) -> Result<Self, NoText> {
        let zip = ZipArchive::new(Cursor::new(bytes)).map_err(|e| damaged(&e))?;
        Ok(Self { zip, left: MAX_UNPACKED })
    }

    /// The text of a part; `None` when there is no such part.
    pub(super) fn text(&mut self, name: &str) -> Result<Option<String>, NoText> {
        let file = match self.zip.by_name(name.trim_start_matches('/')) {
            Ok(file) => file,
            Err(ZipError::FileNotFound) => return Ok(None),
            Err(e) => return Err(damaged(&e)),
        };
        let mut bytes = Vec::new();
        file.take(self.left + 1)
            .read_to_end(&mut bytes)
            .map_err(|e| NoText::Damaged(format!("{name}: {e}").into()))?;
        self.left = self.left.checked_sub(bytes.len() as u64).ok_or_else(|| {
            NoText::TooMuch(format!("it unpacks to more than {} MiB", MAX_UNPACKED >> 20).into())
        })?;
        match decode::decode(&bytes, decode::declared(&bytes, false)) {
            Ok(decoded) => Ok(Some(decoded.text)),
            Err(_) => Err(NoText::Damaged(format!("{name} is not text").into())),
        }
    }

    pub(super) fn required(&mut self, name: &str) -> Result<String, NoText> {
        self.text(name)?.ok_or_else(|| NoText::Damaged(format!("{name} is missing").into()))
    }

    /// The relations of a part by identifier: type, and path from the top of the archive.
    pub(super) fn relations(
        &mut self,
        part: &str,
    ) -> Result<HashMap<String, (String, String)>, NoText> {
        let (folder, name) = part.rsplit_once('/').unwrap_or(("", part));
        let mut relations = HashMap::new();
        let Some(text) = self.text(&format!("{folder}/_rels/{name}.rels"))? else {
            return Ok(relations);
        };
        xml::walk(&text, &mut |node| {
            if let xml::Node::Open(element) = node
                && element.name == "Relationship"
                && let (Some(id), Some(target)) = (element.get("Id"), element.get("Target"))
            {
                let kind =
                    element.get("Type").and_then(|t| t.rsplit('/').next()).unwrap_or_default();
                relations.insert(id.to_owned(), (kind.to_owned(), resolved(folder, target)));
            }
            true
        })?;
        Ok(relations)
    }

    /// Title and author of Office Open XML.
    pub(super) fn core_properties(&mut self) -> Result<(Option<String>, Option<String>), NoText> {
        let Some(text) = self.text("docProps/core.xml")? else { return Ok((None, None)) };
        Ok((element_text(&text, "title")?, element_text(&text, "creator")?))
    }
}

fn damaged(error: &ZipError) -> NoText {
    match error {
        ZipError::UnsupportedArchive(ZipError::PASSWORD_REQUIRED) | ZipError::InvalidPassword => {
            NoText::Encrypted
        }
        e => NoText::Damaged(e.to_string().into()),
    }
}

/// The text of the first element with this name.
pub(super) fn element_text(text: &str, name: &str) -> Result<Option<String>, NoText> {
    let (mut inside, mut found) = (false, None::<String>);
    xml::walk(text, &mut |node| {
        match node {
            xml::Node::Open(element) if element.name == name => inside = found.is_none(),
            xml::Node::Close(closed) if closed == name => inside = false,
            xml::Node::Text(text) if inside => found.get_or_insert_default().push_str(text),
            _ => {}
        }
        true
    })?;
    Ok(found.filter(|text| !text.trim().is_empty()))
}

/// A path relative to a folder of the archive, without `.` and `..`.
pub(super) fn resolved(folder: &str, target: &str) -> String {
    let target = target.split('#').next().unwrap_or_default();
    let mut parts: Vec<&str> = Vec::new();
    let base = if target.starts_with('/') { "" } else { folder };
    for part in base.split('/').chain(target.split('/')) {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// The cells of a row as one line.
pub(super) fn shown_row(cells: &[String]) -> String {
    let cells: Vec<String> =
        cells.iter().map(|cell| cell.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    let end = cells.iter().rposition(|cell| !cell.is_empty()).map_or(0, |last| last + 1);
    cells[..end].join(" | ")
}

/// The name of a cell, such as `B4` for column 1 and row 3, both from 0.
pub(super) fn cell_name(column: usize, row: usize) -> String {
    let (mut letters, mut n) = (Vec::new(), column + 1);
    while n > 0 {
        letters.push(char::from(b'A' + ((n - 1) % 26) as u8));
        n = (n - 1) / 26;
    }
    format!("{}{}", letters.iter().rev().collect::<String>(), row + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_named_as_in_spreadsheets() {
        let names: Vec<String> =
            [0, 25, 26, 701, 702].into_iter().map(|column| cell_name(column, 3)).collect();
        assert_eq!(names, ["A4", "Z4", "AA4", "ZZ4", "AAA4"]);
    }

    #[test]
    fn a_target_never_leaves_the_archive() {
        assert_eq!(resolved("ppt/slides", "../media/a.png"), "ppt/media/a.png");
        assert_eq!(resolved("a", "../../../etc/passwd"), "etc/passwd");
        assert_eq!(resolved("a/b", "/word/x.xml#top"), "word/x.xml");
    }
}
