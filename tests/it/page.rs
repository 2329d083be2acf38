//! The web page in a real browser, on a real server.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::{Value, json};

use crate::fixtures::{files_below, indexed, topics};
use crate::support::browser::{Browser, axe, key};
use crate::support::llm::{LlmServer, Step};
use crate::support::server::Server;
use crate::support::{Sandbox, has_loopback};
use crate::tools::{copy_tree, thorough, wait_for};

const WIDE: (u32, u32) = (1200, 800);
/// The narrowest supported screen.
const NARROW: (u32, u32) = (320, 640);

fn url(server: &Server) -> String {
    format!("http://{}", server.address)
}

/// A browser that shows the page, where one is installed.
fn opened(server: &Server, size: (u32, u32)) -> Option<Browser> {
    let browser = has_loopback().then(|| Browser::start(size.0, size.1)).flatten()?;
    browser.go(&url(server));
    started(&browser);
    Some(browser)
}

/// Waits until the scripts of the page have read what the server has.
fn started(browser: &Browser) {
    browser.wait("document.body.dataset.view");
}

/// Types a question and waits for the answer.
#[track_caller]
fn ask(browser: &Browser, question: &str) {
    let before = browser.count("#turns > li");
    browser.click("#question");
    browser.enter(question);
    browser.press(&[key::ENTER]);
    answered(browser, before + 1);
}

#[track_caller]
fn answered(browser: &Browser, n: u64) {
    browser.wait(&format!(
        "document.querySelectorAll('#turns > li').length === {n}
            && document.querySelector('#turns > li:last-child .answer[aria-busy=false]')
            && document.querySelector('#send').textContent === 'Ask'"
    ));
}

/// Waits until the whole document of a citation is shown; its passage alone is shown before.
#[track_caller]
fn source_loaded(browser: &Browser) {
    browser.wait("document.querySelector('#source[open] #source-body:not([aria-busy])')");
}

/// The states of the last answer's badges, by name.
fn badges(browser: &Browser) -> Value {
    browser.js("const badges = document.querySelectorAll('#turns > li:last-child [data-badge]');
        return Object.fromEntries([...badges].map((badge) => [badge.dataset.badge, \
        badge.dataset.state]));")
}

/// Expects an empty console.
#[track_caller]
fn assert_no_complaints(browser: &Browser) {
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn a_citation_opens_its_passage_and_badges_show_the_cache() {
    let sandbox = indexed();
    let server = Server::start(&sandbox, &[]);
    let Some(browser) = opened(&server, WIDE) else { return };
    ask(&browser, "Why do honey bees dance?");
    assert!(
        browser
            .text(".answer")
            .starts_with("Honey bees dance to tell the others where flowers are.")
    );
    assert_eq!(
        badges(&browser),
        json!({ "answer": "miss", "retrieval": "miss", "embeddings": "miss" })
    );
    let ledger = browser.text("#turns .ledger");
    assert!(ledger.contains("Quoted from documents in default"), "{ledger}");
    assert!(!ledger.contains("Cache"), "numbers are folded: {ledger}");
    let times = browser.js("return document.querySelector('.times').textContent");
    assert!(times.as_str().unwrap().contains(" ms"), "{times}");

    browser.click(".answer button.cite");
    source_loaded(&browser);
    assert_eq!(browser.text("#source-title"), "bees.md");
    assert!(browser.text("#source-place").starts_with("docs · line"));
    let marked =
        "return [...document.querySelectorAll('.cited mark')].map((mark) => mark.textContent)";
    assert_eq!(browser.js(marked), json!(["Honey", "bees", "dance"]));
    assert_eq!(
        browser.text(".cited .said"),
        "Honey bees dance to tell the others where flowers are."
    );
    assert!(browser.text("#source-body").contains("made of wax"), "the whole document is shown");
    browser.click("#source-close");
    let focused = browser.js("return document.activeElement.className");
    assert_eq!(focused, "cite", "the focus returns to the button that opened the panel");

    // A repeated question is answered from the cache, unless the cache is off.
    ask(&browser, "Why do honey bees dance?");
    assert_eq!(badges(&browser)["answer"], "hit");
    browser.click("#more");
    browser.click("#use-cache");
    browser.click("#more");
    ask(&browser, "Why do honey bees dance?");
    assert_eq!(badges(&browser)["answer"], "miss");
    assert_eq!(badges(&browser)["retrieval"], "miss");

    // An unsupported question: the nearest passages, and no answer.
    ask(&browser, "Who was elected president of France?");
    assert!(
        browser
            .text("#turns > li:last-child .answer")
            .starts_with("Nothing in the index supports an answer.")
    );
    assert!(browser.count("#turns > li:last-child .source") > 0);
    assert_eq!(browser.count("#turns > li:last-child .cite"), 0);
    assert_no_complaints(&browser);
}

#[test]
fn an_answer_is_shown_while_it_is_written_and_can_be_stopped() {
    let sandbox = indexed();
    let begun = ["Honey bees **dance**", " to tell the others where flowers are [1]"];
    let llm =
        LlmServer::start([Step::hang_after(&begun), Step::tokens(&[begun[0], begun[1], "."])]);
    let base_url = llm.base_url();
    let settings = [
        ("RAG_GENERATOR", "llm"),
        ("RAG_LLM_BASE_URL", base_url.as_str()),
        ("RAG_LLM_MODEL", "scripted"),
    ];
    let server = Server::start(&sandbox, &settings);
    let Some(browser) = opened(&server, WIDE) else { return };
    browser.click("#question");
    browser.enter("Why do honey bees dance?");
    browser.press(&[key::ENTER]);
    browser.wait("document.querySelector('.answer strong')?.textContent === 'dance'");
    assert_eq!(browser.js("return document.querySelector('.answer').ariaBusy"), "true");
    assert_eq!(browser.text("#send"), "Stop");
    browser.press(&[key::ESCAPE]);
    answered(&browser, 1);
    assert!(browser.text(".answer").contains("Stopped."));

    ask(&browser, "Why do honey bees dance?");
    assert_eq!(browser.count("#turns > li:last-child .answer button.cite"), 1);
    assert!(browser.text("#turns > li:last-child .ledger").contains("Written by scripted"));
    browser.click("#turns > li:last-child .answer button.cite");
    source_loaded(&browser);
    let said = browser.text(".cited .said");
    assert_eq!(said, "Honey bees dance to tell the others where flowers are.");
    assert_no_complaints(&browser);
}

#[test]
fn the_keyboard_reaches_everything() {
    let sandbox = indexed();
    let server = Server::start(&sandbox, &[]);
    let Some(browser) = opened(&server, WIDE) else { return };
    let focused =
        || browser.js("return document.activeElement.id || document.activeElement.className");
    browser.js("document.activeElement.blur()");
    // The first tab stop skips the navigation bar.
    browser.press(&[key::TAB]);
    assert_eq!(focused(), "skip");
    browser.press(&[key::ENTER]);
    assert_eq!(focused(), "main");
    browser.press(&["/"]);
    assert_eq!(focused(), "question");
    browser.enter("Why do honey bees dance? Why does the tide rise twice a day?");
    browser.press(&[key::ENTER]);
    answered(&browser, 1);
    let n = browser.count(".answer .cite");
    assert!(n >= 2, "{}", browser.text(".answer"));

    browser.js("document.activeElement.blur()");
    browser.press(&[key::RIGHT]);
    let at = || {
        browser.js("return [...document.querySelectorAll('.cite')].indexOf(document.activeElement)")
    };
    assert_eq!(at(), 0);
    browser.press(&[key::RIGHT]);
    assert_eq!(at(), 1);
    browser.press(&[key::LEFT]);
    assert_eq!(at(), 0);
    let outline = browser.js("return getComputedStyle(document.activeElement).outlineStyle");
    assert_eq!(outline, "solid", "the focus is visible");
    browser.press(&[key::ENTER]);
    source_loaded(&browser);
    assert_eq!(focused(), "source-title");
    let first = browser.text("#source-title");
    browser.press(&[key::RIGHT]);
    assert_ne!(browser.text("#source-title"), first, "the next source");
    browser.press(&[key::ESCAPE]);
    assert_eq!(browser.js("return document.querySelector('#source').open"), false);
    assert_eq!(browser.js("return document.activeElement.classList.contains('cite')"), true);
    assert_no_complaints(&browser);
}

#[test]
fn an_ingest_is_started_and_shows_its_progress() {
    let sandbox = Sandbox::new();
    topics(&sandbox);
    sandbox.write("docs/broken.pdf", "%PDF-1.7 and no more");
    let server = Server::start(&sandbox, &[("RAG_SERVE_ROOTS", "docs")]);
    let Some(browser) = opened(&server, WIDE) else { return };
    assert!(
        browser.text("#welcome").contains("rag ingest --dir FOLDER"),
        "{}",
        browser.text("#welcome")
    );

    browser.click("#nav-corpus");
    browser.wait(
        "document.querySelector('#ingest-start') && document.querySelector('#card-caches table')",
    );
    // Records every share that the progress bar shows.
    browser.js("window.seen = [];
        new MutationObserver(() => {
            const bar = document.querySelector('#ingest-progress progress');
            if (bar) window.seen.push(bar.value);
        }).observe(document.querySelector('#ingest-progress'), { subtree: true, childList: true, \
        characterData: true });");
    browser.click("#ingest-start");
    browser.wait("document.querySelector('#ingest-progress .good')");
    let seen = browser.js("return window.seen");
    let seen: Vec<f64> = seen.as_array().unwrap().iter().filter_map(Value::as_f64).collect();
    assert!(seen.iter().any(|share| *share > 0.0), "{seen:?}");
    assert!(seen.windows(2).all(|pair| pair[0] <= pair[1]), "{seen:?}");
    assert!(
        browser.text("#ingest-progress").contains("6 documents"),
        "{}",
        browser.text("#ingest-progress")
    );
    assert!(browser.text("#ingest-progress").contains("1 file could not be read"));
    browser.click("#card-documents [data-state=failed]");
    browser.wait(
        "document.querySelector('#card-documents .files')?.textContent.includes('broken.pdf')",
    );
    assert!(browser.text("#card-index").contains("default"));
    check_verify_and_empty(&browser);

    browser.click("#nav-ask");
    ask(&browser, "Why do honey bees dance?");
    assert!(browser.count(".answer .cite") >= 1);
    assert_no_complaints(&browser);
}

/// The index is verified; a cache is emptied after a confirmation.
fn check_verify_and_empty(browser: &Browser) {
    browser
        .js("[...document.querySelectorAll('#card-index button')].find((b) => b.textContent === \
         'Verify').click()");
    browser.wait("document.querySelector('#card-index .good')?.textContent.includes('intact')");
    let rows = "document.querySelector('#card-caches tbody tr:last-child td').textContent";
    browser.wait(&format!("{rows} !== '0'"));
    let empty = "[...document.querySelectorAll('#card-caches button')].find((b) => \
         b.textContent.startsWith('Empty '))";
    browser.js(&format!("const button = {empty}; button.focus(); button.click(); button.click()"));
    browser.wait("document.querySelector('#sure[open]')");
    browser.press(&[key::ESCAPE]);
    browser.wait("!document.querySelector('#sure').open");
    assert_ne!(browser.js(&format!("return {rows}")), "0", "the dialog's Escape empties nothing");
    browser.js(&format!("{empty}.click()"));
    browser.click("#sure-yes");
    browser.wait(&format!("{rows} === '0'"));
}

#[test]
fn folders_are_added_to_and_removed_from_the_selected_index() {
    let sandbox = indexed();
    sandbox.write("notes/salmon.md", "# Salmon\n\nThe salmon leaps up the river.\n");
    sandbox.write("other/owl.md", "# Owls\n\nThe owl hunts at night.\n");
    sandbox.rag(["ingest", "--dir", "other", "--index", "second"]).ok();
    let server = Server::start(&sandbox, &[("RAG_SERVE_ROOTS", "notes")]);
    let Some(browser) = opened(&server, WIDE) else { return };
    browser.click("#nav-corpus");
    let field = "document.querySelector('#ingest-index')?.value";
    browser.wait(&format!("{field} === 'default'"));
    browser.js("const picker = document.querySelector('#index');
        picker.value = 'second';
        picker.dispatchEvent(new Event('change', { bubbles: true }));");
    browser.wait(&format!("{field} === 'second'"));
    browser.click("#ingest-start");
    browser.wait("document.querySelector('#ingest-progress .good')");
    let folders = "[...document.querySelectorAll('#index-folders li > span')].map((node) => \
         node.textContent).join()";
    browser.wait(&format!("{folders} === 'notes,other'"));
    assert_eq!(sandbox.rag(["index", "show", "--json"]).ok().json()["roots"], json!(["docs"]));

    let take_out = |folder: &str| {
        browser.js(&format!(
            "document.querySelector('#index-folders [aria-label^=\"Remove {folder} \
             from\"]').click()"
        ));
        browser.wait("document.querySelector('#sure[open]')");
        assert_eq!(browser.text("#sure-title"), format!("Remove {folder} from the index second?"));
    };
    take_out("other");
    browser.click("#sure-no");
    assert_eq!(browser.js(&format!("return {folders}")), "notes,other");
    take_out("other");
    browser.click("#sure-yes");
    browser.wait(&format!("{folders} === 'notes'"));
    browser
        .js("[...document.querySelectorAll('#card-index button')].find((b) => b.textContent === \
             'Roll back').click()");
    browser.wait("document.querySelector('#sure[open]')");
    browser.click("#sure-yes");
    browser.wait(&format!("{folders} === 'notes,other'"));

    // An empty index says so.
    for folder in ["notes", "other"] {
        take_out(folder);
        browser.click("#sure-yes");
        browser.wait(&format!("!{folders}.includes('{folder}')"));
    }
    browser.click("#nav-ask");
    browser.wait(
        "document.querySelector('#welcome')?.textContent.includes('The index second is empty.')",
    );
    ask(&browser, "Where does the owl hunt?");
    assert!(
        browser.text("#turns > li:last-child .answer").starts_with("The index second is empty.")
    );
    assert_no_complaints(&browser);
}

#[test]
fn a_conversation_survives_a_reload_and_can_be_saved() {
    let sandbox = indexed();
    let server = Server::start(&sandbox, &[]);
    let Some(browser) = opened(&server, WIDE) else { return };
    ask(&browser, "Why do honey bees dance?");
    ask(&browser, "What are their combs made of?");
    browser.reload();
    browser.wait("document.querySelectorAll('#turns > li').length === 2");
    browser.wait("document.querySelector('#turns > li:last-child .source .trail')");
    assert_eq!(badges(&browser)["answer"], "miss", "details come back");
    // A source of an earlier turn is found by its position in the document.
    browser.click("#turns .answer .cite");
    source_loaded(&browser);
    assert!(browser.text("#source .cited").contains("Honey bees dance"));
    browser.press(&[key::ESCAPE]);

    check_conversations(&browser);
    browser.click("#fresh");
    assert_eq!(browser.count("#turns > li"), 0);
    browser.reload();
    started(&browser);
    assert_eq!(browser.count("#turns > li"), 0);
    assert_no_complaints(&browser);
}

/// The list of conversations, from the one that is open: exported, searched, renamed, opened,
/// deleted.
fn check_conversations(browser: &Browser) {
    browser.click("#talks-open");
    browser.wait("document.querySelector('#talks-list .link')");
    let act = |label: &str| {
        browser.js(&format!(
            "document.querySelector('#talks-list [aria-label^=\"{label}:\"]').click()"
        ));
    };
    act("JSONL");
    let text = downloaded(browser, "jsonl", |text| text.lines().count() == 2);
    let questions: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["question"].take())
        .collect();
    assert_eq!(questions, ["Why do honey bees dance?", "What are their combs made of?"]);
    act("Markdown");
    let text = downloaded(browser, "md", |text| text.contains("## What are their combs"));
    assert!(text.contains("1. docs/bees.md, line"), "{text}");

    act("Rename");
    browser.wait("document.querySelector('#rename[open]')");
    browser.js("document.querySelector('#rename-input').select()");
    browser.enter("Bees of mine");
    browser.press(&[key::ENTER]);
    browser.wait("document.querySelector('#talks-list .link')?.textContent === 'Bees of mine'");
    browser.press(&[key::ESCAPE]);
    browser.click("#fresh");
    ask(browser, "Why does the tide rise twice a day?");
    browser.click("#talks-open");
    browser.wait("document.querySelectorAll('#talks-list > li').length === 2");
    browser.click("#talks-search");
    browser.enter("mine combs");
    browser.wait("document.querySelectorAll('#talks-list > li').length === 1");
    browser.click("#talks-list .link");
    browser.wait("document.querySelectorAll('#turns > li').length === 2");
    assert_eq!(browser.text("#turns .question"), "Why do honey bees dance?");
    browser.click("#talks-open");
    browser.wait("document.querySelectorAll('#talks-list > li').length === 2");
    act("Delete");
    browser.wait("document.querySelector('#sure[open]')");
    browser.click("#sure-yes");
    browser.wait("document.querySelectorAll('#talks-list > li').length === 1");
    browser.press(&[key::ESCAPE]);
    ask(browser, "Why does the tide rise twice a day?");
}

/// The text of a download with this ending, once it is whole.
fn downloaded(browser: &Browser, ending: &str, is_whole: impl Fn(&str) -> bool) -> String {
    wait_for("the download", || {
        let entries = std::fs::read_dir(browser.downloads()).ok()?;
        let mut paths = entries.flatten().map(|entry| entry.path());
        let path = paths.find(|path| path.extension().is_some_and(|found| found == ending))?;
        std::fs::read_to_string(path).ok().filter(|text| is_whole(text))
    })
}

#[test]
fn an_answer_is_made_again_in_its_place_rated_copied_and_linked() {
    let sandbox = indexed();
    let server = Server::start(&sandbox, &[]);
    let Some(browser) = opened(&server, WIDE) else { return };
    // A suggested question is asked by a click.
    browser.wait("document.querySelector('.suggestion')");
    browser.click(".suggestion");
    answered(&browser, 1);
    ask(&browser, "Why do honey bees dance?");
    browser.js("document.querySelector('#turns > li:last-child [data-again]').click()");
    answered(&browser, 2);
    let id = browser.js("return sessionStorage.getItem('rag.session')");
    let session = server.get(&format!("/sessions/{}", id.as_str().unwrap())).ok().json();
    assert_eq!(session["turns"].as_array().unwrap().len(), 2, "{session}");
    assert_eq!(session["turns"][1]["resolved"], "Why do honey bees dance?");
    let hidden = browser.js("return document.querySelector('#turns [data-again]').hidden");
    assert_eq!(hidden, true, "only the last question is asked again in its place");

    let last = "#turns > li:last-child";
    browser.js("window.copied = [];
        navigator.clipboard.writeText = async (text) => { window.copied.push(text); };");
    browser.click(&format!("{last} .acts button:nth-child(1)"));
    browser
        .wait(&format!("document.querySelector('{last} .acts button').textContent === 'Copied'"));
    browser.click(&format!("{last} .acts button:nth-child(2)"));
    let copied = browser.wait("window.copied.length === 2 && window.copied");
    assert!(copied[0].as_str().unwrap().contains("[1] docs/bees.md, line"), "{copied}");
    let link = copied[1].as_str().unwrap().to_owned();
    assert!(link.contains("/#ask?q=Why+do+honey+bees+dance%3F&index=default"), "{link}");

    browser.click(&format!("{last} [aria-label='Not helpful']"));
    assert!(browser.text(&format!("{last} .rating")).contains("keeps your question in words"));
    browser.js("document.querySelector('.rating [value=unanswerable]').click()");
    browser.js("document.querySelector('.rating .primary').click()");
    browser.wait(&format!("document.querySelector('{last} .rate .good')"));
    let exported = server.get("/feedback/export").ok().body;
    assert!(exported.contains("\"unanswerable\":true"), "{exported}");

    browser.go("about:blank");
    browser.go(&link);
    answered(&browser, 1);
    assert_eq!(browser.text("#turns .question"), "Why do honey bees dance?");
    browser.reload();
    browser.wait("document.querySelectorAll('#turns > li').length === 1");
    assert_no_complaints(&browser);
}

#[test]
fn the_steps_of_an_answer_are_drawn() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "docs/tea.md",
        "# How to make tea\n\nTo make tea, follow these steps:\n\n1. Boil the water.\n\
         2. Pour it over <the> leaves.\n3. Wait for three minutes.\n",
    );
    sandbox.ingest();
    let server = Server::start(&sandbox, &[]);
    let Some(browser) = opened(&server, WIDE) else { return };
    ask(&browser, "How do I make tea?");
    answered(&browser, 1);
    browser.click(".diagram summary");
    let boxes = browser.js(
        "return [...document.querySelectorAll('.diagram .flow li')].map((box) => box.textContent)",
    );
    let steps: Vec<&str> = boxes.as_array().unwrap().iter().filter_map(Value::as_str).collect();
    let ends = ["Boil the water.", "Pour it over <the> leaves.", "Wait for three minutes."];
    assert!(steps.ends_with(&ends), "{boxes}");
    browser.js("window.copied = '';
        navigator.clipboard.writeText = async (text) => { window.copied = text; };");
    browser.click(".diagram button");
    let copied = browser.wait("window.copied");
    assert!(copied.as_str().unwrap().starts_with("flowchart TD\n    q([\"How do I make tea?\"])"));
    assert_no_complaints(&browser);
}

/// Sentences, rows of tables, records, code and metadata.
#[test]
fn what_is_quoted_is_marked_in_every_kind_of_answer() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "docs/valves.md",
        "---\nauthor: Ada Lovelace\n---\n# Valves\n\nA **bleed valve** lets [air](http://x.org/) \
         out.\n\n| Valve | Clearance |\n|---|---|\n| Intake | 0.27 mm |\n| Exhaust | 0.32 mm |\n\n\
         ## Opening a valve\n\n```sh\nvalvectl open --slowly intake\n```\n",
    );
    sandbox.write("docs/prices.csv", "Name,Price\nApple,1.20\nPear,2.30\n");
    sandbox.write("docs/greet.py", "def greet(name):\n    return \"hello \" + name\n");
    sandbox.ingest();
    let server = Server::start(&sandbox, &[]);
    let Some(browser) = opened(&server, WIDE) else { return };
    let mut n_marked = 0;
    for (n, (question, said)) in [
        ("What does a bleed valve let out?", "A bleed valve lets air out."),
        ("What is the clearance of the intake valve?", "0.27 mm"),
        ("What is the price of an apple?", "1.20"),
        ("What does greet return?", "return \"hello \" + name"),
        ("Who wrote valves.md?", "Ada Lovelace"),
    ]
    .into_iter()
    .enumerate()
    {
        if n > 0 {
            browser.click("#fresh");
        }
        ask(&browser, question);
        if browser.count("#turns .answer .cite") == 0 {
            continue;
        }
        n_marked += 1;
        browser.click("#turns .answer .cite");
        source_loaded(&browser);
        let marked = browser
            .js("return [...document.querySelectorAll('.cited .said')].map((node) => \
             node.textContent).join('')");
        let letters = |text: &str| text.chars().filter(|c| c.is_alphanumeric()).collect::<String>();
        let marked = letters(marked.as_str().unwrap());
        assert!(marked.contains(&letters(said)), "{question}: {marked}");
    }
    assert!(n_marked >= 3, "{n_marked} were answered");
    assert_no_complaints(&browser);
}

#[test]
fn files_are_dropped_shown_opened_deleted_and_restored() {
    let sandbox = indexed();
    let server = Server::start(&sandbox, &[("RAG_SERVE_ROOTS", "docs")]);
    let Some(browser) = opened(&server, WIDE) else { return };
    // A drop anywhere on the page.
    browser.js("const transfer = new DataTransfer();
        const table = ['# Wax', '', 'Wax melts at **62** degrees.', '', '| Kind | Melts |', \
         '|---|---|',
            '| bee | 62 |', '', '```', 'melt(wax)', '```', ''].join('\\n');
        transfer.items.add(new File([table], 'wax.md'));
        transfer.items.add(new File(['%PDF-1.7 and no more'], 'broken.pdf'));
        const drop = (type) => document.body.dispatchEvent(new DragEvent(type, { dataTransfer: \
         transfer, bubbles: true, cancelable: true }));
        drop('dragenter');
        if (document.querySelector('#drop').hidden) throw new Error('no sign of the drop');
        drop('drop');");
    browser.wait("document.querySelector('#upload-progress .good')");
    let text = browser.text("#upload-progress");
    assert!(text.contains("2 files uploaded and added to the index."), "{text}");
    assert!(text.contains("1 file could not be read"), "{text}");
    browser.wait("document.querySelector('#card-uploads .quiet')");
    browser.js(
        "[...document.querySelectorAll('#card-uploads button')].find((b) => b.textContent === \
         'Show uploads').click()",
    );
    let first = "document.querySelector('#card-documents .link')";
    browser.wait(&format!("{first}?.textContent === 'wax.mduploads'"));
    browser.js(&format!("{first}.click()"));
    // Markdown, tables and code are rendered.
    source_loaded(&browser);
    assert_eq!(browser.text("#source .text strong"), "62");
    assert_eq!(browser.text("#source .text td:last-child"), "62");
    assert_eq!(browser.text("#source .text pre"), "melt(wax)");
    browser.js("window.opened = []; window.open = (...all) => { window.opened.push(all); };");
    browser.click("#source-original");
    let opened = browser.wait("window.opened[0]");
    let original = server.get(opened[0].as_str().unwrap()).ok();
    assert!(original.body.starts_with("# Wax"), "{original:?}");
    browser.press(&[key::ESCAPE]);

    let act = |label: &str| {
        browser.js(&format!(
            "document.querySelector('#card-documents [aria-label=\"{label}\"]').click()"
        ));
    };
    act("Delete uploads/wax.md");
    browser.click("#sure-yes");
    browser.wait(
        "document.querySelector('#card-documents .faint')?.textContent === 'No document \
                  matches.'",
    );
    browser.click("#documents-filter");
    browser.js("document.activeElement.select()");
    browser.enter("bees");
    browser.press(&[key::ENTER]);
    browser.wait(&format!("{first}?.textContent === 'bees.mddocs'"));
    act("Delete docs/bees.md");
    browser.click("#sure-yes");
    browser.wait(
        "document.querySelector('#card-documents .faint')?.textContent === 'No document \
                  matches.'",
    );
    browser.click("#card-documents [data-state=removed]");
    browser.wait("document.querySelectorAll('#card-documents .files > li').length === 2");
    assert!(browser.text("#card-documents").contains("the file is gone; upload it again"));
    browser.js("document.querySelector('#ingest-progress').replaceChildren()");
    act("Restore docs/bees.md");
    browser.wait("document.querySelector('#ingest-progress .good')");
    browser.click("#nav-ask");
    ask(&browser, "Why do honey bees dance?");
    assert!(browser.count(".answer .cite") >= 1);
    assert_no_complaints(&browser);
}

#[test]
fn the_reference_sends_a_request() {
    let sandbox = indexed();
    let server = Server::start(&sandbox, &[]);
    let Some(browser) = has_loopback().then(|| Browser::start(WIDE.0, WIDE.1)).flatten() else {
        return;
    };
    browser.go(&format!("{}/docs", url(&server)));
    browser.wait("document.querySelector('.operation')");
    let open = |operation: &str| {
        browser.js(&format!("document.getElementById('{operation}').open = true"));
        browser.wait(&format!("document.querySelector('#{operation} .try')"));
    };
    let send = |operation: &str, before: &str| {
        browser.js(&format!(
            "const form = document.querySelector('#{operation} .try'); {before}; \
             form.requestSubmit()"
        ));
        browser.wait(&format!(
            "document.querySelector('#{operation} .try .primary:not([disabled])') && \
             document.querySelector('#{operation} .reply pre')?.textContent"
        ));
        browser.text(&format!("#{operation} .reply"))
    };
    open("search");
    let body = json!({ "query": "bees", "k": 1 }).to_string();
    let set = format!("form.querySelector('textarea').value = {}", json!(body));
    let reply = send("search", &set);
    assert!(reply.starts_with("200") && reply.contains("\"path\": \"bees.md\""), "{reply}");
    open("documents_list");
    let reply = send("documents_list", "form.querySelector('input').value = 'nothing'");
    assert!(reply.starts_with("404") && reply.contains("there is no index"), "{reply}");
    // A route that removes something asks first.
    open("cache_purge");
    open("documents_remove");
    browser.js("const form = document.querySelector('#documents_remove .try');
        [...form.querySelectorAll('input')].at(-1).value = 'docs/bees.md'; form.requestSubmit()");
    browser.wait("document.querySelector('#sure[open]')");
    browser.click("#sure-no");
    assert_eq!(server.get("/documents?limit=500").ok().body.matches("bees.md").count(), 1);
    // The refusal above.
    assert!(browser.complaints().iter().all(|line| line.contains("404")));
}

/// The parts that a first visit loads, compressed as a server would, and what is shown before any
/// script has run.
#[test]
fn the_page_is_small_and_shows_itself_without_scripts() {
    let sandbox = indexed();
    let server = Server::start(&sandbox, &[]);
    let Some(browser) = opened(&server, WIDE) else { return };
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/serve/page");
    let names: Vec<String> = files_below(&dir)
        .into_iter()
        .filter(|name| !name.starts_with("docs"))
        .map(|name| if name == "index.html" { "/".into() } else { format!("/assets/{name}") })
        .collect();
    let n_bytes = browser.js_async(&format!(
        "let sum = 0;
        for (const path of {}) {{
            const reply = await fetch(path);
            if (!reply.ok) throw new Error(path);
            const packed = reply.body.pipeThrough(new CompressionStream('gzip'));
            sum += (await new Response(packed).arrayBuffer()).byteLength;
        }}
        return sum;",
        json!(names)
    ));
    eprintln!("the page has {n_bytes} bytes compressed");
    assert!(n_bytes.as_u64().unwrap() <= 120 << 10, "{n_bytes} bytes");
    let html = server.get("/").ok().body;
    assert!(html.contains("<h2>Ask your documents</h2>") && html.contains("id=\"question\""));
    browser.without_scripts(true);
    browser.reload();
    let text = browser.text("#welcome");
    assert!(text.contains("Ask your documents"), "{text}");
    assert!(browser.text("noscript, noscript *").contains("needs JavaScript"));
    browser.without_scripts(false);
}

/// Questions about the documentation.
const QUESTIONS: [&str; 40] = [
    "How do I follow the changes of a folder?",
    "What may be deleted from the data directory?",
    "What happens when the language model fails?",
    "Which files are read?",
    "What does rag do?",
    "What is sent to a language model?",
    "Which files are not read?",
    "How is a hybrid score made?",
    "What are the exit codes?",
    "How long are conversations kept?",
    "How do I list the models?",
    "How do I add a model from a folder?",
    "How do I pull a model from the hub?",
    "What is a corpus id?",
    "What is a generation?",
    "How do I go back to an earlier generation?",
    "How do I move an index to another machine?",
    "How do I back up an index?",
    "How do I remove an index?",
    "How do I remove a document?",
    "How do I verify an index?",
    "How do I ignore files?",
    "What is the commit point?",
    "What is checksummed?",
    "How much space does an index take?",
    "Who may ask a server?",
    "How do I ingest over HTTP?",
    "What happens when many ask at once?",
    "How do I use a client of OpenAI?",
    "How do I watch over a server?",
    "Which metrics are there?",
    "How do I keep an index fresh?",
    "What does the JSON of an answer have?",
    "How do I ask many questions in one process?",
    "How do I turn a language model on?",
    "How is an answer of a language model checked?",
    "Does rag need a GPU?",
    "Can rag remember what I asked before?",
    "What is needed to install rag?",
    "How do I measure the quality of search?",
];

/// Some of the questions, all of them with `RAG_TEST_THOROUGH`.
#[test]
fn every_citation_opens_its_passage() {
    let sandbox = Sandbox::new();
    copy_tree(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("data/corpus"),
        &sandbox.path().join("docs"),
    );
    sandbox.ingest();
    let server = Server::start(&sandbox, &[]);
    let Some(browser) = opened(&server, WIDE) else { return };
    let bare = |text: &str| text.chars().filter(|c| c.is_alphanumeric()).collect::<String>();
    let (mut opened, mut joined) = (0, 0);
    let n = if thorough() { QUESTIONS.len() } else { 8 };
    for question in &QUESTIONS[..n] {
        // Before the first question there is no conversation to leave.
        if browser.count("#turns > li") > 0 {
            browser.click("#fresh");
        }
        ask(&browser, question);
        let reply = server.post("/ask", &json!({ "query": question })).ok().json();
        for citation in reply["citations"].as_array().unwrap() {
            // Passages are listed by number below the answer, supported or not.
            let at = citation["n"].as_u64().unwrap();
            browser.click(&format!("#turns > li:last-child .sources li:nth-child({at}) .source"));
            source_loaded(&browser);
            let what = format!("{question} [{at}]");
            assert_eq!(
                browser.count("#source .note, #source .problem"),
                0,
                "{what}: {}",
                browser.text("#source-body")
            );
            assert_eq!(browser.count("#source .cited"), 1, "{what}");
            // Markup is rendered, so letters and digits are compared.
            let shown = browser.text("#source .cited .text");
            assert_eq!(bare(&shown), bare(citation["text"].as_str().unwrap()), "{what}");
            if reply["supported"] == true && at == 1 {
                assert!(browser.count("#source .cited .said") > 0, "{what}: nothing is marked");
            }
            let is_seen =
                "const box = document.querySelector('#source-body').getBoundingClientRect();
                const cited = document.querySelector('#source .cited').getBoundingClientRect();
                return cited.bottom > box.top && cited.top < box.bottom;";
            assert_eq!(browser.js(is_seen), true, "{what}: it is scrolled to");
            opened += 1;
            let (root, path) =
                (citation["root"].as_str().unwrap(), citation["path"].as_str().unwrap());
            let content =
                server.get(&format!("/documents/content?root={root}&path={path}")).ok().json();
            joined += usize::from(
                content["passages"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .all(|p| p["text"] != citation["text"]),
            );
            browser.press(&[key::ESCAPE]);
        }
    }
    eprintln!("{opened} citations of {n} questions opened, {joined} of them of several passages");
    assert!(opened >= n, "{opened} citations of {n} questions, {joined} of several passages");
    assert_no_complaints(&browser);
}

#[test]
fn a_citation_is_shown_after_its_document_has_changed() {
    let sandbox = indexed();
    let server = Server::start(&sandbox, &[]);
    let Some(browser) = opened(&server, WIDE) else { return };
    ask(&browser, "Why do honey bees dance?");
    let open = || {
        browser.click("#turns .answer .cite");
        source_loaded(&browser);
        let seen = (browser.count("#source .note"), browser.text("#source .cited"));
        browser.press(&[key::ESCAPE]);
        seen
    };
    // Moved within the document.
    let (_, text) = crate::fixtures::TOPICS[0];
    crate::fixtures::write_old(
        &sandbox,
        "docs/bees.md",
        text.replacen("\n\n", "\n\nA first paragraph.\n\n", 1),
    );
    sandbox.ingest();
    server.post("/search", &json!({ "query": "first paragraph" })).ok();
    let (notes, cited) = open();
    assert!(cited.contains("Honey bees dance"), "{notes} {cited}");
    crate::fixtures::write_old(&sandbox, "docs/bees.md", "# Bees\n\nNothing is known of them.\n");
    sandbox.ingest();
    server.post("/search", &json!({ "query": "nothing is known" })).ok();
    let (notes, cited) = open();
    assert!(notes == 1 && cited.contains("Honey bees dance"), "{notes} {cited}");
    assert_no_complaints(&browser);
}

#[test]
fn a_token_is_requested_and_kept_in_the_tab_only() {
    let sandbox = indexed();
    let token = "a-token-of-some-length";
    let server = Server::start(&sandbox, &[("RAG_SERVE_TOKEN", token)]);
    let Some(browser) = has_loopback().then(|| Browser::start(WIDE.0, WIDE.1)).flatten() else {
        return;
    };
    browser.go(&url(&server));
    browser.wait("document.querySelector('#token[open]')");
    browser.enter("not-this-one-but-long");
    browser.press(&[key::ENTER]);
    browser.wait("!document.querySelector('#token-note').hidden");
    browser.enter(token);
    browser.press(&[key::ENTER]);
    browser.wait("document.querySelector('#welcome h2') && !document.querySelector('#token').open");
    ask(&browser, "Why do honey bees dance?");
    assert!(browser.count(".answer .cite") >= 1);
    let stored =
        browser.js("return [JSON.stringify(localStorage), document.cookie, location.href].join()");
    assert!(!stored.as_str().unwrap().contains(token), "{stored}");
    // Only the refusals.
    assert!(
        browser.complaints().iter().all(|line| line.contains("401")),
        "{:?}",
        browser.complaints()
    );
}

/// Actions beyond a reader's scope are not shown.
#[test]
fn a_reader_sees_the_corpus_without_forbidden_actions() {
    let sandbox = indexed();
    let file = sandbox.write("tokens", "read a-token-of-some-length\n");
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let server = Server::start(&sandbox, &[("RAG_SERVE_TOKEN_FILE", "tokens")]);
    let Some(browser) = has_loopback().then(|| Browser::start(WIDE.0, WIDE.1)).flatten() else {
        return;
    };
    browser.go(&url(&server));
    browser.wait("document.querySelector('#token[open]')");
    browser.enter("a-token-of-some-length");
    browser.press(&[key::ENTER]);
    browser.wait("document.querySelector('#welcome h2') && !document.querySelector('#token').open");
    browser.click("#nav-corpus");
    browser.wait(
        "document.querySelector('#card-caches table') && \
         document.querySelector('#card-documents .faint')",
    );
    let text = browser.text("#corpus");
    assert!(text.contains("Your token does not allow ingesting."), "{text}");
    for word in ["false", "undefined", "null", "NaN"] {
        assert!(!text.contains(word), "{word}: {text}");
    }
}

#[test]
fn document_text_is_never_markup() {
    let sandbox = Sandbox::new();
    let hostile = "Penguins huddle <img src=x onerror=\"document.title='owned'\"> \
         <script>document.title='owned'</script> \
                   because the wind is cold [2](javascript:alert(1)) `</code><b>`.";
    // The second name would be markup too.
    for name in ["penguins.txt", "<img src=x onerror=alert(1)>.txt"] {
        sandbox.write(&format!("docs/{name}"), format!("{hostile} This is {name}.\n"));
    }
    sandbox.ingest();
    let server = Server::start(&sandbox, &[]);
    let Some(browser) = opened(&server, WIDE) else { return };
    ask(&browser, "Why do penguins huddle?");
    assert!(browser.text(".answer").contains("<script>"), "{}", browser.text(".answer"));
    browser.click(".source");
    source_loaded(&browser);
    assert!(browser.text("#source .cited").contains("onerror"));
    let strange = "return document.querySelectorAll('main img, main script, main b, #source \
         :is(img, script, b, a)').length";
    assert_eq!(browser.js(strange), 0);
    assert_eq!(browser.js("return document.title"), "rag");
    assert_no_complaints(&browser);
}

/// Expects that a view fits the screen and violates no rule of axe-core, where that is present.
#[track_caller]
fn check_view(browser: &Browser, axe: Option<&str>, what: &str) {
    let sizes = browser.js("return [document.documentElement.scrollWidth, innerWidth]");
    let (width, screen) = (sizes[0].as_u64(), sizes[1].as_u64());
    assert!(width <= screen, "{what} is {width:?} wide on {screen:?}");
    let Some(axe) = axe else { return };
    if browser.js("return Boolean(window.axe)") != true {
        browser.js(axe);
    }
    // Only the contrast rules depend on the colour scheme.
    for (dark, rules) in [
        (false, "['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa', 'best-practice']"),
        (true, "['color-contrast']"),
    ] {
        browser.prefer_dark(dark);
        let found = browser.js_async(&format!(
            "const options = {{ resultTypes: ['violations'], runOnly: {rules} }};
            const {{ violations }} = await axe.run(options);
            return violations.map(({{ id, help, nodes }}) =>
                ({{ id, help, nodes: nodes.map((node) => node.html) }}));"
        ));
        assert_eq!(found, json!([]), "{what}, {}", if dark { "dark" } else { "light" });
    }
}

#[test]
fn the_page_fits_a_narrow_screen_and_passes_axe() {
    let sandbox = indexed();
    let server = Server::start(&sandbox, &[("RAG_SERVE_ROOTS", "docs")]);
    let Some(browser) = opened(&server, NARROW) else { return };
    let axe = axe();
    let check = |what: &str| check_view(&browser, axe.as_deref(), what);
    check("the welcome");
    ask(&browser, "Why do honey bees dance? Why does the tide rise twice a day?");
    browser.click("#more");
    browser.js("document.querySelector('.ledger details').open = true");
    browser.click(".ledger [aria-label='Not helpful']");
    check("an answer");
    browser.click("#more");
    ask(&browser, "Who was elected president of France?");
    check("the nearest passages");
    browser.click("#turns .answer .cite");
    source_loaded(&browser);
    check("a source");
    browser.press(&[key::ESCAPE]);
    browser.click("#nav-corpus");
    browser.wait(
        "document.querySelector('#card-caches table') && \
         document.querySelector('#card-documents .faint')",
    );
    browser.wait("document.querySelector('#card-documents .link')");
    browser.js("document.querySelectorAll('details').forEach((node) => { node.open = true; })");
    check("the corpus");
    browser.click("#talks-open");
    browser.wait("document.querySelector('#talks-list .link')");
    check("the conversations");
    browser.press(&[key::ESCAPE]);
    browser.go(&format!("{}/docs", url(&server)));
    browser.wait("document.querySelector('.operation')");
    browser.js("document.querySelectorAll('.operation').forEach((node) => { node.open = true; })");
    browser.wait("document.querySelector('.operation .inside')");
    check("the interface");
    assert_no_complaints(&browser);
}

#[test]
fn event_parsing_does_not_depend_on_byte_boundaries() {
    let sandbox = Sandbox::new();
    let server = Server::start(&sandbox, &[]);
    let Some(browser) = opened(&server, WIDE) else { return };
    let differing = browser.js_async(
        r#"const { events } = await import("/assets/sse.js");
        const text = "\ufeff: a comment\nevent: token\n"
            + "data: {\"text\":\"grün\u2028ße 😀\"}\n\n"
            + "event:token\r\ndata:one\r\ndata: two\r\n\r\n"
            + "data\ndata: x\r\rid: 7\nretry: 5\nunknown\n\n"
            + "event: done\ndata:  spaced\n\ndata: cut off";
        const bytes = new TextEncoder().encode(text);
        const read = async (pieces) => {
            const found = [];
            const stream = new ReadableStream({
                start(out) { pieces.forEach((p) => out.enqueue(p)); out.close(); },
            });
            for await (const event of events(stream))
                found.push([event.name, event.data]);
            return JSON.stringify(found);
        };
        const whole = await read([bytes]);
        const wanted = JSON.stringify([
            ["token", "{\"text\":\"grün\u2028ße 😀\"}"], ["token", "one\ntwo"],
            ["message", "\nx"], ["done", " spaced"],
        ]);
        const differing = whole === wanted ? [] : [whole];
        for (let at = 1; at < bytes.length; at += 1) {
            const split = await read([bytes.slice(0, at), bytes.slice(at)]);
            if (split !== whole) differing.push(at, split);
        }
        const single = await read([...bytes].map((byte) => new Uint8Array([byte])));
        if (single !== whole) differing.push("one by one");
        return differing;"#,
    );
    assert_eq!(differing, json!([]));
    assert_no_complaints(&browser);
}

#[test]
fn the_page_makes_no_markup_from_text_and_loads_nothing_external() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/serve/page");
    let files = files_below(&dir);
    assert!(files.len() > 8, "{files:?}");
    for file in files {
        let text = std::fs::read_to_string(dir.join(&file)).unwrap();
        let banned = [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "Function(",
            "DOMParser",
            " style=",
            " onclick=",
        ];
        for word in banned {
            assert!(!text.contains(word), "{file} has {word}");
        }
        let is_elsewhere =
            |line: &&str| line.contains("://") && !line.contains("http://www.w3.org/2000/svg");
        assert_eq!(text.lines().find(is_elsewhere), None, "{file}");
    }
}
