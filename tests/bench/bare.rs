//! The baselines of `scripts/bench`: the model alone.
//!
//! * `bare embed INDEX` times the network over every distinct text of an index, tokenized in
//!   advance, with one thread a core: the lower bound of an ingest.
//! * `bare questions FILE` does so for the lines of a file: the lower bound of a server.
//! * `bare load QUESTION` loads library, network and tokenizer and embeds a question: the lower
//!   bound of a search process.
//! * `bare nearest INDEX FILE` prints the sentence of an index with the largest cosine for each
//!   line of a file of questions: the simplest answers.
//! * `bare tokens FILE` counts the tokens of each line of a file, a JSON string each.
//! * `bare grow FROM TO N` builds an index of N passages around those of another.
//! * `bare compare INDEX FILE` searches an index for the lines of a file, with the codes of the
//!   vectors and with all vectors, and prints times and agreement.
//! * `bare warm INDEX FILE` prints the times of searches and the memory that they take.
//! * `bare risk FOLDER` prints how well risks tell attacks from ordinary texts, of the collections
//!   in a folder.
//!
//! The data directory comes from the environment, as for `rag`.

mod risk;
mod scale;

use std::collections::HashSet;
use std::io::Write as _;
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use rag::analysis;
use rag::config::{Config, World};
use rag::document::{context_line, embedded_text};
use rag::error::{Fault, Result};
use rag::index::Store;
use rag::model::{Assets, EmbeddingRole, Network, Runtime, Tokenizer, forbid_telemetry};
use rag::state::State;
use rag::vector::dot;

fn main() -> Result<()> {
    forbid_telemetry();
    // `cargo bench` passes this flag.
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let config = Config::load(&World::from_process(), &[])?;
    let line = match args.as_slice() {
        ["embed", index] => embed(&config, index)?,
        ["questions", file] => questions(&config, file)?,
        ["load", question] => load(&config, question)?,
        ["nearest", index, questions] => nearest(&config, index, questions)?,
        ["tokens", texts] => tokens(&config, texts)?,
        ["grow", from, to, n] => scale::grow(&config, from, to, number(n)?)?,
        ["compare", index, questions] => scale::compare(&config, index, questions)?,
        ["warm", index, questions] => scale::warm(&config, index, questions)?,
        ["risk", data] => risks(&config, data)?,
        // `cargo bench` names no mode.
        _ => "usage: bare embed INDEX | bare questions FILE | bare load QUESTION | \
             bare nearest INDEX FILE | bare tokens FILE | bare grow FROM TO N | \
             bare compare INDEX FILE | bare warm INDEX FILE | bare risk FOLDER (scripts/bench runs \
             it)"
        .to_owned(),
    };
    let _ = writeln!(std::io::stdout(), "{line}");
    Ok(())
}

fn number(text: &str) -> Result<usize> {
    text.parse().map_err(|e| Fault::usage(format!("{text} is not a number")).because(e))
}

/// The assets of `rag`, which has verified them; the time of this check is not recorded.
fn assets(config: &Config) -> Assets {
    Assets::new(config, State::new(config.state_dir.clone(), || std::time::SystemTime::UNIX_EPOCH))
}

fn embed(config: &Config, index: &str) -> Result<String> {
    let mut texts = HashSet::new();
    Store::new(&config.data_dir).open(index)?.for_each(&mut |stored, _| {
        let context = context_line(stored.title.as_deref(), &stored.chunk.heading);
        texts.insert(embedded_text(&context, &stored.chunk.text));
    })?;
    run(config, EmbeddingRole::Passage, &texts.into_iter().collect::<Vec<_>>())
}

fn questions(config: &Config, file: &str) -> Result<String> {
    let text = std::fs::read_to_string(file)
        .map_err(|e| Fault::failed("cannot read the questions").because(e))?;
    run(config, EmbeddingRole::Query, &text.lines().map(str::to_owned).collect::<Vec<_>>())
}

/// Runs the network over every text, one thread a core.
fn run(config: &Config, role: EmbeddingRole, texts: &[String]) -> Result<String> {
    let files = assets(config).model(&config.model)?;
    let runtime = Runtime::load(&assets(config).library()?)?;
    let tokenizer = Tokenizer::load(&files)?;
    let spec = &files.spec;
    let prefix = match role {
        EmbeddingRole::Query => &spec.query_prefix,
        EmbeddingRole::Passage => &spec.passage_prefix,
    };
    let tokenise = |text: &String| tokenizer.encode(&format!("{prefix}{text}"), spec.max_tokens);
    let inputs: Vec<Vec<u32>> = texts.iter().map(tokenise).collect();
    let tokens: usize = inputs.iter().map(Vec::len).sum();

    let (next, start_line) = (AtomicUsize::new(0), Barrier::new(config.threads + 1));
    let seconds = std::thread::scope(|scope| {
        let work = || {
            let network = Network::load(&runtime, &files);
            // Also reached when loading failed, or the other threads would wait for ever.
            start_line.wait();
            let mut network = network?;
            while let Some(input) = inputs.get(next.fetch_add(1, Ordering::Relaxed)) {
                network.embed_ids(spec, input)?;
            }
            Ok(())
        };
        let workers: Vec<_> = (0..config.threads).map(|_| scope.spawn(work)).collect();
        start_line.wait();
        let start = Instant::now();
        for worker in workers {
            worker.join().unwrap_or_else(|_| Err(Fault::failed("a thread panicked")))?;
        }
        Ok(start.elapsed().as_secs_f64())
    })?;
    Ok(format!(
        r#"{{"texts": {}, "tokens": {tokens}, "seconds": {seconds}, "tokens_per_second": {}}}"#,
        inputs.len(),
        tokens as f64 / seconds
    ))
}

fn load(config: &Config, question: &str) -> Result<String> {
    let start = Instant::now();
    let files = assets(config).model(&config.model)?;
    let library = assets(config).library()?;
    // The two loads do not depend on each other.
    let (network, tokenizer) = std::thread::scope(|scope| {
        let network = scope.spawn(|| Network::load(&Runtime::load(&library)?, &files));
        let tokenizer = Tokenizer::load(&files);
        (
            network.join().unwrap_or_else(|_| Err(Fault::failed("loading the network failed"))),
            tokenizer,
        )
    });
    let mut network = network?;
    let dimension =
        network.embed(&tokenizer?, &files.spec, EmbeddingRole::Query, question)?.dimension();
    // As in `rag`: the system frees the memory faster.
    std::mem::forget(network);
    Ok(format!(r#"{{"dimension": {dimension}, "seconds": {}}}"#, start.elapsed().as_secs_f64()))
}

/// For each line of `questions`, a JSON string: the sentence of the index with the largest cosine.
fn nearest(config: &Config, index: &str, questions: &str) -> Result<String> {
    let files = assets(config).model(&config.model)?;
    let runtime = Runtime::load(&assets(config).library()?)?;
    let tokenizer = Tokenizer::load(&files)?;
    let mut network = Network::load(&runtime, &files)?;
    let mut texts = Vec::new();
    Store::new(&config.data_dir).open(index)?.for_each(&mut |stored, _| {
        let text = &stored.chunk.text;
        texts.extend(
            analysis::sentences(text)
                .into_iter()
                .map(|span| analysis::plain(text.get(span.range()).unwrap_or_default())),
        );
    })?;
    let mut embed = |role, text: &str| network.embed(&tokenizer, &files.spec, role, text);
    let vectors: Vec<_> =
        texts.iter().map(|text| embed(EmbeddingRole::Passage, text)).collect::<Result<_>>()?;
    let questions = std::fs::read_to_string(questions)
        .map_err(|e| Fault::failed("cannot read the questions").because(e))?;
    let mut lines = Vec::new();
    for question in questions.lines() {
        let vector = embed(EmbeddingRole::Query, question)?;
        let cosines = vectors.iter().map(|other| dot(vector.as_slice(), other.as_slice()));
        let best = cosines
            .enumerate()
            .max_by(|a, b| a.1.total_cmp(&b.1))
            .map_or("", |(at, _)| texts[at].as_str());
        lines.push(serde_json::Value::from(best).to_string());
    }
    Ok(lines.join("\n"))
}

/// For each line of `texts`, its number of tokens, special ones excluded.
fn tokens(config: &Config, texts: &str) -> Result<String> {
    let tokenizer = Tokenizer::load(&assets(config).model(&config.model)?)?;
    let texts = std::fs::read_to_string(texts)
        .map_err(|e| Fault::failed("cannot read the texts").because(e))?;
    let count = |line: &str| {
        let text: String = serde_json::from_str(line)
            .map_err(|e| Fault::failed("not a JSON string").because(e))?;
        Ok(tokenizer.count(&text).to_string())
    };
    Ok(texts.lines().map(count).collect::<Result<Vec<_>>>()?.join("\n"))
}

fn risks(config: &Config, data: &str) -> Result<String> {
    let files = assets(config).model(&config.model)?;
    let tokenizer = Tokenizer::load(&files)?;
    let mut network = Network::load(&Runtime::load(&assets(config).library()?)?, &files)?;
    risk::measure(data.as_ref(), &files.fingerprint, &mut |text| {
        network.embed(&tokenizer, &files.spec, EmbeddingRole::Query, text)
    })
}
