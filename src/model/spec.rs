//! How a model is used: its task, pooling, window and prefixes.
//!
//! They are read from the files of its folder, never guessed from its name. Every version of
//! sentence-transformers is understood: since version 5.3, a pooling is named by one string.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use super::manifest::{damaged, stays_inside};
use crate::error::{Context as _, Fault, Result};

/// What a network makes of texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// A vector of each text.
    Embedding,
    /// A score of each pair of query and passage: a cross-encoder.
    Scoring,
}

/// How token vectors are reduced to one vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pooling {
    Mean,
    Cls,
    Max,
    LastToken,
}

/// How a model is used, as its files describe it.
#[derive(Clone, Debug, PartialEq)]
pub struct Spec {
    pub task: Task,
    pub pooling: Pooling,
    /// Longest input in tokens, special tokens included.
    pub max_tokens: usize,
    pub query_prefix: String,
    pub passage_prefix: String,
    /// Text is lower-cased before the tokenizer gets it.
    pub lower_case: bool,
    /// Length of a vector, if it is known.
    pub dimension: Option<usize>,
    pub prefixes: Prefixes,
}

/// Which prefixes of a vector are vectors of the same text. A model is trained for that (Matryoshka
/// representation learning), or its prefixes mean nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Prefixes {
    #[default]
    None,
    Any,
    Of(Vec<usize>),
}

impl Spec {
    /// Whether the first `n` numbers of a vector are a vector.
    pub fn allows_dimension(&self, n: usize) -> bool {
        let is_shorter = self.dimension.is_some_and(|whole| (1..whole).contains(&n));
        self.dimension == Some(n)
            || match &self.prefixes {
                Prefixes::None => false,
                Prefixes::Any => is_shorter,
                Prefixes::Of(lengths) => is_shorter && lengths.contains(&n),
            }
    }
}

/// The configuration of the pooling, below any model's folder.
pub(super) const POOLING_FILE: &str = "1_Pooling/config.json";

pub(super) const PROMPTS_FILE: &str = "config_sentence_transformers.json";

/// Describes the model; its head lists the languages.
pub(super) const README: &str = "README.md";

#[derive(Default, Deserialize)]
#[serde(default)]
struct SentenceBertConfig {
    max_seq_length: Option<usize>,
    do_lower_case: bool,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct PoolingConfig {
    word_embedding_dimension: Option<usize>,
    embedding_dimension: Option<usize>,
    /// Newer files have this instead of the flags.
    pooling_mode: Option<Names>,
    pooling_mode_cls_token: bool,
    pooling_mode_mean_tokens: bool,
    pooling_mode_max_tokens: bool,
    pooling_mode_lasttoken: bool,
    pooling_mode_mean_sqrt_len_tokens: bool,
    pooling_mode_weightedmean_tokens: bool,
    include_prompt: Option<bool>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Names {
    One(String),
    Several(Vec<String>),
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct TransformerConfig {
    model_type: String,
    architectures: Vec<String>,
    hidden_size: Option<usize>,
    max_position_embeddings: Option<usize>,
    is_matryoshka: bool,
    matryoshka_dimensions: Option<Vec<usize>>,
}

impl TransformerConfig {
    fn prefixes(&self) -> Prefixes {
        match &self.matryoshka_dimensions {
            Some(lengths) => Prefixes::Of(lengths.clone()),
            None if self.is_matryoshka => Prefixes::Any,
            None => Prefixes::None,
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct TokenizerConfig {
    /// Some tokenizers have 1e30 here, for "no limit".
    model_max_length: Option<f64>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct PromptConfig {
    prompts: BTreeMap<String, String>,
    default_prompt_name: Option<String>,
}

impl PromptConfig {
    /// The prompt with the first of these names, else the default prompt, else an empty one.
    fn find(&self, names: [&str; 3]) -> String {
        let named = names.into_iter().find_map(|name| self.prompts.get(name));
        let default = || self.prompts.get(self.default_prompt_name.as_ref()?);
        named.or_else(default).cloned().unwrap_or_default()
    }
}

/// A row of `modules.json`.
#[derive(Deserialize)]
struct Module {
    #[serde(default)]
    path: String,
    #[serde(rename = "type")]
    kind: String,
}

impl Module {
    /// The class, whatever package it is in.
    fn class(&self) -> &str {
        self.kind.rsplit('.').next().unwrap_or_default()
    }
}

/// The folders of a model's parts, from `modules.json`; any name is allowed.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct ModuleFolders {
    /// Of the network and the tokenizer; empty for the model's own folder.
    pub transformer: String,
    pub pooling: String,
}

/// Reads `modules.json` of `dir`; a folder without it is a plain transformer.
///
/// # Errors
/// Names a module that is not supported, or that is outside of the folder.
pub fn module_folders(dir: &Path) -> Result<ModuleFolders> {
    let listed = |file: &str| dir.join(file).is_file();
    let modules: Vec<Module> = read_json(dir, "modules.json", &listed)?.unwrap_or_default();
    check_classes(dir, &modules)?;
    let folder = |class: &str, default: &str| {
        let module = modules.iter().find(|module| module.class() == class);
        module.map_or(default, |module| module.path.trim_end_matches('/')).to_owned()
    };
    let found = ModuleFolders {
        transformer: folder("Transformer", ""),
        pooling: folder("Pooling", "1_Pooling"),
    };
    for path in [&found.transformer, &found.pooling] {
        if !path.is_empty() && !stays_inside(path) {
            let why = format!("it names the folder `{path}`, which is outside");
            return Err(damaged(&dir.join("modules.json"), &why));
        }
    }
    Ok(found)
}

/// `Dropout` does nothing outside of training.
const CLASSES: [&str; 4] = ["Transformer", "Pooling", "Normalize", "Dropout"];

fn check_classes(dir: &Path, modules: &[Module]) -> Result<()> {
    match modules.iter().find(|module| !CLASSES.contains(&module.class())) {
        None => Ok(()),
        Some(module) => Err(Fault::failed(format!(
            "{}: the module `{}` is of type {}, which is not supported",
            dir.display(),
            module.path,
            module.kind
        ))
        .hint("supported are Transformer, Pooling and Normalize")),
    }
}

/// Reads the [`Spec`] of a sentence-transformers folder. `listed` says whether a file belongs to
/// it.
pub fn read_spec(dir: &Path, listed: &dyn Fn(&str) -> bool) -> Result<Spec> {
    let modules: Vec<Module> = read_json(dir, "modules.json", listed)?.unwrap_or_default();
    check_classes(dir, &modules)?;
    let sentence: SentenceBertConfig =
        read_json(dir, "sentence_bert_config.json", listed)?.unwrap_or_default();
    let network: TransformerConfig = read_json(dir, "config.json", listed)?.unwrap_or_default();
    let tokenizer: TokenizerConfig =
        read_json(dir, "tokenizer_config.json", listed)?.unwrap_or_default();
    let prompts: PromptConfig = read_json(dir, PROMPTS_FILE, listed)?.unwrap_or_default();
    let pooling: PoolingConfig = read_json(dir, POOLING_FILE, listed)?.unwrap_or_default();
    let is_scoring =
        network.architectures.iter().any(|name| name.ends_with("ForSequenceClassification"));
    let stated = pooling.word_embedding_dimension.or(pooling.embedding_dimension);
    Ok(Spec {
        task: if is_scoring { Task::Scoring } else { Task::Embedding },
        pooling: pooling_of(dir, &pooling)?,
        max_tokens: window(&sentence, &network, &tokenizer),
        query_prefix: prompts.find(["query", "s2p_query", "search_query"]),
        passage_prefix: prompts.find(["passage", "document", "search_document"]),
        lower_case: sentence.do_lower_case,
        dimension: stated.or(network.hidden_size),
        prefixes: network.prefixes(),
    })
}

/// The model's window: what sentence-transformers would use, at most the number of positions.
fn window(
    sentence: &SentenceBertConfig,
    network: &TransformerConfig,
    tokenizer: &TokenizerConfig,
) -> usize {
    /// For a model that states no window.
    const DEFAULT: usize = 512;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "bounded by the filter"
    )]
    let stated = tokenizer.model_max_length.filter(|n| (8.0..1e6).contains(n)).map(|n| n as usize);
    // These families count positions from 2, so two rows of the table are never used.
    let unused = match network.model_type.as_str() {
        "roberta" | "xlm-roberta" | "camembert" | "mpnet" => 2,
        _ => 0,
    };
    let positions = network.max_position_embeddings.map_or(usize::MAX, |n| n.max(unused) - unused);
    sentence.max_seq_length.or(stated).unwrap_or(DEFAULT.min(positions)).clamp(8, positions.max(8))
}

fn pooling_of(dir: &Path, config: &PoolingConfig) -> Result<Pooling> {
    let flags = [
        (config.pooling_mode_cls_token, "cls"),
        (config.pooling_mode_max_tokens, "max"),
        (config.pooling_mode_lasttoken, "lasttoken"),
        (config.pooling_mode_mean_tokens, "mean"),
        (config.pooling_mode_mean_sqrt_len_tokens, "mean_sqrt_len_tokens"),
        (config.pooling_mode_weightedmean_tokens, "weightedmean"),
    ];
    let names: Vec<&str> = match &config.pooling_mode {
        Some(Names::One(name)) => vec![name],
        Some(Names::Several(names)) => names.iter().map(String::as_str).collect(),
        None => flags.into_iter().filter(|(on, _)| *on).map(|(_, name)| name).collect(),
    };
    let refuse = |what: &str| {
        let dir = dir.display();
        Err(Fault::failed(format!("{dir}: its way of pooling is not supported: {what}"))
            .hint("supported are cls, max, mean and lasttoken"))
    };
    if config.include_prompt == Some(false) {
        return refuse("the prompt is left out");
    }
    match names.as_slice() {
        [] | ["mean"] => Ok(Pooling::Mean),
        ["cls"] => Ok(Pooling::Cls),
        ["max"] => Ok(Pooling::Max),
        ["lasttoken"] => Ok(Pooling::LastToken),
        several => refuse(&several.join(" and ")),
    }
}

/// The languages that the head of a model's README lists: `language: en`, or a list.
pub(super) fn languages(readme: &str) -> Vec<String> {
    let mut lines = readme.lines().map(str::trim_end);
    if lines.next() != Some("---") {
        return Vec::new();
    }
    let mut head =
        lines.take_while(|line| *line != "---").skip_while(|line| !line.starts_with("language:"));
    let inline = head.next().and_then(|line| line.strip_prefix("language:")).unwrap_or_default();
    let inline = inline.trim().trim_matches(['[', ']']);
    if !inline.is_empty() {
        return inline.split(',').map(|code| unquoted(code).to_owned()).collect();
    }
    let items = head.map_while(|line| line.trim_start().strip_prefix("- "));
    items.map(|code| unquoted(code).to_owned()).collect()
}

fn unquoted(text: &str) -> &str {
    text.trim().trim_matches(['"', '\''])
}

fn read_json<T: for<'de> Deserialize<'de>>(
    dir: &Path,
    file: &str,
    listed: &dyn Fn(&str) -> bool,
) -> Result<Option<T>> {
    if !listed(file) {
        return Ok(None);
    }
    let path = dir.join(file);
    let bytes = std::fs::read(&path).map_err(|e| damaged(&path, &e.to_string()))?;
    serde_json::from_slice(&bytes)
        .map(Some)
        .or_damaged(|| format!("cannot parse {}", path.display()))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn spec(files: &[(&str, Value)]) -> Result<Spec> {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("1_Pooling")).unwrap();
        for (file, value) in files {
            std::fs::write(dir.path().join(file), value.to_string()).unwrap();
        }
        read_spec(dir.path(), &|file| dir.path().join(file).is_file())
    }

    #[test]
    fn pooling_of_every_version() {
        let pooling = |config: Value| spec(&[(POOLING_FILE, config)]).map(|spec| spec.pooling);
        for (name, expected) in [
            ("mean", Pooling::Mean),
            ("cls", Pooling::Cls),
            ("max", Pooling::Max),
            ("lasttoken", Pooling::LastToken),
        ] {
            assert_eq!(pooling(json!({ "pooling_mode": name })).unwrap(), expected);
            assert_eq!(pooling(json!({ "pooling_mode": [name] })).unwrap(), expected);
        }
        assert_eq!(pooling(json!({ "pooling_mode_cls_token": true })).unwrap(), Pooling::Cls);
        assert_eq!(pooling(json!({})).unwrap(), Pooling::Mean);
        for (config, says) in [
            (json!({ "pooling_mode": "weightedmean" }), "not supported: weightedmean"),
            (json!({ "pooling_mode": ["cls", "mean"] }), "not supported: cls and mean"),
            (json!({ "pooling_mode_mean_sqrt_len_tokens": true }), "mean_sqrt_len_tokens"),
            (json!({ "include_prompt": false }), "the prompt is left out"),
        ] {
            let fault = pooling(config).unwrap_err().to_string();
            assert!(fault.contains(says), "{fault}");
        }
    }

    #[test]
    fn modules_by_class() {
        let folders = |modules: Value| {
            let dir = tempfile::tempdir().unwrap();
            std::fs::write(dir.path().join("modules.json"), modules.to_string()).unwrap();
            module_folders(dir.path())
        };
        let module = |path: &str, kind: &str| json!({ "path": path, "type": kind });
        let new = "sentence_transformers.sentence_transformer.modules";
        let found = folders(json!([
            module("0_Transformer", "sentence_transformers.models.Transformer"),
            module("pool/", &format!("{new}.pooling.Pooling")),
            module("3", &format!("{new}.normalize.Normalize")),
        ]));
        let expected =
            ModuleFolders { transformer: "0_Transformer".into(), pooling: "pool".into() };
        assert_eq!(found.unwrap(), expected);
        for (path, kind, says) in [
            ("2_Dense", "a.Dense", "the module `2_Dense` is of type a.Dense"),
            ("1_W", "a.WeightedLayerPooling", "a.WeightedLayerPooling, which is not supported"),
            ("../up", "a.Pooling", "`../up`, which is outside"),
        ] {
            let fault = folders(json!([module(path, kind)])).unwrap_err().to_string();
            assert!(fault.contains(says), "{fault}");
        }
    }

    #[test]
    fn task_window_and_dimension() {
        let of = |config: Value| spec(&[("config.json", config)]).unwrap();
        let bert = of(json!({ "model_type": "bert", "max_position_embeddings": 128 }));
        assert_eq!((bert.task, bert.max_tokens), (Task::Embedding, 128));
        let roberta = of(json!({ "model_type": "roberta", "max_position_embeddings": 514 }));
        assert_eq!(roberta.max_tokens, 512);
        let scorer = of(json!({ "architectures": ["BertForSequenceClassification"] }));
        assert_eq!(scorer.task, Task::Scoring);
        let config = json!({ "pooling_mode": "mean", "embedding_dimension": 7 });
        assert_eq!(spec(&[(POOLING_FILE, config)]).unwrap().dimension, Some(7));
        let allowed = |config: Value| {
            let spec = of(config);
            [0, 16, 32, 64, 65].map(|n| spec.allows_dimension(n))
        };
        let plain = json!({ "hidden_size": 64 });
        assert_eq!(allowed(plain), [false, false, false, true, false]);
        let any = json!({ "hidden_size": 64, "is_matryoshka": true });
        assert_eq!(allowed(any), [false, true, true, true, false]);
        let some = json!({ "hidden_size": 64, "matryoshka_dimensions": [32, 64] });
        assert_eq!(allowed(some), [false, false, true, true, false]);
    }

    #[test]
    fn languages_of_a_readme() {
        for (readme, expected) in [
            ("---\nlanguage: en\nlicense: mit\n---\n# A", &["en"][..]),
            ("---\ntags:\n- x\nlanguage:\n- en\n- 'zh'\nlicense: mit\n---", &["en", "zh"]),
            ("---\nlanguage: [en, de]\n---", &["en", "de"]),
            ("---\nlicense: mit\n---\nlanguage: en", &[]),
            ("# A\nlanguage: en", &[]),
        ] {
            assert_eq!(languages(readme), expected, "{readme}");
        }
    }
}
