//! What runs the program elsewhere: each file is checked by the tool of its kind, where that is
//! there.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use crate::fixtures::{files_below, write_old};
use crate::support::Sandbox;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Files below a folder of the project whose names end so.
fn files(folder: &str, ending: &str) -> Vec<PathBuf> {
    let dir = root().join(folder);
    let found: Vec<PathBuf> = files_below(&dir)
        .into_iter()
        .filter(|file| file.ends_with(ending))
        .map(|file| dir.join(file))
        .collect();
    assert!(!found.is_empty(), "{folder} has no *{ending}");
    found
}

/// Expects that a tool is content; says aloud that it is not here.
#[track_caller]
fn content(command: &mut Command) {
    match command.output() {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            eprintln!("skipped: there is no {}", command.get_program().display());
        }
        Err(e) => panic!("{command:?}: {e}"),
        Ok(output) => {
            let said = [output.stdout, output.stderr]
                .map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
            assert!(output.status.success(), "{command:?}\n{}", said.join("\n"));
        }
    }
}

#[test]
fn the_unit_is_one_that_systemd_takes() {
    let dir = tempfile::tempdir().unwrap();
    let unit = std::fs::read_to_string(root().join("scripts/deploy/rag.service")).unwrap();
    // The program is where it was built, not yet where it is installed.
    let unit = unit.replace("/usr/local/bin/rag", env!("CARGO_BIN_EXE_rag"));
    let file = dir.path().join("rag.service");
    std::fs::write(&file, unit).unwrap();
    content(Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&file));
    // 10 is a service that may do everything.
    content(
        Command::new("systemd-analyze")
            .args(["security", "--offline=yes", "--threshold=20"])
            .arg(&file),
    );
}

#[test]
fn the_image_is_made_by_the_book() {
    content(Command::new("hadolint").arg(root().join("scripts/deploy/Dockerfile")));
}

#[test]
fn what_the_image_is_built_from_is_there() {
    let listed =
        std::fs::read_to_string(root().join("scripts/deploy/Dockerfile.dockerignore")).unwrap();
    let kept: Vec<&str> = listed.lines().filter_map(|line| line.strip_prefix('!')).collect();
    for path in &kept {
        assert!(root().join(path).exists(), "{path}");
    }
    for needed in ["Cargo.toml", "Cargo.lock", "src", "scripts/setup", "scripts/model"] {
        assert!(kept.contains(&needed), "{needed} is kept out of the image");
    }
}

/// Text of a file of the project.
fn text(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

#[test]
fn one_image_is_built_composed_and_deployed() {
    let image = format!("rag:{}", env!("CARGO_PKG_VERSION"));
    let dockerfile = text("scripts/deploy/Dockerfile");
    let rust = format!("FROM rust:{}-", env!("CARGO_PKG_RUST_VERSION"));
    for said in [rust, format!("-t {image} "), format!("/docs:/docs:ro\" {image}\n")] {
        assert!(dockerfile.contains(&said), "the Dockerfile does not say {said:?}");
    }
    for path in ["scripts/deploy/compose.yaml", "scripts/deploy/kubernetes/deployment.yaml"] {
        let text = text(path);
        let images: Vec<&str> =
            text.lines().filter_map(|line| line.trim().strip_prefix("image: ")).collect();
        assert_eq!(images, [image.as_str()], "{path}");
    }
}

/// Compose takes a relative path as relative to the folder of its file, not to that of whoever
/// calls it.
#[test]
fn folders_given_to_compose_are_absolute() {
    let mut examples = 0;
    let documents = files_below(&root().join("data/corpus"));
    let documents = documents.into_iter().map(|name| format!("data/corpus/{name}"));
    for path in
        ["README.md", "scripts/deploy/compose.yaml"].map(str::to_owned).into_iter().chain(documents)
    {
        for (_, value) in text(&path).lines().filter_map(|line| line.split_once("DOCS=")) {
            assert!(value.starts_with("\"$PWD/") || value.starts_with('/'), "{path}: DOCS={value}");
            examples += 1;
        }
    }
    assert!(examples > 0, "nobody says how DOCS is given");
}

/// A mounted `ConfigMap` is a folder of links through a link.
#[test]
fn a_mounted_config_map_is_ingested_and_its_updates_too() {
    let manifest = text("scripts/deploy/kubernetes/deployment.yaml");
    assert!(manifest.contains("configMap:"), "documents are not mounted from a ConfigMap any more");
    let sandbox = Sandbox::new();
    let mount = |generation: &str, more: &str| {
        write_old(
            &sandbox,
            &format!("docs/{generation}/otters.md"),
            format!("# Otters\n\nThe otter {more}.\n"),
        );
        write_old(&sandbox, &format!("docs/{generation}/seals.md"), "# Seals\n\nThe seal barks.\n");
        symlink(generation, sandbox.path().join("docs/..data_tmp")).unwrap();
        std::fs::rename(sandbox.path().join("docs/..data_tmp"), sandbox.path().join("docs/..data"))
            .unwrap();
    };
    mount("..2026_01_31_10_00_00.1", "sleeps afloat");
    for name in ["otters.md", "seals.md"] {
        symlink(Path::new("..data").join(name), sandbox.path().join("docs").join(name)).unwrap();
    }
    let first = sandbox.ingest();
    assert_eq!((&first["documents"], &first["skipped"]), (&json!(2), &json!(0)), "{first}");
    assert_eq!(sandbox.ingest()["committed"], false);
    mount("..2026_01_31_11_00_00.2", "cracks mussels with a stone");
    assert_eq!(sandbox.ingest()["committed"], true);
    sandbox.rag(["search", "--mode", "lexical", "mussels"]).ok().prints("docs/otters.md");
}

/// Versions of Python that the images of GitHub's runners have.
const PYTHON_OF_RUNNERS: [(&str, u32); 2] = [("ubuntu-22.04", 10), ("ubuntu-24.04", 12)];

#[test]
fn runners_have_the_python_that_setting_up_takes() {
    let setup = text("scripts/setup");
    let (_, rest) = setup.split_once("(3, ").expect("the versions that setup takes");
    let (least, rest) = rest.split_once(')').unwrap();
    let most = rest.split_once("(3, ").unwrap().1.split_once(')').unwrap().0;
    let taken = least.parse::<u32>().unwrap()..=most.parse::<u32>().unwrap();
    let page = text("data/corpus/installing.md");
    assert!(
        page.contains(&format!("Python 3.{least} to 3.{most} ")),
        "installing.md names other versions of Python"
    );
    let rust = format!("Rust {} or later", env!("CARGO_PKG_RUST_VERSION"));
    assert!(
        page.contains(&rust) && text("README.md").contains(&rust),
        "the documentation does not say {rust:?}"
    );
    for path in [".github/workflows/release.yml", ".github/workflows/test.yml"] {
        // Jobs are the keys that are indented by two.
        let text = text(path);
        let is_job = |line: &str| line.starts_with("  ") && !line[2..].starts_with([' ', '#', '-']);
        let mut jobs: Vec<String> = vec![String::new()];
        for line in text.lines() {
            if is_job(line) {
                jobs.push(String::new());
            }
            jobs.last_mut().unwrap().extend([line, "\n"]);
        }
        for job in jobs.iter().filter(|job| job.contains("- run: scripts/")) {
            let own = job
                .split("python-version: \"3.")
                .nth(1)
                .map(|rest| rest.split('"').next().unwrap());
            let minors: Vec<u32> = match own {
                Some(own) => vec![own.parse().unwrap()],
                None => PYTHON_OF_RUNNERS
                    .iter()
                    .filter(|(name, _)| job.contains(name))
                    .map(|(_, n)| *n)
                    .collect(),
            };
            assert!(
                !minors.is_empty() && minors.iter().all(|n| taken.contains(n)),
                "{path}: Python 3.{minors:?}\n{job}"
            );
        }
    }
}

#[test]
fn compose_understands_its_file() {
    let file = root().join("scripts/deploy/compose.yaml");
    // The plugin of `docker` where it is, else the program of its own.
    let is_plugin = Command::new("docker")
        .args(["compose", "version"])
        .output()
        .is_ok_and(|o| o.status.success());
    let mut command = Command::new(if is_plugin { "docker" } else { "docker-compose" });
    command.args(is_plugin.then_some("compose")).arg("-f").arg(file).args(["config", "--quiet"]);
    content(command.env("RAG_SERVE_TOKEN", "a-token-of-some-length"));
}

#[test]
fn manifests_fit_their_schemas() {
    for file in files("scripts/deploy/kubernetes", ".yaml") {
        if !file.ends_with("kustomization.yaml") {
            content(Command::new("kubernetes-validate").arg("--strict").arg(&file));
        }
    }
}

#[test]
fn workflows_and_manifests_are_tidy() {
    let yaml = [files("scripts/deploy", ".yaml"), files(".github/workflows", ".yml")].concat();
    content(Command::new("yamllint").arg("--strict").args(yaml).current_dir(root()));
    content(
        Command::new("actionlint").args(files(".github/workflows", ".yml")).current_dir(root()),
    );
}

/// Programs in `scripts/` that bash runs.
fn bash_scripts() -> Vec<PathBuf> {
    let entries =
        std::fs::read_dir(root().join("scripts")).unwrap().map(|entry| entry.unwrap().path());
    let is_bash = |path: &PathBuf| {
        std::fs::read_to_string(path).is_ok_and(|text| text.starts_with("#!/usr/bin/env bash\n"))
    };
    let mut found: Vec<PathBuf> = entries.filter(|path| path.is_file()).filter(is_bash).collect();
    found.sort();
    found
}

#[test]
fn scripts_are_sound() {
    let scripts = bash_scripts();
    let workflow = text(".github/workflows/test.yml");
    for script in &scripts {
        let name = script.strip_prefix(root()).unwrap().to_str().unwrap();
        assert!(workflow.contains(&format!(" {name}")), "the workflow does not look at {name}");
    }
    // `name` is read by common.sh; test is a word here and no program.
    let flags = [
        "--external-sources",
        "--source-path=SCRIPTDIR",
        "--severity=warning",
        "--exclude=SC2034,SC2209",
    ];
    content(Command::new("shellcheck").args(flags).args(scripts));
}
