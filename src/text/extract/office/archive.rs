//! The archive of XML files, and what its readers share.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::{Cursor, Read as _};

use zip::ZipArchive;
use zip::result::ZipError;

use crate::text::extract::build::Build;
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

    /// The names of all files.
    pub(super) fn files(&self) -> Vec<String> {
        let names = self.zip.file_names().flatten().map(Cow::into_owned);
        names.filter(|name| !name.ends_with('/')).collect()
    }

    /// The content of a part; `None` when there is no such part.
    pub(super) fn bytes(&mut self, name: &str) -> Result<Option<Vec<u8>>, NoText> {
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
        Ok(Some(bytes))
    }

    /// The text of a part; `None` when there is no such part.
    pub(super) fn text(&mut self, name: &str) -> Result<Option<String>, NoText> {
        let Some(bytes) = self.bytes(name)? else { return Ok(None) };
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

    /// What an Office Open XML file states about itself.
    pub(super) fn core_properties(&mut self) -> Result<Properties, NoText> {
        Properties::read(&self.text("docProps/core.xml")?.unwrap_or_default())
    }
}

/// The metadata of a document, as `(key, value)`.
#[derive(Debug, Default)]
pub(super) struct Properties(Vec<(&'static str, String)>);

impl Properties {
    /// Reads an XML file with elements of Dublin Core, as all these formats have.
    pub(super) fn read(text: &str) -> Result<Self, NoText> {
        let mut found: Vec<(&'static str, String)> = Vec::new();
        let mut key = None;
        xml::walk(text, &mut |node| {
            match node {
                xml::Node::Open(element) => {
                    let meta = element.get("meta:name");
                    let user_defined = element.name == "user-defined";
                    let meta = meta.filter(|_| user_defined);
                    key = property(meta.unwrap_or(&element.name));
                    found.extend(key.map(|key| (key, String::new())));
                }
                xml::Node::Close(_) => key = None,
                xml::Node::Text(text) => {
                    if let (Some(_), Some((_, value))) = (key, found.last_mut()) {
                        value.push_str(text);
                    }
                }
            }
            found.len() < 1000
        })?;
        found.retain(|(_, value)| !value.trim().is_empty());
        Ok(Self(found))
    }

    pub(super) fn title(&self) -> Option<&str> {
        self.get("title")
    }

    fn get(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(other, _)| *other == key).map(|(_, value)| value.as_str())
    }

    /// Adds all but the title, each value once.
    pub(super) fn write(&self, build: &mut Build) {
        let key_of = |key: &'static str| match key {
            // Who made a file of OpenDocument, and when, is preferred to who changed it.
            "creator" if self.get("author").is_none() => Some("author"),
            "modified" if self.get("date").is_none() => Some("date"),
            "title" | "creator" | "modified" => None,
            key => Some(key),
        };
        let mut written: Vec<(&str, &str)> = Vec::new();
        for (key, value) in &self.0 {
            let Some(key) = key_of(key) else { continue };
            let value = match key {
                // Libraries that write files put their own name there.
                "description" if value.starts_with("generated by ") => continue,
                // The day is what people filter by.
                "date" => value.trim().split('T').next().unwrap_or_default(),
                _ => value.trim(),
            };
            if !written.contains(&(key, value)) {
                build.metadata(key, value);
                written.push((key, value));
            }
        }
    }
}

/// The key of metadata for the name of an element.
fn property(name: &str) -> Option<&'static str> {
    Some(match name {
        "title" => "title",
        "initial-creator" => "author",
        "creator" => "creator",
        "subject" => "subject",
        "keywords" | "keyword" => "keywords",
        "created" | "creation-date" => "date",
        "date" | "modified" => "modified",
        "description" => "description",
        "category" => "category",
        "contentStatus" => "status",
        "version" => "version",
        "language" => "language",
        "publisher" => "publisher",
        _ => return None,
    })
}

fn damaged(error: &ZipError) -> NoText {
    match error {
        ZipError::UnsupportedArchive(ZipError::PASSWORD_REQUIRED) | ZipError::InvalidPassword => {
            NoText::Encrypted
        }
        e => NoText::Damaged(e.to_string().into()),
    }
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
