//! The Unix socket that a trusted proxy connects to: whoever the system lets connect is the proxy.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

/// A socket that is listened on; its name is removed at the end.
pub(crate) struct ProxySocket {
    path: PathBuf,
}

/// Which way a request has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Over the network.
    Address,
    /// By the socket of the proxy.
    Socket,
}

impl ProxySocket {
    /// Listens there. What a server left that was killed is removed; anything else that has that name is not.
    ///
    /// # Errors
    /// The system refused, another server listens there, or something else has that name.
    pub(crate) fn bind(path: &Path) -> io::Result<(Self, UnixListener)> {
        remove_left_over(path)?;
        let listener = UnixListener::bind(path)?;
        let socket = Self { path: path.to_path_buf() };
        // Its group may connect, as the proxy is another user; the folder says who gets that far.
        fs::set_permissions(path, fs::Permissions::from_mode(0o660))?;
        Ok((socket, listener))
    }
}

impl Drop for ProxySocket {
    fn drop(&mut self) {
        // The next start removes it as well.
        let _ = fs::remove_file(&self.path);
    }
}

fn remove_left_over(path: &Path) -> io::Result<()> {
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if !found.file_type().is_socket() {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, "something that is no socket has that name"));
    }
    match UnixStream::connect(path) {
        Ok(_) => Err(io::Error::new(io::ErrorKind::AddrInUse, "another server listens there")),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_dead_server_left_makes_way() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("proxy.sock");
        let refused = |path: &Path| ProxySocket::bind(path).map(drop).unwrap_err().kind();
        fs::write(&path, "a file").unwrap();
        assert_eq!(refused(&path), io::ErrorKind::AlreadyExists);
        fs::remove_file(&path).unwrap();
        let (socket, listener) = ProxySocket::bind(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
        assert_eq!(refused(&path), io::ErrorKind::AddrInUse);
        drop(listener);
        std::mem::forget(socket);
        let (socket, _listener) = ProxySocket::bind(&path).unwrap();
        drop(socket);
        assert!(!path.exists());
    }
}
