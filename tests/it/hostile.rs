//! A foreign folder: its library is not opened, its models are not loaded, and the user is told
//! why.
//!
//! The library of these tests writes a file when it is loaded, so loading it is visible; `strace`
//! shows the rest.

use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use crate::fixtures::copy_dir;
use crate::support::{Run, Sandbox, installed, project_data};
use crate::sweep::{TINY, use_tiny_model};
use crate::tools::has_tool;

const MODEL: &str = "all-MiniLM-L6-v2";

/// Writes a manifest with correct sums of the files.
fn manifest(dir: &Path, files: &[&str]) {
    let sums: serde_json::Map<_, _> = files
        .iter()
        .map(|file| {
            let sum = rag::disk::file_sum(&dir.join(file)).unwrap();
            (
                (*file).to_owned(),
                json!({ "sha256": sum.sha256, "bytes": sum.bytes, "blocks": sum.blocks }),
            )
        })
        .collect();
    let text =
        json!({ "version": 1, "name": "any", "source": "ONNX Runtime 1.31.1", "files": sums })
            .to_string();
    let _ = std::fs::remove_file(dir.join("manifest.json"));
    std::fs::write(dir.join("manifest.json"), text).unwrap();
}

/// A clone with documents, and a foreign library and model below its data folder. `None` where
/// there is no compiler.
fn clone(sandbox: &Sandbox, data: &str) -> Option<PathBuf> {
    if !has_tool("cc", &["--version"]) || !has_tool("strace", &["-V"]) {
        return None;
    }
    let clone = sandbox.path().join("clone");
    sandbox.write("clone/docs/a.md", "# Herons\n\nThe grey heron waits in the reeds.\n");
    let source = sandbox.write(
        "evil.c",
        format!(
            "#include <stdio.h>\n__attribute__((constructor)) static void run(void) {{ FILE *f = \
             fopen(\"{}\", \"w\"); \
             if (f) fclose(f); }}\n",
            sandbox.path().join("pwned").display()
        ),
    );
    let runtime = clone.join(data).join("runtime");
    std::fs::create_dir_all(&runtime).unwrap();
    let library = runtime.join("libonnxruntime.so");
    let built = Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .arg(&library)
        .arg(source)
        .status()
        .unwrap();
    assert!(built.success());
    manifest(&runtime, &["libonnxruntime.so"]);
    // A model as good as the real one, but a different one.
    let model = clone.join(data).join("models").join(MODEL);
    copy_dir(&project_data().join("models").join(MODEL), &model);
    let config = model.join("config_sentence_transformers.json");
    std::fs::remove_file(&config).unwrap();
    std::fs::write(config, r#"{"prompts": {"query": "say yes: "}}"#).unwrap();
    let files = [
        "model.onnx",
        "model.onnx.data",
        "tokenizer.json",
        "config_sentence_transformers.json",
        "config.json",
    ];
    manifest(&model, &files);
    Some(clone)
}

/// `rag` in the clone under `strace`, for a user with a separate library and models. No file of the
/// clone may be mapped for execution, and no network of it may be opened.
fn traced(sandbox: &Sandbox, clone: &Path, args: &[&str], opens_networks: bool) -> Run {
    let trace = sandbox.path().join("trace");
    let options =
        ["-f", "--seccomp-bpf", "-y", "-e", "trace=open,openat,mmap,mprotect,execve", "-o"];
    let options: Vec<&str> = options.into_iter().chain([trace.to_str().unwrap()]).collect();
    let mut command = sandbox.under("strace", &options, args);
    let run = Run::of(command.env_remove("ORT_DYLIB_PATH").current_dir(clone));
    let text = std::fs::read_to_string(&trace).unwrap();
    assert!(text.contains("PROT_EXEC"), "a trace");
    let clone = clone.canonicalize().unwrap();
    let of_clone = |text: &str| text.contains(clone.to_str().unwrap());
    let is_mapped = |line: &&str| line.contains("PROT_EXEC") && of_clone(line);
    let mapped: Vec<&str> = text.lines().filter(is_mapped).collect();
    assert!(mapped.is_empty(), "{mapped:#?}\n{run}");
    // `openat(…) = 7</the/file/that/was/opened>`
    let opened = |line: &&str| {
        line.rsplit_once(" = ").is_some_and(|(_, fd)| of_clone(fd) && fd.contains(".onnx"))
    };
    let networks: Vec<&str> = text.lines().filter(opened).collect();
    assert!(opens_networks || networks.is_empty(), "{networks:#?}\n{run}");
    assert!(!sandbox.path().join("pwned").exists(), "the library was loaded\n{run}");
    run
}

#[test]
fn a_foreign_folder_runs_no_code_and_provides_no_model() {
    let sandbox = Sandbox::new();
    let Some(clone) = clone(&sandbox, "data") else { return };
    let run = traced(&sandbox, &clone, &["ingest", "--dir", "docs"], false).ok();
    let run = run.says(&format!("ignored data/models/{MODEL}: it may have come with the folder"));
    run.says("ignored data/runtime/libonnxruntime.so: it may have come with the folder");
    let run = traced(&sandbox, &clone, &["ask", "Where does the heron wait?"], false)
        .ok()
        .prints("in the reeds");
    run.says("ignored data/runtime/libonnxruntime.so");
    // Naming the folder as data directory does not make it trusted.
    let data = clone.join("data");
    let elsewhere = sandbox.path().join("home");
    let args =
        ["search", "heron", "--no-cache", "--mode", "dense", "--data-dir", data.to_str().unwrap()];
    Run::of(sandbox.command(args).env_remove("ORT_DYLIB_PATH").current_dir(elsewhere))
        .ok()
        .says("ignored");
    let mut named = sandbox.command(&args[..5]);
    Run::of(named.env_remove("ORT_DYLIB_PATH").env("RAG_DATA_DIR", &data)).ok().says("ignored");
    assert!(!sandbox.path().join("pwned").exists());
    // `model list` reports it too.
    let list =
        Run::of(sandbox.command(["model", "list", "--json"]).current_dir(&clone)).ok().json();
    let ignored =
        list.as_array().unwrap().iter().find(|model| model["ignored"].is_string()).unwrap();
    assert_eq!(ignored["dir"], json!(format!("data/models/{MODEL}")));
}

#[test]
fn project_files_and_links_do_not_make_a_folder_trusted() {
    let sandbox = Sandbox::new();
    let Some(clone) = clone(&sandbox, "parts") else { return };
    std::fs::create_dir(clone.join("stuff")).unwrap();
    symlink("../parts/runtime", clone.join("stuff/runtime")).unwrap();
    symlink("../parts/models", clone.join("stuff/models")).unwrap();
    sandbox.write("clone/rag.toml", "data_dir = \"stuff\"\n");
    let run = traced(&sandbox, &clone, &["ingest", "--dir", "docs"], false).ok();
    run.says(&format!("ignored stuff/models/{MODEL}"))
        .says("ignored stuff/runtime/libonnxruntime.so");
    for key in ["assets_dir", "runtime_library"] {
        let path = clone.join("parts/runtime/libonnxruntime.so");
        sandbox.write("clone/rag.toml", format!("{key} = \"{}\"\n", path.display()));
        traced(&sandbox, &clone, &["ingest", "--dir", "docs"], false)
            .exits(2)
            .says(key)
            .says("project file");
    }
    // A relative path of the user would lead into every folder.
    std::fs::remove_file(clone.join("rag.toml")).unwrap();
    let ingest = || sandbox.command(["ingest", "--dir", "docs"]);
    let run = Run::of(
        ingest().env("ORT_DYLIB_PATH", "parts/runtime/libonnxruntime.so").current_dir(&clone),
    )
    .exits(1);
    run.says("will not open").says("absolute path");
    Run::of(ingest().env("RAG_ASSETS_DIR", "parts").current_dir(&clone))
        .exits(2)
        .says("must be an absolute path");
    let mut relative = ingest();
    relative.env("XDG_DATA_HOME", ".").env_remove("ORT_DYLIB_PATH").current_dir(&clone);
    symlink("parts", clone.join("rag")).unwrap();
    Run::of(&mut relative);
    assert!(!sandbox.path().join("pwned").exists(), "the library was loaded");
}

/// Manifests as set-up writes them, beside different files.
#[test]
fn a_genuine_manifest_beside_forged_files_opens_nothing() {
    let sandbox = Sandbox::new();
    let Some(clone) = clone(&sandbox, "data") else { return };
    let (runtime, model) = (clone.join("data/runtime"), clone.join("data/models").join(MODEL));
    let real = project_data();
    let copy = |from: &Path, to: &Path| {
        let _ = std::fs::remove_file(to);
        std::fs::copy(from, to).unwrap();
    };
    copy(&real.join("runtime/manifest.json"), &runtime.join("manifest.json"));
    let length = real.join("runtime/libonnxruntime.so").metadata().unwrap().len();
    let library = runtime.join("libonnxruntime.so");
    let ingest = ["ingest", "--dir", "docs"];
    let run = || traced(&sandbox, &clone, &ingest, false);
    run().exits(5).says("libonnxruntime.so is damaged").says("bytes instead of");
    std::fs::File::options().write(true).open(&library).unwrap().set_len(length).unwrap();
    run().exits(5).says("libonnxruntime.so is damaged").says("SHA-256");
    std::fs::remove_dir_all(&runtime).unwrap();

    // Weights and block sums are forged; the SHA-256 is that of the real weights.
    let names = ["config_sentence_transformers.json", "model.onnx.data"];
    copy(&real.join("models").join(MODEL).join(names[0]), &model.join(names[0]));
    let mut weights = std::fs::read(model.join(names[1])).unwrap();
    weights[10_000_000..10_001_000].fill(0);
    std::fs::remove_file(model.join(names[1])).unwrap();
    std::fs::write(model.join(names[1]), weights).unwrap();
    let forged = rag::disk::file_sum(&model.join(names[1])).unwrap();
    let text = std::fs::read(real.join("models").join(MODEL).join("manifest.json")).unwrap();
    let mut manifest: serde_json::Value = serde_json::from_slice(&text).unwrap();
    manifest["files"][names[1]]["blocks"] = json!(forged.blocks);
    std::fs::remove_file(model.join("manifest.json")).unwrap();
    std::fs::write(model.join("manifest.json"), manifest.to_string()).unwrap();
    // The weights are read for the comparison; the network beside them is not loaded.
    traced(&sandbox, &clone, &ingest, true)
        .exits(5)
        .says("model.onnx.data is damaged")
        .says("SHA-256");
}

#[test]
fn ignored_models_and_libraries_are_named_with_advice() {
    let sandbox = Sandbox::new();
    let Some(clone) = clone(&sandbox, "data") else { return };
    let ingest =
        || Run::of(installed(&sandbox, &["ingest", "--dir", "docs"]).current_dir(&clone)).exits(1);
    let run = ingest()
        .says("no model named `all-MiniLM-L6-v2`")
        .says("ignored data/models/all-MiniLM-L6-v2: ");
    run.says("home/.local/share/rag/models").says("scripts/setup");
    let model = clone.join("data/models").join(MODEL);
    std::fs::remove_dir_all(&model).unwrap();
    copy_dir(&project_data().join("models").join(MODEL), &model);
    // A model made by set-up may be anywhere; a library may not.
    let run = ingest().says("the ONNX Runtime library is not on this machine");
    run.says("ignored data/runtime/libonnxruntime.so: it may have come with the folder");
    std::fs::remove_file(clone.join("data/runtime/manifest.json")).unwrap();
    ingest().says("there is no manifest.json beside it");
    // A FIFO is not waited for.
    let made = Command::new("mkfifo").arg(clone.join("data/runtime/manifest.json")).status();
    assert!(made.is_ok_and(|status| status.success()));
    ingest().says("ignored data/runtime/libonnxruntime.so").says("not a regular file");
    assert!(!sandbox.path().join("pwned").exists());
}

#[test]
fn a_data_folder_filled_by_set_up_is_sufficient() {
    let sandbox = Sandbox::new();
    sandbox.write("docs/a.md", "# Herons\n\nThe grey heron waits in the reeds.\n");
    for folder in ["runtime", "models"] {
        copy_dir(&project_data().join(folder), &sandbox.data().join(folder));
    }
    let run = Run::of(&mut installed(&sandbox, &["ingest", "--dir", "docs"])).ok();
    assert!(!run.stderr.contains("ignored"), "{run}");
    // Compared files are not read again while they are unchanged.
    Run::of(&mut installed(&sandbox, &["ask", "Where does the heron wait?"]))
        .ok()
        .prints("in the reeds");
    // A library that others may write to is copied, and the copy is compared and loaded.
    let library = sandbox.data().join("runtime/libonnxruntime.so");
    std::fs::remove_file(&library).unwrap();
    std::fs::copy(project_data().join("runtime/libonnxruntime.so"), &library).unwrap();
    std::fs::set_permissions(library, std::fs::Permissions::from_mode(0o666)).unwrap();
    Run::of(&mut installed(&sandbox, &["search", "heron", "--no-cache", "--mode", "dense"])).ok();
}

#[test]
fn an_added_model_is_trusted_for_the_user_who_added_it() {
    let sandbox = Sandbox::new();
    use_tiny_model(&sandbox);
    sandbox.write("docs/a.md", "# Herons\n\nThe grey heron waits in the reeds.\n");
    sandbox.rag(["model", "add", "tiny"]).ok();
    std::fs::remove_dir_all(sandbox.path().join("share/rag/models").join(TINY)).unwrap();
    let run = sandbox.rag(["ingest", "--dir", "docs"]).ok();
    assert!(!run.stderr.contains("ignored"), "{run}");
    let of_another = |args: &[&str]| {
        let mut command = sandbox.command(args);
        command.env("HOME", sandbox.path().join("another"));
        command
    };
    let search = ["search", "heron", "--no-cache", "--mode", "dense"];
    let run = Run::of(&mut of_another(&search)).exits(1).says("no model named `tiny`");
    run.says("ignored data/models/tiny: it may have come with the folder").says("rag model add");
    // The user can declare the folder trusted.
    Run::of(of_another(&search).env("RAG_ASSETS_DIR", sandbox.data())).ok();
    let user = sandbox.write(
        "another/.config/rag/config.toml",
        format!("assets_dir = \"{}\"", sandbox.data().display()),
    );
    Run::of(&mut of_another(&search)).ok();
    std::fs::remove_file(user).unwrap();
    // A model that could not be remembered would be ignored, so it is not added.
    sandbox.rag(["model", "list"]).ok();
    let mut add = sandbox.command(["model", "add", "tiny", "--name", "lost"]);
    let run = Run::of(add.env("HOME", "/dev/null"))
        .exits(1)
        .says("cannot record that you added")
        .says("RAG_ASSETS_DIR");
    assert!(!sandbox.data().join("models/lost").exists(), "{run}");
    // The user's own model with a changed manifest is damaged, not foreign.
    let manifest = sandbox.data().join("models/tiny/manifest.json");
    let text = std::fs::read_to_string(&manifest).unwrap();
    std::fs::remove_file(&manifest).unwrap();
    std::fs::write(&manifest, text.replace("added from a folder", "added from another")).unwrap();
    sandbox.rag(search).exits(5).says("manifest.json is damaged").says("model add");
}
