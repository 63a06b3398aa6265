//! Numbers for the words that occur in row after row.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension};

/// Words remembered between pages: about ten megabytes at most.
const MOST_REMEMBERED: usize = 100_000;

/// The numbers of `audit_words`, given in order of first appearance, so that two folds number alike.
#[derive(Default)]
pub(super) struct Words {
    known: HashMap<Box<str>, i64>,
}

impl Words {
    /// The number of a word, given now if it is new.
    pub(super) fn number(&mut self, views: &Connection, word: &str) -> Result<i64, rusqlite::Error> {
        if let Some(number) = self.known.get(word) {
            return Ok(*number);
        }
        let number = match find(views, word)? {
            Some(number) => number,
            None => views.prepare_cached("INSERT INTO audit_words (word) VALUES (?1)")?.insert([word])?,
        };
        self.known.insert(word.into(), number);
        Ok(number)
    }

    /// Gives memory back when it has grown.
    pub(super) fn shrink(&mut self) {
        if self.known.len() > MOST_REMEMBERED {
            self.known.clear();
        }
    }

    /// Forgets all: numbers given in an undone transaction were not given.
    pub(super) fn forget(&mut self) {
        self.known.clear();
    }
}

/// The number of a word; `None` if it occurs nowhere.
pub(super) fn find(views: &Connection, word: &str) -> Result<Option<i64>, rusqlite::Error> {
    views
        .prepare_cached("SELECT number FROM audit_words WHERE word = ?1")?
        .query_row([word], |row| row.get(0))
        .optional()
}

/// Every word that stands in a column of `audit_events` with an index, in the order of the alphabet. Leaps from one to
/// the next: it takes as many steps as there are words, not rows.
pub(super) fn in_column(views: &Connection, column: &str) -> Result<Vec<String>, rusqlite::Error> {
    let sql = format!(
        "WITH RECURSIVE found (number) AS (
             SELECT min({column}) FROM audit_events WHERE {column} IS NOT NULL
             UNION ALL
             SELECT (SELECT min({column}) FROM audit_events WHERE {column} > found.number)
             FROM found WHERE found.number IS NOT NULL
         )
         SELECT word FROM found JOIN audit_words USING (number) ORDER BY word"
    );
    views.prepare_cached(&sql)?.query_map([], |row| row.get(0))?.collect()
}

/// The subjects of the events of a type, by name.
pub(super) fn subjects_of(views: &Connection, event_type: &str) -> Result<Vec<String>, rusqlite::Error> {
    views
        .prepare_cached(
            "SELECT word FROM audit_events JOIN audit_words ON number = subject
             WHERE type = (SELECT number FROM audit_words WHERE word = ?1) ORDER BY word",
        )?
        .query_map([event_type], |row| row.get(0))?
        .collect()
}
