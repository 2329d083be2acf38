//! What runs the program elsewhere: each file is checked by the tool of its kind, where that is there.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::fixtures::files_below;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Files below a folder of the project whose names end so.
fn files(folder: &str, ending: &str) -> Vec<PathBuf> {
    let dir = root().join(folder);
    let found: Vec<PathBuf> =
        files_below(&dir).into_iter().filter(|file| file.ends_with(ending)).map(|file| dir.join(file)).collect();
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
            let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
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
    content(Command::new("systemd-analyze").args(["security", "--offline=yes", "--threshold=20"]).arg(&file));
}

#[test]
fn the_image_is_made_by_the_book() {
    content(Command::new("hadolint").arg(root().join("scripts/deploy/Dockerfile")));
}

#[test]
fn what_the_image_is_built_from_is_there() {
    let listed = std::fs::read_to_string(root().join("scripts/deploy/Dockerfile.dockerignore")).unwrap();
    let kept: Vec<&str> = listed.lines().filter_map(|line| line.strip_prefix('!')).collect();
    for path in &kept {
        assert!(root().join(path).exists(), "{path}");
    }
    for needed in ["Cargo.toml", "Cargo.lock", "src", "scripts/setup", "scripts/model"] {
        assert!(kept.contains(&needed), "{needed} is kept out of the image");
    }
}

#[test]
fn compose_understands_its_file() {
    let file = root().join("scripts/deploy/compose.yaml");
    // The plugin of `docker` where it is, else the program of its own.
    let is_plugin = Command::new("docker").args(["compose", "version"]).output().is_ok_and(|o| o.status.success());
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
    content(Command::new("actionlint").args(files(".github/workflows", ".yml")).current_dir(root()));
}

#[test]
fn scripts_are_sound() {
    let scripts = ["bench", "clients", "install", "quickstart", "setup", "test"];
    let scripts = scripts.map(|name| root().join("scripts").join(name));
    // `name` is read by common.sh; test is a word here and no program.
    let flags = ["--external-sources", "--source-path=SCRIPTDIR", "--severity=warning", "--exclude=SC2034,SC2209"];
    content(Command::new("shellcheck").args(flags).args(scripts));
}
