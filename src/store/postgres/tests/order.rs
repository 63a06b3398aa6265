//! Why positions come from one locked row: what a number that is only unique does to a reader.

use sqlx::{Connection as _, Executor as _, PgConnection, Row as _};

use super::*;

/// Follows a log by the highest number that it has seen, as every reader of a log does.
struct Follower {
    connection: PgConnection,
    query: &'static str,
    seen: Vec<i64>,
}

impl Follower {
    async fn read(&mut self) {
        let last = self.seen.last().copied().unwrap_or_default();
        let rows = sqlx::query(self.query).bind(last).fetch_all(&mut self.connection).await.unwrap();
        self.seen.extend(rows.iter().map(|row| row.get::<i64, _>(0)));
    }
}

#[tokio::test]
async fn a_reader_passes_a_slow_transaction_if_positions_are_only_unique() {
    let fixture = PostgresFixture::new().await;
    let connect = || async { PgConnection::connect(&fixture.test.url_of("postgres")).await.unwrap() };
    let (mut slow, mut fast) = (connect().await, connect().await);
    fast.execute("CREATE TABLE naive (position bigint GENERATED ALWAYS AS IDENTITY, entry text)")
        .await
        .unwrap();
    let query = "SELECT position FROM naive WHERE position > $1 ORDER BY position";
    let mut follower = Follower { connection: connect().await, query, seen: Vec::new() };

    slow.execute("BEGIN; INSERT INTO naive (entry) VALUES ('slow')").await.unwrap();
    fast.execute("INSERT INTO naive (entry) VALUES ('fast')").await.unwrap();
    follower.read().await;
    slow.execute("COMMIT").await.unwrap();
    follower.read().await;
    let stored: i64 = sqlx::query_scalar("SELECT count(*) FROM naive").fetch_one(&mut fast).await.unwrap();
    assert_eq!((stored, follower.seen.as_slice()), (2, [2].as_slice()), "two are stored, one is ever seen");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_reader_passes_a_slow_transaction_of_the_log() {
    let fixture = PostgresFixture::new().await;
    let connect = || async { PgConnection::connect(&fixture.test.url_of("postgres")).await.unwrap() };
    let mut slow = connect().await;
    let query = "SELECT position FROM muniment.log_events WHERE position > $1 ORDER BY position";
    let mut follower = Follower { connection: connect().await, query, seen: Vec::new() };

    let none = ", '{}'".repeat(18);
    let append = format!(
        "BEGIN; SET search_path TO muniment;
         SELECT append_to_log(0, 0, 1, '{{1}}', '{{client}}', '{{slow}}', '{{1}}', '{{1}}', ARRAY['{{}}'::bytea],
                              ARRAY[gen_random_uuid()], '{{1}}', '{{1}}'{none})"
    );
    slow.execute(append.as_str()).await.unwrap();
    let fast = fixture.node();
    let mut appended = tokio::task::JoinSet::new();
    appended.spawn(async move { fast.append(one(1, "fast")).await.unwrap().position });
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    assert!(appended.try_join_next().is_none(), "the fast one waits");
    follower.read().await;
    slow.execute("COMMIT").await.unwrap();
    assert_eq!(appended.join_next().await.unwrap().unwrap(), Position::new(2));
    follower.read().await;
    assert_eq!(follower.seen, [1, 2]);
}
