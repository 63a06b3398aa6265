//! The least that a replay does: every event decoded, and thrown away.

use std::{hint::black_box, ops::ControlFlow};

use domain::Event;
use store::{Envelope, EventLog, Position};

use crate::measure::Result;

/// Decodes all there are, and answers how many.
pub fn decode_all(log: &dyn EventLog) -> Result<u64> {
    let (mut events, mut unreadable) = (0, None);
    log.scan(Position::ORIGIN, &mut |event| {
        let decoded = Envelope::parse(event.entry).map_err(|error| error.to_string()).and_then(|envelope| {
            Event::decode(&envelope.event_type, envelope.event_version, envelope.data.get())
                .map_err(|error| error.to_string())
        });
        match decoded {
            Ok(event) => {
                black_box(event);
                events += 1;
                ControlFlow::Continue(())
            }
            Err(error) => {
                unreadable = Some(error);
                ControlFlow::Break(())
            }
        }
    })?;
    unreadable.map_or(Ok(events), |error| Err(error.into()))
}
