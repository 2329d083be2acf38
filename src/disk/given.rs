//! Opening files and folders that a user named. A wrong name is a usage fault that repeats it.

use std::fs::File;
use std::io::{Error, ErrorKind};
use std::path::Path;

use crate::error::{Fault, Result};

/// Opens a file to read it.
///
/// # Errors
/// A usage fault when there is no such file, or it is a folder.
pub fn given_file(path: &Path) -> Result<File> {
    let opened = File::open(path).map_err(|e| refused(path, "file", e))?;
    match opened.metadata().is_ok_and(|found| found.is_dir()) {
        true => Err(Fault::usage(format!("{} is a folder, not a file", path.display()))),
        false => Ok(opened),
    }
}

/// Checks that a folder exists.
///
/// # Errors
/// A usage fault when there is no such folder, or it is not a folder.
pub fn given_folder(path: &Path) -> Result<()> {
    match path.metadata() {
        Ok(found) if found.is_dir() => Ok(()),
        Ok(_) => Err(Fault::usage(format!("{} is not a folder", path.display()))),
        Err(e) => Err(refused(path, "folder", e)),
    }
}

fn refused(path: &Path, what: &str, error: Error) -> Fault {
    match error.kind() {
        ErrorKind::NotFound => Fault::usage(format!("there is no {what} {}", path.display())),
        ErrorKind::NotADirectory => Fault::usage(format!(
            "there is no {what} {}: a part of the path is a file",
            path.display()
        )),
        _ => Fault::failed(format!("cannot read {}", path.display())).because(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    #[test]
    fn a_wrong_name_is_repeated() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        std::fs::write(&file, "").unwrap();
        let check = |fault: Fault, what: &str| {
            assert!(fault.kind() == Kind::Usage && fault.to_string().contains(what), "{fault}");
        };
        check(given_file(&dir.path().join("nope")).unwrap_err(), "there is no file ");
        check(given_file(&file.join("x")).unwrap_err(), "a part of the path is a file");
        check(given_file(dir.path()).unwrap_err(), "is a folder, not a file");
        check(given_folder(&dir.path().join("nope")).unwrap_err(), "there is no folder ");
        check(given_folder(&file).unwrap_err(), "is not a folder");
        given_file(&file).unwrap();
        given_folder(dir.path()).unwrap();
    }
}
