//! Time: what is recorded is the wall clock; what expires goes by it too, but never by less than was recorded last.

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

/// A clock that only went back, and a restart: `now` stays at what was recorded last until the clock has passed it.
pub async fn expiry_is_not_judged_by_less_than_was_recorded(fixture: &mut dyn Fixture) {
    let log = fixture.open().await;
    let clock = fixture.clock();
    let recorded = log.append(one(1, "a")).await.unwrap().at;
    clock.advance(SignedDuration::from_hours(-1));
    assert_eq!(log.now(), recorded);
    drop(log);
    let log = fixture.open().await;
    assert_eq!(log.now(), recorded);
    clock.advance(SignedDuration::from_hours(3));
    assert_eq!(log.now(), clock.now());
    assert!(log.now() > recorded);
    check_log(log.as_ref(), 1);
}

/// A clock that was wrong once, by a lifetime: as soon as the log says that it went back, it has gone back.
pub async fn one_wrong_reading_of_the_clock_does_not_last(fixture: &mut dyn Fixture) {
    let log = fixture.open().await;
    let clock = fixture.clock();
    let right = log.append(one(1, "a")).await.unwrap().at;
    clock.set("2100-01-01T00:00:00Z".parse().unwrap());
    let wrong = log.append(one(2, "a")).await.unwrap().at;
    clock.set(right);
    assert_eq!(log.now(), wrong);
    log.append(one(3, "a")).await.unwrap();
    assert_eq!(log.now(), right);
    drop(log);
    let log = fixture.open().await;
    assert_eq!(log.now(), right);
    check_log(log.as_ref(), 4);
}
