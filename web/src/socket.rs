//! Unix sockets: the one that a trusted proxy connects to, and the server's own in the data folder, by which the commands
//! of its user reach it. Whoever the system lets connect is the proxy, or the owner.

use std::any::Any;
use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use actix_web::dev::Extensions;
use actix_web::rt::net::UnixStream as Connection;

/// Name of the server's own socket in the data folder.
const OWN: &str = "server.sock";
/// Bytes that the address of a socket may have: less than what any system allows.
const MAX_ADDRESS: usize = 100;

/// A socket that is listened on; its name is removed at the end.
pub(crate) struct LocalSocket {
    path: PathBuf,
}

/// Which way a request has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Over the network, in the open.
    Address,
    /// Over the network, encrypted up to here.
    Encrypted,
    /// By the socket of the proxy.
    Proxy,
    /// By the socket in the data folder.
    Owner,
}

/// Who is at the other end of the server's own socket: the user that the server runs as, or the one who may do everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) user: u32,
}

impl LocalSocket {
    /// Listens there for a proxy, which is another user of the same group; the folder says who gets that far. What a server
    /// left that was killed is removed; anything else that has that name is not.
    ///
    /// # Errors
    /// The system refused, another server listens there, or something else has that name.
    pub(crate) fn for_proxy(path: &Path) -> io::Result<(Self, UnixListener)> {
        Self::bind(path, 0o660)
    }

    /// Listens in the data folder for commands of the same user.
    ///
    /// # Errors
    /// As [`LocalSocket::for_proxy`].
    pub(crate) fn for_owner(data_dir: &Path) -> io::Result<(Self, UnixListener)> {
        // The first start makes it; for its user alone, as the process makes all its files.
        fs::create_dir_all(data_dir)?;
        Self::bind(&data_dir.join(OWN), 0o600)
    }

    fn bind(path: &Path, mode: u32) -> io::Result<(Self, UnixListener)> {
        remove_left_over(path)?;
        let listener = at(path, UnixListener::bind)?;
        let socket = Self { path: path.to_path_buf() };
        fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
        Ok((socket, listener))
    }
}

impl Drop for LocalSocket {
    fn drop(&mut self) {
        // The next start removes it as well.
        let _ = fs::remove_file(&self.path);
    }
}

/// Connects to the server that has opened a data folder; `None` where none has.
///
/// # Errors
/// The socket is there and may not be used.
pub(crate) fn connect_to_owner(data_dir: &Path) -> io::Result<Option<UnixStream>> {
    match at(&data_dir.join(OWN), UnixStream::connect) {
        Ok(stream) => Ok(Some(stream)),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Notes of a connection whether it is the owner's.
pub(crate) fn note_owner(connection: &dyn Any, about: &mut Extensions) {
    let user = connection.downcast_ref::<Connection>().and_then(|it| it.peer_cred().ok()).map(|peer| peer.uid());
    let is_own = |user: &u32| *user == nix::unistd::geteuid().as_raw() || *user == 0;
    if let Some(user) = user.filter(is_own) {
        about.insert(Owner { user });
    }
}

/// Does something with a socket. Addresses are short, paths need not be: a long one is reached by its open folder.
fn at<T>(path: &Path, act: impl FnOnce(PathBuf) -> io::Result<T>) -> io::Result<T> {
    let (Some(folder), Some(name), true) =
        (path.parent(), path.file_name(), path.as_os_str().as_bytes().len() > MAX_ADDRESS)
    else {
        return act(path.to_path_buf());
    };
    let folder = File::open(folder)?;
    act(Path::new("/proc/self/fd").join(folder.as_raw_fd().to_string()).join(name))
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
    match at(path, UnixStream::connect) {
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
        let refused = |path: &Path| LocalSocket::for_proxy(path).map(drop).unwrap_err().kind();
        fs::write(&path, "a file").unwrap();
        assert_eq!(refused(&path), io::ErrorKind::AlreadyExists);
        fs::remove_file(&path).unwrap();
        let (socket, listener) = LocalSocket::for_proxy(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
        assert_eq!(refused(&path), io::ErrorKind::AddrInUse);
        drop(listener);
        std::mem::forget(socket);
        let (socket, _listener) = LocalSocket::for_proxy(&path).unwrap();
        drop(socket);
        assert!(!path.exists());
    }

    #[test]
    fn a_folder_far_down_has_a_socket_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let far = folder.path().join("x".repeat(120)).join("y".repeat(120));
        fs::create_dir_all(&far).unwrap();
        assert!(connect_to_owner(&far).unwrap().is_none(), "there is no server");
        let (socket, _listener) = LocalSocket::for_owner(&far).unwrap();
        assert_eq!(fs::metadata(far.join(OWN)).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(connect_to_owner(&far).unwrap().is_some());
        drop(socket);
        assert!(connect_to_owner(&far).unwrap().is_none());
    }
}
