//! Compressed files: `.gz`, `.xz` and `.zst` of a file that can be read.
//!
//! The name without the ending tells the format of the content. Expansion is bounded, so that a
//! small file cannot fill the memory. Compressed archives are not read.

use std::io::Read;

use super::doc::NoText;
use crate::strings::StrExt as _;

/// The largest content that is read.
const MAX_UNPACKED: u64 = 64 << 20;

/// Endings, and the first bytes of such files.
const KINDS: [(&str, &[u8]); 3] =
    [(".gz", b"\x1F\x8B"), (".xz", b"\xFD7zXZ\0"), (".zst", b"\x28\xB5\x2F\xFD")];

/// Memory of the dictionary that an `.xz` file asks for: that of its highest preset.
const MAX_DICTIONARY_KIB: u32 = 96 << 10;

/// The name of the content; `None` when this is not a compressed file.
pub(super) fn content_name<'a>(path: &'a str, bytes: &[u8]) -> Option<&'a str> {
    let lower = path.to_ascii_lowercase();
    let (ending, _) =
        KINDS.iter().find(|(ending, magic)| lower.ends_with(ending) && bytes.starts_with(magic))?;
    let name = path.slice(..path.len() - ending.len());
    let is_archive = lower.slice(..name.len()).ends_with(".tar");
    (!is_archive && !name.is_empty()).then_some(name)
}

/// The content of a compressed file.
pub(super) fn unpack(bytes: &[u8]) -> Result<Vec<u8>, NoText> {
    let damaged = |e: std::io::Error| NoText::Damaged(e.to_string().into());
    if bytes.starts_with(KINDS[0].1) {
        return bounded(flate2::read::MultiGzDecoder::new(bytes));
    }
    if bytes.starts_with(KINDS[1].1) {
        return bounded(lzma_rust2::XzReader::new_mem_limit(bytes, true, MAX_DICTIONARY_KIB));
    }
    bounded(zstd::Decoder::new(bytes).map_err(damaged)?)
}

fn bounded(reader: impl Read) -> Result<Vec<u8>, NoText> {
    let mut content = Vec::new();
    let read = reader.take(MAX_UNPACKED + 1).read_to_end(&mut content);
    read.map_err(|e| NoText::Damaged(e.to_string().into()))?;
    if content.len() as u64 > MAX_UNPACKED {
        let why = format!("it unpacks to more than {} MiB", MAX_UNPACKED >> 20);
        return Err(NoText::TooMuch(why.into()));
    }
    Ok(content)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::super::extract;
    use super::*;
    use crate::document::Format;

    fn gz(content: &[u8]) -> Vec<u8> {
        let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        out.write_all(content).unwrap();
        out.finish().unwrap()
    }

    /// What `xz -0` makes of a line.
    const XZ: &[u8] =
        b"\xFD7zXZ\x00\x00\x04\xE6\xD6\xB4F\x02\x00!\x01\x0C\x00\x00\x00\x8F\x98A\x9C\x01\
        \x00\x16# Kiln\x0A\x0ALit on Friday.\x0A\x00\x00e\xCA\x81\xF9\x81{\x1F}\x00\x01/\
        \x17\x81\x08I\xB1\x1F\xB6\xF3}\x01\x00\x00\x00\x00\x04YZ";

    #[test]
    fn xz_files_are_read() {
        let found = extract("kiln.md.xz", XZ).unwrap();
        assert_eq!((found.format, found.title.as_deref()), (Format::Markdown, Some("Kiln")));
        assert!(matches!(extract("kiln.md.xz", &XZ[..60]), Err(NoText::Damaged(_))));
        assert!(matches!(extract("kiln.tar.xz", XZ), Err(NoText::Binary(_))));
    }

    #[test]
    fn the_content_is_read_as_its_name_says() {
        let page = b"# Kiln\n\nLit on Friday.\n";
        let packed = [("a.md.gz", gz(page)), ("a.MD.ZST", zstd::encode_all(&page[..], 3).unwrap())];
        for (name, bytes) in packed {
            let found = extract(name, &bytes).unwrap();
            assert_eq!((found.format, found.title.as_deref()), (Format::Markdown, Some("Kiln")));
        }
        assert!(matches!(extract("a.tar.gz", &gz(page)), Err(NoText::Binary(_))));
        assert!(matches!(extract("a.md.gz", &gz(page)[..20]), Err(NoText::Damaged(_))));
        assert!(extract("a.md.gz", b"no gzip, but words").is_ok());
    }

    #[test]
    fn expansion_is_bounded() {
        let bomb = gz(&vec![b'x'; 65 << 20]);
        assert!(matches!(extract("a.txt.gz", &bomb), Err(NoText::TooMuch(_))));
        let mut nested = gz(b"words");
        let mut name = "a.txt.gz".to_owned();
        for _ in 0..8 {
            nested = gz(&nested);
            name.push_str(".gz");
        }
        assert!(matches!(extract(&name, &nested), Err(NoText::TooMuch(_))));
    }
}
