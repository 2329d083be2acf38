//! The outline: titles of sections and their pages.

use std::collections::{HashMap, HashSet};

use hayro_interpret::hayro_syntax::Pdf;
use hayro_interpret::hayro_syntax::object::{
    Array, Dict, MaybeRef, Object, ObjectIdentifier, String as Bytes,
};

/// A title.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) level: u8,
    pub(super) title: String,
    /// From 0.
    pub(super) page: usize,
}

/// Limits of a malformed outline; links may form a cycle.
const MAX_ENTRIES: usize = 20_000;
const MAX_LEVEL: u8 = 12;

/// All titles with a known page, in the order of pages.
pub(super) fn outline(pdf: &Pdf) -> Vec<Entry> {
    let Some(catalog) = pdf.xref().get::<Dict<'_>>(pdf.xref().root_id()) else { return Vec::new() };
    let Some(root) = catalog.get::<Dict<'_>>(b"Outlines") else { return Vec::new() };
    let pages: HashMap<ObjectIdentifier, usize> = pdf
        .pages()
        .iter()
        .enumerate()
        .filter_map(|(n, page)| Some((page.raw().obj_id()?, n)))
        .collect();
    let named = names(&catalog);
    let mut entries = Vec::new();
    let mut seen = HashSet::new();
    // A stack instead of recursion, because nesting may be deep.
    let mut open: Vec<(Dict<'_>, u8)> =
        root.get::<Dict<'_>>(b"First").map(|first| (first, 1)).into_iter().collect();
    while let Some((item, level)) = open.pop() {
        if entries.len() >= MAX_ENTRIES || item.obj_id().is_some_and(|id| !seen.insert(id)) {
            continue;
        }
        if let Some(next) = item.get::<Dict<'_>>(b"Next") {
            open.push((next, level));
        }
        if let Some(first) = item.get::<Dict<'_>>(b"First").filter(|_| level < MAX_LEVEL) {
            open.push((first, level + 1));
        }
        let target = item
            .get::<Object<'_>>(b"Dest")
            .or_else(|| item.get::<Dict<'_>>(b"A")?.get::<Object<'_>>(b"D"));
        let page = target.and_then(|target| page_of(target, &named, &pages));
        let title = item.get::<Bytes<'_>>(b"Title").map(|title| text_string(title.as_bytes()));
        if let (Some(title), Some(page)) = (title, page) {
            entries.push(Entry { level, title, page });
        }
    }
    entries.sort_by_key(|entry| entry.page);
    entries
}

fn page_of<'a>(
    target: Object<'a>,
    named: &HashMap<Vec<u8>, Array<'a>>,
    pages: &HashMap<ObjectIdentifier, usize>,
) -> Option<usize> {
    let array = match target {
        Object::Array(array) => array,
        Object::String(name) => named.get(name.as_bytes())?.clone(),
        Object::Name(name) => named.get(name.as_ref())?.clone(),
        Object::Dict(dict) => dict.get::<Array<'_>>(b"D")?,
        _ => return None,
    };
    match array.raw_iter().next()? {
        MaybeRef::Ref(reference) => pages.get(&ObjectIdentifier::from(reference)).copied(),
        MaybeRef::NotRef(page) => page.into_i32().and_then(|n| usize::try_from(n).ok()),
    }
}

/// Named destinations: a dictionary in old files, a tree in newer ones.
fn names<'a>(catalog: &Dict<'a>) -> HashMap<Vec<u8>, Array<'a>> {
    let mut named = HashMap::new();
    let place = |object: Object<'a>| match object {
        Object::Array(array) => Some(array),
        Object::Dict(dict) => dict.get::<Array<'_>>(b"D"),
        _ => None,
    };
    if let Some(old) = catalog.get::<Dict<'_>>(b"Dests") {
        for key in old.keys().take(MAX_ENTRIES) {
            if let Some(array) = old.get::<Object<'_>>(key.clone()).and_then(place) {
                named.insert(key.as_ref().to_vec(), array);
            }
        }
    }
    let tree = catalog.get::<Dict<'_>>(b"Names").and_then(|names| names.get::<Dict<'_>>(b"Dests"));
    let mut open: Vec<Dict<'_>> = tree.into_iter().collect();
    let mut seen: HashSet<ObjectIdentifier> = HashSet::new();
    while let Some(node) = open.pop() {
        if named.len() >= MAX_ENTRIES || node.obj_id().is_some_and(|id| !seen.insert(id)) {
            continue;
        }
        if let Some(kids) = node.get::<Array<'_>>(b"Kids") {
            open.extend(kids.iter::<Dict<'_>>().take(MAX_ENTRIES));
        }
        if let Some(pairs) = node.get::<Array<'_>>(b"Names") {
            let mut objects = pairs.iter::<Object<'_>>();
            while let (Some(Object::String(name)), Some(object)) = (objects.next(), objects.next())
            {
                if let Some(array) = place(object) {
                    named.insert(name.as_bytes().to_vec(), array);
                }
            }
        }
    }
    named
}

/// A text string of PDF: UTF-16 or UTF-8 with a byte order mark, else UTF-8 or Latin-1.
pub(super) fn text_string(bytes: &[u8]) -> String {
    match bytes {
        [0xFE, 0xFF, rest @ ..] => {
            let units = rest.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
            char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
        }
        [0xEF, 0xBB, 0xBF, rest @ ..] => String::from_utf8_lossy(rest).into_owned(),
        _ => match std::str::from_utf8(bytes) {
            Ok(text) => text.to_owned(),
            Err(_) => bytes.iter().map(|b| char::from(*b)).collect(),
        },
    }
}
