//! `rag man`: man pages from the definition of the command line, the settings, the exit codes and
//! the texts in `pages`.

use clap::Args;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, italic, roman};

use super::exit::{CODES, Outcome};
use super::pages::{PAGES, Page};
use super::ui::Ui;
use crate::config::SETTINGS;
use crate::error::{Context as _, Fault, Result};

/// Print a man page
#[derive(Debug, Args)]
pub struct ManArgs {
    /// Command to describe, such as `ask` or `index-save` [default: rag itself]
    command: Option<String>,
}

pub fn run(args: &ManArgs, command: clap::Command, ui: &Ui) -> Result<Outcome> {
    let wanted = match &args.command {
        None => "rag".to_owned(),
        Some(name) => format!("rag-{}", name.replace(' ', "-")),
    };
    let pages = render_all(command)?;
    let Some((_, page)) = pages.iter().find(|(name, _)| *name == wanted) else {
        let names: Vec<&str> =
            pages.iter().filter_map(|(name, _)| name.strip_prefix("rag-")).collect();
        return Err(Fault::usage(format!("no man page named `{wanted}`"))
            .hint(format!("available pages: {}", names.join(", "))));
    };
    ui.write(page);
    Ok(Outcome::Done)
}

/// Every page in the order of the commands: name without section, troff source.
pub fn render_all(mut command: clap::Command) -> Result<Vec<(String, String)>> {
    let mut pages = Vec::new();
    // Passes the global flags down, as the parser does.
    command.build();
    render("rag", &command, &mut pages)?;
    Ok(pages)
}

fn render(name: &str, command: &clap::Command, pages: &mut Vec<(String, String)>) -> Result<()> {
    let page = troff(name, command).or_failed(|| format!("cannot render the man page `{name}`"))?;
    pages.push((name.to_owned(), String::from_utf8_lossy(&page).into_owned()));
    for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
        render(&format!("{name}-{}", sub.get_name()), sub, pages)?;
    }
    Ok(())
}

fn troff(name: &str, command: &clap::Command) -> std::io::Result<Vec<u8>> {
    let command = command.clone().name(name.to_owned()).bin_name(name.replace('-', " "));
    let has_subcommands = command.has_subcommands();
    let man = Man::new(command)
        .title(name.to_uppercase())
        .date("")
        .source(format!("rag {}", env!("CARGO_PKG_VERSION")))
        .manual("rag");
    let mut out = Vec::new();
    man.render_title(&mut out)?;
    man.render_name_section(&mut out)?;
    man.render_synopsis_section(&mut out)?;
    man.render_description_section(&mut out)?;
    man.render_options_section(&mut out)?;
    if has_subcommands {
        man.render_subcommands_section(&mut out)?;
    }
    let mut sections = Roff::new();
    let page = PAGES.iter().find(|page| page.name == name);
    page.into_iter().for_each(|page| add_sections(&mut sections, page));
    sections.to_writer(&mut out)?;
    Ok(out)
}

/// Everything after the options and subcommands.
fn add_sections(roff: &mut Roff, page: &Page) {
    let &Page { name, examples, files, see_also, .. } = page;
    if !examples.is_empty() {
        roff.control("SH", ["EXAMPLES"]);
    }
    for (purpose, command) in examples {
        roff.control("PP", []).text([roman(*purpose)]);
        roff.control("RS", ["4"]).control("EX", []);
        for line in command.lines() {
            roff.text([roman(line)]);
        }
        roff.control("EE", []).control("RE", []);
    }
    let is_rag = name == "rag";
    let variables: Vec<_> =
        SETTINGS.iter().filter(|setting| is_rag || page.lists(setting.key)).collect();
    if !variables.is_empty() {
        roff.control("SH", ["ENVIRONMENT"]);
    }
    for setting in variables {
        let key = [roman(setting.description), roman("; setting "), bold(setting.key)];
        roff.control("TP", []).text([bold(setting.env)]).text(key);
    }
    if is_rag {
        roff.control("TP", []).text([bold("NO_COLOR")]);
        roff.text([roman("if not empty, turns colors off")]);
    }
    if !files.is_empty() {
        roff.control("SH", ["FILES"]);
    }
    for (path, contents) in files {
        roff.control("TP", []).text([italic(*path)]).text([roman(*contents)]);
    }
    roff.control("SH", ["EXIT STATUS"]);
    for (code, meaning) in CODES {
        roff.control("TP", []).text([bold(code.to_string())]).text([roman(meaning)]);
    }
    let parent = name.rsplit_once('-').map(|(parent, _)| parent);
    let related: Vec<String> = parent
        .into_iter()
        .chain(see_also.iter().copied())
        .map(|page| format!("{page}(1)"))
        .collect();
    roff.control("SH", ["SEE ALSO"]).text([roman(related.join(", "))]);
}
