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
fn later_layers_win_and_errors_name_the_layer() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("rag.toml"), "index = \"docs\"\n\n[chunk]\nmax_tokens = 100\n").unwrap();
    let mut world = world(&[("RAG_CHUNK_MAX_TOKENS", "200")]);
    world.cwd = dir.path().to_owned();
    let config = Config::load(&world, &[("index", "notes".into(), "--index".into())]).unwrap();
    assert_eq!((config.index.as_str(), config.chunk_max_tokens), ("notes", 200));

    std::fs::write(dir.path().join("rag.toml"), "\n\nsearch.k = 0\n").unwrap();
    let fault = Config::load(&world, &[]).unwrap_err();
    let file = dir.path().join("rag.toml");
    assert_eq!(fault.to_string(), format!("search.k = 0 ({}:3): must be at least 1", file.display()));
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
    for (text, part) in
        [("[chunk]\nsize = 3\n", "rag.toml:2: there is no setting `chunk.size`"), ("a = [", "rag.toml:1")]
    {
        std::fs::write(dir.path().join("rag.toml"), text).unwrap();
        let fault = Config::load(&world, &[]).unwrap_err();
        assert!(fault.to_string().contains(part), "{fault}");
    }
}
