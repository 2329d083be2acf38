//! The folders of an ingest: those that it names, those that the index has, and how they lie to
//! each other.

use std::collections::HashMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::{Event, Request};
use crate::engine::Engine;
use crate::error::{Fault, Kind, Result};
use crate::index::{self, Root, Roster};

/// A folder of the index that is being made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder {
    pub root: Root,
    /// Whether the ingest names it. What the index has of any other folder stays as it is.
    pub is_named: bool,
}

/// The folders of the configured index, each with the patterns that it remembers; none when there
/// is no such index.
///
/// # Errors
/// [`Kind::Damaged`] when that cannot be read.
pub fn known_roots(engine: &Engine) -> Result<Vec<Root>> {
    Ok(index::roster(&engine.store, &engine.config.index)?.unwrap_or_default().roots)
}

/// What the index had before, for a writer: a damaged pointer is mended first. The caller holds the
/// store's lock.
///
/// # Errors
/// When that is lost, unless the request does not depend on it.
pub fn roster(
    engine: &Engine,
    request: &Request,
    on_event: &mut dyn FnMut(Event),
) -> Result<Roster> {
    let (store, name) = (&engine.store, &engine.config.index);
    let mut found = index::roster(store, name);
    if let Err(fault) = store.pointer(name)
        && fault.kind() == Kind::Damaged
        && index::repair_pointer(store, name).is_ok()
    {
        on_event(Event::Note(format!("{fault}; it is written anew")));
        found = index::roster(store, name);
    }
    match found {
        Err(fault) if fault.kind() == Kind::Damaged && request.only => Ok(Roster::default()),
        Err(fault) if fault.kind() == Kind::Damaged => Err(fault.hint(format!(
            "which folders the index `{name}` has is lost with it: name all of them with `rag \
             ingest --only --dir FOLDER`, \
             which builds the index afresh"
        ))),
        found => Ok(found?.unwrap_or_default()),
    }
}

/// The folders that the request names, each with its real path and the given patterns, each once.
///
/// # Errors
/// Names what is no folder; of a folder that the index has says how to take it out.
pub fn named(request: &Request, known: &[Root]) -> Result<Vec<Root>> {
    let mut roots: Vec<Root> = Vec::new();
    for dir in &request.dirs {
        let place = request.cwd.join(dir);
        let real = place.canonicalize().map_err(|e| match e.kind() {
            std::io::ErrorKind::NotFound => missing(request, dir, known),
            _ => Fault::failed(format!("cannot read the folder {}", dir.display())).because(e),
        })?;
        if !real.is_dir() {
            return Err(Fault::usage(format!("{} is not a folder", dir.display())));
        }
        let text = |path: &Path| path.to_str().map(str::to_owned);
        let (Some(given), Some(real)) = (text(dir), text(&real)) else {
            return Err(Fault::usage(format!(
                "the name of the folder {} is not valid UTF-8",
                dir.display()
            )));
        };
        let given = match request.names.get(&real) {
            None if request.names.is_empty() => given,
            Some(name) => name.clone(),
            None => {
                return Err(Fault::usage(format!(
                    "{given} is not where it was: something else stands in its place"
                )));
            }
        };
        if roots.iter().all(|root| root.real != real) {
            let (include, exclude) = (request.include.clone(), request.exclude.clone());
            let is_mount = is_mount(Path::new(&real));
            roots.push(Root { given, real, include, exclude, is_mount });
        }
    }
    Ok(roots)
}

fn missing(request: &Request, dir: &Path, known: &[Root]) -> Fault {
    let typed = dir.to_string_lossy();
    match index::roots_named(known, &request.cwd, &typed).first() {
        Some(n) => gone(&known[*n]),
        None => Fault::usage(format!(
            "there is no folder {}",
            request.names.get(&*typed).map_or(&*typed, |name| name)
        )),
    }
}

/// That a folder of the index is missing.
fn gone(root: &Root) -> Fault {
    Fault::usage(format!(
        "there is no folder {} any more, and the index has documents of it; \
         nothing was removed",
        root.given
    ))
    .hint(format!(
        "put the folder back or mount it; if it is gone for good, `rag index remove-folder {}` \
             takes it out of the index",
        root.given
    ))
}

/// That a folder which the request does not name can be read all the same.
///
/// # Errors
/// Names the one that is missing.
pub fn must_be_there(root: &Root) -> Result<()> {
    let real = Path::new(&root.real);
    let is_there = real.is_dir() && real.canonicalize().is_ok_and(|canonical| canonical == real);
    if is_there && (is_mount(real) || !root.is_mount) { Ok(()) } else { Err(gone(root)) }
}

/// Whether another file system begins at a folder.
fn is_mount(real: &Path) -> bool {
    let device = |path: &Path| path.metadata().ok().map(|metadata| metadata.dev());
    real.parent().is_some_and(|parent| device(parent) != device(real))
}

/// The folders of the index after the ingest, in the order of their real paths. A folder that the
/// index has keeps its name, and without given patterns its own.
///
/// # Errors
/// When one that is named lies inside another, or has one inside it: documents would come twice.
/// `own` are never listed as part of another folder.
pub fn joined(
    request: &Request,
    known: &[Root],
    named: Vec<Root>,
    own: &[PathBuf],
) -> Result<Vec<Folder>> {
    let mut folders: Vec<Folder> = Vec::new();
    for mut root in named {
        let before = known.iter().find(|before| before.real == root.real);
        if let Some(before) = before {
            if before.is_mount && !root.is_mount {
                return Err(gone(before));
            }
            if root.include.is_empty() && root.exclude.is_empty() {
                (root.include, root.exclude) = (before.include.clone(), before.exclude.clone());
            }
            if !request.only {
                root.given.clone_from(&before.given);
            }
        } else {
            let others = known.iter().filter(|_| !request.only);
            let taken: Vec<&str> = others
                .chain(folders.iter().map(|folder| &folder.root))
                .map(|root| root.given.as_str())
                .collect();
            root.given = free_name(&root, &taken, !request.names.is_empty());
        }
        folders.push(Folder { root, is_named: true });
    }
    if !request.only {
        let left: Vec<Folder> = known
            .iter()
            .filter(|root| folders.iter().all(|folder| folder.root.real != root.real))
            .map(|root| Folder { root: root.clone(), is_named: false })
            .collect();
        folders.extend(left);
    }
    folders.sort_by(|a, b| a.root.real.cmp(&b.root.real));
    let pairs = nested(folders.iter().map(|folder| folder.root.real.as_str()), own);
    let mut pairs = pairs.into_iter().map(|(outer, inner)| (&folders[outer], &folders[inner]));
    match pairs.find(|(outer, inner)| outer.is_named || inner.is_named) {
        Some((outer, inner)) => {
            let is_known = |folder: &Folder| {
                !request.only && known.iter().any(|root| root.real == folder.root.real)
            };
            Err(inside(&outer.root.given, &inner.root.given, is_known(outer), is_known(inner)))
        }
        None => Ok(folders),
    }
}

/// The name of a folder that is new to the index: as given, or, where another folder has that name,
/// with more of its path before it. `is_label` asks for no more of the path than it takes.
fn free_name(root: &Root, taken: &[&str], is_label: bool) -> String {
    let same =
        |name: &str| taken.iter().any(|taken| index::plain_name(taken) == index::plain_name(name));
    if !same(&root.given) {
        return root.given.clone();
    }
    let parts: Vec<&str> = root.real.split('/').filter(|part| !part.is_empty()).collect();
    let ends = (2..parts.len()).map(|n| parts[parts.len() - n..].join("/"));
    ends.into_iter().find(|end| is_label && !same(end)).unwrap_or_else(|| root.real.clone())
}

/// That one folder lies inside another; the index may have either.
fn inside(outer: &str, inner: &str, has_outer: bool, has_inner: bool) -> Fault {
    let fault = Fault::usage(format!(
        "{inner} lies inside {outer}: its documents would be in the index twice"
    ));
    fault.hint(match (has_outer, has_inner) {
        (_, true) => format!(
            "the index has {inner} already; take it out first with `rag index \
             remove-folder {inner}`"
        ),
        (true, false) => format!(
            "the index has {outer} already; `rag ingest --dir {outer}` brings \
             it up to date"
        ),
        (false, false) => "name the outer folder only".to_owned(),
    })
}

/// Numbers of all pairs of paths of which the second lies inside the first, sorted. A path inside
/// one of `own` is apart from what is around that.
fn nested<'a>(paths: impl Iterator<Item = &'a str>, own: &[PathBuf]) -> Vec<(usize, usize)> {
    let numbers: HashMap<&Path, usize> = paths.map(Path::new).zip(0..).collect();
    let mut found: Vec<(usize, usize)> = Vec::new();
    for (path, inner) in &numbers {
        let above = path.ancestors().skip(1).filter_map(|above| Some((above, numbers.get(above)?)));
        let is_apart =
            |outer: &Path| own.iter().any(|own| path.starts_with(own) && own.starts_with(outer));
        found
            .extend(above.filter(|(outer, _)| !is_apart(outer)).map(|(_, outer)| (*outer, *inner)));
    }
    found.sort_unstable();
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(paths: &[&str], own: &[&str], expected: Option<(&str, &str)>) {
        let own: Vec<PathBuf> = own.iter().map(PathBuf::from).collect();
        let found = nested(paths.iter().copied(), &own);
        let found: Vec<_> =
            found.into_iter().map(|(outer, inner)| (paths[outer], paths[inner])).collect();
        assert_eq!(found, Vec::from_iter(expected), "{paths:?}");
    }

    #[test]
    fn inside_is_said_of_path_components() {
        check(&["/x/docs", "/x/docs-old", "/x/docs/api"], &[], Some(("/x/docs", "/x/docs/api")));
        check(&["/x/docs", "/x/docs old", "/x/docs+", "/x/docs.d"], &[], None);
        check(&["/x/docs/a", "/x/docs-old/a", "/x/doc"], &[], None);
        check(&["/", "/x"], &[], Some(("/", "/x")));
        check(&["/x", "/x/a/b/c/d"], &[], Some(("/x", "/x/a/b/c/d")));
        let own = ["/x/data/uploads"];
        check(&["/x", "/x/data/uploads/default"], &own, None);
        check(&["/x", "/x/data/uploads/default", "/x/docs"], &own, Some(("/x", "/x/docs")));
        check(
            &["/x/data/uploads", "/x/data/uploads/default"],
            &["/x/data"],
            Some(("/x/data/uploads", "/x/data/uploads/default")),
        );
    }

    proptest! {
        #[test]
        fn nesting_is_found_in_every_set_of_paths(
            paths in prop::collection::btree_set("(/(a|a-|a\\.b|ab|b|-| )){0,4}", 1..8),
        ) {
            let paths: Vec<&str> = paths.iter().map(|path| if path.is_empty() { "/" } else { path }).collect();
            let parts = |path: &str| path.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect::<Vec<_>>();
            let lies_inside = |inner: &str, outer: &str| {
                let (inner, outer) = (parts(inner), parts(outer));
                inner.len() > outer.len() && inner[..outer.len()] == outer[..]
            };
            let mut pairs = Vec::new();
            for (outer, outer_path) in paths.iter().enumerate() {
                let inner = paths.iter().enumerate().filter(|(_, inner)| lies_inside(inner, outer_path));
                pairs.extend(inner.map(|(inner, _)| (outer, inner)));
            }
            prop_assert_eq!(nested(paths.iter().copied(), &[]), pairs);
        }
    }

    fn request(dirs: &[&str], cwd: &Path) -> Request {
        Request {
            cwd: cwd.to_owned(),
            dirs: dirs.iter().map(PathBuf::from).collect(),
            ..Request::default()
        }
    }

    /// Names after the ingest, those that it names in brackets.
    fn after(request: &Request, known: &[Root]) -> Result<Vec<String>> {
        let folders = joined(request, known, named(request, known)?, &[])?;
        let shown = |folder: &Folder| {
            let Root { given, include, exclude, .. } = &folder.root;
            let patterns = [&include[..], exclude].concat().join(",");
            let name = if folder.is_named { format!("[{given}]") } else { given.clone() };
            if patterns.is_empty() { name } else { format!("{name} {patterns}") }
        };
        Ok(folders.iter().map(shown).collect())
    }

    #[test]
    fn an_ingest_adds_to_the_folders_of_the_index() {
        let dir = tempfile::tempdir().unwrap();
        let base = dir.path().canonicalize().unwrap();
        for below in ["docs/api", "docs-old", "notes", "other/docs"] {
            std::fs::create_dir_all(base.join(below)).unwrap();
        }
        std::os::unix::fs::symlink("docs", base.join("link")).unwrap();
        let known = |given: &str, below: &str| Root::new(given, base.join(below).to_str().unwrap());
        let docs = Root { include: vec!["*.md".into()], ..known("docs", "docs") };
        let ok = |request: &Request, known: &[Root], expected: &[&str]| {
            assert_eq!(after(request, known).unwrap(), expected, "{request:?}");
        };
        let refused = |request: &Request, known: &[Root], message: &str, hint: &str| {
            let fault = after(request, known).unwrap_err();
            assert_eq!(fault.kind(), Kind::Usage, "{fault}");
            assert!(fault.to_string().contains(message), "{fault}");
            assert!(fault.hint_text().unwrap_or_default().contains(hint), "{fault:?}");
        };
        let dirs = |dirs: &[&str]| request(dirs, &base);

        ok(&dirs(&["notes"]), &[], &["[notes]"]);
        ok(&dirs(&["notes"]), std::slice::from_ref(&docs), &["docs *.md", "[notes]"]);
        // The same folder by other names, once and under the name that the index has for it.
        ok(
            &dirs(&["./docs/", "link", "docs/api/..", "docs"]),
            std::slice::from_ref(&docs),
            &["[docs] *.md"],
        );
        ok(&dirs(&["docs-old", "docs"]), &[], &["[docs]", "[docs-old]"]);
        let only = Request { only: true, ..dirs(&["notes"]) };
        ok(&only, std::slice::from_ref(&docs), &["[notes]"]);
        let only = Request { only: true, ..dirs(&["./docs"]) };
        ok(&only, std::slice::from_ref(&docs), &["[./docs] *.md"]);
        let patterns = Request { exclude: vec!["x".into()], ..dirs(&["docs"]) };
        ok(&patterns, std::slice::from_ref(&docs), &["[docs] x"]);

        // Another folder of the same name.
        let elsewhere = base.join("other");
        let full = format!("[{}]", elsewhere.join("docs").display());
        ok(&request(&["docs"], &elsewhere), std::slice::from_ref(&docs), &["docs *.md", &full]);
        let real = elsewhere.join("docs").to_str().unwrap().to_owned();
        let label = Request {
            names: [(real.clone(), "docs".to_owned())].into(),
            ..request(&[&real], &base)
        };
        ok(&label, std::slice::from_ref(&docs), &["docs *.md", "[other/docs]"]);

        // Nested folders.
        let hint = "name the outer folder only";
        refused(&dirs(&["docs", "docs-old", "docs/api"]), &[], "docs/api lies inside docs", hint);
        refused(&dirs(&["link/api", "docs"]), &[], "link/api lies inside docs", hint);
        refused(
            &dirs(&["docs/api"]),
            std::slice::from_ref(&docs),
            "docs/api lies inside docs",
            "rag ingest --dir docs",
        );
        let api = known("docs/api", "docs/api");
        refused(
            &dirs(&["docs"]),
            std::slice::from_ref(&api),
            "docs/api lies inside docs",
            "rag index remove-folder docs/api",
        );
        let only = Request { only: true, ..dirs(&["docs"]) };
        ok(&only, std::slice::from_ref(&api), &["[docs]"]);
        // An index that has both, from before that was refused: they are no hindrance to a third.
        let both = [docs.clone(), api.clone()];
        ok(&dirs(&["notes"]), &both, &["docs *.md", "docs/api", "[notes]"]);
        refused(
            &dirs(&["docs"]),
            &both,
            "docs/api lies inside docs",
            "rag index remove-folder docs/api",
        );
        refused(
            &dirs(&["docs", "docs/api"]),
            &both,
            "docs/api lies inside docs",
            "rag index remove-folder docs/api",
        );

        // Missing folders.
        refused(&dirs(&["nowhere"]), std::slice::from_ref(&docs), "there is no folder nowhere", "");
        let gone = known("gone", "sub/gone");
        let hint = "rag index remove-folder gone";
        refused(
            &dirs(&["sub/gone"]),
            std::slice::from_ref(&gone),
            "there is no folder gone any more",
            hint,
        );
        refused(
            &dirs(&["gone"]),
            std::slice::from_ref(&gone),
            "there is no folder gone any more",
            hint,
        );
        ok(&dirs(&["notes"]), std::slice::from_ref(&gone), &["[notes]", "gone"]);
        assert!(must_be_there(&gone).is_err() && must_be_there(&docs).is_ok());
    }
}
