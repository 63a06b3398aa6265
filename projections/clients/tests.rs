use domain::client::{ResponsibleChanged, ScopeChanged, Status};
use domain::oauth::ScopeSet;
use domain::{Change, MemberId, Reach};
use proptest::prelude::*;

use super::*;
use crate::as_of::{Moment, replay};
use crate::testing::{
    Happening, IntoEvent as _, TestLog, client, created, deleted, happens, member, sandbox, stream,
};

/// The views as they are now.
fn now(log: &TestLog) -> Reader {
    replay(&*log.log, Moment::Position(Position::new(u64::MAX))).unwrap().reader
}

fn ids(page: &ClientPage) -> Vec<ClientId> {
    page.items.iter().map(|row| row.client_id).collect()
}

fn listed(reader: &Reader, filter: &ListFilter) -> Vec<ClientId> {
    ids(&list(reader, &sandbox(), filter, None, 50).unwrap())
}

fn numbers(numbers: &[u64]) -> Vec<ClientId> {
    numbers.iter().copied().map(client).collect()
}

/// Clients 1 to 3 of three names; the third is deleted, the second inactive.
async fn three_clients() -> TestLog {
    let log = TestLog::new();
    for (number, name) in [(1, "Straße & Weg"), (2, "Matter  Sync"), (3, "Matter archive")] {
        log.client(client(number), created(name).into_event()).await;
    }
    log.client(client(2), happens(7)).await;
    log.client(client(3), deleted()).await;
    log
}

#[tokio::test]
async fn a_client_that_never_was_is_none() {
    assert_eq!(get(&now(&three_clients().await), client(4)).unwrap(), None);
}

#[tokio::test]
async fn a_row_is_what_the_domain_folds() {
    let log = three_clients().await;
    let row = get(&now(&log), client(2)).unwrap().unwrap();
    let events = [created("Matter  Sync").into_event(), happens(7)];
    let mut folded = Client::default();
    for (event, second) in events.iter().zip([2, 4]) {
        folded.apply(event, crate::testing::seconds_after_start(second));
    }
    assert_eq!(Some(&row.client), folded.registration());
    assert_eq!((row.revision, row.position), (Revision::new(2), Position::new(4)));
}

#[tokio::test]
async fn deleted_clients_are_listed_only_when_asked_for() {
    let reader = now(&three_clients().await);
    let of = |status| listed(&reader, &ListFilter { status, ..ListFilter::default() });
    assert_eq!(of(None), numbers(&[2, 1]));
    assert_eq!(of(Some(Status::Active)), numbers(&[1]));
    assert_eq!(of(Some(Status::Inactive)), numbers(&[2]));
    assert_eq!(of(Some(Status::Deleted)), numbers(&[3]));
    assert_eq!(get(&reader, client(3)).unwrap().unwrap().client.status, Status::Deleted);
}

#[tokio::test]
async fn a_search_finds_parts_of_names_whatever_their_form_and_whole_ids() {
    let reader = now(&three_clients().await);
    let of = |q: &str| listed(&reader, &ListFilter { q: Some(q.to_owned()), ..ListFilter::default() });
    assert_eq!(of("STRASSE"), numbers(&[1]));
    assert_eq!(of("matter sync"), numbers(&[2]));
    assert_eq!(of("ter"), numbers(&[2]));
    assert_eq!(of("%"), numbers(&[]));
    assert_eq!(of(""), numbers(&[2, 1]));
    assert_eq!(of(&client(1).to_string()), numbers(&[1]));
    assert_eq!(of(&client(1).to_string()[..8]), numbers(&[]), "an id is found whole or not at all");
}

#[tokio::test]
async fn types_and_environments_are_apart() {
    let log = three_clients().await;
    let mut elsewhere = created("Elsewhere");
    elsewhere.environment = EnvironmentName::parse("production").unwrap();
    elsewhere.client_type = "webhook".to_owned();
    log.client(client(9), elsewhere.into_event()).await;
    let reader = now(&log);
    let production = EnvironmentName::parse("production").unwrap();
    let of_type = |environment, client_type: &str| {
        let filter = ListFilter { client_type: Some(client_type.to_owned()), ..ListFilter::default() };
        ids(&list(&reader, environment, &filter, None, 50).unwrap())
    };
    assert_eq!(of_type(&production, "webhook"), numbers(&[9]));
    assert_eq!(of_type(&production, "standard"), numbers(&[]));
    assert_eq!(of_type(&sandbox(), "standard"), numbers(&[2, 1]));
}

#[tokio::test]
async fn a_cursor_neither_skips_nor_repeats_while_clients_come_and_change() {
    let log = TestLog::new();
    // One commit, one moment: only the ids tell these apart.
    let at_once = (0..10).map(|number| Happening::new(stream(client(number)), created("Same").into_event()));
    log.record_all(at_once.collect()).await;
    let mut seen = Vec::new();
    let mut after = None;
    let mut newcomers = 100..;
    loop {
        let page = list(&now(&log), &sandbox(), &ListFilter::default(), after, 3).unwrap();
        seen.extend(ids(&page));
        log.client(client(newcomers.next().unwrap()), created("Newcomer").into_event()).await;
        log.client(client(5), happens(0)).await;
        let Some(next) = page.next else { break };
        after = Some(next);
    }
    assert_eq!(seen, numbers(&[9, 8, 7, 6, 5, 4, 3, 2, 1, 0]));
}

#[tokio::test]
async fn the_last_page_says_so_even_if_it_is_full() {
    let reader = now(&three_clients().await);
    let page = |limit| list(&reader, &sandbox(), &ListFilter::default(), None, limit).unwrap();
    assert_eq!(page(2).next, None);
    assert_eq!(page(1).next, Some(page(1).items[0].key()));
    assert_eq!(ids(&page(0)), []);
}

fn handed_over(old: u64, new: u64) -> ClientEvent {
    let responsible = Change::new(member(old), member(new));
    ClientEvent::ResponsibleChanged(ResponsibleChanged { responsible })
}

#[tokio::test]
async fn o7_lists_are_of_those_that_a_member_answers_for_now() {
    let log = three_clients().await;
    let mut elsewhere = created("Elsewhere");
    elsewhere.environment = EnvironmentName::parse("production").unwrap();
    log.client(client(9), elsewhere.into_event()).await;
    log.client(client(1), handed_over(1, 2)).await;
    let reader = now(&log);
    let of = |number: u64, status| {
        ids(&responsibilities(&reader, member(number), Reach::Everywhere, status, None, 50).unwrap())
    };
    assert_eq!(of(1, None), numbers(&[9, 2]), "of all environments");
    assert_eq!(of(1, Some(Status::Deleted)), numbers(&[3]));
    assert_eq!(of(2, None), numbers(&[1]));
    let counts = [1, 2, 3].map(|number| count_responsibilities(&reader, member(number)).unwrap());
    assert_eq!(counts, [2, 1, 0]);
    let production = Reach::Within([EnvironmentName::parse("production").unwrap()].into());
    let here = responsibilities(&reader, member(1), production, None, None, 50).unwrap();
    assert_eq!(ids(&here), numbers(&[9]), "within its reach alone");
    let first = responsibilities(&reader, member(1), Reach::Everywhere, None, None, 1).unwrap();
    assert_eq!(
        ids(&responsibilities(&reader, member(1), Reach::Everywhere, None, first.next, 1).unwrap()),
        numbers(&[2])
    );
    let in_sandbox =
        |number| listed(&reader, &ListFilter { responsible: Some(member(number)), ..ListFilter::default() });
    assert_eq!(in_sandbox(1), numbers(&[2]));
    assert_eq!(in_sandbox(2), numbers(&[1]));
}

#[tokio::test]
async fn o2_lists_are_of_those_that_hold_a_scope_now() {
    let log = three_clients().await;
    let scopes = |text| ScopeSet::parse(text, "/scope").unwrap();
    let fewer = Change::new(scopes("matters:read matters:write"), scopes("matters:read"));
    log.client(client(1), ClientEvent::ScopeChanged(ScopeChanged { scope: fewer })).await;
    log.client(client(2), handed_over(1, 2)).await;
    let reader = now(&log);
    let of = |scope: &str, responsible: Option<MemberId>| {
        let scope = Some(scope.to_owned());
        listed(&reader, &ListFilter { scope, responsible, ..ListFilter::default() })
    };
    assert_eq!(of("matters:read", None), numbers(&[2, 1]));
    assert_eq!(of("matters:write", None), numbers(&[2]));
    assert_eq!(of("matters", None), numbers(&[]), "a scope is found whole or not at all");
    assert_eq!(of("matters:read", Some(member(1))), numbers(&[1]));
}

#[tokio::test]
async fn every_list_is_driven_by_the_index_in_its_order() {
    let reader = now(&three_clients().await);
    for (sql, first) in [
        (list::BY_AGE, "SEARCH clients USING INDEX clients_by_age (environment=?)"),
        (list::BY_RESPONSIBLE, "SEARCH clients USING INDEX clients_by_responsible (responsible=?)"),
        (
            list::BY_SCOPE,
            "SEARCH client_scopes USING COVERING INDEX client_scopes_by_age (environment=? AND scope=?)",
        ),
    ] {
        let mut statement = reader.connection().prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let mut rows = statement.raw_query();
        let mut plan: Vec<String> = Vec::new();
        while let Some(row) = rows.next().unwrap() {
            plan.push(row.get(3).unwrap());
        }
        assert_eq!(plan[0], first, "{plan:?}");
        assert!(!plan.iter().any(|step| step.contains("TEMP B-TREE")), "nothing is sorted: {plan:?}");
    }
}

#[tokio::test]
async fn a_row_that_cannot_be_read_is_named() {
    let reader = now(&three_clients().await);
    reader.connection().execute("UPDATE clients SET state = '\"Absent\"'", []).unwrap();
    let error = get(&reader, client(1)).unwrap_err();
    assert_eq!(error.to_string(), format!("reading `{}` of view `clients`", client(1)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn a_list_is_every_client_once_newest_first(order in prop::collection::vec(0_u64..30, 1..30), limit in 1_usize..7) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let log = TestLog::new();
        let mut expected = Vec::new();
        for number in order {
            if !expected.contains(&client(number)) {
                runtime.block_on(log.client(client(number), created("Any").into_event()));
                expected.insert(0, client(number));
            }
        }
        let reader = now(&log);
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let page = list(&reader, &sandbox(), &ListFilter::default(), after, limit).unwrap();
            seen.extend(ids(&page));
            let Some(next) = page.next else { break };
            after = Some(next);
        }
        prop_assert_eq!(seen, expected);
    }
}
