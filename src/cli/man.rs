//! `rag man`: pages made of what clap knows and of the table of exit codes.

use clap::Args;

use super::exit::{CODES, Outcome};
use super::ui::Ui;
use crate::error::{Context as _, Fault, Result};

/// Print a manual page
#[derive(Debug, Args)]
pub struct ManArgs {
    /// Command whose page to print, such as `ask` or `index-save` [default: rag itself]
    command: Option<String>,
}

pub fn run(args: &ManArgs, ui: &Ui) -> Result<Outcome> {
    let wanted = args
        .command
        .as_ref()
        .map_or("rag".to_owned(), |name| format!("rag-{}", name.replace(' ', "-")));
    let pages = render_all()?;
    let page = pages.iter().find(|(name, _)| *name == wanted).ok_or_else(|| {
        let names: Vec<&str> =
            pages.iter().filter_map(|(name, _)| name.strip_prefix("rag-")).collect();
        Fault::usage(format!("there is no page `{wanted}`"))
            .hint(format!("the pages are {}", names.join(", ")))
    })?;
    ui.write(&page.1);
    Ok(Outcome::Done)
}

/// Every page, `(name, troff)`, in the order of the commands.
pub fn render_all() -> Result<Vec<(String, String)>> {
    let mut pages = Vec::new();
    // `build` hands the global flags down, as the parser does.
    let mut command = super::command();
    command.build();
    render("rag", &command, &mut pages)?;
    Ok(pages)
}

fn render(name: &str, command: &clap::Command, pages: &mut Vec<(String, String)>) -> Result<()> {
    let mut page = Vec::new();
    let man = clap_mangen::Man::new(
        command.clone().name(name.to_owned()).bin_name(name.replace('-', " ")),
    )
    .title(name.to_uppercase())
    .date("")
    .source(format!("rag {}", env!("CARGO_PKG_VERSION")))
    .manual("rag");
    man.render(&mut page).or_failed(|| format!("cannot render the page {name}"))?;
    let mut page = String::from_utf8_lossy(&page).into_owned();
    page.push_str(".SH \"EXIT STATUS\"\n");
    for (code, meaning) in CODES {
        page.push_str(&format!(".TP\n\\fB{code}\\fR\n{meaning}\n"));
    }
    pages.push((name.to_owned(), page));
    for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
        render(&format!("{name}-{}", sub.get_name()), sub, pages)?;
    }
    Ok(())
}
