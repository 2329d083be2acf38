//! Credentials, region and endpoint of a bucket, from where the AWS tools read them: variables,
//! then the profile in `~/.aws/credentials` and `~/.aws/config`.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::Secret;
use super::check::read_problem;
use crate::error::{Fault, Result};

/// Variables that are passed on as they are.
const PASSED: [&str; 11] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_ENDPOINT_URL_STS",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_METADATA_ENDPOINT",
];

/// Keys of a profile, and the variables that they stand for.
const OF_PROFILE: [(&str, &str); 3] = [
    ("aws_access_key_id", "AWS_ACCESS_KEY_ID"),
    ("aws_secret_access_key", "AWS_SECRET_ACCESS_KEY"),
    ("aws_session_token", "AWS_SESSION_TOKEN"),
];

/// What the AWS tools would use.
#[derive(Default)]
pub struct Aws {
    pub region: String,
    pub endpoint: String,
    /// Credentials, by the names of their variables in lower case.
    pub options: Vec<(String, Secret)>,
    pub ca_bundle: Option<PathBuf>,
}

type Environment = BTreeMap<String, OsString>;
type Profile = BTreeMap<String, String>;

/// Reads variables and files.
///
/// # Errors
/// A usage fault for a file or a profile that the user names and that does not exist.
pub fn read(env: &Environment) -> Result<Aws> {
    let text = |name: &str| {
        let value = env.get(name)?.to_str()?.trim();
        (!value.is_empty()).then(|| value.to_owned())
    };
    let profile = profile(env, text("AWS_PROFILE"))?;
    let has_key = text("AWS_ACCESS_KEY_ID").is_some();
    let mut options = Vec::new();
    for name in PASSED {
        let of_profile = || {
            let (key, _) = OF_PROFILE.iter().find(|(_, variable)| *variable == name)?;
            // Halves of different keys do not fit each other.
            profile.get(*key).filter(|_| !has_key).cloned()
        };
        if let Some(value) = text(name).or_else(of_profile) {
            options.push((name.to_ascii_lowercase(), Secret::new(value)));
        }
    }
    let first = |names: [&str; 2], key: &str| {
        let variable = names.into_iter().find_map(text);
        variable.or_else(|| profile.get(key).cloned()).unwrap_or_default()
    };
    Ok(Aws {
        region: first(["AWS_REGION", "AWS_DEFAULT_REGION"], "region"),
        endpoint: first(["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"], "endpoint_url"),
        options,
        ca_bundle: path(env, "AWS_CA_BUNDLE"),
    })
}

/// The values of a profile from both files; those of the file of credentials win.
fn profile(env: &Environment, named: Option<String>) -> Result<Profile> {
    let name = named.clone().unwrap_or_else(|| "default".to_owned());
    let home = path(env, "HOME");
    let mut values = Profile::new();
    let mut is_found = false;
    for (variable, below_home, prefix) in [
        ("AWS_CONFIG_FILE", ".aws/config", "profile "),
        ("AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials", ""),
    ] {
        let given = path(env, variable);
        let Some(path) = given.clone().or_else(|| Some(home.as_ref()?.join(below_home))) else {
            continue;
        };
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(e) if given.is_none() && e.kind() == std::io::ErrorKind::NotFound => continue,
            Err(e) => return Err(refused(&path, &read_problem(&e))),
        };
        let mut sections = sections(&text);
        let section = sections.remove(&format!("{prefix}{name}"));
        // The default profile has no prefix in either file.
        if let Some(section) = section.or_else(|| sections.remove(&name)) {
            is_found = true;
            values.extend(section);
        }
    }
    match (named, is_found) {
        (Some(name), false) => Err(Fault::usage(format!(
            "AWS_PROFILE: there is no profile `{name}` in the files of the AWS tools"
        ))),
        _ => Ok(values),
    }
}

fn path(env: &Environment, name: &str) -> Option<PathBuf> {
    env.get(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

fn refused(path: &Path, why: &str) -> Fault {
    Fault::usage(format!("{}: {why}", path.display()))
}

/// The sections of a file of the AWS tools. Indented lines belong to settings of other services.
fn sections(text: &str) -> BTreeMap<String, Profile> {
    let mut sections: BTreeMap<String, Profile> = BTreeMap::new();
    let mut name = String::new();
    for line in text.lines().filter(|line| !line.starts_with([' ', '\t', '#', ';'])) {
        let line = line.trim();
        if let Some(header) = line.strip_prefix('[').and_then(|rest| rest.split(']').next()) {
            name = header.split_whitespace().collect::<Vec<_>>().join(" ");
        } else if let Some((key, value)) = line.split_once('=') {
            let (key, value) = (key.trim().to_ascii_lowercase(), value.trim().to_owned());
            sections.entry(name.clone()).or_default().insert(key, value);
        }
    }
    sections
}

#[cfg(test)]
mod tests {
    use super::*;

    fn world(env: &[(&str, &str)]) -> Environment {
        env.iter().map(|(k, v)| ((*k).to_owned(), (*v).into())).collect()
    }

    fn option(aws: &Aws, name: &str) -> Option<String> {
        let found = aws.options.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.expose().to_owned())
    }

    #[test]
    fn variables_win_over_the_profile() {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join(".aws");
        std::fs::create_dir(&dir).unwrap();
        std::fs::write(
            dir.join("credentials"),
            "[default]\naws_access_key_id = one\naws_secret_access_key=s1\n\n[ team ]\n# note\n\
             aws_access_key_id = two\naws_secret_access_key = s=2\naws_session_token = t\n",
        )
        .unwrap();
        std::fs::write(
            dir.join("config"),
            "[default]\nregion = eu-west-1\n[profile team]\nregion = eu-north-1\ns3 =\n  \
             addressing_style = path\nendpoint_url = http://store:1/\n",
        )
        .unwrap();
        let home = home.path().to_str().unwrap();
        let plain = read(&world(&[("HOME", home)])).unwrap();
        assert_eq!(plain.region, "eu-west-1");
        assert_eq!(option(&plain, "aws_access_key_id").as_deref(), Some("one"));
        assert_eq!(option(&plain, "aws_session_token"), None);
        let team = read(&world(&[("HOME", home), ("AWS_PROFILE", "team")])).unwrap();
        assert_eq!(
            (team.region.as_str(), team.endpoint.as_str()),
            ("eu-north-1", "http://store:1/")
        );
        assert_eq!(option(&team, "aws_secret_access_key").as_deref(), Some("s=2"));
        let key = [("AWS_ACCESS_KEY_ID", "three"), ("AWS_SECRET_ACCESS_KEY", "s3")];
        let own = [("HOME", home), ("AWS_PROFILE", "team"), key[0], key[1], ("AWS_REGION", "r")];
        let own = read(&world(&own)).unwrap();
        assert_eq!(own.region, "r");
        assert_eq!(option(&own, "aws_access_key_id").as_deref(), Some("three"));
        assert_eq!(option(&own, "aws_session_token"), None, "it belongs to another key");
    }

    #[test]
    fn a_profile_or_file_that_the_user_names_must_exist() {
        let fault = read(&world(&[("AWS_PROFILE", "gone")])).err().unwrap();
        assert!(fault.to_string().contains("no profile `gone`"), "{fault}");
        let fault = read(&world(&[("AWS_CONFIG_FILE", "/nonexistent/config")])).err().unwrap();
        assert!(fault.to_string().starts_with("/nonexistent/config: "), "{fault}");
        assert!(read(&world(&[])).unwrap().options.is_empty());
    }
}
