//! Merging the layers: built-in < user file < project file < environment < flag.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::de::{DeTable, DeValue};

use super::bucket;
use super::check::{self, read_problem, refusal};
use super::cluster::{self, Database, SharedStore};
use super::nearest;
use super::setting::{Origin, Setting, Shape};
use super::settings::SETTINGS;
use super::{
    Config, DepotPlace, Endpoint, Generator, Layer, Layers, LogFormat, LogLevel, Mode,
    NearestEngine, NearestPlace, OnFailure, Place, Recording, Records, Secret, Serve, Timeouts,
};
use crate::error::{Context as _, Fault, Result};
use crate::strings::{StrExt as _, similar};

/// The environment of the process, read once; tests pass their own.
#[derive(Clone, Debug, Default)]
pub struct World {
    pub env: BTreeMap<String, OsString>,
    /// The folder of the project file.
    pub cwd: PathBuf,
    /// The folder of the running executable, symlinks resolved.
    pub exe_dir: Option<PathBuf>,
    /// The running executable.
    pub exe: Option<PathBuf>,
    pub cores: usize,
}

impl World {
    pub fn from_process() -> Self {
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

    /// One of the user's XDG directories. Relative paths are ignored, as the XDG Base Directory
    /// Specification demands.
    fn user_dir(&self, variable: &str, below_home: &str) -> Option<PathBuf> {
        let is_absolute = |dir: &PathBuf| dir.is_absolute();
        let named = self.path(variable).filter(is_absolute);
        named.or_else(|| Some(self.path("HOME").filter(is_absolute)?.join(below_home)))
    }

    /// The configuration file of the user.
    pub fn config_file(&self) -> Option<PathBuf> {
        Some(self.user_dir("XDG_CONFIG_HOME", ".config")?.join("rag/config.toml"))
    }

    fn share_dir(&self) -> Option<PathBuf> {
        Some(self.user_dir("XDG_DATA_HOME", ".local/share")?.join("rag"))
    }

    fn state_dir(&self) -> Option<PathBuf> {
        Some(self.user_dir("XDG_STATE_HOME", ".local/state")?.join("rag"))
    }
}

/// The working directory, symlinks resolved: names of documents are shown relative to it. Empty
/// when it cannot be read.
pub fn working_dir() -> String {
    std::env::current_dir().map(|dir| dir.to_string_lossy().into_owned()).unwrap_or_default()
}

/// The merged layers: value and origin by key. The accessors panic on a key that is not in
/// [`SETTINGS`]; numbers have passed `check`, so parsing them cannot fail.
#[derive(Clone, Default)]
struct Values {
    all: BTreeMap<&'static str, (String, Origin)>,
    /// Of named language models, by whole keys such as `llm.fast.model`.
    named: BTreeMap<String, (String, Origin)>,
}

impl Values {
    fn built_in() -> Self {
        let default = |s: &Setting| (s.key, (s.default.to_owned(), Origin::BuiltIn));
        Self { all: SETTINGS.iter().map(default).collect(), named: BTreeMap::new() }
    }

    /// Takes over the values of a later layer.
    fn extend(&mut self, later: Self) {
        self.all.extend(later.all);
        self.named.extend(later.named);
    }

    /// Every key with its setting, its value and the origin.
    fn each(&self) -> impl Iterator<Item = (&str, &'static Setting, &(String, Origin))> {
        let all = SETTINGS.iter().filter_map(|s| Some((s.key, s, self.all.get(s.key)?)));
        let named = self.named.iter();
        all.chain(named.filter_map(|(key, v)| Some((key.as_str(), Setting::of_key(key)?, v))))
    }

    /// The names of language models.
    fn names(&self) -> BTreeSet<&str> {
        self.named.keys().filter_map(|key| Some(Setting::of_language_model(key)?.0)).collect()
    }

    /// The values with those of a named language model in the place of `llm`.
    fn of_language_model(&self, name: &str) -> Self {
        let mut values = self.clone();
        let own = |key: &str| self.named.get(&format!("llm.{name}.{key}"));
        if own("base_url").is_some() {
            // Another server does not get the key.
            for key in ["llm.api_key", "llm.api_key_file"] {
                values.all.insert(key, (String::new(), Origin::BuiltIn));
            }
        }
        for (key, value) in &self.named {
            if let Some((of, setting)) = Setting::of_language_model(key)
                && of == name
            {
                values.all.insert(setting.key, value.clone());
            }
        }
        values
    }

    fn text(&self, key: &str) -> &str {
        &self.all[key].0
    }

    /// The value, unless it is empty.
    fn set(&self, key: &str) -> Option<&str> {
        Some(self.text(key)).filter(|value| !value.is_empty())
    }

    fn path(&self, key: &str) -> Option<PathBuf> {
        self.set(key).map(PathBuf::from)
    }

    fn url(&self, key: &str) -> String {
        self.text(key).trim_end_matches('/').to_owned()
    }

    fn whole(&self, key: &str) -> u64 {
        self.text(key).parse().unwrap_or_default()
    }

    fn size(&self, key: &str) -> usize {
        usize::try_from(self.whole(key)).unwrap_or(usize::MAX)
    }

    fn number(&self, key: &str) -> f64 {
        self.text(key).parse().unwrap_or_default()
    }

    fn secret(&self, key: &str) -> Option<Secret> {
        Some(self.text(key).trim()).filter(|secret| !secret.is_empty()).map(Secret::new)
    }

    fn seconds(&self, key: &str) -> Duration {
        Duration::from_secs(self.whole(key))
    }

    fn refuse(&self, key: &str, why: &str) -> Fault {
        let (value, origin) = &self.all[key];
        let shape = Setting::find(key).map_or(Shape::Text, |setting| setting.shape);
        refusal(key, shape, (value, origin), why)
    }

    fn list(&self, key: &str, separator: char) -> impl Iterator<Item = &str> {
        self.text(key).split(separator).map(str::trim).filter(|part| !part.is_empty())
    }
}

/// Merges and checks all layers.
pub fn load(world: &World, flags: &[(&'static str, String, String)]) -> Result<Config> {
    let mut values = Values::built_in();
    if let Some(path) = world.config_file() {
        values.extend(read_file(&path)?);
    }
    let project = read_file(&world.cwd.join("rag.toml"))?;
    refuse_personal(&project)?;
    values.extend(project);
    values.extend(from_environment(world)?);
    for (key, value, flag) in flags {
        values.all.insert(key, (value.clone(), Origin::Flag(flag.clone())));
    }
    for (key, setting, (value, origin)) in values.each() {
        check::check(key, setting, value, origin)?;
    }
    let config = build(world, &values)?;
    config.check_chunk_limits()?;
    config.check_rerank()?;
    Ok(config)
}

/// Refuses a project file that sets where keys and questions are sent or which code is loaded: it
/// may have come with a downloaded folder.
fn refuse_personal(project: &Values) -> Result<()> {
    match project.each().find(|(_, setting, _)| setting.is_personal) {
        Some((key, setting, (_, origin))) => {
            let own = "set it in ~/.config/rag/config.toml";
            let hint = match key == setting.key {
                true => format!("{own} or as {}", setting.env),
                false => own.to_owned(),
            };
            Err(Fault::usage(format!("{origin}: a project file must not set `{key}`")).hint(hint))
        }
        None => Ok(()),
    }
}

fn from_environment(world: &World) -> Result<Values> {
    let mut values = Values::default();
    let known = |name: &str| Some(world.env.get(name)?.to_str()?.trim().to_owned());
    let aliases = cluster::aliases(&|name| known(name).filter(|value| !value.is_empty()));
    let aliases = aliases
        .into_iter()
        .chain(nearest::aliases(&|name| known(name).filter(|value| !value.is_empty())))
        .map(|(key, value, variable)| (key, (value, Origin::Environment(variable))));
    values.all.extend(aliases);
    for Setting { key, env, .. } in SETTINGS {
        if let Some(value) = world.env.get(*env).filter(|value| !value.is_empty()) {
            let value = value
                .to_str()
                .ok_or_else(|| Fault::usage(format!("environment {env} is not valid UTF-8")))?;
            values.all.insert(key, (value.to_owned(), Origin::Environment(env)));
        }
    }
    Ok(values)
}

/// Values of one file; none when there is no such file.
fn read_file(path: &Path) -> Result<Values> {
    match std::fs::read_to_string(path) {
        Ok(text) => parse_file(path, &text),
        Err(e) => {
            let shown = path.display();
            match e.kind() {
                ErrorKind::NotFound | ErrorKind::NotADirectory => Ok(Values::default()),
                ErrorKind::InvalidData => {
                    Err(Fault::usage(format!("{shown}: the file is not valid UTF-8")))
                }
                ErrorKind::IsADirectory => {
                    Err(Fault::usage(format!("{shown} is a folder, not a configuration file")))
                }
                _ => Err(e).or_failed(|| format!("cannot read {shown}")),
            }
        }
    }
}

/// Values of the text of a file.
fn parse_file(path: &Path, text: &str) -> Result<Values> {
    let mut values = Values::default();
    let line_of = |offset: usize| text.slice(..offset.min(text.len())).matches('\n').count() + 1;
    let table = DeTable::parse(text).map_err(|e| {
        let line = e.span().map_or(1, |span| line_of(span.start));
        Fault::usage(format!("{}:{line}: {}", path.display(), e.message()))
    })?;
    flatten("", table.get_ref(), &mut |key, value, offset| {
        let origin = Origin::File { path: path.to_owned(), line: line_of(offset) };
        let Some(setting) = Setting::of_key(&key) else {
            return Err(unknown_setting(&format!("{origin}: "), &key));
        };
        let value = from_toml(value, (&key, setting), &origin)?;
        if key == setting.key {
            values.all.insert(setting.key, (value, origin));
        } else {
            values.named.insert(key, (value, origin));
        }
        Ok(())
    })?;
    Ok(values)
}

/// Checks the text of a configuration file that may replace the one at `path`. Returns the line of
/// the setting `key`, if the text has it.
///
/// # Errors
/// A usage fault for the first problem.
pub fn check_file(path: &Path, text: &str, is_project: bool, key: &str) -> Result<Option<usize>> {
    let values = parse_file(path, text)?;
    if is_project {
        refuse_personal(&values)?;
    }
    for (key, setting, (value, origin)) in values.each() {
        check::check(key, setting, value, origin)?;
    }
    let found = values.all.get(key).or_else(|| values.named.get(key));
    Ok(found.and_then(|(_, origin)| match origin {
        Origin::File { line, .. } => Some(*line),
        _ => None,
    }))
}

/// The fault of a key that is no setting.
pub fn unknown_setting(place: &str, key: &str) -> Fault {
    let hint = match similar(key, SETTINGS.iter().map(|setting| setting.key)) {
        Some(meant) => format!("did you mean `{meant}`? `rag config list` lists every setting"),
        None => "`rag config list` lists every setting".to_owned(),
    };
    Fault::usage(format!("{place}there is no setting `{key}`")).hint(hint)
}

/// A value of a file as text; the parts of a list are joined by the setting's separator.
fn from_toml(
    value: &DeValue<'_>,
    (key, setting): (&str, &Setting),
    origin: &Origin,
) -> Result<String> {
    let refused = |shown: &str, what: &str| {
        Err(refusal(key, setting.shape, (shown, origin), &format!("must {what}")))
    };
    match (value, setting.shape.separator()) {
        (DeValue::Array(parts), separator) => {
            let parts: Option<Vec<String>> =
                parts.iter().map(|part| scalar(part.get_ref())).collect();
            match (parts, separator) {
                (Some(parts), Some(separator)) => Ok(parts.join(separator)),
                (Some(_), None) => refused("[…]", "be one value, not a list"),
                (None, _) => refused("…", "not be a list of lists or tables"),
            }
        }
        (DeValue::Datetime(_), _) => refused("…", "not be a date; put it in quotes"),
        (other, _) => scalar(other).map_or_else(|| refused("…", "not be a table"), Ok),
    }
}

fn scalar(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(n) => Some(n.to_string()),
        DeValue::Float(n) => Some(n.to_string()),
        DeValue::Boolean(b) => Some(b.to_string()),
        _ => None,
    }
}

/// Calls `sink` with the dotted key, the value and the byte offset of each entry below `table`.
fn flatten(
    prefix: &str,
    table: &DeTable<'_>,
    sink: &mut dyn FnMut(String, &DeValue<'_>, usize) -> Result<()>,
) -> Result<()> {
    for (key, value) in table {
        let path = format!("{prefix}{}", key.get_ref());
        match value.get_ref() {
            DeValue::Table(inner) => flatten(&format!("{path}."), inner, sink)?,
            other => sink(path, other, key.span().start)?,
        }
    }
    Ok(())
}

fn build(world: &World, values: &Values) -> Result<Config> {
    let data_dir = PathBuf::from(values.text("data_dir"));
    let threads = match values.size("threads") {
        0 => world.cores.max(1),
        n => n,
    };
    let mode = values.text("search.mode");
    let named = |name| Ok((str::to_owned(name), endpoint(&values.of_language_model(name), name)?));
    let llms: BTreeMap<String, Endpoint> =
        values.names().into_iter().map(named).collect::<Result<_>>()?;
    Ok(Config {
        cache_dir: values.path("cache_dir").unwrap_or_else(|| data_dir.join("cache")),
        jobs_dir: values.path("jobs_dir").unwrap_or_else(|| data_dir.join("jobs")),
        index: values.text("index").to_owned(),
        model: values.text("model").to_owned(),
        threads,
        max_workers: values.size("max_workers"),
        jobs_keep_hours: values.whole("jobs.keep_hours"),
        corpus_id: values.set("corpus_id").map(str::to_owned),
        chunk_max_tokens: values.size("chunk.max_tokens"),
        chunk_overlap_tokens: values.size("chunk.overlap_tokens"),
        max_file_bytes: values.whole("ingest.max_file_bytes"),
        max_pages: values.whole("ingest.max_pages") as usize,
        ocr: values.text("ingest.ocr") == "yes",
        ocr_languages: values.text("ingest.ocr_languages").to_owned(),
        may_visit_private: values.text("ingest.allow_private_addresses") == "yes",
        program: world.exe.clone(),
        search_k: values.size("search.k"),
        search_mode: Mode::of_name(mode)
            .ok_or_else(|| Fault::usage(format!("no search mode `{mode}`")))?,
        dense_weight: values.number("search.dense_weight"),
        rerank: match values.set("rerank.model") {
            Some(_) => values.size("search.rerank"),
            None => 0,
        },
        rerank_model: values.text("rerank.model").to_owned(),
        rerank_weight: values.number("search.rerank_weight"),
        ask_max_words: values.size("ask.max_words"),
        generator: match values.text("generator") {
            "llm" => Generator::Llm,
            _ => Generator::Extractive,
        },
        has_fallback: values.text("fallback") == "extractive",
        llm: match values.set("llm.name") {
            None => endpoint(values, "")?,
            Some(name) => llms.get(name).cloned().ok_or_else(|| {
                let why = Config::no_language_model(name, &llms);
                let fault = values.refuse("llm.name", &why.to_string());
                fault.hint(why.hint_text().unwrap_or_default())
            })?,
        },
        llms,
        batch_parallel: values.size("batch.parallel"),
        session_ttl_s: match values.set("sessions.ttl_s") {
            Some(_) => values.whole("sessions.ttl_s"),
            None => values.whole("sessions.ttl_hours").saturating_mul(3600),
        },
        shared: shared(values)?,
        ledger: ledger(values)?,
        nearest: nearest(values)?,
        serve: serve(values, threads),
        cache: Layers {
            embeddings: layer(values, "embeddings"),
            retrieval: layer(values, "retrieval"),
            rerank: layer(values, "rerank"),
            answers: layer(values, "answers"),
        },
        log_level: LogLevel::of_name(values.text("log.level")),
        log_format: match values.text("log.format") {
            "json" => LogFormat::Json,
            _ => LogFormat::Text,
        },
        logs_requests: values.text("log.requests") == "true",
        otlp_endpoint: values.url("telemetry.otlp_endpoint"),
        analytics: records(values),
        allows_mcp_ingest: values.text("mcp.ingest") == "true",
        mcp_max_result_bytes: values.size("mcp.max_result_bytes"),
        depot: depot(world, values)?,
        hub: values.url("hub.url"),
        hub_token: values.set("hub.token").map(str::to_owned),
        places: places(world, values.path("assets_dir"), &data_dir),
        user_dir: world.share_dir(),
        state_dir: world.state_dir(),
        runtime_library: values.path("runtime_library"),
        origins: origins(values),
        data_dir,
    })
}

fn shared(values: &Values) -> Result<SharedStore> {
    let database = |key| values.set(key).map(|_| values.whole(key));
    let url = values.set("shared.url");
    if url.is_some() && !cfg!(feature = "cluster") {
        return Err(Fault::left_out("cluster"));
    }
    Ok(SharedStore {
        url: url.map(Secret::new),
        sentinels: values.list("shared.sentinels", ',').map(str::to_owned).collect(),
        master: values.text("shared.master").to_owned(),
        ca_file: values.path("shared.ca_file"),
        prefix: values.text("shared.prefix").to_owned(),
        cache_database: database("shared.cache_database"),
        session_database: database("shared.session_database"),
        pool: values.size("shared.pool"),
        connect_timeout: Duration::from_millis(values.whole("shared.connect_timeout_ms")),
        timeout: Duration::from_millis(values.whole("shared.timeout_ms")),
        ttl_s: values.whole("shared.ttl_s"),
        embeddings_ttl_s: values.whole("shared.embeddings_ttl_s"),
        rerank_ttl_s: values.whole("shared.rerank_ttl_s"),
        max_bytes: values.whole("shared.max_mib") << 20,
    })
}

fn depot(world: &World, values: &Values) -> Result<DepotPlace> {
    let url = values.url("depot.url");
    let aws = match url.starts_with("s3://") {
        true => bucket::read(&world.env)?,
        false => bucket::Aws::default(),
    };
    let first = |set: String, other: &str| if set.is_empty() { other.to_owned() } else { set };
    let endpoint = first(values.url("depot.endpoint"), aws.endpoint.trim_end_matches('/'));
    Ok(DepotPlace {
        region: first(values.text("depot.region").to_owned(), &aws.region),
        is_path_style: match values.text("depot.path_style") {
            "yes" => true,
            "no" => false,
            _ => !endpoint.is_empty(),
        },
        timeout: values.seconds("depot.timeout_s"),
        poll: values.seconds("depot.poll_s"),
        grace: Duration::from_secs(values.whole("depot.grace_hours") * 3600),
        aws: aws.options,
        ca_bundle: aws.ca_bundle,
        endpoint,
        url,
    })
}

fn ledger(values: &Values) -> Result<Database> {
    let url = values.set("ledger.url");
    if url.is_some() && !cfg!(feature = "cluster") {
        return Err(Fault::left_out("cluster"));
    }
    Ok(Database {
        url: url.map(Secret::new),
        ca_file: values.path("ledger.ca_file"),
        pool: values.size("ledger.pool"),
        overflow: values.size("ledger.overflow"),
        connect_timeout: Duration::from_millis(values.whole("ledger.connect_timeout_ms")),
        timeout: Duration::from_millis(values.whole("ledger.timeout_ms")),
    })
}

fn nearest(values: &Values) -> Result<NearestPlace> {
    let engine = NearestEngine::of_name(values.text("nearest.engine")).unwrap_or_default();
    if engine == NearestEngine::Scan {
        return Ok(NearestPlace::default());
    }
    if !cfg!(feature = "cluster") {
        return Err(Fault::left_out("cluster"));
    }
    let own = values.set("nearest.url").map(|url| ("nearest.url", url));
    let shared = values.set("ledger.url").map(|url| ("ledger.url", url));
    let (fallback, schemes) = match engine {
        NearestEngine::Pgvector => (shared, ["postgres://", "postgresql://"]),
        _ => (None, ["http://", "https://"]),
    };
    let Some((key, url)) = own.or(fallback) else {
        let (value, origin) = &values.all["nearest.engine"];
        return Err(Fault::usage(format!("nearest.engine = {value} ({origin}): has no address"))
            .hint("set `nearest.url`"));
    };
    if !schemes.iter().any(|scheme| url.starts_with(scheme)) {
        let origin = &values.all[key].1;
        let what = format!("{key} ({origin}): is not an address of {}", engine.name());
        return Err(Fault::usage(what).hint(format!("it must begin with {}", schemes.join(" or "))));
    }
    let timeout = Duration::from_millis(values.whole("nearest.timeout_ms"));
    let ca_file = values.path("nearest.ca_file");
    let database = match engine {
        NearestEngine::Pgvector => {
            let ledger = ledger(values)?;
            let ca_file = ca_file.clone().or(ledger.ca_file);
            Some(Database { url: Some(Secret::new(url)), ca_file, timeout, ..ledger })
        }
        _ => None,
    };
    Ok(NearestPlace {
        engine,
        url: Some(Secret::new(url.trim_end_matches('/'))),
        api_key: values.secret("nearest.api_key"),
        ca_file,
        prefix: values.text("nearest.prefix").to_owned(),
        breadth: values.whole("nearest.breadth"),
        on_failure: OnFailure::parse(values.text("nearest.on_failure")),
        timeout,
        shards: values.whole("nearest.shards"),
        replicas: values.whole("nearest.replicas"),
        write_consistency: values.whole("nearest.write_consistency"),
        database,
    })
}

fn endpoint(values: &Values, name: &str) -> Result<Endpoint> {
    Ok(Endpoint {
        name: name.to_owned(),
        base_url: values.url("llm.base_url"),
        model: values.text("llm.model").to_owned(),
        api_key: api_key(values)?,
        timeout: values.seconds("llm.timeout_s"),
        answer_timeout: values.seconds("llm.answer_timeout_s"),
        attempts: values.whole("llm.attempts") as u32,
        retry_waits: (values.seconds("llm.retry_wait_s"), values.seconds("llm.max_retry_wait_s")),
        temperature: values.number("llm.temperature"),
        max_tokens: values.whole("llm.max_tokens") as u32,
        evidence_tokens: values.size("llm.evidence_tokens"),
        warm: Duration::from_secs(60 * values.whole("llm.warm_minutes")),
    })
}

/// The key of the language model: the setting, or the first line of a file.
fn api_key(values: &Values) -> Result<Option<Secret>> {
    let given = values.text("llm.api_key").trim();
    let file = values.text("llm.api_key_file");
    if !given.is_empty() || file.is_empty() {
        return Ok((!given.is_empty()).then(|| Secret::new(given)));
    }
    let refused = |why: &str| values.refuse("llm.api_key_file", why);
    let text = std::fs::read_to_string(file).map_err(|e| refused(&read_problem(&e)))?;
    let key = text.lines().next().unwrap_or_default().trim();
    match check::secret_problem(key, 1) {
        _ if key.is_empty() => Err(refused("the first line of the file is empty")),
        Some(why) => Err(refused(&why)),
        None => Ok(Some(Secret::new(key))),
    }
}

fn serve(values: &Values, threads: usize) -> Serve {
    Serve {
        host: values.text("serve.host").to_owned(),
        port: values.whole("serve.port") as u16,
        token: values.secret("serve.token"),
        token_file: values.path("serve.token_file"),
        jwt_issuer: values.text("serve.jwt_issuer").to_owned(),
        jwt_audience: values.text("serve.jwt_audience").to_owned(),
        jwt_keys: values.text("serve.jwt_keys").to_owned(),
        jwt_scope_claim: values.text("serve.jwt_scope_claim").to_owned(),
        jwt_indexes_claim: values.text("serve.jwt_indexes_claim").to_owned(),
        allowed_hosts: values
            .list("serve.allowed_hosts", ',')
            .map(str::to_ascii_lowercase)
            .collect(),
        cors_origins: values
            .list("serve.cors_origins", ',')
            .map(|origin| origin.trim_end_matches('/').to_ascii_lowercase())
            .collect(),
        tls_certificate: values.path("serve.tls_certificate"),
        tls_key: values.path("serve.tls_key"),
        webhooks: values.list("serve.webhooks", ',').map(str::to_owned).collect(),
        webhook_secret: values.secret("serve.webhook_secret"),
        roots: values.list("serve.roots", ':').map(PathBuf::from).collect(),
        workers: match values.size("serve.workers") {
            0 => threads,
            n => n,
        },
        queue: values.size("serve.queue"),
        timeouts: Timeouts {
            query: values.seconds("serve.query_timeout_s"),
            embedding: values.seconds("serve.embedding_timeout_s"),
            retrieval: values.seconds("serve.retrieval_timeout_s"),
            generation: values.seconds("serve.generation_timeout_s"),
        },
        connections: values.size("serve.connections"),
        header_timeout: values.seconds("serve.header_timeout_s"),
        body_timeout: values.seconds("serve.body_timeout_s"),
        write_timeout: values.seconds("serve.write_timeout_s"),
        drain: values.seconds("serve.drain_s"),
        max_body_bytes: values.size("serve.max_body_bytes"),
        max_uploads_bytes: values.whole("serve.max_uploads_bytes"),
        rate_per_minute: values.whole("serve.rate_per_minute"),
        quota_per_day: values.whole("serve.quota_per_day"),
    }
}

fn layer(values: &Values, table: &str) -> Layer {
    Layer {
        ttl_s: values.whole(&format!("cache.{table}_ttl_hours")) * 3600,
        budget_bytes: values.whole(&format!("cache.{table}_mib")) << 20,
    }
}

fn records(values: &Values) -> Records {
    Records {
        scope: match values.text("analytics.record") {
            "off" => Recording::Off,
            "all" => Recording::All,
            _ => Recording::Servers,
        },
        text: values.text("analytics.text") == "true",
        keep_days: values.whole("analytics.keep_days"),
    }
}

/// Values and origins as `rag doctor` shows them, without secrets.
fn origins(values: &Values) -> Vec<(String, String, Origin)> {
    let shown = |(key, setting, (value, origin)): (&str, &Setting, &(String, Origin))| {
        (key.to_owned(), check::shown(setting.shape, value), origin.clone())
    };
    values.each().map(shown).collect()
}

/// Folders that may hold library and models, in search order: `assets_dir`; the data directory;
/// `share/rag` beside the `bin` of an installed program; `data` of the checkout that a program
/// under `target/` was built in; `~/.local/share/rag`. Data directory and checkout are not trusted,
/// even if the user names them: they may have been downloaded.
fn places(world: &World, assets_dir: Option<PathBuf>, data_dir: &Path) -> Vec<Place> {
    let trusted = |dir: PathBuf| Place { dir, is_trusted: true };
    let share = world.share_dir();
    let share_resolved = share.as_deref().and_then(|dir| dir.canonicalize().ok());
    let is_share = share_resolved.is_some() && share_resolved == data_dir.canonicalize().ok();
    let mut places: Vec<Place> = assets_dir.map(trusted).into_iter().collect();
    places.push(Place { dir: data_dir.to_path_buf(), is_trusted: is_share });
    if let Some(exe) = &world.exe_dir {
        places.push(trusted(exe.join("../share/rag")));
        let mut parents = exe.ancestors().take(3);
        let target = parents.find(|dir| dir.file_name().is_some_and(|name| name == "target"));
        let checkout = target.and_then(Path::parent).map(|dir| dir.join("data"));
        places.extend(checkout.map(|dir| Place { dir, is_trusted: false }));
    }
    places.extend(share.map(trusted));
    places
}
