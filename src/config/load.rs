//! Merging the layers: built-in < user file < project file < environment < flag.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::check::{self, refusal};
use super::settings::SETTINGS;
use super::{
    Config, Endpoint, Generator, Layer, Layers, LogFormat, LogLevel, Mode, Place, Recording,
    Records, Secret, Serve, Timeouts,
};
use crate::error::{Context as _, Fault, Result};
use crate::strings::StrExt as _;

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    BuiltIn,
    File { path: PathBuf, line: usize },
    Environment(&'static str),
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuiltIn => f.write_str("built in"),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::Flag(flag) => write!(f, "{flag}"),
        }
    }
}

/// The process's surroundings, read once, so that tests can hand in their own.
#[derive(Clone, Debug, Default)]
pub struct World {
    pub env: BTreeMap<String, OsString>,
    /// Folder of the project file.
    pub cwd: PathBuf,
    /// Folder of the running executable, symlinks resolved.
    pub exe_dir: Option<PathBuf>,
    /// The running executable itself.
    pub exe: Option<PathBuf>,
    pub cores: usize,
}

impl World {
    /// The real surroundings of this process.
    pub fn of_this_process() -> Self {
        #[expect(
            clippy::disallowed_methods,
            reason = "this is the one place that reads the environment"
        )]
        let env =
            std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v))).collect();
        let exe = std::env::current_exe().and_then(|p| p.canonicalize()).ok();
        Self {
            env,
            cwd: PathBuf::from("."),
            exe_dir: exe.as_deref().and_then(|p| p.parent().map(Path::to_path_buf)),
            exe,
            cores: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        }
    }

    fn path(&self, name: &str) -> Option<PathBuf> {
        self.env.get(name).filter(|v| !v.is_empty()).map(PathBuf::from)
    }

    /// The user's own folder of a kind. A relative path names another one in every folder, so it
    /// counts as none, as the XDG Base Directory Specification says.
    fn user_dir(&self, variable: &str, below_home: &str) -> Option<PathBuf> {
        let is_absolute = |dir: &PathBuf| dir.is_absolute();
        let named = self.path(variable).filter(is_absolute);
        named.or_else(|| Some(self.path("HOME").filter(is_absolute)?.join(below_home)))
    }

    fn config_file(&self) -> Option<PathBuf> {
        Some(self.user_dir("XDG_CONFIG_HOME", ".config")?.join("rag/config.toml"))
    }

    fn share_dir(&self) -> Option<PathBuf> {
        Some(self.user_dir("XDG_DATA_HOME", ".local/share")?.join("rag"))
    }

    fn state_dir(&self) -> Option<PathBuf> {
        Some(self.user_dir("XDG_STATE_HOME", ".local/state")?.join("rag"))
    }
}

/// The working directory, links resolved: where names of documents are seen from. Empty when there
/// is none.
pub fn here() -> String {
    std::env::current_dir().map(|dir| dir.to_string_lossy().into_owned()).unwrap_or_default()
}

type Values = BTreeMap<&'static str, (String, Origin)>;

pub fn load(world: &World, flags: &[(&'static str, String, String)]) -> Result<Config> {
    let mut values: Values =
        SETTINGS.iter().map(|s| (s.key, (s.default.to_owned(), Origin::BuiltIn))).collect();
    if let Some(path) = world.config_file() {
        values.extend(read_file(&path)?);
    }
    let project = read_file(&world.cwd.join("rag.toml"))?;
    if let Some((setting, (_, origin))) =
        SETTINGS.iter().filter(|s| s.is_personal).find_map(|s| Some((s, project.get(s.key)?)))
    {
        // A folder that somebody else made must not say where keys and questions are sent or which
        // code is loaded.
        return Err(Fault::usage(format!(
            "{origin}: a project file must not set `{}`",
            setting.key
        ))
        .hint(format!("set it in ~/.config/rag/config.toml or as {}", setting.env)));
    }
    values.extend(project);
    for setting in SETTINGS {
        if let Some(value) = world.env.get(setting.env).filter(|v| !v.is_empty()) {
            let value = value.to_str().ok_or_else(|| {
                Fault::usage(format!("environment {} is not valid UTF-8", setting.env))
            })?;
            values.insert(setting.key, (value.to_owned(), Origin::Environment(setting.env)));
        }
    }
    for (key, value, flag) in flags {
        values.insert(key, (value.clone(), Origin::Flag(flag.clone())));
    }
    for setting in SETTINGS {
        let (value, origin) = &values[setting.key];
        check::check(setting, value, origin)?;
    }
    build(world, &values).and_then(|config| config.check_passages().map(|()| config))
}

/// Values of one file; an absent file is an empty layer.
fn read_file(path: &Path) -> Result<Values> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(e)
            if matches!(
                e.kind(),
                std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory
            ) =>
        {
            return Ok(Values::new());
        }
        Err(e) if e.kind() == std::io::ErrorKind::InvalidData => {
            return Err(Fault::usage(format!("{}: the file is not valid UTF-8", path.display())));
        }
        Err(e) if e.kind() == std::io::ErrorKind::IsADirectory => {
            return Err(Fault::usage(format!(
                "{} is a folder, not a file of settings",
                path.display()
            )));
        }
        Err(e) => return Err(e).or_failed(|| format!("cannot read {}", path.display())),
    };
    let line_of = |offset: usize| text.slice(..offset.min(text.len())).matches('\n').count() + 1;
    let table = toml::de::DeTable::parse(&text).map_err(|e| {
        let line = e.span().map_or(1, |span| line_of(span.start));
        Fault::usage(format!("{}:{line}: {}", path.display(), e.message()))
    })?;
    let mut layer = Values::new();
    flatten("", table.get_ref(), &mut |key, value, offset| {
        let origin = Origin::File { path: path.to_owned(), line: line_of(offset) };
        let Some(setting) = SETTINGS.iter().find(|s| s.key == key) else {
            return Err(Fault::usage(format!("{origin}: there is no setting `{key}`"))
                .hint("`rag doctor -v` lists every setting"));
        };
        let value = match (value, setting.shape.separator()) {
            (Given::One(value), _) => value,
            (Given::Many(parts), Some(separator)) => parts.join(separator),
            (Given::Many(_), None) => {
                return Err(refusal(setting, "[…]", &origin, "must be one value, not a list"));
            }
            (Given::Other(what), _) => {
                return Err(refusal(setting, "…", &origin, &format!("must not be {what}")));
            }
        };
        layer.insert(setting.key, (value, origin));
        Ok(())
    })?;
    Ok(layer)
}

/// A value as it stands in a file.
enum Given {
    One(String),
    Many(Vec<String>),
    Other(&'static str),
}

impl Given {
    fn of(value: &toml::de::DeValue<'_>) -> Self {
        let scalar = |value: &toml::de::DeValue<'_>| match value {
            toml::de::DeValue::String(text) => Some(text.to_string()),
            toml::de::DeValue::Integer(n) => Some(n.to_string()),
            toml::de::DeValue::Float(n) => Some(n.to_string()),
            toml::de::DeValue::Boolean(b) => Some(b.to_string()),
            _ => None,
        };
        match value {
            toml::de::DeValue::Array(parts) => {
                let parts: Option<Vec<String>> =
                    parts.iter().map(|part| scalar(part.get_ref())).collect();
                parts.map_or(Self::Other("a list of lists or tables"), Self::Many)
            }
            toml::de::DeValue::Datetime(_) => Self::Other("a date; put it in quotes"),
            other => scalar(other).map_or(Self::Other("a table"), Self::One),
        }
    }
}

fn flatten(
    prefix: &str,
    table: &toml::de::DeTable<'_>,
    sink: &mut dyn FnMut(String, Given, usize) -> Result<()>,
) -> Result<()> {
    for (key, value) in table {
        let path = format!("{prefix}{}", key.get_ref());
        match value.get_ref() {
            toml::de::DeValue::Table(inner) => flatten(&format!("{path}."), inner, sink)?,
            other => sink(path, Given::of(other), key.span().start)?,
        }
    }
    Ok(())
}

fn build(world: &World, values: &Values) -> Result<Config> {
    let text = |key: &str| values[key].0.clone();
    let path = |key: &str| Some(PathBuf::from(text(key))).filter(|p| !p.as_os_str().is_empty());
    // `check` has passed for every value, so a parse cannot fail here.
    let whole = |key: &str| text(key).parse::<u64>().unwrap_or_default();
    let size = |key: &str| usize::try_from(whole(key)).unwrap_or(usize::MAX);
    let seconds = |key: &str| Duration::from_secs(whole(key));
    let list = |key: &str, between: char| {
        let parts: Vec<String> =
            text(key).split(between).map(|part| part.trim().to_owned()).collect();
        parts.into_iter().filter(|part| !part.is_empty())
    };
    let data_dir = PathBuf::from(text("data_dir"));
    let threads = match size("threads") {
        0 => world.cores.max(1),
        n => n,
    };
    let mode = text("search.mode");
    let layer = |table: &str| Layer {
        ttl_s: whole(&format!("cache.{table}_ttl_hours")) * 3600,
        budget_bytes: whole(&format!("cache.{table}_mib")) << 20,
    };
    Ok(Config {
        cache_dir: path("cache_dir").unwrap_or_else(|| data_dir.join("cache")),
        jobs_dir: path("jobs_dir").unwrap_or_else(|| data_dir.join("jobs")),
        index: text("index"),
        model: text("model"),
        threads,
        max_workers: size("max_workers"),
        jobs_keep_hours: whole("jobs.keep_hours"),
        corpus_id: Some(text("corpus_id")).filter(|s| !s.is_empty()),
        chunk_max_tokens: size("chunk.max_tokens"),
        chunk_overlap_tokens: size("chunk.overlap_tokens"),
        max_file_bytes: whole("ingest.max_file_bytes"),
        program: world.exe.clone(),
        search_k: size("search.k"),
        search_mode: Mode::parse(&mode)
            .ok_or_else(|| Fault::usage(format!("no search mode `{mode}`")))?,
        dense_weight: text("search.dense_weight").parse().unwrap_or(0.5),
        rerank: size("search.rerank"),
        rerank_weight: text("search.rerank_weight").parse().unwrap_or(0.2),
        ask_max_words: size("ask.max_words"),
        generator: if text("generator") == "llm" { Generator::Llm } else { Generator::Extractive },
        falls_back: text("fallback") == "extractive",
        llm: Endpoint {
            base_url: text("llm.base_url").trim_end_matches('/').to_owned(),
            model: text("llm.model"),
            api_key: api_key(values)?,
            timeout: Duration::from_secs(whole("llm.timeout_s")),
            answer_timeout: Duration::from_secs(whole("llm.answer_timeout_s")),
            attempts: whole("llm.attempts") as u32,
            temperature: text("llm.temperature").parse().unwrap_or_default(),
            max_tokens: whole("llm.max_tokens") as u32,
        },
        llm_evidence_tokens: size("llm.evidence_tokens"),
        batch_parallel: size("batch.parallel"),
        session_ttl_hours: whole("sessions.ttl_hours"),
        serve: Serve {
            host: text("serve.host"),
            port: whole("serve.port") as u16,
            token: Some(text("serve.token").trim())
                .filter(|token| !token.is_empty())
                .map(Secret::new),
            token_file: path("serve.token_file"),
            allowed_hosts: list("serve.allowed_hosts", ',')
                .map(|host| host.to_ascii_lowercase())
                .collect(),
            roots: list("serve.roots", ':').map(PathBuf::from).collect(),
            workers: if size("serve.workers") == 0 { threads } else { size("serve.workers") },
            queue: size("serve.queue"),
            timeouts: Timeouts {
                query: seconds("serve.query_timeout_s"),
                embedding: seconds("serve.embedding_timeout_s"),
                retrieval: seconds("serve.retrieval_timeout_s"),
                generation: seconds("serve.generation_timeout_s"),
            },
            connections: size("serve.connections"),
            header_timeout: seconds("serve.header_timeout_s"),
            body_timeout: seconds("serve.body_timeout_s"),
            write_timeout: seconds("serve.write_timeout_s"),
            drain: seconds("serve.drain_s"),
            max_body_bytes: size("serve.max_body_bytes"),
            max_uploads_bytes: whole("serve.max_uploads_bytes"),
            rate_per_minute: whole("serve.rate_per_minute"),
            quota_per_day: whole("serve.quota_per_day"),
        },
        cache: Layers {
            embeddings: layer("embeddings"),
            retrieval: layer("retrieval"),
            rerank: layer("rerank"),
            answers: layer("answers"),
        },
        log_level: LogLevel::parse(&text("log.level")),
        log_format: if text("log.format") == "json" { LogFormat::Json } else { LogFormat::Text },
        otlp_endpoint: text("telemetry.otlp_endpoint").trim_end_matches('/').to_owned(),
        analytics: Records {
            of: match text("analytics.record").as_str() {
                "off" => Recording::Nobody,
                "all" => Recording::Everybody,
                _ => Recording::Servers,
            },
            text: text("analytics.text") == "true",
            keep_days: whole("analytics.keep_days"),
        },
        mcp_ingests: text("mcp.ingest") == "true",
        mcp_max_result_bytes: size("mcp.max_result_bytes"),
        hub: text("hub.url").trim_end_matches('/').to_owned(),
        hub_token: Some(text("hub.token")).filter(|s| !s.is_empty()),
        places: places(world, path("assets_dir"), &data_dir),
        user_dir: world.share_dir(),
        state_dir: world.state_dir(),
        runtime_library: path("runtime_library"),
        origins: SETTINGS
            .iter()
            .map(|s| {
                let (value, origin) = &values[s.key];
                let is_hidden = s.shape.is_secret() && !value.is_empty();
                let shown = if is_hidden { "(set)".to_owned() } else { value.clone() };
                (s.key, shown, origin.clone())
            })
            .collect(),
        data_dir,
    })
}

/// Where library and models may be: the folder that the user names for them; the data directory;
/// `share/rag` beside the `bin` of an installed program; the checkout that a program under
/// `target/` was built in; the user's own `~/.local/share/rag`. Data directory and checkout may
/// have come from anybody, whoever named them.
fn places(world: &World, named: Option<PathBuf>, data_dir: &Path) -> Vec<Place> {
    let own = |dir: PathBuf| Place { dir, is_own: true };
    let share = world.share_dir();
    let is_share = |dir: &Path| {
        let resolved = |dir: &Path| dir.canonicalize().ok();
        share
            .as_deref()
            .is_some_and(|share| resolved(share).is_some() && resolved(share) == resolved(dir))
    };
    let mut places: Vec<Place> = named.map(own).into_iter().collect();
    places.push(Place { dir: data_dir.to_path_buf(), is_own: is_share(data_dir) });
    if let Some(exe) = &world.exe_dir {
        places.push(own(exe.join("../share/rag")));
        let target = exe
            .ancestors()
            .take(3)
            .find(|dir| dir.file_name().is_some_and(|name| name == "target"));
        let checkout = target.and_then(Path::parent).map(|dir| dir.join("data"));
        places.extend(checkout.map(|dir| Place { dir, is_own: false }));
    }
    places.extend(share.map(own));
    places
}

/// The key of the language model: given, or the first line of a file.
fn api_key(values: &Values) -> Result<Option<Secret>> {
    let given = values["llm.api_key"].0.trim();
    let (file, origin) = &values["llm.api_key_file"];
    if !given.is_empty() || file.is_empty() {
        return Ok((!given.is_empty()).then(|| Secret::new(given)));
    }
    let Some(setting) = SETTINGS.iter().find(|setting| setting.key == "llm.api_key_file") else {
        return Ok(None);
    };
    let refused = |why: &str| refusal(setting, file, origin, why);
    let text = std::fs::read_to_string(file).map_err(|e| refused(&unreadable(&e)))?;
    let key = text.lines().next().unwrap_or_default().trim();
    match check::secret_problem(key, 1) {
        _ if key.is_empty() => Err(refused("the first line of the file is empty")),
        Some(why) => Err(refused(&why)),
        None => Ok(Some(Secret::new(key))),
    }
}

/// Why a file that a setting names cannot be read.
pub fn unreadable(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
        std::io::ErrorKind::IsADirectory => "is a folder, not a file".to_owned(),
        std::io::ErrorKind::PermissionDenied => {
            "the file cannot be read: permission denied".to_owned()
        }
        std::io::ErrorKind::InvalidData => "the file is not valid UTF-8".to_owned(),
        _ => format!("the file cannot be read: {error}"),
    }
}
