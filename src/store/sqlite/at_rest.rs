//! Reading a database file where nothing can be written.

use std::path::Path;

use rusqlite::{Connection, ErrorCode, OpenFlags};

/// Opens a database file to read. In a directory that cannot be written SQLite cannot make the index of the write-ahead
/// log, and refuses; if there is no write-ahead log nobody uses the file, and it can be read as it lies there.
///
/// # Errors
/// Those of SQLite.
pub fn open_to_read(path: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    let flags = flags | OpenFlags::SQLITE_OPEN_READ_ONLY;
    let connection = Connection::open_with_flags(path, flags)?;
    match connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(())) {
        Err(error) if cannot_write_beside(&error) => match at_rest(path) {
            Some(uri) => Connection::open_with_flags(uri, flags | OpenFlags::SQLITE_OPEN_URI),
            None => Err(error),
        },
        // Whatever else is wrong, whoever looks closer says it better.
        Ok(()) | Err(_) => Ok(connection),
    }
}

fn cannot_write_beside(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly))
}

/// The file as one that does not change, if it can be that.
fn at_rest(path: &Path) -> Option<String> {
    let mut wal = path.as_os_str().to_owned();
    wal.push("-wal");
    if Path::new(&wal).exists() {
        return None;
    }
    let path = std::path::absolute(path).ok()?;
    let escaped = path.to_str()?.replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    Some(format!("file:{escaped}?immutable=1"))
}
