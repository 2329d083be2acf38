//! Which folder of an index somebody means.

use std::path::Path;

use super::generation::Root;
use crate::disk;

/// The numbers of the folders that `typed` means in the folder `cwd`: that of this place, or else
/// those of this name.
pub fn roots_named(roots: &[Root], cwd: &Path, typed: &str) -> Vec<usize> {
    let place = disk::real_path(&cwd.join(typed));
    let at_place = |root: &Root| Path::new(&root.real) == place;
    if let Some(n) = roots.iter().position(at_place) {
        return vec![n];
    }
    let named =
        roots.iter().enumerate().filter(|(_, root)| plain_name(&root.given) == plain_name(typed));
    named.map(|(n, _)| n).collect()
}

/// A folder's name without what means nothing: `docs` for `./docs/`.
pub fn plain_name(given: &str) -> &str {
    let mut plain = given;
    while let Some(rest) = plain.strip_prefix("./") {
        plain = rest.trim_start_matches('/');
    }
    match plain.trim_end_matches('/') {
        "" if given.starts_with('/') => "/",
        "" => ".",
        plain => plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_meant_by_place_before_name() {
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
            "two of that name, and none at that place"
        );
    }
}
