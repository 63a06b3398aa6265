//! Sending at once.
//!
//! The client leaves Nagle's algorithm on (RFC 896), and writes each call in two parts: the second waits until the server has
//! acknowledged the first, which it puts off (RFC 1122 section 4.2.3.2), 40 ms on Linux. The client lends nobody its sockets, so
//! they are found among those of the process.

use std::fs::{read_dir, read_link};
use std::io;

use rustix::fs::{FileType, fstat};
use rustix::net::sockopt::{set_tcp_nodelay, tcp_nodelay};
use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};

/// Turns the algorithm off for every TCP connection of this process; answers for how many it was on.
///
/// # Errors
/// If the system does not let a process look at its own sockets.
pub(crate) fn turn_off() -> io::Result<usize> {
    let own = pidfd_open(getpid(), PidfdFlags::empty())?;
    let mut turned_off = 0;
    for entry in read_dir("/proc/self/fd")? {
        let entry = entry?;
        let number = entry.file_name().to_str().and_then(|name| name.parse().ok());
        let is_socket =
            |link: &std::path::PathBuf| link.as_os_str().as_encoded_bytes().starts_with(b"socket:");
        let Some(number) = number.filter(|_| read_link(entry.path()).as_ref().is_ok_and(is_socket)) else {
            continue;
        };
        // It may have been closed meanwhile, and something else opened.
        let Ok(socket) = pidfd_getfd(&own, number, PidfdGetfdFlags::empty()) else { continue };
        if !fstat(&socket).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Socket) {
            // To close a second descriptor of a database would let go of the locks that SQLite holds on it.
            std::mem::forget(socket);
            continue;
        }
        if tcp_nodelay(&socket) == Ok(false) && set_tcp_nodelay(&socket, true).is_ok() {
            turned_off += 1;
        }
    }
    Ok(turned_off)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_of_this_process_sends_at_once() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let connection = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        // Another test may have seen to it already.
        connection.set_nodelay(false).unwrap();
        turn_off().unwrap();
        assert!(connection.nodelay().unwrap());
    }
}
