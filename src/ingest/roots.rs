//! The folders of an ingest: those that it names and those of the index. No folder is inside
//! another.

use std::collections::HashMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::request::{Event, Request};
use crate::engine::Engine;
use crate::error::{Fault, Kind, Result};
use crate::index::{self, Root, Roster};
use crate::naming;
use crate::sites;
use crate::text::{self, WalkOptions};

/// A folder of the new generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder {
    pub root: Root,
    /// Whether the request names it. Documents of other folders stay unchanged.
    pub is_named: bool,
    /// Of a web site, the pages that could not be fetched, with reasons.
    pub unfetched: Vec<(String, String)>,
}

/// The folders of the configured index, with their patterns; none when there is no such index.
///
/// # Errors
/// [`Kind::Damaged`] when the index cannot be read.
pub fn known_roots(engine: &Engine) -> Result<Vec<Root>> {
    Ok(index::roster(&engine.store, &engine.config.index)?.unwrap_or_default().roots)
}

/// Folders and removed documents of the index. Repairs a damaged pointer, so the caller must hold
/// the store's lock.
///
/// # Errors
/// When they are lost, unless the request replaces all folders.
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
        on_event(Event::Note(format!("{fault}; it was repaired")));
        found = index::roster(store, name);
    }
    match found {
        Err(fault) if fault.kind() == Kind::Damaged && request.only => Ok(Roster::default()),
        Err(fault) if fault.kind() == Kind::Damaged => Err(fault.hint(format!(
            "the list of folders of the index `{name}` is lost: run `rag ingest --only \
             --dir FOLDER` with all of them, which rebuilds the index"
        ))),
        found => Ok(found?.unwrap_or_default()),
    }
}

/// The fault of a file. An index has folders, of which patterns choose files.
fn not_a_folder(file: &Path) -> Fault {
    let fault = Fault::usage(format!("{} is not a folder", file.display()));
    let (folder, name) = (file.parent(), file.file_name().and_then(|name| name.to_str()));
    let Some(name) = name else { return fault };
    let folder = folder.filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fault.hint(format!(
        "index this file of its folder: rag ingest {} --include '/{name}'",
        folder.display()
    ))
}

/// The folders that the request names, each once, with real path and patterns.
///
/// # Errors
/// For what is not a folder. For a missing folder of the index, the hint says how to remove it.
pub fn named(request: &Request, known: &[Root]) -> Result<Vec<Root>> {
    let mut roots: Vec<Root> = Vec::new();
    for dir in &request.dirs {
        let place = request.cwd.join(dir);
        let real = place.canonicalize().map_err(|e| match e.kind() {
            std::io::ErrorKind::NotFound => missing(request, dir, known),
            _ => Fault::failed(format!("cannot read the folder {}", dir.display())).because(e),
        })?;
        if !real.is_dir() {
            return Err(not_a_folder(dir));
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
                return Err(Fault::usage(format!("{given} was replaced by another folder")));
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

/// As [`named`], with the web sites of the request's addresses.
pub fn named_with_sites(engine: &Engine, request: &Request, known: &[Root]) -> Result<Vec<Root>> {
    let mut roots = named(request, known)?;
    for url in &request.urls {
        let url = sites::address(url)?;
        let dir = sites::folder(&engine.config.data_dir, &engine.config.index, &url)?;
        let Some(real) = dir.to_str().map(str::to_owned) else {
            return Err(Fault::usage("the path of the data directory is not valid UTF-8"));
        };
        if roots.iter().all(|root| root.real != real) {
            roots.push(Root::new(sites::origin(&url), real));
        }
    }
    Ok(roots)
}

/// Fetches the pages of the named web sites that are new or have changed.
pub fn refresh_sites(
    engine: &Engine,
    request: &Request,
    folders: &mut [Folder],
    on_event: &mut dyn FnMut(Event),
) -> Result<()> {
    let limits = sites::Limits {
        may_visit_private: engine.config.may_visit_private,
        max_pages: engine.config.max_pages,
        max_page_bytes: engine.config.max_file_bytes,
    };
    let is_site = |folder: &&mut Folder| folder.is_named && folder.root.is_site();
    for folder in folders.iter_mut().filter(is_site) {
        let mut starts = Vec::new();
        for url in &request.urls {
            let url = sites::address(url)?;
            if sites::origin(&url) == folder.root.given {
                starts.push(sites::Start { url: url.to_string(), sitemap: request.sitemap });
            }
        }
        let (dir, site) = (Path::new(&folder.root.real), &folder.root.given);
        let mut on_page = |url: &str| on_event(Event::Entering(PathBuf::from(url)));
        let stop = || engine.interrupted();
        folder.unfetched = sites::refresh(dir, site, starts, &limits, &stop, &mut on_page)?;
    }
    Ok(())
}

/// The file of a document.
pub fn file_of(root: &Root, path: &str) -> PathBuf {
    let folder = Path::new(&root.real);
    if root.is_site() { sites::file(folder, path) } else { text::file_below(folder, path) }
}

fn missing(request: &Request, dir: &Path, known: &[Root]) -> Fault {
    let typed = dir.to_string_lossy();
    match index::roots_named(known, &request.cwd, &typed).first() {
        Some(n) => gone(&known[*n]),
        None => {
            let name = request.names.get(&*typed).map_or(&*typed, |name| name);
            Fault::usage(format!("there is no folder {name}"))
        }
    }
}

/// The fault for a missing folder of the index.
fn gone(root: &Root) -> Fault {
    let name = &root.given;
    Fault::usage(format!(
        "the folder {name} no longer exists, but the index has documents of it; nothing was removed"
    ))
    .hint(format!(
        "restore or mount the folder; if it is gone for good, run `rag index remove-folder {name}`"
    ))
}

/// Checks that a folder of the index exists.
///
/// # Errors
/// When it is missing, or was a mount point and is not one now.
pub fn check_present(root: &Root) -> Result<()> {
    let real = Path::new(&root.real);
    let is_present = real.is_dir() && real.canonicalize().is_ok_and(|canonical| canonical == real);
    if is_present && (is_mount(real) || !root.is_mount) { Ok(()) } else { Err(gone(root)) }
}

/// Whether a folder is a mount point.
fn is_mount(real: &Path) -> bool {
    let device = |path: &Path| path.metadata().ok().map(|metadata| metadata.dev());
    real.parent().is_some_and(|parent| device(parent) != device(real))
}

/// The folders of the index after the ingest, in the order of their real paths. A folder of the
/// index keeps its name, and its patterns unless the request has some. The folders `own` are never
/// listed as part of another.
///
/// # Errors
/// When a named folder is inside another or contains one: documents would be indexed twice.
pub fn joined(
    request: &Request,
    known: &[Root],
    named: Vec<Root>,
    own: &[PathBuf],
) -> Result<Vec<Folder>> {
    let mut folders: Vec<Folder> = Vec::new();
    for mut root in named {
        if let Some(before) = known.iter().find(|before| before.real == root.real) {
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
        folders.push(Folder { root, is_named: true, unfetched: Vec::new() });
    }
    if !request.only {
        let left: Vec<Folder> = known
            .iter()
            .filter(|root| folders.iter().all(|folder| folder.root.real != root.real))
            .map(|root| Folder { root: root.clone(), is_named: false, unfetched: Vec::new() })
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

/// The name of a new folder: as given, unless another folder has that name. Then it is the real
/// path, or with `is_label`, which is a name and not a path, the shortest free end of it.
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

/// The fault for nested folders; either may be in the index.
fn inside(outer: &str, inner: &str, has_outer: bool, has_inner: bool) -> Fault {
    let fault = Fault::usage(format!(
        "{inner} is inside {outer}: its documents would be in the index twice"
    ));
    fault.hint(match (has_outer, has_inner) {
        (_, true) => format!(
            "the index already has {inner}; remove it first with `rag index remove-folder {inner}`"
        ),
        (true, false) => {
            format!("the index already has {outer}; `rag ingest --dir {outer}` updates it")
        }
        (false, false) => "name the outer folder only".to_owned(),
    })
}

/// All pairs `(outer, inner)` of nested paths, as sorted numbers. A path inside one of `own` is not
/// nested in a folder around that.
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

/// How a folder is walked. Uploads are ingested as a separate folder, never as part of another.
pub fn walk_options(engine: &Engine, root: &Root) -> WalkOptions {
    let mut skip = data_dirs(engine);
    if let Ok(uploads) = engine.config.data_dir.join("uploads").canonicalize() {
        skip.retain(|dir| *dir != uploads || !Path::new(&root.real).starts_with(dir));
    }
    WalkOptions { include: root.include.clone(), exclude: root.exclude.clone(), skip }
}

/// Folders that this program writes to and never ingests.
pub fn data_dirs(engine: &Engine) -> Vec<PathBuf> {
    let config = &engine.config;
    let own = [
        "access",
        "analytics",
        "indexes",
        "models",
        "runtime",
        "runs",
        "sessions",
        "sites",
        "uploads",
    ];
    let own = own.map(|below| config.data_dir.join(below));
    let dirs = own.into_iter().chain([config.cache_dir.clone(), config.jobs_dir.clone()]);
    dirs.filter_map(|dir| dir.canonicalize().ok()).collect()
}

/// The name of a file as the user would type it.
pub fn shown(roots: &[Root], root: usize, path: &str) -> String {
    naming::name(roots.get(root).map_or("", |root| &root.given), path)
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
    fn nesting_compares_path_components() {
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
            let paths: Vec<&str> =
                paths.iter().map(|path| if path.is_empty() { "/" } else { path }).collect();
            let parts = |path: &str| {
                let parts = path.split('/').filter(|part| !part.is_empty());
                parts.map(str::to_owned).collect::<Vec<_>>()
            };
            let is_inside = |inner: &str, outer: &str| {
                let (inner, outer) = (parts(inner), parts(outer));
                inner.len() > outer.len() && inner[..outer.len()] == outer[..]
            };
            let mut pairs = Vec::new();
            for (outer, outer_path) in paths.iter().enumerate() {
                let inner = paths.iter().enumerate();
                let inner = inner.filter(|(_, inner)| is_inside(inner, outer_path));
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

    /// Folders after the ingest; those that it names are in brackets.
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
        // The same folder by other paths appears once, under its name in the index.
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
        refused(&dirs(&["docs", "docs-old", "docs/api"]), &[], "docs/api is inside docs", hint);
        refused(&dirs(&["link/api", "docs"]), &[], "link/api is inside docs", hint);
        refused(
            &dirs(&["docs/api"]),
            std::slice::from_ref(&docs),
            "docs/api is inside docs",
            "rag ingest --dir docs",
        );
        let api = known("docs/api", "docs/api");
        refused(
            &dirs(&["docs"]),
            std::slice::from_ref(&api),
            "docs/api is inside docs",
            "rag index remove-folder docs/api",
        );
        let only = Request { only: true, ..dirs(&["docs"]) };
        ok(&only, std::slice::from_ref(&api), &["[docs]"]);
        // An index from before nesting was refused has both: a third folder can be added.
        let both = [docs.clone(), api.clone()];
        ok(&dirs(&["notes"]), &both, &["docs *.md", "docs/api", "[notes]"]);
        refused(
            &dirs(&["docs"]),
            &both,
            "docs/api is inside docs",
            "rag index remove-folder docs/api",
        );
        refused(
            &dirs(&["docs", "docs/api"]),
            &both,
            "docs/api is inside docs",
            "rag index remove-folder docs/api",
        );

        // Missing folders.
        refused(&dirs(&["nowhere"]), std::slice::from_ref(&docs), "there is no folder nowhere", "");
        let gone = known("gone", "sub/gone");
        let hint = "rag index remove-folder gone";
        refused(
            &dirs(&["sub/gone"]),
            std::slice::from_ref(&gone),
            "the folder gone no longer exists",
            hint,
        );
        refused(
            &dirs(&["gone"]),
            std::slice::from_ref(&gone),
            "the folder gone no longer exists",
            hint,
        );
        ok(&dirs(&["notes"]), std::slice::from_ref(&gone), &["[notes]", "gone"]);
        assert!(check_present(&gone).is_err() && check_present(&docs).is_ok());
    }
}
