//! TLS with the certificate and key of two files, which are read again when they change.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::error::{Result, locked};
use crate::telemetry;

/// How often the files are looked at.
const INTERVAL: Duration = Duration::from_secs(1);

/// Size and time of change of both files.
type Seen = [Option<(u64, SystemTime)>; 2];

/// The current certificate.
pub struct Tls {
    certificate: PathBuf,
    key: PathBuf,
    current: Mutex<(Seen, TlsAcceptor)>,
}

impl Tls {
    /// Reads the files that the settings name; `None` when they name none.
    ///
    /// # Errors
    /// A usage fault for one file without the other, and for files that are no certificate and its
    /// key.
    pub fn new(config: &Config) -> Result<Option<Self>> {
        let (certificate, key) = match (&config.serve.tls_certificate, &config.serve.tls_key) {
            (None, None) => return Ok(None),
            (Some(certificate), Some(key)) => (certificate, key),
            (Some(_), None) => {
                return Err(config.refuse("serve.tls_certificate", "needs `serve.tls_key`"));
            }
            (None, Some(_)) => {
                return Err(config.refuse("serve.tls_key", "needs `serve.tls_certificate`"));
            }
        };
        let seen = seen(certificate, key);
        let acceptor =
            read(certificate, key).map_err(|why| config.refuse("serve.tls_certificate", &why))?;
        Ok(Some(Self {
            certificate: certificate.clone(),
            key: key.clone(),
            current: Mutex::new((seen, acceptor)),
        }))
    }

    pub fn acceptor(&self) -> TlsAcceptor {
        locked(&self.current).1.clone()
    }

    /// Reads the files again whenever they change, until the server stops. Files that cannot be
    /// used, such as a certificate whose key is not written yet, leave the old ones in use.
    pub async fn follow(tls: Arc<Self>, stopping: CancellationToken) {
        loop {
            tokio::select! {
                () = stopping.cancelled() => return,
                () = tokio::time::sleep(INTERVAL) => {}
            }
            let tls = Arc::clone(&tls);
            let _ = tokio::task::spawn_blocking(move || tls.refresh()).await;
        }
    }

    fn refresh(&self) {
        let now = seen(&self.certificate, &self.key);
        let lock = || locked(&self.current);
        if lock().0 == now {
            return;
        }
        match read(&self.certificate, &self.key) {
            Ok(acceptor) => {
                *lock() = (now, acceptor);
                telemetry::info!("the TLS certificate was read again");
            }
            Err(cause) => {
                telemetry::warn!(cause, "the TLS certificate has changed but is unusable");
            }
        }
    }
}

fn seen(certificate: &Path, key: &Path) -> Seen {
    [certificate, key].map(|path| {
        let metadata = path.metadata().ok()?;
        Some((metadata.len(), metadata.modified().ok()?))
    })
}

fn read(certificate: &Path, key: &Path) -> Result<TlsAcceptor, String> {
    let unreadable =
        |path: &Path, why: &dyn std::fmt::Display| format!("cannot read {}: {why}", path.display());
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|e| unreadable(certificate, &e))?;
    if chain.is_empty() {
        return Err(format!("{} has no certificate", certificate.display()));
    }
    let private = PrivateKeyDer::from_pem_file(key).map_err(|e| unreadable(key, &e))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map(rustls::ConfigBuilder::<rustls::ServerConfig, _>::with_no_client_auth)
        .and_then(|builder| builder.with_single_cert(chain, private))
        .map_err(|e| format!("certificate and key do not fit: {e}"))?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// The scheme of the server's address.
pub fn scheme(config: &Config) -> &'static str {
    if config.serve.tls_certificate.is_some() { "https" } else { "http" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_without_a_certificate_are_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("cert.pem");
        std::fs::write(&path, "no certificate").unwrap();
        let why = read(&path, &path).err().unwrap();
        assert!(why.contains("cert.pem"), "{why}");
        let missing = dir.path().join("missing.pem");
        assert!(read(&missing, &path).err().unwrap().contains("missing.pem"));
        assert_eq!(seen(&missing, &missing), [None, None]);
    }
}
