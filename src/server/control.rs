//! The control socket: the same routes, for who may open a file of the service's own directory.
//!
//! It is how the command line changes something while the service runs. Who connects is known by the system, not by a
//! token, and may do everything but answer for a client: whoever can open the socket can open the log as well.

use std::{
    any::Any,
    fs, io,
    os::unix::{
        fs::{FileTypeExt, PermissionsExt},
        net::UnixListener,
    },
    path::{Path, PathBuf},
};

use actix_web::{HttpRequest, dev::Extensions, http::header, rt::net::UnixStream};
use app::Actor;

/// A control socket whose file is there; it is removed with this.
#[derive(Debug)]
pub struct ControlSocket {
    listener: UnixListener,
    file: SocketFile,
}

/// The file of a socket, for as long as anybody listens.
#[derive(Debug)]
pub(crate) struct SocketFile(PathBuf);

/// The user of the process at the other end of a control connection.
#[derive(Clone, Copy, Debug)]
struct HostUser(u32);

impl ControlSocket {
    /// Listens at `path`. Only who holds the data directory may call this: a socket that is there is taken for what a
    /// killed service left behind, and replaced.
    ///
    /// # Errors
    /// When something else is at `path`, or the system refuses; a path of more than 107 bytes is refused by every Unix.
    pub fn bind(path: &Path) -> io::Result<Self> {
        match fs::symlink_metadata(path) {
            Ok(found) if found.file_type().is_socket() => fs::remove_file(path)?,
            Ok(_) => {
                return Err(io::Error::new(io::ErrorKind::AlreadyExists, "it is there and is no socket"));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let listener = UnixListener::bind(path)?;
        let file = SocketFile(path.to_owned());
        fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
        Ok(Self { listener, file })
    }

    pub(crate) fn into_parts(self) -> (UnixListener, SocketFile) {
        (self.listener, self.file)
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        // Already gone is as good; what stays is replaced at the next start.
        let _ = fs::remove_file(&self.0);
    }
}

/// Notes of a new connection who is at its other end, if it came over the control socket.
pub(crate) fn note_peer(connection: &dyn Any, data: &mut Extensions) {
    if let Some(stream) = connection.downcast_ref::<UnixStream>()
        && let Ok(peer) = stream.peer_cred()
    {
        data.insert(HostUser(peer.uid()));
    }
}

/// The person at the host who asks, unless a token says that somebody else does.
pub(crate) fn host(http: &HttpRequest) -> Option<Actor> {
    let HostUser(uid) = *http.conn_data::<HostUser>()?;
    (!http.headers().contains_key(header::AUTHORIZATION)).then_some(Actor::Host { uid })
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt, path::Path};

    use super::ControlSocket;

    #[test]
    fn a_stale_socket_is_replaced_and_nothing_else_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control.sock");
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let socket = ControlSocket::bind(&path).unwrap();
        assert_eq!(fs::symlink_metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        drop(socket);
        assert!(!path.exists());
        fs::write(&path, "a file of somebody").unwrap();
        assert!(ControlSocket::bind(&path).unwrap_err().to_string().contains("no socket"));
        assert_eq!(fs::read_to_string(&path).unwrap(), "a file of somebody");
    }

    #[test]
    fn a_path_that_is_too_long_for_a_socket_is_refused() {
        let path = Path::new("/tmp").join("x".repeat(108));
        assert_eq!(ControlSocket::bind(&path).unwrap_err().kind(), std::io::ErrorKind::InvalidInput);
    }
}
