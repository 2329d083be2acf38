//! Opens a place in the program that fits it: text in the editor at its line, a PDF in a viewer at
//! its page, a web page and everything else in the program of the desktop.

use std::path::PathBuf;
use std::process::Command;

use super::links::Target;
use super::pager;
use crate::config::Terminal;
use crate::document::extension_of;
use crate::error::{Context as _, Fault, Result};

/// How to start a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Launch {
    /// A command line for the shell, as the user configured it; or the name of a program.
    pub program: String,
    pub args: Vec<String>,
    /// It uses the terminal.
    is_editor: bool,
}

/// Viewers of PDF files, with their option for a page.
const VIEWERS: [(&str, PageOption); 9] = [
    ("zathura", PageOption::Flag("-P")),
    ("evince", PageOption::Flag("-i")),
    ("papers", PageOption::Flag("-i")),
    ("okular", PageOption::Flag("-p")),
    ("atril", PageOption::Flag("-i")),
    ("xreader", PageOption::Flag("-i")),
    ("sioyek", PageOption::Flag("--page")),
    ("qpdfview", PageOption::Fragment),
    ("mupdf", PageOption::After),
];

#[derive(Clone, Copy)]
enum PageOption {
    /// A flag before the file.
    Flag(&'static str),
    /// `FILE#3`.
    Fragment,
    /// After the file.
    After,
}

/// Editors that are tried when neither `VISUAL` nor `EDITOR` is set.
const EDITORS: [&str; 4] = ["editor", "nano", "vim", "vi"];

/// Extensions of files that an editor does not show as they are read: the text of a mail is often
/// in base64.
const OF_THE_DESKTOP: &str = "pdf docx docm pptx pptm xlsx xlsm doc ppt xls odt odp ods odg epub \
                              rtf eml msg zip gz xz zst png jpg jpeg tif tiff webp bmp gif";

/// The program for a place.
///
/// # Errors
/// A failure that says what to install or to set.
pub fn launch(target: &Target, terminal: &Terminal) -> Result<Launch> {
    let extension = extension_of(&target.path).to_lowercase();
    if target.is_address() || OF_THE_DESKTOP.split(' ').any(|known| known == extension) {
        return window(target, extension == "pdf", terminal);
    }
    let found = || EDITORS.into_iter().find(|name| pager::found(name, &terminal.path).is_some());
    let editor = terminal.editor.as_deref().or_else(found).ok_or_else(|| {
        Fault::failed("there is no editor").hint("set EDITOR, such as `export EDITOR=nano`")
    })?;
    let args = editor_args(editor, &target.path, target.line);
    Ok(Launch { program: editor.to_owned(), args, is_editor: true })
}

/// A program with a window of its own.
fn window(target: &Target, is_pdf: bool, terminal: &Terminal) -> Result<Launch> {
    let path = target.path.clone();
    let has = |name: &str| pager::found(name, &terminal.path).is_some();
    if !terminal.has_display {
        return Err(Fault::failed(format!("{path} needs a window, and there is no display"))
            .hint("`rag show` prints the text around the place"));
    }
    let viewer = VIEWERS.into_iter().find(|(name, _)| is_pdf && has(name));
    let (program, args) = match (viewer, target.page) {
        (Some((name, option)), page) => {
            let page = page.unwrap_or(1).to_string();
            let args = match option {
                PageOption::Flag(flag) => vec![flag.to_owned(), page, path],
                PageOption::Fragment => vec![format!("{path}#{page}")],
                PageOption::After => vec![path, page],
            };
            (name, args)
        }
        (None, _) => {
            let opener = ["xdg-open", "open", "wslview"].into_iter().find(|name| has(name));
            let opener = opener.ok_or_else(|| {
                Fault::failed(format!("there is no program to open {path}"))
                    .hint("install xdg-utils; `rag show` prints the text around the place")
            })?;
            (opener, vec![path])
        }
    };
    Ok(Launch { program: program.to_owned(), args, is_editor: false })
}

/// The arguments with which an editor opens a file at a line.
fn editor_args(editor: &str, path: &str, line: Option<usize>) -> Vec<String> {
    let program = editor.split_whitespace().next().unwrap_or_default();
    let name = program.rsplit('/').next().unwrap_or_default();
    let path = path.to_owned();
    let Some(line) = line else { return vec![path] };
    match name {
        "code" | "code-insiders" | "codium" | "cursor" | "windsurf" => {
            vec!["--goto".into(), format!("{path}:{line}")]
        }
        "subl" | "zed" | "zeditor" | "hx" | "helix" | "lapce" => vec![format!("{path}:{line}")],
        "idea" | "pycharm" | "clion" | "rustrover" | "webstorm" | "goland" | "kate" | "kwrite"
        | "mate" | "xed" => vec!["--line".into(), line.to_string(), path],
        // vi, vim, nvim, nano, emacs, micro, kak, joe, mg, gedit and most others.
        _ => vec![format!("+{line}"), path],
    }
}

impl Launch {
    /// Starts the program. Waits for an editor, but not for a window.
    ///
    /// # Errors
    /// When it cannot be started, or ends with an error.
    pub fn run(&self) -> Result<()> {
        let what = || format!("cannot start `{}`", self.program);
        if !self.is_editor {
            let mut command = Command::new(&self.program);
            command.args(&self.args).stdin(std::process::Stdio::null());
            command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
            return command.spawn().map(drop).or_failed(what);
        }
        // The variable may hold arguments and quotes, as `git` allows.
        let script = format!("{} \"$@\"", self.program);
        let mut command = Command::new("sh");
        let status = command.args(["-c", &script, "rag"]).args(&self.args).status();
        let status = status.or_failed(what)?;
        match status.code() {
            Some(0) => Ok(()),
            Some(126 | 127) => Err(Fault::failed(what()).hint("set EDITOR to a program you have")),
            _ => Err(Fault::failed(format!("`{}` failed ({status})", self.program))),
        }
    }

    /// The command line, for JSON.
    pub fn words(&self) -> Vec<&str> {
        std::iter::once(self.program.as_str()).chain(self.args.iter().map(String::as_str)).collect()
    }
}

/// Whether a file exists that may be opened.
///
/// # Errors
/// A failure that says what happened to it.
pub fn check(target: &Target) -> Result<()> {
    if target.is_address() || PathBuf::from(&target.path).exists() {
        return Ok(());
    }
    Err(Fault::failed(format!("{} is not there", target.path)).hint(
        "`rag show` prints its text from the index; `rag ingest` brings the index up to date",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_editor(editor: &str, expected: &[&str]) {
        assert_eq!(editor_args(editor, "/a b.md", Some(7)), expected, "{editor}");
        assert_eq!(editor_args(editor, "/a b.md", None), ["/a b.md"]);
    }

    #[test]
    fn each_editor_opens_the_line() {
        check_editor("vim", &["+7", "/a b.md"]);
        check_editor("/usr/bin/emacsclient -nw", &["+7", "/a b.md"]);
        check_editor("code --wait", &["--goto", "/a b.md:7"]);
        check_editor("hx", &["/a b.md:7"]);
        check_editor("kate", &["--line", "7", "/a b.md"]);
    }

    #[test]
    fn a_pdf_opens_at_its_page_in_the_first_viewer_found() {
        let dir = tempfile::tempdir().unwrap();
        let install = |name: &str| {
            use std::os::unix::fs::PermissionsExt as _;
            let file = dir.path().join(name);
            std::fs::write(&file, "").unwrap();
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
        };
        let path = vec![dir.path().to_owned()];
        let mut terminal = Terminal { path, has_display: true, ..Terminal::default() };
        let target = Target { path: "/r.pdf".into(), line: None, page: Some(3) };
        let program = |terminal: &Terminal| launch(&target, terminal).map(|launch| launch.program);
        assert!(program(&terminal).unwrap_err().hint_text().unwrap().contains("xdg-utils"));
        install("xdg-open");
        assert_eq!(program(&terminal).unwrap(), "xdg-open");
        install("mupdf");
        install("evince");
        let launched = launch(&target, &terminal).unwrap();
        assert_eq!(launched.words(), ["evince", "-i", "3", "/r.pdf"]);
        let mail = Target { path: "/m.eml".into(), line: Some(9), page: None };
        assert_eq!(launch(&mail, &terminal).unwrap().words(), ["xdg-open", "/m.eml"]);
        terminal.has_display = false;
        assert!(program(&terminal).unwrap_err().to_string().contains("display"));
        // A text needs no window, but an editor.
        let text = Target { path: "/a.md".into(), line: Some(2), page: None };
        assert!(launch(&text, &terminal).unwrap_err().to_string().contains("no editor"));
        install("nano");
        assert_eq!(launch(&text, &terminal).unwrap().words(), ["nano", "+2", "/a.md"]);
        terminal.editor = Some("vi -R".into());
        assert_eq!(launch(&text, &terminal).unwrap().words(), ["vi -R", "+2", "/a.md"]);
    }
}
