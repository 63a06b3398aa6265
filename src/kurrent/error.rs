//! Why a server cannot be used.

/// Why there is no connection to a server. The connection string is never told: there are passwords in it.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The program was built without the client.
    #[error(
        "this program was built without the client of KurrentDB and EventStoreDB: build it with `--features eventstore`, or \
         with `--features kurrentdb`"
    )]
    NoClient,
    /// The connection string is none.
    #[error("the connection string of the server of events is not valid")]
    Invalid,
    /// A certificate or a key that it names cannot be read.
    #[error("reading `{path}`, which the connection string of the server of events names")]
    File {
        /// The file.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// There is no thread to be had.
    #[error("starting a thread for the server of events")]
    Thread(#[source] std::io::Error),
}
