//! Comparing live views with a fresh fold, row by row.

use std::cmp::Ordering;

use rusqlite::types::Value;
use rusqlite::{Connection, Rows};
use serde_json::json;
use store::{EventLog, Position, ReadError, ScannedEvent};

use crate::catch_up::catch_up;
use crate::digest;
use crate::error::ViewsError;
use crate::file::{self, ViewsDirectory};
use crate::fold::{Checkpoint, Fold, checkpoints};
use crate::projection::Projection;

/// A row that is not what the log says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The view.
    pub projection: &'static str,
    /// The table.
    pub table: &'static str,
    /// The row's primary key.
    pub key: String,
    /// The columns that differ as they are, as JSON; the whole row if it should not be there, `None` if it is missing.
    pub live: Option<String>,
    /// The same as they should be.
    pub replayed: Option<String>,
}

/// A live view that was compared with a fresh fold, or could not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedView {
    /// Where the live view is.
    pub checkpoint: Checkpoint,
    /// Why it could not be compared: the log does not reach there undamaged.
    pub incomparable: Option<String>,
}

/// Why a view cannot be compared that is not as far as the fold.
const REPLACED: &str = "the views were replaced by others, which are not as far, while the log was folded";

/// Folds the log anew up to where the live views are, compares them row by row, and reports each row that differs, is
/// missing or is too many, view by view in the order of the keys. Answers where the live views are.
///
/// A view that has folded more than an undamaged log would give is not compared: nobody can say what it should be.
///
/// `progress` hears of each position that was folded. Changes nothing that is live, and works while the views are being
/// followed: like a rebuild it holds the live file still, as one moment of it, only for the last events and the
/// comparison, because its write-ahead log cannot be emptied meanwhile. Blocks.
///
/// # Errors
/// When there are no live views that can be read, the log cannot be read, or there is no room for the fresh fold.
pub(crate) fn verify(
    directory: &ViewsDirectory,
    log: &dyn EventLog,
    progress: &dyn Fn(Position),
    report: &mut dyn FnMut(Difference),
) -> Result<Vec<VerifiedView>, ViewsError> {
    let missing = || ViewsError::Missing(directory.path().to_owned());
    let (live_file, reached) = live(directory).ok_or_else(missing)?;
    drop(live_file);

    let scratch = directory.scratch().map_err(ViewsError::directory(directory.path()))?;
    let broken = |error| ViewsError::database(&scratch.path)(error);
    let mut fold =
        file::create_offline(&scratch.path, file::MOST_HELD_BESIDE, crate::all()).map_err(broken)?;
    let fold_to = |fold: &mut Fold, reached: &[Checkpoint]| {
        let end = stop_at(fold, reached);
        let includes = |event: ScannedEvent<'_>| {
            progress(event.position);
            event.position <= end
        };
        match catch_up(log, fold, &includes, &broken) {
            Ok(_) => Ok(None),
            Err(ViewsError::Log(error @ ReadError::Corrupt { .. })) => Ok(Some(error.to_string())),
            Err(error) => Err(error),
        }
    };
    fold_to(&mut fold, &reached)?;
    // Held still, as one moment of it, only from here on.
    let (live, reached) = live(directory).ok_or_else(missing)?;
    let live_path = directory.live().unwrap_or_default();
    let unreadable = |error| ViewsError::database(&live_path)(error);
    let damage = fold_to(&mut fold, &reached)?;

    let replayed = fold.connection();
    let mut views = Vec::with_capacity(reached.len());
    for ((projection, checkpoint), again) in fold.projections().zip(reached).zip(fold.checkpoints()) {
        let out_of_reach = again.position < checkpoint.position && again.halt.is_none();
        let went_back = (again.position > checkpoint.position).then(|| REPLACED.to_owned());
        let incomparable = damage.clone().filter(|_| out_of_reach).or(went_back);
        let comparable = incomparable.is_none();
        views.push(VerifiedView { checkpoint, incomparable });
        if !comparable {
            continue;
        }
        compare_view(&live, replayed, projection, report).map_err(unreadable)?;
    }
    Ok(views)
}

/// Reports each row of a view that differs between two files.
pub(crate) fn compare_view(
    live: &Connection,
    replayed: &Connection,
    projection: &dyn Projection,
    report: &mut dyn FnMut(Difference),
) -> Result<(), rusqlite::Error> {
    for &table in projection.tables() {
        let found = |difference: RowDifference| report(difference.named(projection.name(), table));
        compare(live, replayed, table, found)?;
    }
    Ok(())
}

/// One moment of the live file, and how far its views have come; `None` if there is no file that can be read.
pub(crate) fn live(directory: &ViewsDirectory) -> Option<(Connection, Vec<Checkpoint>)> {
    let live = file::open_to_compare(&directory.live()?).ok()?;
    let reached = checkpoints(&live, &crate::all()).ok()?;
    Some((live, reached))
}

/// Lets each view go as far as the other one has come, and answers how far that is at most.
pub(crate) fn stop_at(fold: &mut Fold, reached: &[Checkpoint]) -> Position {
    let newest = reached.iter().map(|view| view.position).max().unwrap_or_default();
    let view = |name: &str| reached.iter().find(|view| view.projection == name);
    fold.stop_at(|name| view(name).map_or(newest, |view| view.position));
    newest
}

struct RowDifference {
    key: String,
    live: Option<String>,
    replayed: Option<String>,
}

impl RowDifference {
    fn named(self, projection: &'static str, table: &'static str) -> Difference {
        let Self { key, live, replayed } = self;
        Difference { projection, table, key, live, replayed }
    }
}

/// A table as both files have it: which columns, and which of them are the key.
struct Shape {
    columns: Vec<String>,
    key: Vec<usize>,
}

/// Walks one table of both files in the order of its key.
fn compare(
    live: &Connection,
    replayed: &Connection,
    table: &str,
    mut report: impl FnMut(RowDifference),
) -> Result<(), rusqlite::Error> {
    let sql = digest::rows_in_order(replayed, table)?;
    let mut left = live.prepare(&sql)?;
    let mut right = replayed.prepare(&sql)?;
    let columns: Vec<String> = right.column_names().into_iter().map(str::to_owned).collect();
    let key = digest::key_columns(replayed, table)?;
    let key = key.iter().filter_map(|name| columns.iter().position(|column| column == name)).collect();
    let shape = Shape { columns, key };

    let (mut left, mut right) = (left.query([])?, right.query([])?);
    let (mut ours, mut theirs) = (shape.next(&mut left)?, shape.next(&mut right)?);
    loop {
        let order = match (&ours, &theirs) {
            (None, None) => return Ok(()),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(ours), Some(theirs)) => shape.compare_keys(ours, theirs),
        };
        if order == Ordering::Equal && ours != theirs {
            report(shape.difference(ours.as_deref(), theirs.as_deref()));
        } else if order == Ordering::Less {
            report(shape.difference(ours.as_deref(), None));
        } else if order == Ordering::Greater {
            report(shape.difference(None, theirs.as_deref()));
        }
        if order != Ordering::Greater {
            ours = shape.next(&mut left)?;
        }
        if order != Ordering::Less {
            theirs = shape.next(&mut right)?;
        }
    }
}

impl Shape {
    fn next(&self, rows: &mut Rows<'_>) -> Result<Option<Vec<Value>>, rusqlite::Error> {
        let Some(row) = rows.next()? else { return Ok(None) };
        (0..self.columns.len()).map(|column| row.get(column)).collect::<Result<_, _>>().map(Some)
    }

    /// In SQLite's own order: the tables are STRICT, so that a key column holds one type.
    fn compare_keys(&self, left: &[Value], right: &[Value]) -> Ordering {
        let compare = |left: &Value, right: &Value| match (left, right) {
            (Value::Integer(left), Value::Integer(right)) => left.cmp(right),
            (Value::Text(left), Value::Text(right)) => left.as_bytes().cmp(right.as_bytes()),
            (Value::Blob(left), Value::Blob(right)) => left.cmp(right),
            _ => Ordering::Equal,
        };
        self.key
            .iter()
            .map(|&column| compare(&left[column], &right[column]))
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal)
    }

    fn difference(&self, live: Option<&[Value]>, replayed: Option<&[Value]>) -> RowDifference {
        let differs = |column: &usize| match (live, replayed) {
            (Some(live), Some(replayed)) => live[*column] != replayed[*column],
            (Some(_), None) | (None, Some(_)) | (None, None) => true,
        };
        let differing: Vec<usize> = (0..self.columns.len()).filter(differs).collect();
        let row = live.or(replayed).unwrap_or_default();
        let key: Vec<String> = self.key.iter().map(|&column| text(&row[column])).collect();
        RowDifference {
            key: key.join(" "),
            live: live.map(|row| self.json(row, &differing)),
            replayed: replayed.map(|row| self.json(row, &differing)),
        }
    }

    fn json(&self, row: &[Value], columns: &[usize]) -> String {
        let members = columns.iter().map(|&column| (self.columns[column].clone(), value(&row[column])));
        serde_json::Value::Object(members.collect()).to_string()
    }
}

fn value(value: &Value) -> serde_json::Value {
    match value {
        Value::Null => json!(null),
        Value::Integer(number) => json!(number),
        Value::Real(number) => json!(number),
        Value::Text(text) => json!(text),
        Value::Blob(bytes) => json!(digest::hex(bytes)),
    }
}

fn text(key: &Value) -> String {
    match key {
        Value::Text(text) => text.clone(),
        Value::Null | Value::Integer(_) | Value::Real(_) | Value::Blob(_) => value(key).to_string(),
    }
}

#[cfg(test)]
mod tests;
