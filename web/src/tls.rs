//! TLS of the server itself: a certificate and its key in files, which are read again when they change.
//!
//! Whoever renews certificates only has to replace the files: the next connection gets the new one. What cannot be read, or
//! does not belong together, changes nothing and is logged; files that are replaced one after the other do not belong
//! together for a moment.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use thiserror::Error;

use crate::identity::{Stamp, stamp};

/// Time between two looks at whether the files have changed.
const LOOK: Duration = Duration::from_secs(5);

/// Why there is no certificate.
#[derive(Debug, Error)]
pub enum TlsError {
    /// A file cannot be read, or is no PEM.
    #[error("cannot read {} (expected {expected} in PEM)", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What it has to hold.
        expected: &'static str,
        /// What is wrong.
        source: pem::Error,
    },
    /// A file holds no certificate.
    #[error("there is no certificate in {}; expected the server's, and behind it those that lead to a known one, in PEM", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// Certificate and key cannot be used together.
    #[error("the certificate in {} and the key in {} cannot be used", certificate.display(), key.display())]
    Unfit {
        /// The file of the certificate.
        certificate: PathBuf,
        /// The file of its key.
        key: PathBuf,
        /// What is wrong.
        source: rustls::Error,
    },
}

/// A certificate in files, as it is in force.
struct Certificate {
    files: Files,
    provider: Arc<CryptoProvider>,
    held: Mutex<Held>,
}

/// Where certificate and key are.
struct Files {
    certificate: PathBuf,
    key: PathBuf,
}

struct Held {
    key: Arc<CertifiedKey>,
    stamps: (Stamp, Stamp),
    looked: Instant,
}

/// How connections are encrypted with the certificate and key in these files.
///
/// # Errors
/// They cannot be read, or not be used.
pub(crate) fn server_config(certificate: &Path, key: &Path) -> Result<ServerConfig, TlsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let files = Files { certificate: certificate.to_path_buf(), key: key.to_path_buf() };
    let unfit = |source| files.unfit(source);
    let config = ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
    let config = config.map_err(unfit)?.with_no_client_auth();
    let stamps = files.stamps();
    let held = Held { key: files.read(&provider)?, stamps, looked: Instant::now() };
    let certificate = Certificate { files, provider, held: Mutex::new(held) };
    Ok(config.with_cert_resolver(Arc::new(certificate)))
}

impl Files {
    fn stamps(&self) -> (Stamp, Stamp) {
        (stamp(&self.certificate), stamp(&self.key))
    }

    fn read(&self, provider: &CryptoProvider) -> Result<Arc<CertifiedKey>, TlsError> {
        let unread = |path: &Path, expected: &'static str| {
            let path = path.to_path_buf();
            move |source| TlsError::File { path, expected, source }
        };
        let chain = CertificateDer::pem_file_iter(&self.certificate).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let chain = chain.map_err(unread(&self.certificate, "certificates"))?;
        if chain.is_empty() {
            return Err(TlsError::Empty { path: self.certificate.clone() });
        }
        let key = PrivateKeyDer::from_pem_file(&self.key).map_err(unread(&self.key, "a private key"))?;
        let certified = CertifiedKey::from_der(chain, key, provider).map_err(|source| self.unfit(source))?;
        Ok(Arc::new(certified))
    }

    fn unfit(&self, source: rustls::Error) -> TlsError {
        TlsError::Unfit { certificate: self.certificate.clone(), key: self.key.clone(), source }
    }
}

impl Certificate {
    fn current(&self) -> Arc<CertifiedKey> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.looked.elapsed() < LOOK {
            return Arc::clone(&held.key);
        }
        held.looked = Instant::now();
        let stamps = self.files.stamps();
        if stamps != held.stamps {
            match self.files.read(&self.provider) {
                Ok(key) => {
                    (held.key, held.stamps) = (key, stamps);
                    tracing::info!("the certificate was read again: {}", self.files.certificate.display());
                }
                Err(error) => tracing::error!(
                    "the certificate was changed and cannot be read; the earlier one is used: {}",
                    storage::chain(&error)
                ),
            }
        }
        Arc::clone(&held.key)
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate").field("file", &self.files.certificate).finish_non_exhaustive()
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current())
    }
}
