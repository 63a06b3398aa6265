use domain::grant::{GrantEnded, GrantGiven};
use domain::{EnvironmentName, GrantEvent};
use store::Position;
use uuid::Uuid;

use super::*;
use crate::as_of::{Moment, replay};
use crate::testing::{Happening, TestLog, member};

fn given(client: u128, of: u64) -> GrantEvent {
    GrantEvent::Given(GrantGiven {
        environment: EnvironmentName::parse("sandbox").unwrap(),
        client_id: ClientId(Uuid::from_u128(client)),
        member_id: member(of),
        scope: ["openid"].into_iter().collect(),
        remembered: true,
    })
}

fn withdrawn(client: u128, of: u64) -> GrantEvent {
    GrantEvent::Withdrawn(GrantEnded { client_id: ClientId(Uuid::from_u128(client)), member_id: member(of) })
}

fn stream(number: u128) -> String {
    format!("grant-{}", Uuid::from_u128(number))
}

#[tokio::test]
async fn o6_grants_that_live_are_found_by_member_and_by_client() {
    let log = TestLog::new();
    for (number, client, of) in [(1, 7, 1), (2, 7, 2), (3, 8, 1), (4, 9, 1)] {
        log.record(Happening::new(stream(number), given(client, of))).await;
    }
    let position = log.record(Happening::new(stream(4), withdrawn(9, 1))).await;
    let replayed = replay(&*log.log, Moment::Position(position)).unwrap();
    let numbers = |rows: Vec<GrantRow>| rows.iter().map(|row| row.id.0.as_u128()).collect::<Vec<_>>();
    assert_eq!(numbers(of_member(&replayed.reader, member(1), 10).unwrap()), [3, 1]);
    assert_eq!(numbers(of_member(&replayed.reader, member(1), 1).unwrap()), [3]);
    let client = ClientId(Uuid::from_u128(7));
    assert_eq!(numbers(of_client(&replayed.reader, client, 10).unwrap()), [2, 1]);
    assert_eq!(count_of_client(&replayed.reader, client).unwrap(), 2);
    assert_eq!(count_of_client(&replayed.reader, ClientId(Uuid::from_u128(9))).unwrap(), 0, "withdrawn");
    let rows = of_client(&replayed.reader, client, 1).unwrap();
    assert_eq!((rows[0].revision.get(), rows[0].position), (1, Position::new(2)));
}
