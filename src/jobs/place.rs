//! A name for a data directory, which tells those of several machines apart.

use std::path::Path;

use crate::disk;
use crate::error::{Context as _, Result};

/// The file with the name.
const FILE: &str = "place";

/// The name of the data directory whose folder of jobs is `dir`: random, made when first needed,
/// the same for all machines that share the directory.
///
/// # Errors
/// When it can be neither read nor stored.
pub fn place(dir: &Path) -> Result<String> {
    let path = dir.join(FILE);
    let read = || disk::if_exists(std::fs::read_to_string(&path));
    let what = || format!("cannot read {}", path.display());
    if let Some(known) = read().or_failed(what)? {
        return Ok(known);
    }
    disk::create_dir(dir)?;
    let name = disk::random_id()?;
    let temp = dir.join(format!(".{FILE}.{name}.tmp"));
    disk::replace(&temp, name.as_bytes())?;
    // Another process may have been faster.
    let _ = disk::put_in_place(&temp, &path, disk::Existing::Refuse);
    let _ = std::fs::remove_file(&temp);
    Ok(read().or_failed(what)?.unwrap_or(name))
}
