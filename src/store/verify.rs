//! Proving that a log is what the log writes: dense, canonical, and at one with its own indexes.

use std::collections::HashMap;

use jiff::Timestamp;
use uuid::Uuid;

use crate::canonical::CanonicalJson;
use crate::commit::RecordedCommand;
use crate::event::Envelope;
use crate::position::{Position, Revision};
use crate::prepared::{CLOCK_STEPPED, CLOCK_STREAM};
use crate::stream::StreamName;

/// How far a verified log reaches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// The last position.
    pub head: Position,
    /// How many streams there are.
    pub streams: u64,
    /// How many commands are recorded.
    pub commands: u64,
    /// How many defects were reported.
    pub defects: u64,
}

/// Something that the log never writes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Defect {
    /// Positions are missing.
    #[error("position {expected} is missing, {found} follows")]
    MissingPosition {
        /// The first one missing.
        expected: Position,
        /// The next one that is there.
        found: Position,
    },
    /// A stream's revisions do not follow each other.
    #[error("position {position}: `{stream}` is at revision {found}, not {expected}")]
    WrongRevision {
        /// Where.
        position: Position,
        /// The stream.
        stream: StreamName,
        /// What should follow.
        expected: Revision,
        /// What stands there.
        found: Revision,
    },
    /// The entry is not canonical JSON of an event.
    #[error("position {position}: the entry is not canonical: {detail}")]
    NotCanonical {
        /// Where.
        position: Position,
        /// What is wrong with it.
        detail: String,
    },
    /// The entry says something else than the row it is kept in.
    #[error("position {position}: the entry's {field} is not that of its row")]
    Disagrees {
        /// Where.
        position: Position,
        /// The field of the entry.
        field: &'static str,
    },
    /// The server of events has another entry, or none; it is the server's that counts.
    #[error("position {position}: the entry is not the one that the server of events has there")]
    NotOnServer {
        /// Where.
        position: Position,
    },
    /// Time goes back without a `clock.stepped`.
    #[error("position {position}: recorded at an earlier time than the event before it")]
    TimeWentBack {
        /// Where.
        position: Position,
    },
    /// The index of commands says something else than the entries.
    #[error("position {position}: the index of commands does not agree with the entry")]
    CommandDisagrees {
        /// Where.
        position: Position,
    },
    /// An index holds another number of rows than the entries account for.
    #[error("`{table}` has {found} rows, the entries account for {expected}")]
    WrongCount {
        /// The table.
        table: &'static str,
        /// What the entries account for.
        expected: u64,
        /// What is there.
        found: u64,
    },
    /// A claim is held by a stream that has no event.
    #[error("{0} claims are held by streams that have no event")]
    ClaimsWithoutStream(u64),
    /// The log is said to end where its last entry is not.
    #[error("the log is said to end at position {found}, the last entry is at {expected}")]
    WrongHead {
        /// Where the last entry is.
        expected: Position,
        /// What is said.
        found: Position,
    },
    /// The database says that its own structure is damaged.
    #[error("the database is damaged: {0}")]
    Structure(String),
}

/// A row of the log as the database has it.
pub(crate) struct Row<'a> {
    pub(crate) position: Position,
    /// The database's own number of the stream.
    pub(crate) stream_number: i64,
    pub(crate) stream: &'a StreamName,
    pub(crate) revision: Revision,
    pub(crate) entry: &'a [u8],
}

/// How much the indexes of a log hold.
pub(crate) struct Counts {
    pub(crate) streams: u64,
    pub(crate) commands: u64,
    pub(crate) orphaned_claims: u64,
}

/// Follows the rows of a log in position order and finds what is wrong with them; the same for every database.
pub(crate) struct Verifier<'r> {
    report: &'r mut dyn FnMut(Defect),
    verified: Verified,
    revisions: HashMap<i64, Revision>,
    last_at: Timestamp,
    command: Option<CommandSpan>,
}

/// The events of one command, as the entries say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CommandSpan {
    pub(crate) command_id: Uuid,
    pub(crate) first_position: Position,
    pub(crate) position: Position,
}

impl<'r> Verifier<'r> {
    pub(crate) fn new(report: &'r mut dyn FnMut(Defect)) -> Self {
        Self {
            report,
            verified: Verified::default(),
            revisions: HashMap::new(),
            last_at: Timestamp::MIN,
            command: None,
        }
    }

    pub(crate) fn report(&mut self, defect: Defect) {
        self.verified.defects += 1;
        (self.report)(defect);
    }

    /// Looks at the next row, and answers the command that ended before it, for the caller to compare with its index.
    pub(crate) fn row(&mut self, row: &Row<'_>) -> Option<CommandSpan> {
        let expected = self.verified.head.next();
        if row.position != expected {
            self.report(Defect::MissingPosition { expected, found: row.position });
        }
        self.verified.head = row.position;
        self.check_revision(row);
        match Envelope::parse(row.entry) {
            Ok(envelope) => {
                self.check_canonical(row);
                self.check_envelope(row, &envelope);
                self.follow_command(row.position, envelope.command_id)
            }
            Err(error) => {
                self.report(Defect::NotCanonical { position: row.position, detail: error.to_string() });
                self.command.take()
            }
        }
    }

    /// The command at the end of the log.
    pub(crate) fn last_command(&mut self) -> Option<CommandSpan> {
        self.command.take()
    }

    /// Holds what the index of commands says of one against what its entries say.
    pub(crate) fn expect_command(&mut self, command: CommandSpan, indexed: Option<RecordedCommand>) {
        let CommandSpan { first_position, position, .. } = command;
        if indexed != Some(RecordedCommand { first_position, position }) {
            self.report(Defect::CommandDisagrees { position: first_position });
        }
    }

    /// Holds the sizes of the indexes against what the entries account for.
    pub(crate) fn expect_counts(&mut self, found: &Counts) {
        let expected = (self.revisions.len() as u64, self.verified.commands);
        for (table, expected, found) in
            [("streams", expected.0, found.streams), ("commands", expected.1, found.commands)]
        {
            if expected != found {
                self.report(Defect::WrongCount { table, expected, found });
            }
        }
        if found.orphaned_claims > 0 {
            self.report(Defect::ClaimsWithoutStream(found.orphaned_claims));
        }
    }

    /// Holds where a table of its own says that the log ends against the last entry.
    pub(crate) fn expect_head(&mut self, found: Position) {
        let expected = self.verified.head;
        if expected != found {
            self.report(Defect::WrongHead { expected, found });
        }
    }

    pub(crate) fn finish(self) -> Verified {
        Verified { streams: self.revisions.len() as u64, ..self.verified }
    }

    fn check_revision(&mut self, row: &Row<'_>) {
        let expected = self.revisions.get(&row.stream_number).copied().unwrap_or_default().next();
        if row.revision != expected {
            let (position, stream, found) = (row.position, row.stream.clone(), row.revision);
            self.report(Defect::WrongRevision { position, stream, expected, found });
        }
        self.revisions.insert(row.stream_number, row.revision);
    }

    fn check_canonical(&mut self, row: &Row<'_>) {
        let detail = match serde_json::from_slice(row.entry).map(|value| CanonicalJson::from_value(&value)) {
            Ok(Ok(canonical)) if canonical.as_str().as_bytes() == row.entry => return,
            Ok(Ok(_)) => "written in another way".to_owned(),
            Ok(Err(error)) => error.to_string(),
            Err(error) => error.to_string(),
        };
        self.report(Defect::NotCanonical { position: row.position, detail });
    }

    fn check_envelope(&mut self, row: &Row<'_>, envelope: &Envelope<'_>) {
        let position = row.position;
        if envelope.stream != row.stream.as_str() {
            self.report(Defect::Disagrees { position, field: "stream" });
        }
        if envelope.revision != row.revision {
            self.report(Defect::Disagrees { position, field: "revision" });
        }
        let tells_of_step = envelope.stream == CLOCK_STREAM && envelope.event_type == CLOCK_STEPPED;
        if envelope.at < self.last_at && !tells_of_step {
            self.report(Defect::TimeWentBack { position });
        }
        self.last_at = envelope.at;
    }

    fn follow_command(&mut self, position: Position, command_id: Uuid) -> Option<CommandSpan> {
        match &mut self.command {
            Some(command) if command.command_id == command_id => {
                command.position = position;
                None
            }
            Some(_) | None => {
                self.verified.commands += 1;
                self.command.replace(CommandSpan { command_id, first_position: position, position })
            }
        }
    }
}
