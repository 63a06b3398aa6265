//! What the main log says of segments, against the activity log itself: for the tools of who operates it.

use std::collections::BTreeMap;

use domain::{
    Event,
    registry::{ActivitySegmentClosed, RegistryEvent},
};
use store::{ActivityLog, ClosedSegment, EventLog, RecordedEvent, Revision, SegmentNumber, StreamName};

use super::segments::{CATEGORY, PAGE, root_of, summary};
use crate::error::Fault;

/// A closed segment that is not what the main log says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SegmentDefect {
    /// The activity log has not closed it.
    #[error("the log says that segment {} of the activity was closed, the activity log does not", .0.get())]
    NotClosed(SegmentNumber),
    /// The activity log closed it with other positions or another root.
    #[error("segment {} of the activity was closed otherwise than the log says", .0.get())]
    ClosedOtherwise(SegmentNumber),
    /// Its records are not those that it was closed with.
    #[error("the records in segment {} of the activity are not those that it was closed with", .0.get())]
    Altered(SegmentNumber),
}

/// Compares each summary of the main log with the activity log, and each closed segment with its records. A segment that
/// the main log does not tell of yet is none: it will. Answers how many are closed; reads every record in them.
///
/// # Errors
/// When one of the logs cannot be read.
pub async fn compare_segments(
    log: &dyn EventLog,
    activity: &dyn ActivityLog,
    report: &mut dyn FnMut(SegmentDefect),
) -> Result<usize, Fault> {
    let mut told = told(log).await?;
    let (mut closed, mut after) = (0, None);
    loop {
        let page = activity.closed_segments(after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.number);
        for segment in &page {
            closed += 1;
            if told.remove(&segment.number).is_some_and(|told| told != summary(segment)) {
                report(SegmentDefect::ClosedOtherwise(segment.number));
            } else if !is_intact(activity, segment).await? {
                report(SegmentDefect::Altered(segment.number));
            }
        }
    }
    told.keys().for_each(|number| report(SegmentDefect::NotClosed(*number)));
    Ok(closed)
}

async fn is_intact(activity: &dyn ActivityLog, segment: &ClosedSegment) -> Result<bool, Fault> {
    Ok(root_of(activity, segment.first, segment.last).await? == segment.root)
}

/// The summaries of the main log.
async fn told(log: &dyn EventLog) -> Result<BTreeMap<SegmentNumber, ActivitySegmentClosed>, Fault> {
    let mut told = BTreeMap::new();
    let mut after: Option<StreamName> = None;
    loop {
        let streams = log.streams(CATEGORY, after.as_ref(), PAGE).await?;
        for stream in &streams {
            for recorded in log.read_stream(stream, Revision::NONE, 1).await? {
                if let Some(summary) = decoded(&recorded)? {
                    told.insert(SegmentNumber::new(summary.segment), summary);
                }
            }
        }
        let Some(last) = streams.into_iter().last() else { return Ok(told) };
        after = Some(last);
    }
}

fn decoded(recorded: &RecordedEvent) -> Result<Option<ActivitySegmentClosed>, Fault> {
    let envelope =
        recorded.envelope().map_err(|error| Fault::permanent("reading a summary of activity", error))?;
    let event = Event::decode(&envelope.event_type, envelope.event_version, envelope.data.get())
        .map_err(|error| Fault::permanent("reading a summary of activity", error))?;
    let Event::Registry(RegistryEvent::ActivitySegmentClosed(summary)) = event else { return Ok(None) };
    Ok(Some(summary))
}
