//! What the environment says about the user's terminal and programs. These variables are
//! conventions of other programs, not settings of `rag`.

use std::path::PathBuf;

use super::load::World;

/// How a terminal opens a linked file at a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Links {
    /// `file://host/path#12`. Terminals that know no line numbers ignore the fragment.
    File,
    /// `vscode://file/path:12`: the terminal of an editor.
    Editor,
}

/// The user's terminal and programs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Terminal {
    /// `None` if the terminal is not known to show links: others print the escape sequence.
    pub links: Option<Links>,
    /// The command that shows long output; empty to show it directly.
    pub pager: Option<String>,
    /// The command that edits text.
    pub editor: Option<String>,
    /// Windows can be opened.
    pub has_display: bool,
    /// Where programs are looked for.
    pub path: Vec<PathBuf>,
}

impl World {
    pub fn terminal(&self) -> Terminal {
        let first = |names: &[&str]| {
            let set = |name: &&str| self.text(name).filter(|value| !value.trim().is_empty());
            names.iter().find_map(set).map(str::to_owned)
        };
        let path = self.env.get("PATH").map(|path| std::env::split_paths(path).collect());
        Terminal {
            links: self.links(),
            pager: self.text("RAG_PAGER").or_else(|| self.text("PAGER")).map(str::to_owned),
            editor: first(&["VISUAL", "EDITOR"]),
            has_display: cfg!(target_os = "macos")
                || first(&["DISPLAY", "WAYLAND_DISPLAY"]).is_some(),
            path: path.unwrap_or_default(),
        }
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.env.get(name)?.to_str()
    }

    /// Terminals that document support for OSC 8, by the variables that they set.
    fn links(&self) -> Option<Links> {
        let is_at_least = |name: &str, least: u32| {
            self.text(name)
                .and_then(|version| version.parse().ok())
                .is_some_and(|n: u32| n >= least)
        };
        let term = self.text("TERM").unwrap_or_default();
        let program = self.text("TERM_PROGRAM").unwrap_or_default();
        let is_remote = self.text("SSH_CONNECTION").is_some();
        if program == "vscode" {
            return Some(if is_remote { Links::File } else { Links::Editor });
        }
        let known_term = ["alacritty", "contour", "foot", "xterm-ghostty", "xterm-kitty"];
        let known_program = ["Hyper", "Tabby", "WezTerm", "ghostty", "iTerm.app", "rio"];
        let is_known = known_term.iter().any(|known| term.starts_with(known))
            || known_program.contains(&program)
            || program == "tmux" && self.tmux_has_links()
            || is_at_least("VTE_VERSION", 5000)
            || is_at_least("KONSOLE_VERSION", 201_200)
            || self.text("WT_SESSION").is_some();
        is_known.then_some(Links::File)
    }

    /// tmux passes links on since version 3.4.
    fn tmux_has_links(&self) -> bool {
        let version = self.text("TERM_PROGRAM_VERSION").unwrap_or_default();
        let number = version.trim_end_matches(|c: char| c.is_ascii_lowercase());
        number.parse().is_ok_and(|version: f64| version >= 3.4)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn world(env: &[(&str, &str)]) -> World {
        let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect();
        World { env, ..World::default() }
    }

    #[track_caller]
    fn check(env: &[(&str, &str)], expected: Option<Links>) {
        assert_eq!(world(env).terminal().links, expected, "{env:?}");
    }

    #[test]
    fn only_known_terminals_get_links() {
        check(&[], None);
        check(&[("TERM", "xterm-256color")], None);
        check(&[("TERM", "xterm-kitty")], Some(Links::File));
        check(&[("TERM", "xterm-256color"), ("VTE_VERSION", "7603")], Some(Links::File));
        check(&[("TERM", "xterm-256color"), ("VTE_VERSION", "4400")], None);
        check(&[("TERM_PROGRAM", "vscode")], Some(Links::Editor));
        check(&[("TERM_PROGRAM", "vscode"), ("SSH_CONNECTION", "a b")], Some(Links::File));
        check(&[("TERM_PROGRAM", "tmux"), ("TERM_PROGRAM_VERSION", "3.5a")], Some(Links::File));
        check(&[("TERM_PROGRAM", "tmux"), ("TERM_PROGRAM_VERSION", "3.3a")], None);
    }

    #[test]
    fn the_first_program_that_is_named_is_used() {
        let terminal = world(&[("VISUAL", " "), ("EDITOR", "vi"), ("PAGER", "more")]).terminal();
        assert_eq!(terminal.editor.as_deref(), Some("vi"));
        assert_eq!(terminal.pager.as_deref(), Some("more"));
        let terminal = world(&[("RAG_PAGER", ""), ("PAGER", "more")]).terminal();
        assert_eq!(terminal.pager.as_deref(), Some(""));
    }
}
