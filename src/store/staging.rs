//! Deciding a batch of commits, each against the log and what came before it in the batch; the same for every database.

use std::error::Error;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use uuid::Uuid;

use crate::canonical::CanonicalJson;
use crate::clock::to_rfc3339;
use crate::commit::{ClaimChange, ClaimKey, DisclosureKey, Receipt, RecordedCommand};
use crate::entry::EntryTemplate;
use crate::error::{AppendError, InvalidCommit};
use crate::position::{Position, Revision};
use crate::prepared::{CLOCK_STREAM, PreparedCommit, PreparedStream};
use crate::stream::StreamName;
use crate::tail::Tail;

/// Nodes' clocks differ. An event that would be earlier than the last one by no more than this is recorded at the time of
/// the last one, and no clock is said to have gone back.
const TOLERATED_SKEW: SignedDuration = SignedDuration::from_secs(5);

/// A failure of the database, or of what it holds: nothing more can be decided on this ground.
pub(crate) type Failure = Box<dyn Error + Send + Sync>;

/// What became of one commit in a transaction that still has to become durable.
pub(crate) type Staged = Result<Receipt, AppendError>;

/// Where a stream stands; a stream without a number has no event.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Place {
    pub(crate) number: Option<i64>,
    pub(crate) revision: Revision,
}

/// The time of one transaction: all of its entries carry it.
pub(crate) struct Moment {
    at: Timestamp,
    text: String,
}

/// An event with its place.
pub(crate) struct StagedEvent<'a> {
    pub(crate) position: Position,
    pub(crate) stream_number: i64,
    pub(crate) revision: Revision,
    template: &'a EntryTemplate,
    moment: &'a Moment,
}

/// What commits are decided against and written to: the log, with what was staged since.
pub(crate) trait Ground {
    fn tail(&mut self) -> &mut Tail;
    fn place(&mut self, stream: &StreamName) -> Result<Place, Failure>;
    fn find_command(&mut self, id: Uuid) -> Result<Option<RecordedCommand>, Failure>;
    fn holder(&mut self, key: &ClaimKey) -> Result<Option<StreamName>, Failure>;
    fn has_credential(&mut self, id: &str) -> Result<bool, Failure>;
    fn has_event_key(&mut self, slot: u64) -> Result<bool, Failure>;

    /// `false` if the command is there already.
    fn insert_command(&mut self, id: Uuid, span: RecordedCommand) -> Result<bool, Failure>;
    /// Gives a stream its number, whose first event is about to stand at `position`.
    fn insert_stream(&mut self, name: &StreamName, position: Position) -> Result<i64, Failure>;
    fn insert_event(&mut self, event: &StagedEvent<'_>) -> Result<(), Failure>;
    /// All events that a commit has for a stream are staged.
    fn moved(&mut self, name: &StreamName, place: Place);
    /// Everything of a commit but its events.
    fn insert_rest(&mut self, commit: &PreparedCommit, span: RecordedCommand) -> Result<(), Failure>;
}

#[derive(Serialize)]
struct ClockStepped {
    from: String,
    to: String,
}

impl Moment {
    pub(crate) fn new(at: Timestamp) -> Self {
        Self { at, text: to_rfc3339(at) }
    }

    /// The time of a node that is one of several.
    pub(crate) fn among_others(now: Timestamp, last_at: Option<Timestamp>) -> Self {
        Self::new(last_at.filter(|last_at| is_tolerated(now, *last_at)).unwrap_or(now))
    }
}

/// Whether the last event is later by no more than nodes' clocks differ.
pub(crate) fn is_tolerated(now: Timestamp, last_at: Timestamp) -> bool {
    now < last_at && last_at.duration_since(now) <= TOLERATED_SKEW
}

impl StagedEvent<'_> {
    /// Writes the entry over what `entry` held.
    pub(crate) fn complete(&self, entry: &mut String) {
        self.template.complete(&self.moment.text, self.revision, entry);
    }
}

/// Stages one commit, or refuses it having staged nothing of it.
pub(crate) fn stage(
    ground: &mut impl Ground,
    commit: &PreparedCommit,
    moment: &Moment,
) -> Result<Staged, Failure> {
    if let Some(refusal) = check(ground, commit)? {
        // The first attempt of this very command may be what moved the stream.
        let recorded = ground.find_command(commit.command_id)?;
        return Ok(Err(recorded.map_or(refusal, AppendError::DuplicateCommand)));
    }
    if let Some(last_at) = ground.tail().last_at.filter(|last_at| moment.at < *last_at) {
        if let Some(recorded) = ground.find_command(commit.command_id)? {
            return Ok(Err(AppendError::DuplicateCommand(recorded)));
        }
        let data = CanonicalJson::from_serialize(&ClockStepped {
            from: to_rfc3339(last_at),
            to: moment.text.clone(),
        })?;
        let step = commit.clock_stepped(CLOCK_STREAM.parse()?, data)?;
        record(ground, &step, moment)?.map(drop).map_err(Failure::from)?;
    }
    record(ground, commit, moment)
}

fn check(ground: &mut impl Ground, commit: &PreparedCommit) -> Result<Option<AppendError>, Failure> {
    for PreparedStream { name, expected, .. } in &commit.streams {
        let actual = ground.place(name)?.revision;
        if !expected.accepts(actual) {
            let (stream, expected) = (name.clone(), *expected);
            return Ok(Some(AppendError::WrongExpectedRevision { stream, expected, actual }));
        }
    }
    if !commit.claims.is_empty() {
        if let Some(stream) = stream_without_event(ground, commit)? {
            return Ok(Some(InvalidCommit::ClaimWithoutStream(stream).into()));
        }
        if let Some(refusal) = check_claims(ground, &commit.claims)? {
            return Ok(Some(refusal));
        }
    }
    check_vault(ground, commit)
}

fn stream_without_event(
    ground: &mut impl Ground,
    commit: &PreparedCommit,
) -> Result<Option<StreamName>, Failure> {
    for change in &commit.claims {
        let ClaimChange::Take { stream, .. } = change else { continue };
        let begins = commit.streams.iter().any(|begun| begun.name == *stream && !begun.entries.is_empty());
        if !begins && ground.place(stream)?.number.is_none() {
            return Ok(Some(stream.clone()));
        }
    }
    Ok(None)
}

/// The first change that cannot be made, each judged as if the ones before it were made.
fn check_claims(ground: &mut impl Ground, changes: &[ClaimChange]) -> Result<Option<AppendError>, Failure> {
    for (index, change) in changes.iter().enumerate() {
        match change {
            ClaimChange::Take { key, stream } => {
                if let Some(holder) = holder_after(ground, key, &changes[..index])?
                    && holder != *stream
                {
                    return Ok(Some(AppendError::ClaimTaken { key: key.clone(), holder }));
                }
            }
            ClaimChange::Release { key, stream } => {
                if holder_after(ground, key, &changes[..index])?.as_ref() != Some(stream) {
                    let (key, stream) = (key.clone(), stream.clone());
                    return Ok(Some(AppendError::ClaimNotHeld { key, stream }));
                }
            }
            ClaimChange::ReleaseAll { .. } => {}
        }
    }
    Ok(None)
}

/// Who holds a key once these changes are made.
fn holder_after(
    ground: &mut impl Ground,
    key: &ClaimKey,
    changes: &[ClaimChange],
) -> Result<Option<StreamName>, Failure> {
    let mut held_by = ground.holder(key)?;
    for change in changes {
        match change {
            ClaimChange::Take { key: taken, stream } if taken == key => held_by = Some(stream.clone()),
            ClaimChange::Release { key: released, .. } if released == key => held_by = None,
            ClaimChange::ReleaseAll { namespace, stream }
                if *namespace == key.namespace && held_by.as_ref() == Some(stream) =>
            {
                held_by = None;
            }
            ClaimChange::Take { .. } | ClaimChange::Release { .. } | ClaimChange::ReleaseAll { .. } => {}
        }
    }
    Ok(held_by)
}

/// The first row of the commit that would replace one of the vault.
fn check_vault(ground: &mut impl Ground, commit: &PreparedCommit) -> Result<Option<AppendError>, Failure> {
    for credential in &commit.credentials {
        if ground.has_credential(&credential.id)? {
            return Ok(Some(InvalidCommit::CredentialExists(credential.id.clone()).into()));
        }
    }
    for disclosure in &commit.disclosures {
        if let DisclosureKey::Event(slot) = disclosure.key
            && ground.has_event_key(slot)?
        {
            return Ok(Some(InvalidCommit::EventKeyUsed(slot).into()));
        }
    }
    Ok(None)
}

fn record(ground: &mut impl Ground, commit: &PreparedCommit, moment: &Moment) -> Result<Staged, Failure> {
    let head = ground.tail().head;
    let span =
        RecordedCommand { first_position: head.next(), position: Position::new(head.get() + commit.events) };
    if !ground.insert_command(commit.command_id, span)? {
        return match ground.find_command(commit.command_id)? {
            Some(recorded) => Ok(Err(AppendError::DuplicateCommand(recorded))),
            None => Err("a command is recorded that cannot be found".into()),
        };
    }
    let mut revisions = Vec::with_capacity(commit.streams.len());
    for stream in &commit.streams {
        revisions.push((stream.name.clone(), record_stream(ground, stream, moment)?));
    }
    ground.insert_rest(commit, span)?;
    ground.tail().last_at = Some(moment.at);
    let RecordedCommand { first_position, position } = span;
    Ok(Ok(Receipt { first_position, position, at: moment.at, revisions }))
}

fn record_stream(
    ground: &mut impl Ground,
    stream: &PreparedStream,
    moment: &Moment,
) -> Result<Revision, Failure> {
    let mut place = ground.place(&stream.name)?;
    if stream.entries.is_empty() {
        return Ok(place.revision);
    }
    let first = ground.tail().head.next();
    let number = match place.number {
        Some(number) => number,
        None => ground.insert_stream(&stream.name, first)?,
    };
    for template in &stream.entries {
        let position = ground.tail().head.next();
        place = Place { number: Some(number), revision: place.revision.next() };
        let revision = place.revision;
        ground.insert_event(&StagedEvent { position, stream_number: number, revision, template, moment })?;
        ground.tail().head = position;
    }
    ground.moved(&stream.name, place);
    Ok(place.revision)
}
