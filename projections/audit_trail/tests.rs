use std::sync::Arc;

use domain::Event;
use domain::registry::RegistryEvent;
use jiff::Timestamp;
use proptest::prelude::*;
use store::{EventLog as _, Position};

use super::posting::Index;
use super::search::{MOST_LOOKUPS, search};
use super::*;
use crate::as_of::{Moment, replay};
use crate::reader::Reader;
use crate::testing::{
    Happening, IntoEvent as _, TestLog, client, created, happens, seconds_after_start, stream,
};
use crate::views::Views;

const ALL: AuditPage = AuditPage { order: Order::Ascending, after: None, before: None, limit: 1_000 };

fn now(log: &TestLog) -> Reader {
    replay(&*log.log, Moment::Position(Position::new(u64::MAX))).unwrap().reader
}

fn found(reader: &Reader, filter: &AuditFilter, page: AuditPage) -> Vec<u64> {
    let found = search(reader, filter, page, MOST_LOOKUPS).unwrap();
    found.positions.into_iter().map(Position::get).collect()
}

fn types(types: &[&str]) -> Vec<String> {
    types.iter().map(|&name| name.to_owned()).collect()
}

fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

/// What the log of the tests calls the request of its commit `number`.
fn correlation(number: u64) -> String {
    uuid::Uuid::from_u64_pair(u64::MAX - 1, number).to_string()
}

/// Position 1 to 6: a client made and changed twice, a refused command for it, another client, a member.
async fn six_events() -> TestLog {
    let log = TestLog::new();
    log.client(client(1), created("Matter sync").into_event()).await;
    log.record(Happening { actor: "u2".into(), ..Happening::new(stream(client(1)), happens(0)) }).await;
    log.record(Happening { ticket: text("INC-42"), ..Happening::new(stream(client(1)), happens(1)) }).await;
    let refused = domain::registry::CommandRefused {
        command: "ChangeClient".into(),
        subject: Some(stream(client(1))),
        problem: "forbidden".into(),
        errors: Vec::new(),
    };
    let refused = Event::Registry(RegistryEvent::CommandRefused(refused));
    log.record(Happening {
        outcome: Outcome::Refused,
        actor: "u3".into(),
        ..Happening::new("note-u3", refused)
    })
    .await;
    let mut elsewhere = Happening::new(stream(client(2)), created("Other").into_event());
    (elsewhere.environment, elsewhere.responsible) = (text("production"), text("u9"));
    log.record(elsewhere).await;
    let mut last = Happening::new(stream(client(1)), happens(6));
    last.environment = None;
    log.record(last).await;
    log
}

#[tokio::test]
async fn each_filter_finds_its_events() {
    let reader = now(&six_events().await);
    let none = AuditFilter::default;
    for (filter, expected) in [
        (none(), vec![1, 2, 3, 4, 5, 6]),
        (AuditFilter { actor: text("u2"), ..none() }, vec![2]),
        (AuditFilter { subject: Some(stream(client(1))), ..none() }, vec![1, 2, 3, 4, 6]),
        (AuditFilter { subject: Some(stream(client(2))), ..none() }, vec![5]),
        (AuditFilter { event_types: types(&["client.created"]), ..none() }, vec![1, 5]),
        (AuditFilter { event_types: types(&["client.enabled", "client.created"]), ..none() }, vec![1, 5]),
        (AuditFilter { event_types: types(&["command.*"]), ..none() }, vec![4]),
        (AuditFilter { event_types: types(&["client.*"]), ..none() }, vec![1, 2, 3, 5, 6]),
        (AuditFilter { environment: text("production"), ..none() }, vec![5]),
        (AuditFilter { outcome: Some(Outcome::Refused), ..none() }, vec![4]),
        (AuditFilter { outcome: Some(Outcome::Done), ..none() }, vec![1, 2, 3, 5, 6]),
        (AuditFilter { ticket: text("INC-42"), ..none() }, vec![3]),
        (AuditFilter { request_id: text("request-4"), ..none() }, vec![5]),
        (AuditFilter { responsible: text("u9"), ..none() }, vec![5]),
        (AuditFilter { correlation_id: text(&correlation(2)), ..none() }, vec![3]),
        (AuditFilter { q: text("MATTER-sync"), ..none() }, vec![1]),
        (AuditFilter { q: text("sync other"), ..none() }, vec![]),
        (AuditFilter { q: text("forbidden"), ..none() }, vec![4]),
        (AuditFilter { q: text(" ,"), ..none() }, vec![1, 2, 3, 4, 5, 6]),
        (AuditFilter { among: Some(vec![Position::new(2), Position::new(5)]), ..none() }, vec![2, 5]),
        (AuditFilter { among: Some(Vec::new()), ..none() }, vec![]),
        (AuditFilter { from: Some(seconds_after_start(3)), ..none() }, vec![3, 4, 5, 6]),
        (AuditFilter { to: Some(seconds_after_start(3)), ..none() }, vec![1, 2]),
        (
            AuditFilter {
                subject: Some(stream(client(1))),
                outcome: Some(Outcome::Done),
                event_types: types(&["client.created"]),
                from: Some(seconds_after_start(1)),
                to: Some(seconds_after_start(6)),
                ..none()
            },
            vec![1],
        ),
    ] {
        assert_eq!(found(&reader, &filter, ALL), expected, "{filter:?}");
        let descending = AuditPage { order: Order::Descending, ..ALL };
        let reversed: Vec<_> = expected.into_iter().rev().collect();
        assert_eq!(found(&reader, &filter, descending), reversed, "{filter:?}");
    }
}

#[tokio::test]
async fn a_feed_goes_on_where_it_stopped_in_either_direction() {
    let reader = now(&six_events().await);
    let filter = AuditFilter { subject: Some(stream(client(1))), ..AuditFilter::default() };
    let after = |position| AuditPage { after: Some(Position::new(position)), limit: 2, ..ALL };
    assert_eq!(found(&reader, &filter, after(0)), [1, 2]);
    assert_eq!(found(&reader, &filter, after(2)), [3, 4]);
    assert_eq!(found(&reader, &filter, after(4)), [6]);
    assert_eq!(found(&reader, &filter, after(6)), [0_u64; 0]);
    let before = |before: Option<u64>| AuditPage {
        order: Order::Descending,
        before: before.map(Position::new),
        limit: 3,
        ..ALL
    };
    assert_eq!(found(&reader, &filter, before(None)), [6, 4, 3]);
    assert_eq!(found(&reader, &filter, before(Some(3))), [2, 1]);
    assert_eq!(found(&reader, &filter, AuditPage { limit: 0, ..ALL }), [0_u64; 0]);
}

#[tokio::test]
async fn an_event_that_nobody_knows_is_found() {
    let log = TestLog::new();
    let position = log.record(Happening::poison(stream(client(1)))).await;
    let filter = AuditFilter { event_types: types(&["client.turned_to_stone"]), ..AuditFilter::default() };
    assert_eq!(found(&now(&log), &filter, ALL), [position.get()]);
}

#[tokio::test]
async fn opened_private_parts_of_a_client_are_found_by_the_client() {
    let log = TestLog::new();
    let opened = domain::registry::PrivatePartsOpened {
        what: "client".into(),
        subject: Some(stream(client(7))),
        positions: vec![1],
        parts: 1,
    };
    log.record(Happening::new("note-u1", Event::Registry(RegistryEvent::PrivatePartsOpened(opened)))).await;
    let filter = AuditFilter { subject: Some(stream(client(7))), ..AuditFilter::default() };
    assert_eq!(found(&now(&log), &filter, ALL), [1]);
}

#[tokio::test]
async fn an_item_is_the_entry_byte_for_byte_in_the_order_asked_for() {
    let log = six_events().await;
    let views = Views::open(log.path(), log.shared()).unwrap();
    views.start().unwrap();
    assert!(views.wait_for(Position::new(6), std::time::Duration::from_secs(20)).await);
    let recorded = log.log.read_all(Position::ORIGIN, 10).await.unwrap();
    let filter = AuditFilter { subject: Some(stream(client(1))), ..AuditFilter::default() };
    let items = views.audit(filter, AuditPage { order: Order::Descending, ..ALL }).await.unwrap().unwrap().0;
    let expected: Vec<_> = [6, 4, 3, 2, 1].map(|position: usize| recorded[position - 1].entry.clone()).into();
    assert_eq!(items.into_iter().map(|item| item.entry).collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn a_position_that_the_log_does_not_have_is_an_error() {
    let log = six_events().await;
    let shared: Arc<dyn store::EventLog> = log.shared();
    let error = read(&*shared, &[Position::new(5), Position::new(6), Position::new(7)]).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "reading the log at position 5: a view knows an event here, the log does not"
    );
}

#[tokio::test]
async fn runs_of_every_kind_are_read_in_the_order_given() {
    let log = six_events().await;
    for order in [&[1_u64, 2, 3][..], &[3, 2, 1], &[1, 3, 5], &[6, 5, 3, 2], &[2, 3, 2], &[4], &[]] {
        let wanted: Vec<_> = order.iter().copied().map(Position::new).collect();
        let items = read(&*log.log, &wanted).await.unwrap();
        assert_eq!(items.into_iter().map(|item| item.position).collect::<Vec<_>>(), wanted);
    }
}

#[tokio::test]
async fn a4_a_value_that_names_nothing_is_told_with_what_there_is() {
    let log = six_events().await;
    for name in ["sandbox", "production"] {
        let made =
            Happening::raw(format!("environment-{name}"), "environment.created", 1, serde_json::json!({}));
        log.record(made).await;
    }
    let refused = Happening::poison(stream(client(1)));
    log.record(Happening { environment: text("refused_once"), ..refused }).await;
    let reader = now(&log);
    let unknown = |filter: AuditFilter| filter.unknown(&reader).unwrap().unwrap();
    let filter =
        AuditFilter { event_types: types(&["client.created", "clients.*"]), ..AuditFilter::default() };
    let Unknown::EventType { known } = unknown(filter) else { panic!("not a type") };
    assert!(known.contains(&"client.created".to_owned()) && known.contains(&"clock.stepped".to_owned()));
    let filter = AuditFilter { environment: text("live"), ..AuditFilter::default() };
    assert_eq!(unknown(filter), Unknown::Environment { known: types(&["production", "sandbox"]) });
    let filter = AuditFilter { environment: text("refused_once"), ..AuditFilter::default() };
    assert_eq!(unknown(filter), Unknown::Environment { known: types(&["production", "sandbox"]) });
}

#[tokio::test]
async fn a4_no_look_up_of_a_search_walks_or_sorts_a_table() {
    let reader = now(&six_events().await);
    for index in Index::ALL {
        for order in [Order::Ascending, Order::Descending] {
            let sql = format!("EXPLAIN QUERY PLAN {}", index.sql(order));
            let mut statement = reader.connection().prepare(&sql).unwrap();
            let value = if index == Index::Text { "\"x\"" } else { "1" };
            let plan: Vec<String> =
                statement.query_map([value, "9"], |row| row.get(3)).unwrap().map(Result::unwrap).collect();
            assert_eq!(plan.len(), 1, "{index:?}: {plan:?}");
            if index == Index::Text {
                // The full-text index is given both the word and the bound, and the order is its own.
                assert!(plan[0].starts_with("SCAN audit_text VIRTUAL TABLE INDEX"), "{plan:?}");
            } else {
                assert!(plan[0].starts_with("SEARCH audit_events USING"), "{index:?}: {plan:?}");
                let bound = if order == Order::Ascending { "=? AND rowid>?)" } else { "=? AND rowid<?)" };
                assert!(plan[0].ends_with(bound), "{index:?}: {plan:?}");
            }
        }
    }
}

#[tokio::test]
async fn a4_a_search_for_what_hardly_ever_meets_stops_half_way_and_goes_on() {
    let log = TestLog::new();
    for number in 0..200 {
        let actor = if number % 2 == 0 { "u1" } else { "u2" };
        let ticket = (number % 2 == 1 || number == 0).then(|| "INC-1".to_owned());
        let happening = Happening::new(stream(client(1)), happens(number));
        log.record(Happening { actor: actor.into(), ticket, ..happening }).await;
    }
    let reader = now(&log);
    let filter = AuditFilter { actor: text("u1"), ticket: text("INC-1"), ..AuditFilter::default() };
    let mut page = AuditPage { order: Order::Descending, after: None, before: None, limit: 50 };
    let mut pages = 0;
    let found = loop {
        pages += 1;
        let found = search(&reader, &filter, page, 4).unwrap();
        match found.rest {
            Some(rest) if found.positions.is_empty() => page.before = Some(rest),
            _ => break found,
        }
    };
    assert!(pages > 3, "{pages}");
    assert_eq!(found.positions, [Position::new(1)]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Against the plain comparison of every row, with a clock that jumps in both directions.
    #[test]
    fn a_range_of_time_is_exact_even_when_the_clock_was_set_back(
        jumps in prop::collection::vec(-20_i64..20, 1..20),
        from in prop::option::of(-30_i64..60),
        to in prop::option::of(-30_i64..60),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let log = TestLog::new();
        for jump in jumps {
            log.clock.advance(jiff::SignedDuration::from_secs(jump));
            runtime.block_on(log.client(client(1), happens(0)));
        }
        let reader = now(&log);
        let filter = AuditFilter { from: from.map(seconds_after_start), to: to.map(seconds_after_start), ..AuditFilter::default() };
        let recorded = runtime.block_on(log.log.read_all(Position::ORIGIN, 1_000)).unwrap();
        let lies_within = |at: Timestamp| filter.from.is_none_or(|from| at >= from) && filter.to.is_none_or(|to| at < to);
        let expected: Vec<_> = recorded
            .iter()
            .filter(|event| lies_within(event.envelope().unwrap().at))
            .map(|event| event.position.get())
            .collect();
        prop_assert_eq!(found(&reader, &filter, ALL), expected);
    }

    /// Against the plain comparison of every event, page by page, in both directions, with hardly any look-ups a page.
    #[test]
    fn a4_a_search_by_any_filters_finds_what_a_plain_comparison_does(
        events in prop::collection::vec((0..3_u64, 0..3_u64, 0..2_u64, 0..3_u64, any::<bool>()), 1..60),
        wanted in (prop::option::of(0..3_u64), prop::option::of(0..3_u64), prop::option::of(0..2_u64),
                   prop::option::of(any::<bool>()), prop::option::of(prop::sample::select(vec!["matter", "app 1", "https"])),
                   prop::collection::vec(prop::sample::select(vec!["client.*", "client.created", "command.*"]), 0..2)),
        limit in 1_usize..5,
        effort in 20_usize..40,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let log = TestLog::new();
        for (actor, about, environment, ticket, refused) in events {
            let event: Event = if about == 2 { created(&format!("App {actor}")).into_event().into() } else { happens(about).into() };
            runtime.block_on(log.record(Happening {
                actor: format!("u{actor}"),
                environment: Some(format!("e{environment}")),
                ticket: (ticket > 0).then(|| format!("T-{ticket}")),
                outcome: if refused { Outcome::Refused } else { Outcome::Done },
                ..Happening::new(stream(client(about)), event)
            }));
        }
        let reader = now(&log);
        let (actor, about, ticket, refused, q, event_types) = wanted;
        let filter = AuditFilter {
            actor: actor.map(|actor| format!("u{actor}")),
            subject: about.map(|about| stream(client(about))),
            ticket: ticket.map(|ticket| format!("T-{ticket}")),
            outcome: refused.map(|refused| if refused { Outcome::Refused } else { Outcome::Done }),
            q: q.map(str::to_owned),
            event_types: event_types.into_iter().map(str::to_owned).collect(),
            ..AuditFilter::default()
        };
        let recorded = runtime.block_on(log.log.read_all(Position::ORIGIN, 1_000)).unwrap();
        let expected: Vec<_> = recorded
            .iter()
            .filter(|event| filter.lets_through(event.position, &event.entry).unwrap())
            .map(|event| event.position)
            .collect();
        for order in [Order::Ascending, Order::Descending] {
            let mut all = Vec::new();
            let mut page = AuditPage { order, after: None, before: None, limit };
            loop {
                let found = search(&reader, &filter, page, effort).unwrap();
                prop_assert!(found.positions.len() <= limit);
                all.extend(found.positions);
                match (found.rest, order) {
                    (None, _) => break,
                    (rest, Order::Ascending) => page.after = rest,
                    (rest, Order::Descending) => page.before = rest,
                }
            }
            if order == Order::Descending {
                all.reverse();
            }
            prop_assert_eq!(&all, &expected);
        }
    }
}
