//! The way to the directory: a connection for each lookup, encrypted where it leaves this machine.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ldap3::{Ldap, LdapConnAsync, LdapConnSettings};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

use super::config::LdapConfig;
use super::fault::DirectoryError;

/// Time for a connection.
const CONNECT: Duration = Duration::from_secs(5);

/// How the directory is reached.
#[derive(Clone)]
pub(super) struct Wire {
    url: String,
    start_tls: bool,
    /// Whom to trust; `None`: whom the system trusts.
    tls: Option<Arc<ClientConfig>>,
    bind: Option<(String, String)>,
}

impl Wire {
    /// The way that a configuration describes.
    ///
    /// # Errors
    /// The password or the certificates cannot be read, in words.
    pub(super) fn new(config: &LdapConfig) -> Result<Self, String> {
        let tls = if config.ca_file.as_os_str().is_empty() {
            None
        } else {
            let roots = roots(&config.ca_file).map_err(|why| format!("auth.ldap.ca_file: {why}"))?;
            let provider = Arc::new(rustls::crypto::ring::default_provider());
            let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
            let builder = builder.map_err(|error| format!("auth.ldap: no encryption: {error}"))?;
            Some(Arc::new(builder.with_root_certificates(roots).with_no_client_auth()))
        };
        let bind = config.password()?.map(|password| (config.bind_dn.clone(), password));
        Ok(Self { url: config.url.clone(), start_tls: config.start_tls, tls, bind })
    }

    /// A connection on which we are who we should be. The work of it is done by a task of its own.
    pub(super) async fn connect(&self) -> Result<Ldap, DirectoryError> {
        let mut settings = LdapConnSettings::new().set_conn_timeout(CONNECT).set_starttls(self.start_tls);
        if let Some(tls) = &self.tls {
            settings = settings.set_config(Arc::clone(tls));
        }
        let (connection, mut ldap) = LdapConnAsync::with_settings(settings, &self.url).await?;
        tokio::spawn(async move {
            if let Err(error) = connection.drive().await {
                tracing::warn!("a connection to the directory broke: {error}");
            }
        });
        if let Some((name, password)) = &self.bind {
            ldap.simple_bind(name, password).await?.success()?;
        }
        Ok(ldap)
    }
}

/// The certificates of a file.
pub(super) fn roots(path: &Path) -> Result<RootCertStore, String> {
    let wrong = |why: String| format!("expected a file of certificates (PEM), {}: {why}", path.display());
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|error| wrong(error.to_string()))? {
        let certificate = certificate.map_err(|error| wrong(error.to_string()))?;
        roots.add(certificate).map_err(|error| wrong(error.to_string()))?;
    }
    if roots.is_empty() { Err(wrong("it holds none".to_owned())) } else { Ok(roots) }
}
