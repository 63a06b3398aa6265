//! Activity of several nodes, and what the database lets nobody do with it.

use super::*;
use crate::conformance::activity::{ALL, commit, used};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn activity_of_several_nodes_is_one_dense_log() {
    let fixture = PostgresFixture::new().await;
    let open =
        || Arc::new(PostgresActivity::open(&fixture.database, Arc::clone(&fixture.clock) as _).unwrap());
    let nodes = [open(), open()];
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..200 {
        let node = Arc::clone(&nodes[number % 2]);
        // The same credentials on both nodes, in different orders.
        let names = [number % 3, number % 5, number % 7].map(|name| format!("s{name}"));
        let records: Vec<_> = names.iter().map(|name| used("c", name)).collect();
        tasks.spawn(async move { node.append(commit(&records)).await.unwrap().get() });
    }
    let mut last: Vec<_> = tasks.join_all().await;
    last.sort_unstable();
    assert_eq!(last, (1..=200).map(|number| number * 3).collect::<Vec<_>>());
    let all = nodes[0].read(&Default::default(), ALL).await.unwrap();
    assert_eq!(
        all.iter().map(|record| record.position.get()).collect::<Vec<_>>(),
        (1..=600).collect::<Vec<_>>()
    );
    assert!(all.is_sorted_by_key(|record| record.at));
}

#[tokio::test]
async fn activity_is_not_changed_by_anybody() {
    let mut fixture = PostgresFixture::new().await;
    let log: Arc<dyn ActivityLog> = fixture.open().await;
    log.append(commit(&[used("a", "s1")])).await.unwrap();
    for statement in [
        "UPDATE activity SET reason = 'x'",
        "DELETE FROM activity",
        "TRUNCATE activity",
        "UPDATE segments SET root = '\\x00'",
        "DELETE FROM segments",
    ] {
        let denied = fixture.test.try_psql("muniment_app", statement).unwrap_err();
        assert!(denied.contains("permission denied"), "{statement}: {denied}");
        let refused = fixture.test.try_psql("muniment_owner", statement).unwrap_err();
        assert!(refused.contains("never changed"), "{statement}: {refused}");
    }
}

#[tokio::test]
async fn every_search_of_activity_uses_an_index() {
    let fixture = PostgresFixture::new().await;
    fixture.test.psql(
        "INSERT INTO activity (position, at, kind, outcome, client, credential, source_token, count)
         SELECT n, n, 'k', CASE WHEN n % 9 = 0 THEN 'refused' ELSE 'done' END, n % 900, n % 901, decode(to_hex(1048576 + n % 902), 'hex'), 1
         FROM generate_series(1, 20000) AS n",
    );
    fixture.test.psql("ANALYZE activity");
    for (search, index) in [
        ("client = 'a'", "activity_of_clients"),
        ("credential = 'a'", "activity_of_credentials"),
        ("source_token = ANY (ARRAY['\\x01'::bytea])", "activity_of_sources"),
        ("outcome = 'refused'", "activity_refused"),
        ("outcome = 'done'", "activity_pkey"),
    ] {
        let explain = format!(
            "SET enable_seqscan TO off; SET enable_bitmapscan TO off;
             EXPLAIN SELECT * FROM activity WHERE position > 1 AND position < 19999 AND {search}
             ORDER BY position DESC LIMIT 5"
        );
        let plan = fixture.test.psql(&explain);
        assert!(plan.contains(index), "{search}: {plan}");
    }
}
