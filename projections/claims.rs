//! What the log says who holds, against the table that decides races for it.

use std::{
    collections::{BTreeMap, HashMap, btree_map::Entry},
    fmt,
    ops::ControlFlow,
};

use domain::{Claim, ClaimChange, EnvironmentName, Event, Member};
use store::{ClaimKey, EventLog, Position, ReadError};

use crate::Envelope;

/// Claims whose keys no event tells: a member's address is nowhere in the log.
const NOT_IN_THE_LOG: &str = "member_email";

/// A claim that is held by another than the log says, or by nobody, or by somebody who has no right to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimDifference {
    /// What is claimed.
    pub key: ClaimKey,
    /// The stream that holds it by the table.
    pub held_by: Option<String>,
    /// The stream that holds it by the log.
    pub told_by_log: Option<String>,
}

impl fmt::Display for ClaimDifference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |stream: &Option<String>| match stream {
            Some(stream) => format!("`{stream}`"),
            None => "nobody".to_owned(),
        };
        let (held_by, told) = (name(&self.held_by), name(&self.told_by_log));
        write!(formatter, "claim `{}`: {held_by} holds it, by the log {told} does", self.key)
    }
}

/// Folds the claims anew and tells of each that differs. Tells of none if there is an event that cannot be read: what it
/// claims nobody knows, and the views halt there loudly.
///
/// # Errors
/// If the log cannot be read.
pub(crate) fn verify_claims(
    log: &dyn EventLog,
    report: &mut dyn FnMut(ClaimDifference),
) -> Result<(), ReadError> {
    let mut told = Told::default();
    let mut readable = true;
    log.scan(Position::ORIGIN, &mut |event| match changes(event.entry) {
        Some((stream, changes)) => {
            changes.into_iter().for_each(|change| told.apply(&stream, change));
            ControlFlow::Continue(())
        }
        None => {
            readable = false;
            ControlFlow::Break(())
        }
    })?;
    if !readable {
        return Ok(());
    }
    let mut holders = told.holders;
    log.claims(&mut |key, holder| {
        let told_by_log = holders.remove(&key);
        if key.namespace != NOT_IN_THE_LOG && told_by_log.as_deref() != Some(holder.as_str()) {
            report(ClaimDifference { key, held_by: Some(holder.to_string()), told_by_log });
        }
    })?;
    for (key, stream) in holders {
        report(ClaimDifference { key, held_by: None, told_by_log: Some(stream) });
    }
    Ok(())
}

/// Who holds what, as far as the log has been read.
#[derive(Default)]
struct Told {
    holders: BTreeMap<ClaimKey, String>,
    by_stream: HashMap<String, Vec<ClaimKey>>,
}

impl Told {
    fn apply(&mut self, stream: &str, change: ClaimChange) {
        match change {
            ClaimChange::Take(Claim { namespace, key }) => {
                let key = ClaimKey { namespace, key };
                // The first one keeps it, as it does in the table.
                if let Entry::Vacant(free) = self.holders.entry(key.clone()) {
                    free.insert(stream.to_owned());
                    self.by_stream.entry(stream.to_owned()).or_default().push(key);
                }
            }
            ClaimChange::Release { namespace } => {
                let held = self.by_stream.get_mut(stream).into_iter();
                for key in held.flat_map(|held| held.extract_if(.., |key| key.namespace == namespace)) {
                    self.holders.remove(&key);
                }
            }
        }
    }
}

/// The stream of an event, and what it does to the claims of that stream; `None` if it cannot be read.
fn changes(entry: &[u8]) -> Option<(String, Vec<ClaimChange>)> {
    let envelope = Envelope::parse(entry).ok()?;
    let stream = envelope.stream.as_ref().to_owned();
    let of_claimants =
        ["client.", "member.", "grant."].iter().any(|noun| envelope.event_type.starts_with(noun));
    if !of_claimants {
        return Some((stream, Vec::new()));
    }
    let event = Event::decode(&envelope.event_type, envelope.event_version, envelope.data.get()).ok()?;
    let changes = if let Event::Client(event) = &event {
        event.claims(&EnvironmentName::parse(envelope.environment()?).ok()?)
    } else if let Event::Grant(event) = &event {
        event.claims(&EnvironmentName::parse(envelope.environment()?).ok()?)
    } else if let Event::Member(event) = event {
        Member::claims(&[event])
    } else {
        Vec::new()
    };
    Some((stream, changes))
}
