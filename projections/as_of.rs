//! Looking at the past: the same fold, ended earlier.

mod difference;

use std::borrow::Cow;
use std::path::Path;
use std::str::FromStr;

use domain::{Client, ClientId, SecretId};
use jiff::Timestamp;
use rusqlite::Connection;
use store::{ActorKind, EventLog, Position, RecordedEvent, Revision, ScannedEvent, StreamName};

pub use difference::{ClientDifference, FieldChange, Side, difference};

use crate::catch_up::catch_up;
use crate::clients::{self, ClientRow};
use crate::envelope::Envelope;
use crate::error::{QueryError, ViewsError};
use crate::file::create_tables;
use crate::fold::{Checkpoint, Fold};
use crate::folded::Folded;
use crate::projection::{ApplyError, ViewedEvent};
use crate::reader::Reader;

/// How much of a stream is read at a time.
const PAGE: usize = 512;

/// A moment of the past.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// After the event at this position.
    Position(Position),
    /// After everything recorded at this time or earlier. Where the clock was set back, the first event later than
    /// this ends the look, whatever follows it.
    Time(Timestamp),
}

impl Moment {
    /// Whether what happened then and there had happened already.
    #[must_use]
    pub fn includes(self, position: Position, at: Timestamp) -> bool {
        match self {
            Self::Position(last) => position <= last,
            Self::Time(last) => at <= last,
        }
    }

    /// The time that it stands for: the states of secrets are judged by it.
    ///
    /// # Errors
    /// When the log cannot be read there.
    pub async fn time(self, log: &dyn EventLog) -> Result<Timestamp, QueryError> {
        let position = match self {
            Self::Time(time) => return Ok(time),
            Self::Position(position) => position,
        };
        let before = Position::new(position.get().saturating_sub(1));
        match log.read_all(before, 1).await?.first() {
            Some(event) => Ok(event.envelope().map_err(ApplyError::Corrupt)?.at),
            // Before the first event, or after the last.
            None => Ok(log.now()),
        }
    }
}

/// A position if it is a number, else a time of RFC 3339.
impl FromStr for Moment {
    type Err = jiff::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse() {
            Ok(position) => Ok(Self::Position(Position::new(position))),
            Err(_) => text.parse().map(Self::Time),
        }
    }
}

/// A client as it was at a moment, folded from its stream alone; `None` if it did not exist yet.
///
/// # Errors
/// When the stream cannot be read, or holds an event that this binary cannot apply.
pub async fn client_as_of(
    log: &dyn EventLog,
    client_id: ClientId,
    moment: Moment,
) -> Result<Option<ClientRow>, QueryError> {
    let folded = fold_client(log, client_id, moment, |_, _| Ok(())).await?;
    Ok(clients::into_row(client_id, folded))
}

/// Who issued a secret of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issuer {
    /// The secret.
    pub secret_id: SecretId,
    /// Who acted; pseudonymous.
    pub actor: String,
    /// What kind of actor.
    pub kind: ActorKind,
    /// The credential that was acted through.
    pub via: Option<String>,
    /// The event.
    pub position: Position,
}

/// A client as it was at a moment, and who issued each secret that it had by then.
///
/// # Errors
/// As [`client_as_of`].
pub async fn credentials_as_of(
    log: &dyn EventLog,
    client_id: ClientId,
    moment: Moment,
) -> Result<Option<(ClientRow, Vec<Issuer>)>, QueryError> {
    let mut issuers: Vec<Issuer> = Vec::new();
    let folded = fold_client(log, client_id, moment, |folded, event| {
        for secret in folded.aggregate.registration().into_iter().flat_map(|client| &client.secrets) {
            if issuers.iter().all(|known| known.secret_id != secret.id) {
                let actor = store::Envelope::parse(&event.entry).map_err(ApplyError::Corrupt)?.actor;
                issuers.push(Issuer {
                    secret_id: secret.id.clone(),
                    actor: actor.id.into_owned(),
                    kind: actor.kind,
                    via: actor.via.map(Cow::into_owned),
                    position: event.position,
                });
            }
        }
        Ok(())
    })
    .await?;
    Ok(clients::into_row(client_id, folded).map(|row| (row, issuers)))
}

/// Folds a client's stream up to a moment; `after_each` sees the state that each event left.
async fn fold_client(
    log: &dyn EventLog,
    client_id: ClientId,
    moment: Moment,
    mut after_each: impl FnMut(&Folded<Client>, &RecordedEvent) -> Result<(), QueryError>,
) -> Result<Folded<Client>, QueryError> {
    let mut folded = Folded::<Client>::default();
    let mut memo = clients::Memo::default();
    let Ok(stream) = StreamName::new(Client::CATEGORY, &client_id.to_string()) else { return Ok(folded) };
    let mut after = Revision::NONE;
    loop {
        let page = log.read_stream(&stream, after, PAGE).await?;
        for event in &page {
            let envelope = Envelope::parse(&event.entry).map_err(ApplyError::Entry)?;
            if !moment.includes(event.position, envelope.at) {
                return Ok(folded);
            }
            folded.apply(&ViewedEvent::new(event.position, envelope), &mut memo)?;
            after_each(&folded, event)?;
            after = event.revision;
        }
        if page.len() < PAGE {
            return Ok(folded);
        }
    }
}

/// All views as they were at a moment.
pub struct Replayed {
    /// Reads them.
    pub reader: Reader,
    /// The position of the last event folded.
    pub position: Position,
    /// How far each view came: a view that halts on an event did so here as well.
    pub checkpoints: Vec<Checkpoint>,
}

/// Folds the log up to a moment into views in memory. Blocks the thread for as long as that takes: some microseconds
/// an event.
///
/// # Errors
/// When the log cannot be read, or the memory runs out.
pub fn replay(log: &dyn EventLog, moment: Moment) -> Result<Replayed, ViewsError> {
    let broken = |error| ViewsError::database(Path::new(":memory:"))(error);
    let mut fold = in_memory().map_err(broken)?;
    let includes = |event: ScannedEvent<'_>| match moment {
        Moment::Position(last) => event.position <= last,
        // What is no entry halts the views; it does not end the look.
        Moment::Time(_) => {
            Envelope::parse(event.entry).map_or(true, |entry| moment.includes(event.position, entry.at))
        }
    };
    catch_up(log, &mut fold, &includes, &broken)?;
    fold.create_indexes().map_err(broken)?;
    let (position, checkpoints) = (fold.read_to(), fold.checkpoints());
    Ok(Replayed { reader: Reader::new(fold.into_connection()), position, checkpoints })
}

fn in_memory() -> Result<Fold, rusqlite::Error> {
    let connection = Connection::open_in_memory()?;
    create_tables(&connection, &crate::all())?;
    Fold::open(connection, crate::all())
}

#[cfg(test)]
mod tests;
