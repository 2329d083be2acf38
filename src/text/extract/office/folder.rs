//! ZIP archives as folders of documents: each file that can be read, at a place with its path.

use super::super::build::Build;
use super::super::doc::{Extracted, NoText, ReadInner};
use super::archive::Archive;
use crate::document::{Format, Location};

/// Files of one archive; further ones are not read.
const MAX_FILES: usize = 1000;

pub(super) fn folder(bytes: &[u8], depth: usize, read: ReadInner) -> Result<Extracted, NoText> {
    let mut archive = Archive::open(bytes)?;
    let mut names = archive.files();
    names.retain(|name| !is_hidden(name));
    names.sort_unstable();
    let mut build = Build::default();
    let mut n_encrypted = 0;
    for name in names.iter().take(MAX_FILES) {
        let content = match archive.bytes(name) {
            Ok(content) => content.unwrap_or_default(),
            Err(NoText::Encrypted) => {
                n_encrypted += 1;
                continue;
            }
            Err(why @ NoText::TooMuch(_)) => return Err(why),
            Err(_) => continue,
        };
        let Ok(found) = read(name, &content, depth + 1) else { continue };
        let place = |inner: Option<Location>| match inner.map(Location::into_inner) {
            Some((Some(inner), at)) => {
                Location::File { name: format!("{name} › {inner}"), at: at.map(Box::new) }
            }
            Some((None, at)) => Location::File { name: name.clone(), at: at.map(Box::new) },
            None => Location::File { name: name.clone(), at: None },
        };
        build.place(place(None));
        build.heading(1, name);
        if !build.attach(found, 1, place) {
            break;
        }
    }
    build.finish(Format::Zip, None).map_err(|why| match why {
        NoText::NoWords if n_encrypted > 0 => NoText::Encrypted,
        NoText::NoWords => NoText::Binary("ZIP archive without files that can be read".into()),
        why => why,
    })
}

/// Whether a path is of a hidden file, of what a system adds to archives, or leads out of the
/// archive.
fn is_hidden(path: &str) -> bool {
    path.split('/').any(|part| part.starts_with('.') || part == "__MACOSX" || part == "Thumbs.db")
}
