//! Output on a terminal: a progress line, colours, tables that fit; and plain text elsewhere.

use unicode_width::UnicodeWidthStr as _;

use crate::fixtures::{topics, write_old};
use crate::support::terminal::Terminal;
use crate::support::{Run, Sandbox};

const WIDTH: u16 = 80;

fn fits(line: &str, width: u16) -> bool {
    line.width() <= usize::from(width)
}

/// A sandbox in which `docs/blank.rtf` yields no text.
fn without_text() -> Sandbox {
    let sandbox = Sandbox::new();
    topics(&sandbox);
    write_old(&sandbox, "docs/blank.rtf", "{\\rtf1 }");
    sandbox
}

#[test]
fn the_progress_line_fits_the_terminal_and_is_erased_at_the_end() {
    for width in [WIDTH, 30] {
        let sandbox = Sandbox::new();
        topics(&sandbox);
        let mut terminal =
            Terminal::start(&mut sandbox.command(["ingest", "--dir", "docs"]), width);
        assert_eq!(terminal.end(), Some(0), "{:?}", terminal.shown);
        let progress = terminal.progress();
        assert!(!progress.is_empty(), "{:?}", terminal.shown);
        assert!(progress.iter().all(|line| line.width() < usize::from(width)), "{progress:?}");
        assert!(terminal.is_clear(), "{:?}", terminal.shown);
        assert!(
            terminal.lines().iter().any(|line| line.starts_with("documents")),
            "{:?}",
            terminal.lines()
        );
    }
}

#[test]
fn an_interruption_erases_the_progress_line() {
    let sandbox = Sandbox::new();
    for n in 0..300 {
        write_old(
            &sandbox,
            &format!("docs/{n}.md"),
            format!("# Buoy {n}\n\nBuoy number {n} lies off the coast.\n"),
        );
    }
    for is_patient in [true, false] {
        let ingest = ["ingest", "--dir", "docs", "--no-cache"];
        let mut terminal = Terminal::start(&mut sandbox.command(ingest), WIDTH);
        terminal.wait_for("vectors");
        terminal.interrupt();
        if !is_patient {
            terminal.interrupt_until_it_ends();
        }
        assert_eq!(terminal.end(), Some(130), "{:?}", terminal.shown);
        assert!(terminal.is_clear(), "{:?}", terminal.shown);
    }
}

/// What an ingest with a file without text writes to a terminal.
fn shown_on_terminal(env: &[(&str, &str)]) -> String {
    let sandbox = without_text();
    let mut command = sandbox.command(["ingest", "--dir", "docs"]);
    command.env("TERM", "xterm").envs(env.iter().copied());
    let mut terminal = Terminal::start(&mut command, WIDTH);
    assert_eq!(terminal.end(), Some(0), "{:?}", terminal.shown);
    terminal.shown
}

#[test]
fn colours_appear_only_where_they_are_wanted() {
    let ingest = ["ingest", "--dir", "docs"];
    let colourful = shown_on_terminal(&[]);
    assert!(colourful.contains("\x1b[31mno text\x1b[0m docs/blank.rtf"), "{colourful:?}");
    assert!(!colourful.contains("\u{fffd}"), "{colourful:?}");
    assert!(!shown_on_terminal(&[("NO_COLOR", "1")]).contains("\x1b[31m"));
    let dumb = shown_on_terminal(&[("TERM", "dumb")]);
    assert!(
        !dumb.contains('\x1b') && dumb.contains("no text docs/blank.rtf") && dumb.contains("100 %"),
        "{dumb:?}"
    );
    // A pipe gets no colours, unless they are requested.
    let sandbox = without_text();
    let piped = sandbox.rag(ingest).ok();
    assert!(!piped.stderr.contains('\x1b') && !piped.stdout.contains('\x1b'), "{piped}");
    let sandbox = without_text();
    let forced = sandbox.rag(["ingest", "--dir", "docs", "--color", "always"]).ok();
    assert!(forced.stderr.contains("\x1b[31mno text\x1b[0m docs/blank.rtf"), "{forced}");
}

#[test]
fn a_table_fits_a_terminal_and_is_complete_in_a_pipe() {
    let sandbox = Sandbox::new();
    let deep = format!("{}日本語.md", "some/long/folder/".repeat(8));
    write_old(&sandbox, "docs/ok.md", "ok\n");
    write_old(&sandbox, &format!("docs/{deep}"), "This file is larger than what may be read.\n");
    let ingest = ["ingest", "--dir", "docs"];
    Run::of(sandbox.command(ingest).env("RAG_INGEST_MAX_FILE_BYTES", "10")).exits(4);
    let list = ["documents", "list", "--failed"];
    let reason = "43 bytes, more than ingest.max_file_bytes = 10";
    let mut terminal = Terminal::start(&mut sandbox.command(list), WIDTH);
    assert_eq!(terminal.end(), Some(0));
    let lines = terminal.lines();
    assert!(lines.iter().all(|line| fits(line, WIDTH)), "{lines:#?}");
    let shown = lines.join(" ");
    assert!(
        shown.contains("日本語.md") && reason.split(' ').all(|word| shown.contains(word)),
        "{lines:#?}"
    );
    let piped = sandbox.rag(list).ok();
    assert!(
        piped.stdout.lines().any(|line| line.contains(&deep) && line.ends_with(reason)),
        "{piped}"
    );
}

#[test]
fn a_heading_fits_a_terminal_and_is_complete_in_a_pipe() {
    let sandbox = Sandbox::new();
    let title =
        "Working with the very long title of a document about otters in northern rivers and lakes";
    let path = format!("docs/{}otters.md", "some/long/folder/".repeat(3));
    write_old(&sandbox, &path, format!("# {title}\n\nOtters swim.\n"));
    sandbox.ingest();
    for args in [["search", "otters"], ["ask", "Where do otters swim?"]] {
        let args = [&args[..], &["--mode", "lexical"]].concat();
        let piped = sandbox.rag(&args);
        assert!(piped.stdout.lines().any(|line| line.ends_with(title)), "{piped}");
        let mut terminal = Terminal::start(&mut sandbox.command(&args), WIDTH);
        terminal.end();
        let lines = terminal.lines();
        let heading =
            lines.iter().find(|line| line.trim_start().starts_with("Working with the very long"));
        assert!(heading.is_some_and(|line| fits(line, WIDTH) && line.ends_with('…')), "{lines:#?}");
    }
}

/// What a search for bees writes to a terminal that shows links.
fn searched(sandbox: &Sandbox, args: &[&str], env: &[(&str, &str)]) -> String {
    let mut command = sandbox.command([&["search", "honey bees", "-k", "1"], args].concat());
    command.envs([("TERM", "xterm"), ("TERM_PROGRAM", "WezTerm"), ("PAGER", "cat")]);
    let mut terminal = Terminal::start(command.envs(env.iter().copied()), WIDTH);
    assert_eq!(terminal.end(), Some(0), "{:?}", terminal.shown);
    terminal.shown
}

#[test]
fn matches_are_coloured_and_places_are_links_only_at_a_terminal() {
    let sandbox = crate::fixtures::indexed();
    let shown = searched(&sandbox, &[], &[]);
    assert!(shown.contains("\x1b[1;31mHoney\x1b[0m \x1b[1;31mbees\x1b[0m dance"), "{shown:?}");
    assert!(shown.contains("\x1b]8;;file://") && shown.contains("/docs/bees.md#3\x1b\\"));
    let plain = searched(&sandbox, &[], &[("NO_COLOR", "1")]);
    assert!(!plain.contains('\x1b') && plain.contains("Honey bees dance"), "{plain:?}");
    assert!(!searched(&sandbox, &["--color", "never"], &[]).contains('\x1b'));
    let unknown = searched(&sandbox, &[], &[("TERM_PROGRAM", "")]);
    assert!(unknown.contains("\x1b[1;31m") && !unknown.contains("\x1b]8"), "{unknown:?}");
    let forced = sandbox.rag(["search", "honey bees", "--color", "always"]).ok();
    assert!(forced.stdout.contains("\x1b[1;31m") && !forced.stdout.contains("\x1b]8"));
}

#[test]
fn a_list_longer_than_the_terminal_opens_in_the_pager() {
    let sandbox = crate::fixtures::indexed();
    let lines = |args: &[&str], pager: &str| {
        let mut command = sandbox.command(args);
        let command = command.env("TERM", "xterm").env("PAGER", pager);
        let mut terminal = Terminal::start(command, WIDTH);
        assert_eq!(terminal.end(), Some(0), "{:?}", terminal.shown);
        terminal.lines()
    };
    let numbered = lines(&["config", "list"], "sed 's/^/P:/'");
    assert!(numbered.iter().all(|line| line.starts_with("P:")), "{numbered:#?}");
    // Short output, and a pager that does not exist.
    assert!(!lines(&["documents", "list"], "sed 's/^/P:/'")[0].starts_with("P:"));
    assert!(lines(&["config", "list"], "no-such-pager").len() > 24);
    let piped = Run::of(sandbox.command(["config", "list"]).env("PAGER", "sed 's/^/P:/'")).ok();
    assert!(!piped.stdout.starts_with("P:"), "{piped}");
}

#[test]
fn the_sources_of_the_last_search_are_opened_by_number() {
    let sandbox = crate::fixtures::indexed();
    searched(&sandbox, &[], &[]);
    let open = |n: &str| Run::of(sandbox.command(["open", n]).env("EDITOR", "echo"));
    let run = open("1").ok();
    assert!(run.stdout.starts_with("+3 /") && run.stdout.ends_with("/docs/bees.md\n"), "{run}");
    open("2").exits(2).says("there is one source");
    sandbox.rag(["show", "1"]).ok().prints("> ").prints("Honey bees dance");
    sandbox.rag(["sessions", "remove", "--all", "--yes"]).ok();
    open("1").exits(2);
}

#[test]
fn a_chat_knows_the_commands_that_people_type() {
    let sandbox = crate::fixtures::indexed();
    let mut command = sandbox.command(["chat"]);
    let mut terminal =
        Terminal::start(command.env("TERM", "xterm").env("EDITOR", "echo edited"), WIDTH);
    // What is typed before the prompt is ready would be lost.
    let mut n_prompts = 0;
    let mut enter = |terminal: &mut Terminal, line: &str, shown: &str| {
        n_prompts += 1;
        terminal.wait_for_times("\x1b[?2004h", n_prompts);
        terminal.send(line);
        terminal.wait_for(shown);
    };
    enter(&mut terminal, "How do bees tell \\\rwhere flowers are?\r", "docs/bees.md:3");
    enter(&mut terminal, "/sources\r", "/sources");
    enter(&mut terminal, "/open 1\r", "edited +3 ");
    enter(&mut terminal, "/open 9\r", "has no source 9");
    enter(&mut terminal, "/copy\r", "\x1b]52;c;");
    enter(&mut terminal, "exit\r", "exit");
    assert_eq!(terminal.shown.matches("docs/bees.md:3").count(), 2, "{:?}", terminal.shown);
    assert_eq!(terminal.end(), Some(0), "{:?}", terminal.shown);
}
