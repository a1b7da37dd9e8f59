//! Upstreams: the systems that know who somebody is and in which groups, and that are asked over the network.

use std::sync::Arc;

use storage::Principals;

use super::directory::{Directory, DirectoryError};
use super::oidc::Provider;
use crate::config::AuthConfig;
use crate::error::Error;
use crate::jobs::now;

/// Those of a server.
#[derive(Default)]
pub(crate) struct Upstreams {
    /// By which people sign in.
    pub(crate) provider: Option<Arc<Provider>>,
    /// Which knows groups, whoever says who somebody is.
    pub(crate) directory: Option<Directory>,
}

impl Upstreams {
    /// Those of a configuration. Nobody is asked yet.
    ///
    /// # Errors
    /// What cannot be used, in words.
    pub(crate) fn open(config: &AuthConfig) -> Result<Self, Vec<String>> {
        let provider = config.oidc.is_on().then(|| Provider::open(&config.oidc)).transpose();
        let directory = config.ldap.is_on().then(|| Directory::open(&config.ldap)).transpose();
        match (provider, directory) {
            (Ok(provider), Ok(directory)) => Ok(Self { provider: provider.map(Arc::new), directory }),
            (provider, directory) => Err(provider.err().into_iter().chain(directory.err()).collect()),
        }
    }

    /// Somebody with the groups of the directory as well, which knows them by `login`.
    ///
    /// # Errors
    /// The groups are not known: then nobody is let in.
    pub(crate) async fn with_groups(&self, principals: Principals, login: Option<&str>) -> Result<Principals, Error> {
        let Some(directory) = &self.directory else { return Ok(principals) };
        let login = login.ok_or_else(|| {
            tracing::error!("{}", DirectoryError::NoLogin);
            Error::Directory(DirectoryError::NoLogin)
        })?;
        let groups = directory.groups(login, now()).await?;
        Ok(Principals::of(principals.iter().chain(groups.iter()).cloned()))
    }
}
