//! What a document states about itself.

use encoding_rs::Encoding;

use super::streams::{Streams, part, time, u16_at, u32_at, u64_at, utf_16};
use crate::text::extract::build::Build;
use crate::text::extract::rtf::code_page;

/// More properties are not looked at.
const MAX_PROPERTIES: usize = 256;

/// Adds the metadata of a document; returns its title.
pub(super) fn read(streams: &mut Streams<'_>, build: &mut Build) -> Option<String> {
    let set = streams.get("/\u{5}SummaryInformation")?;
    let mut title = None;
    for (id, value) in properties(&set).unwrap_or_default() {
        let key = match id {
            2 => {
                title = Some(value);
                continue;
            }
            3 => "subject",
            4 => "author",
            5 => "keywords",
            // Libraries that write files put their own name there.
            6 if value.starts_with("generated ") => continue,
            6 => "description",
            12 => "date",
            _ => continue,
        };
        build.metadata(key, &value);
    }
    title.filter(|title| !title.trim().is_empty())
}

/// The texts and dates of a property set, by their identifiers.
fn properties(set: &[u8]) -> Option<Vec<(u32, String)>> {
    let section = set.get(u32_at(set, 44)? as usize..)?;
    let count = (u32_at(section, 4)? as usize).min(MAX_PROPERTIES);
    let entry = |n: usize| {
        let offset = u32_at(section, 12 + 8 * n)? as usize;
        Some((u32_at(section, 8 + 8 * n)?, section.get(offset..)?))
    };
    let entries: Vec<(u32, &[u8])> = (0..count).map_while(entry).collect();
    let code_page = entries.iter().find(|(id, _)| *id == 1);
    let number = code_page.and_then(|(_, value)| u16_at(value, 4)).unwrap_or(1252);
    let encoding = code_page_of(number);
    let value = |&(id, value): &(u32, &[u8])| Some((id, shown(value, encoding)?));
    Some(entries.iter().filter_map(value).collect())
}

fn code_page_of(number: u16) -> &'static Encoding {
    code_page(Some(number.into())).unwrap_or(encoding_rs::WINDOWS_1252)
}

fn shown(value: &[u8], encoding: &'static Encoding) -> Option<String> {
    let len = || u32_at(value, 4).map(|len| len as usize);
    let text = match u32_at(value, 0)? & 0xFFFF {
        0x1E if encoding == encoding_rs::UTF_16LE => utf_16(part(value, 8, len()?)?),
        0x1E => encoding.decode_without_bom_handling(part(value, 8, len()?)?).0.into_owned(),
        0x1F => utf_16(part(value, 8, len()?.checked_mul(2)?)?),
        0x40 => {
            let date = time(u64_at(value, 4)?)?.to_zoned_datetime(jiff::tz::TimeZone::UTC).date();
            return Some(date.to_string());
        }
        _ => return None,
    };
    Some(text.trim_end_matches('\0').to_owned())
}
