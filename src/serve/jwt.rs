//! Tokens of an identity provider (JSON Web Tokens): issuer, audience, expiry and signature are
//! checked; two claims are the scope and the indexes.
//!
//! Only asymmetric algorithms are accepted, and only that of the key: a token could otherwise
//! choose one that its sender can sign. Keys come from a file, which is read again when it changes,
//! or from an address, which is asked again for a key that is not known.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant, SystemTime};

use jsonwebtoken::jwk::{AlgorithmParameters, Jwk, JwkSet};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::{Map, Value};

use super::grant::Grant;
use crate::config::{self, Config};
use crate::disk;
use crate::error::{Context as _, Fault, Result, locked};
use crate::http;
use crate::telemetry;
use crate::tokens::{self, Indexes, Scope};

/// Accepted algorithms. HMAC and `none` are not among them.
const ALGORITHMS: [Algorithm; 9] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];

/// Difference between the clocks of the provider and of this machine.
const LEEWAY_S: u64 = 30;

/// The largest set of keys.
const MAX_BYTES: u64 = 1 << 20;

/// Time between two requests for keys, when all are known and when one is not.
const REFETCH: Duration = Duration::from_secs(600);
const REFETCH_UNKNOWN: Duration = Duration::from_secs(10);

/// The provider, as the settings name it.
pub struct Jwt {
    issuer: String,
    audience: String,
    scope_claim: String,
    indexes_claim: String,
    source: Source,
    keys: RwLock<Arc<JwkSet>>,
    /// A token named a key that is not known.
    wants_keys: AtomicBool,
    state: Mutex<State>,
}

enum Source {
    File(PathBuf),
    /// With the folder for the download.
    Url(String, PathBuf),
}

/// Of the last time that keys were read.
#[derive(Default)]
struct State {
    file: Option<(u64, SystemTime)>,
    fetched: Option<Instant>,
}

impl Jwt {
    /// The provider of the settings; `None` when they name none.
    ///
    /// # Errors
    /// A usage fault for incomplete settings, and for a file without keys. An address that does not
    /// answer is asked again later.
    pub fn new(config: &Config) -> Result<Option<Self>> {
        let serve = &config.serve;
        let all = [
            ("serve.jwt_issuer", &serve.jwt_issuer),
            ("serve.jwt_audience", &serve.jwt_audience),
            ("serve.jwt_keys", &serve.jwt_keys),
        ];
        let Some((set, _)) = all.iter().find(|(_, value)| !value.is_empty()) else {
            return Ok(None);
        };
        if let Some((missing, _)) = all.iter().find(|(_, value)| value.is_empty()) {
            return Err(config.refuse(set, &format!("needs `{missing}`")));
        }
        let is_url = ["http://", "https://"].iter().any(|s| serve.jwt_keys.starts_with(s));
        let source = match is_url {
            true => Source::Url(serve.jwt_keys.clone(), tokens::dir(&config.data_dir)),
            false => Source::File(PathBuf::from(&serve.jwt_keys)),
        };
        let jwt = Self {
            issuer: serve.jwt_issuer.clone(),
            audience: serve.jwt_audience.clone(),
            scope_claim: serve.jwt_scope_claim.clone(),
            indexes_claim: serve.jwt_indexes_claim.clone(),
            source,
            keys: RwLock::new(Arc::new(JwkSet { keys: Vec::new() })),
            wants_keys: AtomicBool::new(false),
            state: Mutex::default(),
        };
        let is_file = matches!(jwt.source, Source::File(_));
        match jwt.read_if_changed() {
            Err(fault) if is_file => Err(config.refuse("serve.jwt_keys", &fault.to_string())),
            Err(fault) => {
                telemetry::warn!(cause = fault.to_string(), "no keys of the identity provider");
                Ok(Some(jwt))
            }
            Ok(()) => Ok(Some(jwt)),
        }
    }

    /// What a token grants; `None` unless everything about it is right.
    pub fn grant(&self, token: &str, now_s: i64) -> Option<Grant> {
        let header = jsonwebtoken::decode_header(token).ok()?;
        if !ALGORITHMS.contains(&header.alg) {
            return None;
        }
        let keys = Arc::clone(&self.keys.read().unwrap_or_else(PoisonError::into_inner));
        let jwk = match &header.kid {
            Some(kid) => keys.find(kid),
            None if keys.keys.len() == 1 => keys.keys.first(),
            None => None,
        };
        let Some(jwk) = jwk else {
            self.wants_keys.store(true, Ordering::Relaxed);
            return None;
        };
        if !fits(jwk, header.alg) {
            return None;
        }
        let mut validation = Validation::new(header.alg);
        validation.leeway = LEEWAY_S;
        validation.validate_nbf = true;
        validation.set_issuer(&[&self.issuer]);
        validation.set_audience(&[&self.audience]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        let key = DecodingKey::from_jwk(jwk).ok()?;
        let data = jsonwebtoken::decode::<Map<String, Value>>(token, &key, &validation).ok()?;
        self.grant_of(&data.claims, now_s)
    }

    fn grant_of(&self, claims: &Map<String, Value>, now_s: i64) -> Option<Grant> {
        let scopes = words(claims.get(&self.scope_claim)?);
        let scope = scopes
            .iter()
            .filter_map(|name| Scope::from_name(name.strip_prefix("rag:").unwrap_or(name)))
            .max()?;
        let indexes = match self.indexes_claim.as_str() {
            "" => Indexes::All,
            claim => match words(claims.get(claim)?) {
                names if names.iter().any(|name| name == "*") => Indexes::All,
                names if names.is_empty() || !names.iter().all(|name| config::is_name(name)) => {
                    return None;
                }
                names => Indexes::of(names),
            },
        };
        let expires_s = claims.get("exp")?.as_f64()? as i64 + LEEWAY_S as i64;
        let subject = format!("{} {}", self.issuer, claims.get("sub")?.as_str()?);
        let is_valid = now_s < expires_s;
        is_valid.then(|| Grant {
            key: format!("subject {}", disk::sha256_hex(subject.as_bytes())).into(),
            is_subject: true,
            scope,
            indexes,
            expires_s: Some(expires_s),
            rate_per_minute: None,
            quota_per_day: None,
        })
    }

    /// Reads the keys again when they may have changed.
    pub fn refresh(&self) {
        if let Err(fault) = self.read_if_changed() {
            telemetry::warn!(cause = fault.to_string(), "no keys of the identity provider");
        }
    }

    fn read_if_changed(&self) -> Result<()> {
        let mut state = locked(&self.state);
        let bytes = match &self.source {
            Source::File(path) => {
                let metadata = path.metadata().or_failed(|| "it cannot be read".into())?;
                let now = metadata.modified().ok().map(|time| (metadata.len(), time));
                if now.is_some() && now == state.file {
                    return Ok(());
                }
                state.file = now;
                std::fs::read(path).or_failed(|| "it cannot be read".into())?
            }
            Source::Url(url, folder) => {
                let wait = match self.wants_keys.load(Ordering::Relaxed) {
                    true => REFETCH_UNKNOWN,
                    false => REFETCH,
                };
                if state.fetched.is_some_and(|at| at.elapsed() < wait) {
                    return Ok(());
                }
                state.fetched = Some(Instant::now());
                self.wants_keys.store(false, Ordering::Relaxed);
                fetch(url, folder)?
            }
        };
        let keys: JwkSet = serde_json::from_slice(&bytes)
            .map_err(|e| Fault::failed("it is not a set of keys (JWKS)").because(e))?;
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keys);
        Ok(())
    }
}

fn fetch(url: &str, folder: &Path) -> Result<Vec<u8>> {
    disk::create_dir(folder)?;
    let target = folder.join(format!("keys-{}.json", disk::random_id()?));
    let fetched =
        http::Client::new(None)?.fetch(url, &target, MAX_BYTES, &|| false, &mut |_, _| {});
    let bytes = match fetched? {
        http::Fetched::Written => std::fs::read(&target).or_failed(|| "cannot read keys".into()),
        http::Fetched::NotFound => Err(Fault::outside(format!("{url} answered 404"))),
    };
    let _ = std::fs::remove_file(&target);
    bytes
}

/// Whether a key is made for an algorithm.
fn fits(jwk: &Jwk, algorithm: Algorithm) -> bool {
    use Algorithm::{ES256, ES384, EdDSA, PS256, PS384, PS512, RS256, RS384, RS512};
    let is_kind = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => {
            matches!(algorithm, RS256 | RS384 | RS512 | PS256 | PS384 | PS512)
        }
        AlgorithmParameters::EllipticCurve(_) => matches!(algorithm, ES256 | ES384),
        AlgorithmParameters::OctetKeyPair(_) => algorithm == EdDSA,
        AlgorithmParameters::OctetKey(_) => false,
    };
    let stated = jwk.common.key_algorithm.map(|stated| stated.to_string());
    is_kind && stated.is_none_or(|stated| stated == format!("{algorithm:?}"))
}

/// The words of a claim: a text with spaces or commas, or a list.
fn words(claim: &Value) -> Vec<String> {
    match claim {
        Value::String(text) => {
            text.split([' ', ',']).filter(|word| !word.is_empty()).map(str::to_owned).collect()
        }
        Value::Array(items) => items.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}
