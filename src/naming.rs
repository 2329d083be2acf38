//! What a document is called: the one place where its name is made, shown and understood.
//!
//! A name is the folder as it was ingested and the path below it: `docs/guide.md`,
//! `/srv/docs/guide.md`. From another directory a relative folder leads elsewhere, so [`Names`]
//! shows a path that leads to the file from there. Pure: what a path leads to is asked through a
//! function.

use std::borrow::Cow;

/// A folder that was ingested.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Folder<'a> {
    /// As it was given.
    pub given: &'a str,
    /// Absolute, links resolved.
    pub real: &'a str,
}

/// The name of the document at `path` below a folder.
pub fn name(folder: &str, path: &str) -> String {
    match plain(folder) {
        "" | "." => path.to_owned(),
        "/" => format!("/{path}"),
        folder => format!("{folder}/{path}"),
    }
}

/// A path without what changes nothing: `./` before it and `/` behind it.
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

/// `path` as seen from the directory `here`, without `.` and `..`; links are not followed.
pub fn absolute(here: &str, path: &str) -> String {
    let whole = if path.starts_with('/') {
        Cow::Borrowed(path)
    } else {
        Cow::Owned(format!("{here}/{path}"))
    };
    let mut parts: Vec<&str> = Vec::new();
    for part in whole.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

/// The names of the documents of an index, as seen from one directory.
#[derive(Clone, Debug, Default)]
pub struct Names {
    here: String,
    folders: Vec<Seen>,
}

#[derive(Clone, Debug)]
struct Seen {
    given: String,
    real: String,
    /// What leads to the folder from here.
    shown: String,
}

impl Names {
    /// `here` is absolute; `resolved` yields where a path really leads, or `None` when nothing is
    /// there. The folders of an index that was made on another machine lead nowhere; they keep the
    /// names that they were given.
    pub fn new<'a>(
        folders: impl IntoIterator<Item = Folder<'a>>,
        here: &str,
        resolved: &dyn Fn(&str) -> Option<String>,
    ) -> Self {
        let seen = |Folder { given, real }: Folder<'a>| {
            let leads_there = |path: &str| resolved(path).is_some_and(|leads| leads == real);
            let shown = if given.starts_with('/')
                || leads_there(&absolute(here, given))
                || !leads_there(real)
            {
                given.to_owned()
            } else {
                match real.strip_prefix(here.trim_end_matches('/')) {
                    Some("") => ".".to_owned(),
                    Some(below) if below.starts_with('/') => {
                        below.trim_start_matches('/').to_owned()
                    }
                    _ => real.to_owned(),
                }
            };
            Seen { given: given.to_owned(), real: real.to_owned(), shown }
        };
        Self { here: here.to_owned(), folders: folders.into_iter().map(seen).collect() }
    }

    /// What leads to the folder with this number.
    pub fn folder(&self, number: usize) -> &str {
        self.folders.get(number).map_or("", |seen| &seen.shown)
    }

    /// What leads to a document of the folder with this number.
    pub fn shown(&self, number: usize, path: &str) -> String {
        name(self.folder(number), path)
    }

    /// The same for a folder as it was given, which may be none of the index any more.
    pub fn shown_in(&self, given: &str, path: &str) -> String {
        let seen = self.folders.iter().find(|seen| seen.given == given);
        name(seen.map_or(given, |seen| &seen.shown), path)
    }

    /// Whether `text` names a document: by its path below its folder, by its name, or by what leads
    /// to it from here.
    pub fn means(&self, text: &str, number: usize, path: &str) -> bool {
        let wanted = plain(text);
        if wanted == path || text == path {
            return true;
        }
        let Some(Seen { given, real, shown }) = self.folders.get(number) else { return false };
        let given = name(given, path);
        // Names used to be shown without the slash that they begin with.
        wanted == given
            || wanted == given.trim_start_matches('/')
            || wanted == name(shown, path)
            || !real.is_empty() && absolute(&self.here, wanted) == name(real, path)
    }
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
            // Whatever is shown anywhere is understood here.
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
    fn a_name_keeps_the_slash_that_it_begins_with() {
        assert_eq!(name("/root/docs/", "a.md"), "/root/docs/a.md");
        assert_eq!(name("/", "a.md"), "/a.md");
        assert_eq!(name("././/docs//", "a.md"), "docs/a.md");
        assert_eq!(name("", "a.md"), "a.md");
        assert_eq!(absolute("/home/u", "../x/./y//z"), "/home/x/y/z");
        assert_eq!(absolute("/", "../../x"), "/x");
        assert_eq!(absolute("/home", "/x/../y"), "/y");
    }
}
