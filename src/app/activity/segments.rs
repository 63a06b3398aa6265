//! Closing the segments of days that are over: what the activity log held is fixed by an event of the main log.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use crypto::MerkleTree;
use domain::registry::{ActivitySegmentClosed, RegistryEvent};
use store::{
    ActivityFilter, ActivityLog, ActivityPage, ActorKind, AppendError, ClosedSegment, Commit,
    ExpectedRevision, Outcome, Position, Revision, SegmentNumber, StreamCommit, StreamName,
};

use crate::{Inner, error::Fault, ids::uuid_v7};

/// Records read at a time.
pub(super) const PAGE: usize = 1_000;
/// Of the streams that tell of segments.
pub(super) const CATEGORY: &str = "activity_segment";

impl Inner {
    /// Closes segments whose day is over, then records those in the main log that it does not have, a crash in between
    /// among them.
    pub(super) async fn close_segments(&self, known: &mut Option<SegmentNumber>) -> Result<(), Fault> {
        if let Some((number, first, last)) = self.activity.segment_to_close(self.log.now()).await? {
            let root = root_of(self.activity.as_ref(), first, last).await?;
            let segment = ClosedSegment { number, first, last, root };
            let closed = self.activity.close_segment(segment).await;
            closed.map_err(|error| Fault::passing("closing a segment of activity", error))?;
        }
        for segment in self.activity.closed_segments(*known, PAGE).await? {
            self.record_segment(segment).await?;
            *known = Some(segment.number);
        }
        Ok(())
    }

    async fn record_segment(&self, segment: ClosedSegment) -> Result<(), Fault> {
        let stream = StreamName::new(CATEGORY, &segment.number.get().to_string())
            .map_err(|error| Fault::permanent("naming a stream", error))?;
        if self.log.stream_revision(&stream).await? != Revision::NONE {
            return Ok(());
        }
        let event = RegistryEvent::ActivitySegmentClosed(summary(&segment));
        let command_id = uuid_v7(self.log.now(), self.entropy.as_ref())?;
        let commit = Commit {
            command_id,
            correlation_id: command_id,
            causation_id: None,
            request_id: "activity".to_owned(),
            request_digest: None,
            actor: store::Actor { id: "muniment".to_owned(), kind: ActorKind::System, via: None },
            ticket: None,
            streams: vec![StreamCommit {
                stream,
                expected: ExpectedRevision::NoStream,
                environment: None,
                responsible: None,
                events: vec![self.proposed(&event.into(), Outcome::Done, Vec::new())?],
            }],
            claims: Vec::new(),
            credentials: Vec::new(),
            destroyed_credentials: Vec::new(),
            disclosures: Vec::new(),
            forgotten_persons: Vec::new(),
            lookup_tokens: Vec::new(),
        };
        match self.log.append(commit).await {
            // Recorded by somebody who was faster, it is recorded.
            Ok(_) | Err(AppendError::WrongExpectedRevision { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// What the main log says of a closed segment.
pub(super) fn summary(segment: &ClosedSegment) -> ActivitySegmentClosed {
    ActivitySegmentClosed {
        segment: segment.number.get(),
        first_position: segment.first.get(),
        last_position: segment.last.get(),
        root: URL_SAFE_NO_PAD.encode(segment.root),
    }
}

/// The root over the records from `first` to `last` as they are.
pub(super) async fn root_of(
    activity: &dyn ActivityLog,
    first: Position,
    last: Position,
) -> Result<[u8; 32], Fault> {
    let mut tree = MerkleTree::default();
    let mut after = Position::new(first.get().saturating_sub(1));
    let before = Some(last.next());
    loop {
        let page = ActivityPage { ascending: true, after, before, limit: PAGE };
        let records = activity.read(&ActivityFilter::default(), page).await?;
        let Some(newest) = records.last() else { return Ok(tree.root()) };
        after = newest.position;
        for record in &records {
            let leaf = record.leaf().map_err(|error| Fault::permanent("reading activity", error))?;
            tree.push(leaf.as_str().as_bytes());
        }
    }
}
