use super::*;
use crate::error::Kind;

fn world(env: &[(&str, &str)]) -> World {
    World {
        env: env.iter().map(|(k, v)| ((*k).to_owned(), (*v).into())).collect(),
        cwd: PathBuf::from("/nonexistent"),
        exe_dir: None,
        exe: None,
        cores: 3,
    }
}

#[test]
fn defaults_are_valid_and_zero_threads_means_every_core() {
    let config = Config::load(&world(&[]), &[]).unwrap();
    assert_eq!((config.threads, config.index.as_str(), config.search_k), (3, "default", 10));
    assert_eq!(config.cache_dir, PathBuf::from("data/cache"));
}

#[test]
fn only_chosen_and_installed_places_are_trusted() {
    let places = |env: &[(&str, &str)], exe_dir: Option<&str>, data_dir: &str| {
        let world = World { exe_dir: exe_dir.map(PathBuf::from), ..world(env) };
        let config =
            Config::load(&world, &[("data_dir", data_dir.into(), "--data-dir".into())]).unwrap();
        let places = config.places.into_iter();
        places.map(|place| (place.dir.display().to_string(), place.is_trusted)).collect::<Vec<_>>()
    };
    let pair = |dir: &str, is_trusted: bool| (dir.to_owned(), is_trusted);
    let home = [("HOME", "/home/me")];
    let installed = places(&home, Some("/usr/local/bin"), "data");
    let own = [pair("/usr/local/bin/../share/rag", true), pair("/home/me/.local/share/rag", true)];
    assert_eq!(installed, [&[pair("data", false)][..], &own].concat());
    assert_eq!(places(&home, None, "/abs/data")[0], pair("/abs/data", false));
    let built = places(&[("RAG_ASSETS_DIR", "/srv")], Some("/src/rag/target/debug"), "data");
    let share = pair("/src/rag/target/debug/../share/rag", true);
    assert_eq!(
        built,
        [pair("/srv", true), pair("data", false), share, pair("/src/rag/data", false)]
    );
    // Relative variables are ignored.
    for name in ["XDG_DATA_HOME", "HOME"] {
        assert_eq!(places(&[(name, "share")], None, "data"), [pair("data", false)]);
    }
    // The user's data directory stays trusted when `data_dir` names it.
    let dir = tempfile::tempdir().unwrap();
    let share = dir.path().join("rag");
    std::fs::create_dir(&share).unwrap();
    let named =
        places(&[("XDG_DATA_HOME", dir.path().to_str().unwrap())], None, share.to_str().unwrap());
    assert!(named.iter().all(|(_, is_trusted)| *is_trusted), "{named:?}");
}

#[test]
fn later_layers_win_and_errors_name_the_layer() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("rag.toml"), "index = \"docs\"\n\n[chunk]\nmax_tokens = 100\n")
        .unwrap();
    let mut world = world(&[("RAG_CHUNK_MAX_TOKENS", "200")]);
    world.cwd = dir.path().to_owned();
    let config = Config::load(&world, &[("index", "notes".into(), "--index".into())]).unwrap();
    assert_eq!((config.index.as_str(), config.chunk_max_tokens), ("notes", 200));

    std::fs::write(dir.path().join("rag.toml"), "\n\nsearch.k = 0\n").unwrap();
    let fault = Config::load(&world, &[]).unwrap_err();
    let file = dir.path().join("rag.toml");
    assert_eq!(
        fault.to_string(),
        format!("search.k = 0 ({}:3): must be at least 1", file.display())
    );
    assert_eq!(fault.kind(), Kind::Usage);
}

#[test]
fn every_bad_value_is_a_usage_fault_that_names_the_variable() {
    for (env, value) in [
        ("RAG_INDEX", "../x"),
        ("RAG_INDEX", "-rf"),
        ("RAG_MODEL", "a/b"),
        ("RAG_SEARCH_K", "ten"),
        ("RAG_SEARCH_MODE", "fuzzy"),
        ("RAG_SEARCH_DENSE_WEIGHT", "1.5"),
        ("RAG_SEARCH_DENSE_WEIGHT", "NaN"),
    ] {
        let fault = Config::load(&world(&[(env, value)]), &[]).unwrap_err();
        assert_eq!(fault.kind(), Kind::Usage, "{env}={value}");
        assert!(fault.to_string().contains(env), "{fault}");
    }
}

#[test]
fn an_unknown_key_and_broken_toml_name_the_line() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = world(&[]);
    world.cwd = dir.path().to_owned();
    for (text, part) in [
        ("[chunk]\nsize = 3\n", "rag.toml:2: there is no setting `chunk.size`"),
        ("a = [", "rag.toml:1"),
    ] {
        std::fs::write(dir.path().join("rag.toml"), text).unwrap();
        let fault = Config::load(&world, &[]).unwrap_err();
        assert!(fault.to_string().contains(part), "{fault}");
    }
}

/// A value that is invalid for this shape; `None` where only the code that uses it can tell.
fn bad_value(shape: Shape) -> Option<&'static str> {
    match shape {
        Shape::Text => Some("  "),
        Shape::Folder | Shape::AbsoluteFolder => Some("/dev/null"),
        Shape::Name => Some("a/b"),
        Shape::Passage { .. } => Some("7"),
        Shape::Whole { .. } | Shape::UpTo(_) => Some("many"),
        Shape::OneOf(_) => Some("psychic"),
        Shape::Url | Shape::Urls | Shape::Depot => Some("ftp://127.0.0.1"),
        Shape::Host | Shape::Hosts => Some("no host"),
        Shape::Addresses => Some("no-port"),
        Shape::Engine { .. } => Some("ftp://127.0.0.1"),
        Shape::Secret { .. } => Some("b a d"),
        // The key of a language model is read at once, other files when they are needed.
        Shape::File | Shape::Folders => None,
    }
}

/// A bad value of any setting in any layer is a usage fault that names setting and source.
#[test]
fn a_bad_value_of_every_setting_names_its_source() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("rag/config.toml");
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    let mut checked = 0;
    for setting in SETTINGS {
        let special = (setting.key == "llm.api_key_file").then_some("/nope");
        let Some(value) = special.or(bad_value(setting.shape)) else { continue };
        checked += 1;
        let check = |loaded: Result<Config>, origin: &str| {
            let fault = loaded.expect_err(setting.key);
            let shown =
                if setting.shape.is_secret() { String::new() } else { format!(" = {value}") };
            assert_eq!(fault.kind(), Kind::Usage, "{fault}");
            let text = fault.to_string();
            assert!(text.starts_with(&format!("{}{shown} ({origin}): ", setting.key)), "{text}");
        };
        check(
            Config::load(&world(&[(setting.env, value)]), &[]),
            &format!("environment {}", setting.env),
        );
        check(Config::load(&world(&[]), &[(setting.key, value.into(), "--flag".into())]), "--flag");
        std::fs::write(&file, format!("# one\n{} = {value:?}\n", setting.key)).unwrap();
        let personal = world(&[("XDG_CONFIG_HOME", dir.path().to_str().unwrap())]);
        check(Config::load(&personal, &[]), &format!("{}:2", file.display()));
    }
    let unchecked =
        SETTINGS.iter().filter(|s| matches!(s.shape, Shape::File | Shape::Folders)).count();
    assert!(checked + unchecked >= SETTINGS.len(), "{checked} of {}", SETTINGS.len());
}

#[test]
fn invalid_hosts_and_urls_are_refused() {
    let loads = |env: &str, value: &str| Config::load(&world(&[(env, value)]), &[]).is_ok();
    for host in
        ["localhost", "0.0.0.0", "::", "[::1]", "rag.example.org", "my_host-2", "example.org."]
    {
        assert!(loads("RAG_SERVE_HOST", host), "{host}");
        assert!(loads("RAG_SERVE_ALLOWED_HOSTS", &format!("a.example, {host}")), "{host}");
    }
    let long = "x".repeat(64);
    for host in [
        "999.1.2.3",
        "1.2.3",
        "a..b",
        "-a",
        "a-",
        "a:80",
        "exa mple",
        "ä.example",
        "http://a",
        &long,
    ] {
        assert!(!loads("RAG_SERVE_HOST", host), "{host}");
        assert!(!loads("RAG_SERVE_ALLOWED_HOSTS", &format!("a.example, {host}")), "{host}");
    }
    for url in [
        "http://localhost:11434/v1",
        "https://example.org/",
        "http://[::1]:8080",
        "http://10.0.0.7",
    ] {
        assert!(loads("RAG_LLM_BASE_URL", url), "{url}");
    }
    for url in [
        "localhost:11434",
        "example.org",
        "http://",
        "http://a b",
        "http://a..b/",
        "http://h/?q",
        "http://h/#f",
    ] {
        assert!(!loads("RAG_LLM_BASE_URL", url), "{url}");
    }
    let fault =
        Config::load(&world(&[("HF_ENDPOINT", "https://me:s3cret@example.com")]), &[]).unwrap_err();
    assert!(!fault.to_string().contains("s3cret"), "{fault}");
}

#[test]
fn lists_in_a_file_are_accepted_and_other_types_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("rag/config.toml");
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    let load = |text: &str| {
        std::fs::write(&file, text).unwrap();
        Config::load(&world(&[("XDG_CONFIG_HOME", dir.path().to_str().unwrap())]), &[])
    };
    let config =
        load("[serve]\nroots = [\"a\", \"b\"]\nallowed_hosts = [\"x.example\", \"y.example\"]\n")
            .unwrap();
    assert_eq!(config.serve.roots, [PathBuf::from("a"), PathBuf::from("b")]);
    assert_eq!(config.serve.allowed_hosts, ["x.example", "y.example"]);
    for text in
        ["cache_dir = [\"a\"]", "llm.model = 2024-01-01", "serve.roots = [[\"a\"]]", "index = []"]
    {
        assert_eq!(load(text).unwrap_err().kind(), Kind::Usage, "{text}");
    }
}

#[test]
fn chunks_fit_the_window_and_overlaps_fit_the_chunks() {
    let config = |env: &[(&str, &str)]| Config::load(&world(env), &[]);
    let (max, overlap) = ("RAG_CHUNK_MAX_TOKENS", "RAG_CHUNK_OVERLAP_TOKENS");
    let fault = config(&[(max, "40"), (overlap, "21")]).unwrap_err();
    assert!(
        fault.to_string().starts_with("chunk.overlap_tokens = 21 (environment RAG_CHUNK_OVERLAP"),
        "{fault}"
    );
    // The built-in overlap is reduced for short chunks.
    assert_eq!(config(&[(max, "40")]).unwrap().chunk_limits("m", 256).unwrap(), (40, 20));
    assert_eq!(config(&[]).unwrap().chunk_limits("m", 256).unwrap(), (256, 32));
    assert!(
        config(&[(max, "300")])
            .unwrap()
            .chunk_limits("m", 256)
            .unwrap_err()
            .to_string()
            .contains("256 tokens")
    );
    assert!(config(&[(overlap, "200")]).unwrap().chunk_limits("m", 256).is_err());
    assert!(
        [("7", false), ("15", false), ("16", true), ("0", true)].iter().all(|(n, ok)| config(&[(
            max, n
        )])
        .is_ok()
            == *ok)
    );
}

#[test]
fn a_named_language_model_has_the_settings_of_llm_but_not_its_key_elsewhere() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("rag/config.toml");
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    let world = || World {
        env: [("XDG_CONFIG_HOME".to_owned(), dir.path().into())].into(),
        cwd: dir.path().to_owned(),
        ..world(&[])
    };
    std::fs::write(
        &file,
        "[llm]\nbase_url = \"http://a/v1\"\nmodel = \"m\"\napi_key = \"secret\"\nattempts = 2\n\
         [llm.same]\nmodel = \"n\"\n[llm.other]\nbase_url = \"http://b/v1\"\nattempts = 7\n",
    )
    .unwrap();
    let config = Config::load(&world(), &[]).unwrap();
    let shown = |llm: &Endpoint| {
        let key = llm.api_key.as_ref().map(|key| key.expose().to_owned());
        (llm.base_url.clone(), llm.model.clone(), key, llm.attempts)
    };
    let text = str::to_owned;
    let (a, key) = (text("http://a/v1"), Some(text("secret")));
    assert_eq!(shown(&config.llm), (a.clone(), text("m"), key.clone(), 2));
    assert_eq!(shown(&config.llms["same"]), (a, text("n"), key, 2));
    assert_eq!(shown(&config.llms["other"]), (text("http://b/v1"), text("m"), None, 7));
    let chosen = Config::load(&world(), &[("llm.name", "other".into(), "--llm".into())]).unwrap();
    assert_eq!((chosen.llm.name.as_str(), chosen.llm.attempts), ("other", 7));

    for (user, project, expected) in [
        ("llm.fast.attempts = 0\n", "", "llm.fast.attempts = 0"),
        ("llm.fast.speed = 1\n", "", "there is no setting `llm.fast.speed`"),
        ("llm.fast.name = \"x\"\n", "", "there is no setting `llm.fast.name`"),
        (
            "",
            "[llm.fast]\nbase_url = \"http://x\"\n",
            "a project file must not set `llm.fast.base_url`",
        ),
        ("", "[llm.fast]\napi_key = \"x\"\n", "a project file must not set `llm.fast.api_key`"),
        ("llm.name = \"fast\"\n", "", "there is no language model `fast`"),
    ] {
        std::fs::write(&file, user).unwrap();
        std::fs::write(dir.path().join("rag.toml"), project).unwrap();
        let fault = Config::load(&world(), &[]).unwrap_err();
        assert_eq!(fault.kind(), Kind::Usage, "{fault}");
        assert!(fault.to_string().contains(expected), "{fault}");
    }
}
