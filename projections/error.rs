//! What can go wrong around views; what goes wrong inside one is an [`ApplyError`](crate::ApplyError).

use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;
use store::Position;

/// Why views could not be opened, rebuilt or compared. The log is not touched by any of it.
#[derive(Debug, thiserror::Error)]
pub enum ViewsError {
    /// The directory of the views cannot be read or written.
    #[error("using `{}` for views", path.display())]
    Directory {
        /// The directory or a file in it.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// SQLite cannot create or write a views file.
    #[error("writing views to `{}`", path.display())]
    Database {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// The log could not be read.
    #[error("folding the log into views")]
    Log(#[from] store::ReadError),
    /// There is no views file to compare: start the service or rebuild.
    #[error("reading views in `{}`: there is none", .0.display())]
    Missing(PathBuf),
    /// The process is about to stop.
    #[error("folding the log into views: given up")]
    GivenUp,
}

/// Why views were not rebuilt while they are followed. The live ones go on as they were.
#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    /// One at a time.
    #[error("rebuilding views: somebody does so already")]
    Running,
    /// A view would have to go back, and whoever reads it with it.
    #[error("rebuilding views: `{view}` halts at {position}, where the live one is further: {cause}")]
    HaltsEarlier {
        /// The view.
        view: &'static str,
        /// Where the new one stands.
        position: Position,
        /// Why.
        cause: String,
    },
    /// Nobody follows the log, or not in time, and so nobody can change from one file to the other.
    #[error("rebuilding views: nobody takes the new ones over")]
    NotFollowed,
    /// The system gave no thread.
    #[error("rebuilding views: starting a thread")]
    Thread(#[source] std::io::Error),
    /// The log could not be read, or the new file not be written.
    #[error(transparent)]
    Views(#[from] ViewsError),
}

impl ViewsError {
    pub(crate) fn directory(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Directory { path, source }
    }

    pub(crate) fn database(path: &Path) -> impl FnOnce(rusqlite::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Database { path, source }
    }
}

impl QueryError {
    /// SQLite opens the files beside the views file only when a query needs them.
    pub(crate) fn while_reading(self) -> Self {
        if let Self::Database(error) = self {
            let unopened = error.sqlite_error_code() == Some(ErrorCode::CannotOpen);
            return if unopened { Self::Unopened(error) } else { Self::Database(error) };
        }
        self
    }
}

/// Why a view did not answer.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// The file cannot be opened, most likely because it was deleted: the views are about to be folded into another.
    #[error("opening a view")]
    Unopened(#[source] rusqlite::Error),
    /// SQLite could not read the file.
    #[error("reading a view")]
    Database(#[from] rusqlite::Error),
    /// A row is not what its projection writes: `verify` names it, a rebuild mends it.
    #[error("reading `{key}` of view `{view}`")]
    Row {
        /// The view.
        view: &'static str,
        /// The row's key.
        key: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// The log could not be read.
    #[error("reading the events of a view")]
    Log(#[from] store::ReadError),
    /// An entry of the log is none.
    #[error("folding a stream")]
    Fold(#[from] crate::ApplyError),
    /// The query was given up because the process stops.
    #[error("reading a view while the process stops")]
    Stopped,
}
