//! What a page of a part costs.

use super::*;
use crate::testing::PostgresServer;

#[tokio::test]
async fn a_page_of_a_part_is_read_by_its_key_alone() {
    let test = PostgresServer::shared().database().await;
    // Of data keys, which are numbered, there are few: one a day.
    for part in Part::ALL.into_iter().filter(|part| *part != Part::DataKeys) {
        let key = vec![Value::Nothing; part.key_columns().len()];
        for which in [Which::After(None), Which::After(Some(&key)), Which::At(&key), Which::Last] {
            let select = kept(part).select(part, which, 1_000, '$');
            let with_key = matches!(which, Which::After(Some(_)) | Which::At(_));
            let arguments =
                if with_key { format!("({})", vec!["NULL"; key.len()].join(", ")) } else { String::new() };
            let plan = test.psql(&format!(
                "SET enable_seqscan TO off; SET enable_bitmapscan TO off; SET enable_hashjoin TO off;
                 SET enable_mergejoin TO off; SET plan_cache_mode TO force_generic_plan;
                 PREPARE page AS {select}; EXPLAIN EXECUTE page {arguments}"
            ));
            let by_key = part == Part::LastEventKey || plan.contains("Index");
            assert!(by_key && !plan.contains("Sort"), "{part}, {which:?}: {plan}");
        }
    }
}
