//! Names of documents: how they are built, shown and parsed.
//!
//! A name is the folder as it was ingested and the path below it: `docs/guide.md`,
//! `/srv/docs/guide.md`. In another directory a relative folder would be wrong, so [`Names`] shows
//! a path that leads to the file from there. Pure: a function resolves paths.
//!
//! Names are compared composed (NFC): some systems store an accent as a character of its own, but
//! keyboards type letters with it. A stored path keeps the bytes that open its file.

use std::borrow::Cow;

use unicode_normalization::{UnicodeNormalization as _, is_nfc};

/// The form in which names are compared: canonically composed.
pub fn composed(name: &str) -> Cow<'_, str> {
    if name.is_ascii() || is_nfc(name) {
        name.into()
    } else {
        name.nfc().collect::<String>().into()
    }
}

/// An ingested folder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Folder<'a> {
    /// As the user gave it.
    pub given: &'a str,
    /// Absolute, links resolved.
    pub real: &'a str,
}

/// Whether a folder is a web site, whose name is an address.
pub fn is_address(given: &str) -> bool {
    given.starts_with("https://") || given.starts_with("http://")
}

/// The name of the document at `path` below a folder.
pub fn name(folder: &str, path: &str) -> String {
    match plain(folder) {
        "" | "." => path.to_owned(),
        "/" => format!("/{path}"),
        folder => format!("{folder}/{path}"),
    }
}

/// A path without a redundant `./` before it and `/` after it.
pub fn plain(path: &str) -> &str {
    let mut path = path;
    while let Some(rest) = path.strip_prefix("./") {
        path = rest.trim_start_matches('/');
    }
    match path.trim_end_matches('/') {
        "" if path.starts_with('/') => "/",
        path => path,
    }
}

/// The absolute form of a path in the directory `here`, without `.` and `..`; links are not
/// followed.
pub fn absolute(here: &str, path: &str) -> String {
    let base = if path.starts_with('/') { "" } else { here };
    let mut parts: Vec<&str> = Vec::new();
    for part in base.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

/// The names of the documents of an index, relative to one directory.
#[derive(Clone, Debug, Default)]
pub struct Names {
    here: String,
    folders: Vec<Shown>,
}

#[derive(Clone, Debug)]
struct Shown {
    given: String,
    real: String,
    /// A path that leads to the folder from here.
    shown: String,
}

impl Names {
    /// `here` is absolute; `resolved` returns the real path, or `None` when the path does not
    /// exist. Folders of an index from another machine do not exist; they keep their given names.
    pub fn new<'a>(
        folders: impl IntoIterator<Item = Folder<'a>>,
        here: &str,
        resolved: &dyn Fn(&str) -> Option<String>,
    ) -> Self {
        let folder = |folder: Folder<'a>| Shown {
            given: folder.given.to_owned(),
            real: folder.real.to_owned(),
            shown: path_from(here, folder, resolved).to_owned(),
        };
        Self { here: here.to_owned(), folders: folders.into_iter().map(folder).collect() }
    }

    /// A path to the folder with this number.
    pub fn folder(&self, number: usize) -> &str {
        self.folders.get(number).map_or("", |folder| &folder.shown)
    }

    /// A path to a document of the folder with this number.
    pub fn shown(&self, number: usize, path: &str) -> String {
        name(self.folder(number), path)
    }

    /// The same for a folder by its given name, which may no longer be in the index.
    pub fn shown_in(&self, given: &str, path: &str) -> String {
        let folder = self.folders.iter().find(|folder| folder.given == given);
        name(folder.map_or(given, |folder| &folder.shown), path)
    }

    /// The absolute path of a document of the folder with this given name, or its address; `None`
    /// when that folder is not in the index.
    pub fn absolute_in(&self, given: &str, path: &str) -> Option<String> {
        let folder = self.folders.iter().find(|folder| folder.given == given)?;
        match is_address(given) {
            true => Some(name(given, path)),
            false => (!folder.real.is_empty()).then(|| name(&folder.real, path)),
        }
    }

    /// Whether `text` names a document: by its path below its folder, by its name, or by a path to
    /// it from here.
    pub fn means(&self, text: &str, number: usize, path: &str) -> bool {
        let (text, path) = (&*composed(text), &*composed(path));
        let wanted = plain(text);
        if wanted == path || text == path {
            return true;
        }
        let Some(Shown { given, real, shown }) = self.folders.get(number) else { return false };
        let below = |folder: &str| name(&composed(folder), path);
        let given = below(given);
        // Older versions showed names without their leading slash.
        wanted == given
            || text == given
            || wanted == given.trim_start_matches('/')
            || wanted == below(shown)
            || !real.is_empty() && absolute(&composed(&self.here), wanted) == below(real)
    }
}

/// The path below `here` if the folder is there; or else its given path if that leads there from
/// `here`, or its real path.
fn path_from<'a>(
    here: &str,
    Folder { given, real }: Folder<'a>,
    resolved: &dyn Fn(&str) -> Option<String>,
) -> &'a str {
    let leads_there = |path: &str| resolved(path).is_some_and(|target| target == real);
    let below = match real.strip_prefix(here.trim_end_matches('/')) {
        Some("") => Some("."),
        Some(below) if below.starts_with('/') => Some(below.trim_start_matches('/')),
        _ => None,
    };
    // Everything is below the root directory.
    if let Some(below) = below.filter(|_| given.starts_with('/') && here != "/")
        && leads_there(real)
    {
        return below;
    }
    if given.starts_with('/')
        || is_address(given)
        || leads_there(&absolute(here, given))
        || !leads_there(real)
    {
        return given;
    }
    below.unwrap_or(real)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOLDERS: [Folder<'_>; 5] = [
        Folder { given: "./docs/", real: "/home/u/docs" },
        Folder { given: ".", real: "/home/u" },
        Folder { given: "/srv/texts", real: "/srv/texts" },
        Folder { given: "../shared", real: "/home/shared" },
        Folder { given: "gone", real: "/elsewhere/gone" },
    ];

    fn seen_from(here: &str) -> Names {
        let exists = |path: &str| (!path.starts_with("/elsewhere")).then(|| path.to_owned());
        Names::new(FOLDERS, here, &exists)
    }

    #[track_caller]
    fn check(here: &str, expected: [&str; 5]) {
        let names = seen_from(here);
        for (number, expected) in expected.into_iter().enumerate() {
            let shown = names.shown(number, "a/b.md");
            assert_eq!(shown, expected, "folder {number} from {here}");
            assert_eq!(names.shown_in(FOLDERS[number].given, "a/b.md"), expected);
            // Names shown in any directory are recognized.
            let given = name(FOLDERS[number].given, "a/b.md");
            let dotted = if shown.starts_with('/') { shown.clone() } else { format!("./{shown}") };
            for text in [&shown, &given, &dotted, "a/b.md", given.trim_start_matches('/')] {
                assert!(names.means(text, number, "a/b.md"), "{text} from {here}");
            }
            assert!(!names.means("b.md", number, "a/b.md"));
            assert!(!names.means(&shown, number, "a/c.md"));
        }
    }

    #[test]
    fn a_name_leads_to_the_file_from_every_directory() {
        let gone = "gone/a/b.md";
        check("/home/u", ["docs/a/b.md", "a/b.md", "/srv/texts/a/b.md", "../shared/a/b.md", gone]);
        check("/home", ["u/docs/a/b.md", "u/a/b.md", "/srv/texts/a/b.md", "shared/a/b.md", gone]);
        check(
            "/home/u/docs",
            ["a/b.md", "/home/u/a/b.md", "/srv/texts/a/b.md", "/home/shared/a/b.md", gone],
        );
        check(
            "/",
            [
                "home/u/docs/a/b.md",
                "home/u/a/b.md",
                "/srv/texts/a/b.md",
                "home/shared/a/b.md",
                gone,
            ],
        );
        check(
            "/home/us",
            [
                "/home/u/docs/a/b.md",
                "/home/u/a/b.md",
                "/srv/texts/a/b.md",
                "../shared/a/b.md",
                gone,
            ],
        );
    }

    #[test]
    fn an_absolute_folder_is_shown_below_the_working_directory() {
        let folders = [Folder { given: "/srv/texts", real: "/srv/texts" }];
        let shown = |here: &str| {
            let names = Names::new(folders, here, &|path| Some(path.to_owned()));
            assert_eq!(names.absolute_in("/srv/texts", "a.md").as_deref(), Some("/srv/texts/a.md"));
            assert_eq!(names.absolute_in("texts", "a.md"), None);
            names.shown(0, "a.md")
        };
        assert_eq!(shown("/srv"), "texts/a.md");
        assert_eq!(shown("/srv/texts"), "a.md");
        assert_eq!(shown("/srv/texts2"), "/srv/texts/a.md");
        assert_eq!(shown("/"), "/srv/texts/a.md");
    }

    #[test]
    fn composed_and_decomposed_names_are_equal() {
        let (nfc, nfd) = ("Größen/Übe\u{301}r.md", "Gro\u{308}ßen/U\u{308}b\u{e9}r.md");
        assert_eq!(composed(nfc), composed(nfd));
        let folders = [Folder { given: "Menu\u{308}", real: "/home/Menu\u{308}" }];
        let names = Names::new(folders, "/home", &|path| Some(path.to_owned()));
        for path in [nfc, nfd] {
            for text in [nfc, nfd] {
                assert!(names.means(text, 0, path));
                assert!(names.means(&format!("Menü/{text}"), 0, path));
                assert!(names.means(&format!("/home/Menü/{text}"), 0, path));
            }
            assert!(!names.means("Großen/Über.md", 0, path));
        }
        // Syllables of Hangul, which consist of letters.
        let syllables: String = "학점인정.md".nfd().collect();
        assert!(names.means("학점인정.md", 0, &syllables));
    }

    #[test]
    fn a_name_keeps_its_leading_slash() {
        assert_eq!(name("/root/docs/", "a.md"), "/root/docs/a.md");
        assert_eq!(name("/", "a.md"), "/a.md");
        assert_eq!(name("././/docs//", "a.md"), "docs/a.md");
        assert_eq!(name("", "a.md"), "a.md");
        assert_eq!(absolute("/home/u", "../x/./y//z"), "/home/x/y/z");
        assert_eq!(absolute("/", "../../x"), "/x");
        assert_eq!(absolute("/home", "/x/../y"), "/y");
    }
}
