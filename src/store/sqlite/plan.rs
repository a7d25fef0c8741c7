//! How the database goes about a query: a test of the queries whose cost must not grow with the table.

use rusqlite::{Connection, params_from_iter};

use super::schema;

/// Each query must find its rows by the index beside it, as the plan names it, and neither look at
/// every row nor sort them.
pub(super) fn go_by_index(queries: &[(&str, &str)]) {
    let mut db = Connection::open_in_memory().unwrap();
    schema::migrate(&mut db).unwrap();
    for (sql, index) in queries {
        let mut plan = db.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let nothing = vec![0; plan.parameter_count()];
        let steps = plan.query_map(params_from_iter(nothing), |row| row.get(3));
        let steps: Vec<String> = steps.unwrap().map(Result::unwrap).collect();
        let is_by = |step: &String| step.contains(index);
        assert!(steps.iter().any(is_by), "{sql}: {steps:?}");
        let is_slow = |step: &String| step.starts_with("SCAN") || step.contains("TEMP");
        assert!(!steps.iter().any(is_slow), "{sql}: {steps:?}");
    }
}
