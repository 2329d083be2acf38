//! Subtitles: the spoken text, without numbers and times. Every word is mapped to its line. Where
//! `WebVTT` names the speakers, what one of them says at a time is a record with the name.

use super::doc::{Block, BlockKind};
use super::lines::lines;
use super::origin::OffsetMap;
use crate::document::Span;
use crate::strings::StrExt as _;

/// Cues of a block. Longer text is divided, so that a citation leads to a place in the file.
const MAX_CUES: usize = 12;

pub(super) fn parse(source: &str) -> (String, OffsetMap, Vec<Block>) {
    let mut text = String::new();
    let mut map = OffsetMap::default();
    let mut blocks: Vec<Block> = Vec::new();
    let mut n_cues = 0;
    let (mut in_cue, mut in_note) = (false, false);
    let mut speaker: Option<&str> = None;
    for line in lines(source) {
        let content = line.of(source);
        let is_time = |line: &str| line.contains("-->");
        if content.trim().is_empty() {
            (in_cue, in_note) = (false, false);
        } else if is_time(content) {
            (in_cue, in_note) = (true, false);
            n_cues += 1;
        } else if !in_cue
            && (in_note || ["NOTE", "STYLE", "REGION"].iter().any(|word| content.starts_with(word)))
        {
            in_note = true;
        } else if in_cue {
            let spoken = voice(content).filter(|name| speaker != Some(name));
            speaker = spoken.or(speaker);
            let begins = n_cues > MAX_CUES || blocks.is_empty() || spoken.is_some();
            let gap = match begins {
                true if blocks.is_empty() => "",
                true => "\n\n",
                false => "\n",
            };
            let before = text.len();
            let named = speaker.filter(|_| begins).map(|name| format!("{name}: "));
            let gap = format!("{gap}{}", named.as_deref().unwrap_or_default());
            write(content, line.start, &gap, &mut text, &mut map);
            if text.len() > before {
                match blocks.last_mut() {
                    Some(block) if !begins => block.span.end = text.len(),
                    _ => {
                        n_cues = 0;
                        let start = before + gap.len() - named.as_ref().map_or(0, String::len);
                        let kind =
                            if named.is_some() { BlockKind::Record } else { BlockKind::Paragraph };
                        blocks.push(Block { span: Span::new(start, text.len()), kind });
                    }
                }
            }
        }
    }
    (text, map, blocks)
}

/// The speaker of `<v Name>` or `<v.class Name>` at the start of a line.
fn voice(line: &str) -> Option<&str> {
    let (tag, _) = line.trim_start().strip_prefix("<v")?.split_once('>')?;
    let (class, name) = tag.split_once([' ', '\t'])?;
    let name = name.trim();
    ((class.is_empty() || class.starts_with('.')) && !name.is_empty()).then_some(name)
}

/// Copies a line without its tags.
fn write(line: &str, start: usize, gap: &str, text: &mut String, map: &mut OffsetMap) {
    let mut gap = gap;
    let mut at = 0;
    while at < line.len() {
        let rest = line.slice(at..);
        let tag = rest.starts_with('<').then(|| rest.find('>')).flatten();
        if let Some(end) = tag {
            at += end + 1;
            continue;
        }
        let n = rest.char_indices().skip(1).find(|(_, c)| *c == '<').map_or(rest.len(), |(n, _)| n);
        if !rest.slice(..n).trim().is_empty() || gap.is_empty() {
            map.seek(start + at);
            if !gap.is_empty() {
                text.push_str(gap);
                map.unit(gap.len(), 0);
                gap = "";
            }
            text.push_str(rest.slice(..n));
            map.copy(n);
        }
        at += n;
    }
}
