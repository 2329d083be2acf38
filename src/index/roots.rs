//! The folders of an index, and which of them a user means.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::disk;
use crate::naming::{self, Folder};

/// A folder of an index.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub struct Root {
    /// The name that hits show: as typed when the folder was added.
    pub given: String,
    /// Absolute path, links resolved: identifies the folder.
    pub real: String,
    /// Patterns of files to include and to exclude, kept for the next ingest of the folder.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub include: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<String>,
    /// The folder was a mount point. While nothing is mounted there it counts as missing, even if
    /// an empty folder is in its place.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_mount: bool,
}

impl Root {
    /// A folder without patterns.
    pub fn new(given: impl Into<String>, real: impl Into<String>) -> Self {
        Self { given: given.into(), real: real.into(), ..Self::default() }
    }

    /// For the names of its documents.
    pub fn folder(&self) -> Folder<'_> {
        Folder { given: &self.given, real: &self.real }
    }

    /// Whether it is a web site.
    pub fn is_site(&self) -> bool {
        naming::is_address(&self.given)
    }

    /// The absolute path of a document.
    pub fn absolute(&self, path: &str) -> String {
        format!("{}/{path}", self.real.trim_end_matches('/'))
    }
}

/// Numbers of the folders that `typed` means in the directory `cwd`: the one at that path, or else
/// all with that name.
pub fn roots_named(roots: &[Root], cwd: &Path, typed: &str) -> Vec<usize> {
    let path = disk::real_path(&cwd.join(typed));
    if let Some(n) = roots.iter().position(|root| Path::new(&root.real) == path) {
        return vec![n];
    }
    let has_name = |root: &Root| plain_name(&root.given) == plain_name(typed);
    (0..roots.len()).filter(|n| has_name(&roots[*n])).collect()
}

/// A folder's name in its shortest form: `docs` for `./docs/`, `.` for `./`.
pub fn plain_name(given: &str) -> &str {
    match naming::plain(given) {
        "" => ".",
        plain => plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_takes_precedence_over_a_name() {
        let dir = tempfile::tempdir().unwrap();
        let base = dir.path().canonicalize().unwrap();
        std::fs::create_dir_all(base.join("here/docs")).unwrap();
        std::os::unix::fs::symlink("docs", base.join("here/link")).unwrap();
        let at = |below: &str| base.join(below).to_str().unwrap().to_owned();
        let roots = [
            Root::new("docs", at("elsewhere/docs")),
            Root::new("./docs/", at("here/docs")),
            Root::new("uploads", at("data/uploads/default")),
            Root::new("gone", at("here/sub/gone")),
        ];
        let check = |typed: &str, expected: &[usize]| {
            assert_eq!(roots_named(&roots, &base.join("here"), typed), expected, "{typed}");
        };
        check("docs", &[1]);
        check("./docs/", &[1]);
        check("link", &[1]);
        check("sub/../docs/.", &[1]);
        check("../elsewhere/docs/", &[0]);
        check(&at("elsewhere/docs"), &[0]);
        check("uploads", &[2]);
        check("sub/gone", &[3]);
        check("gone/", &[3]);
        check("doc", &[]);
        check("docs/deep", &[]);
        assert_eq!(
            roots_named(&roots, &base, "docs"),
            [0, 1],
            "two have that name, none has that path"
        );
    }
}
