//! Time: what is recorded is the wall clock; what expires goes by the latest time ever known.

use jiff::SignedDuration;

use super::sample::{command_id, one};
use super::{Fixture, check_log};
use crate::clock::{Clock as _, to_rfc3339};
use crate::position::{Position, Revision};

/// An hour back: an event says so, before the first event of the earlier time.
pub async fn a_clock_set_back_is_recorded(fixture: &mut dyn Fixture) {
    let log = fixture.open().await;
    let clock = fixture.clock();
    let before = log.append(one(1, "a")).await.unwrap().at;
    clock.advance(SignedDuration::from_hours(-1));
    let receipt = log.append(one(2, "a")).await.unwrap();
    assert_eq!(receipt.first_position, Position::new(3));
    assert_eq!(receipt.at, before - SignedDuration::from_hours(1));

    let stepped = log.read_stream(&"clock-wall".parse().unwrap(), Revision::NONE, 9).await.unwrap();
    assert_eq!(stepped.iter().map(|event| event.position).collect::<Vec<_>>(), [Position::new(2)]);
    let envelope = stepped[0].envelope().unwrap();
    assert_eq!((&*envelope.event_type, envelope.event_version), ("clock.stepped", 1));
    assert_eq!((&*envelope.actor.id, envelope.at), ("muniment", receipt.at));
    assert_eq!(envelope.causation_id, Some(command_id(2)));
    let data = format!("{{\"from\":\"{}\",\"to\":\"{}\"}}", to_rfc3339(before), to_rfc3339(receipt.at));
    assert_eq!(envelope.data.get(), data);

    log.append(one(3, "a")).await.unwrap();
    assert_eq!(log.head().await.unwrap(), Position::new(4));
    // A retry under a clock set back once more writes nothing, not even that.
    clock.advance(SignedDuration::from_hours(-1));
    log.append(one(3, "a")).await.unwrap_err();
    check_log(log.as_ref(), 4);
}

/// Two steps back and a restart: `now` stays at the latest time until the clock has passed it.
pub async fn time_never_goes_back_for_expiry(fixture: &mut dyn Fixture) {
    let log = fixture.open().await;
    let clock = fixture.clock();
    let peak = log.append(one(1, "a")).await.unwrap().at;
    for number in 2..=3 {
        clock.advance(SignedDuration::from_hours(-1));
        log.append(one(number, "a")).await.unwrap();
        clock.advance(SignedDuration::from_mins(10));
        log.append(one(number + 10, "a")).await.unwrap();
        assert_eq!(log.now(), peak);
    }
    drop(log);
    let log = fixture.open().await;
    assert_eq!(log.now(), peak);
    clock.advance(SignedDuration::from_hours(3));
    assert_eq!(log.now(), clock.now());
    assert!(log.now() > peak);
    check_log(log.as_ref(), 7);
}
