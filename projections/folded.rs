//! Aggregates as views keep them: one row each, folded with the domain's own `apply`.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt::Display;
use std::hash::Hash;
use std::str::FromStr;

use domain::Event;
use jiff::Timestamp;
use rusqlite::{Connection, Row};
use serde::Serialize;
use serde::de::{DeserializeOwned, Error as _};
use store::{Position, Revision};

use crate::error::QueryError;
use crate::projection::{ApplyError, ViewedEvent};
use crate::reader::{Reader, as_number, as_signed};

/// An aggregate that has a row in a view.
pub(crate) trait Viewed: Clone + Default + PartialEq + Serialize + DeserializeOwned {
    /// What stands after the category in the name of its stream.
    type Id: FromStr + Display + Clone + Ord + Hash;
    /// What is remembered beside a state that is about to be written.
    type Memo: Default;

    /// The category of its stream.
    const CATEGORY: &'static str;
    /// SQL for `revision`, `position` and `state` of the row of an id.
    const LOAD: &'static str;

    /// Folds an event in that is its own; `false` if it is another's.
    fn fold(&mut self, event: &Event, at: Timestamp, memo: &mut Self::Memo) -> bool;

    /// Writes the row.
    fn save(views: &Connection, id: &Self::Id, state: &mut State<Self>) -> Result<(), ApplyError>;
}

/// A state and where it stands: the one fold that views and looks into the past share.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Folded<A> {
    pub(crate) aggregate: A,
    pub(crate) revision: Revision,
    pub(crate) position: Position,
}

impl<A: Viewed> Folded<A> {
    /// The state after one more event of its stream.
    pub(crate) fn apply(&mut self, event: &ViewedEvent<'_>, memo: &mut A::Memo) -> Result<(), ApplyError> {
        let wrong = |what: String| Err(ApplyError::OutOfPlace(what));
        let (fact, event_type) = (event.event()?, &event.envelope.event_type);
        if event.envelope.revision != self.revision.next() {
            let (found, last) = (event.envelope.revision, self.revision);
            return wrong(format!("revision {found} cannot follow revision {last}"));
        }
        if !self.aggregate.fold(fact, event.envelope.at, memo) {
            return wrong(format!("`{event_type}` is no event of a {}", A::CATEGORY));
        }
        if self.aggregate == A::default() {
            return wrong(format!("`{event_type}` before the {} exists", A::CATEGORY));
        }
        (self.revision, self.position) = (event.envelope.revision, event.position);
        Ok(())
    }

    fn load(views: &Connection, id: &str) -> Result<Option<Self>, ApplyError> {
        let mut statement = views.prepare_cached(A::LOAD)?;
        let mut rows = statement.query([id])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        Ok(Some(Self {
            revision: Revision::new(as_number(row, 0)?),
            position: Position::new(as_number(row, 1)?),
            aggregate: serde_json::from_str(row.get_ref(2)?.as_str().map_err(rusqlite::Error::from)?)?,
        }))
    }

    /// The columns key, `revision`, `position` and `state` of a row of `view`.
    pub(crate) fn of_row(view: &'static str, row: &Row<'_>) -> Result<(A::Id, Self), QueryError> {
        let key: String = row.get(0)?;
        let broken = |source| QueryError::Row { view, key: key.clone(), source };
        let no_id = || broken(serde_json::Error::custom("the key is none"));
        let id = key.parse().map_err(|_| no_id())?;
        let state = row.get_ref(3)?.as_str().map_err(rusqlite::Error::from)?;
        let aggregate = serde_json::from_str(state).map_err(broken)?;
        let (revision, position) = (Revision::new(as_number(row, 1)?), Position::new(as_number(row, 2)?));
        Ok((id, Self { aggregate, revision, position }))
    }
}

/// States that are kept when they have been written.
const MOST_KEPT: usize = 8_192;

/// The states that a projection has in memory, between the events of a page and from one page to the next.
pub(crate) struct States<A: Viewed> {
    known: HashMap<A::Id, State<A>>,
}

/// One of them.
pub(crate) struct State<A: Viewed> {
    pub(crate) folded: Folded<A>,
    pub(crate) memo: A::Memo,
    changed: bool,
}

impl<A: Viewed> Default for States<A> {
    fn default() -> Self {
        Self { known: HashMap::new() }
    }
}

impl<A: Viewed> States<A> {
    /// Folds an event, if it is of a stream of this category.
    pub(crate) fn apply(&mut self, views: &Connection, event: &ViewedEvent<'_>) -> Result<(), ApplyError> {
        let Some(id) = event.id_in(A::CATEGORY) else { return Ok(()) };
        let no_id = |_| ApplyError::OutOfPlace(format!("`{id}` is no id of a {}", A::CATEGORY));
        let state = match self.known.entry(id.parse().map_err(no_id)?) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => {
                let folded = if event.envelope.revision.get() == 1 { None } else { Folded::load(views, id)? };
                let folded = folded.unwrap_or_default();
                unknown.insert(State { folded, memo: A::Memo::default(), changed: false })
            }
        };
        state.folded.apply(event, &mut state.memo)?;
        state.changed = true;
        Ok(())
    }

    /// How many are in memory.
    pub(crate) fn held(&self) -> usize {
        self.known.len()
    }

    /// Writes back what changed.
    pub(crate) fn flush(&mut self, views: &Connection) -> Result<(), ApplyError> {
        let mut changed: Vec<_> = self.known.iter_mut().filter(|(_, state)| state.changed).collect();
        // In the order of the table: neighbours are written while their page is at hand.
        changed.sort_unstable_by_key(|(id, _)| *id);
        for (id, state) in changed {
            A::save(views, id, state)?;
        }
        // What was just touched is likely to be touched again; so the memory is never more than twice what was gathered,
        // and after much was gathered it begins anew.
        if self.known.len() > MOST_KEPT {
            self.known = HashMap::new();
        } else {
            self.known.retain(|_, state| std::mem::take(&mut state.changed));
        }
        Ok(())
    }

    /// Forgets all.
    pub(crate) fn forget(&mut self) {
        self.known.clear();
    }
}

/// A row of a view of nouns: members, scopes, types, environments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NounRow<I, A> {
    /// Its id or name.
    pub id: I,
    /// How many events its stream has: its `ETag`.
    pub revision: Revision,
    /// The position of the newest of them.
    pub position: Position,
    /// What it is.
    pub state: A,
}

/// Some of a list of nouns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NounPage<I, A> {
    /// In the order of the list.
    pub items: Vec<NounRow<I, A>>,
    /// What to list after for the rest; `None` at the end.
    pub next: Option<I>,
}

/// What a noun needs to have its own table: its columns are `id`, `revision`, `position` and `state`.
pub(crate) trait Noun: Viewed {
    /// The view that the table belongs to.
    const VIEW: &'static str;
    /// SQL that writes a row of these four columns.
    const SAVE: &'static str;
    /// SQL for at most `?2` rows after the id `?1`, or the first ones.
    const LIST: &'static str;
}

pub(crate) fn save_noun<A: Noun>(views: &Connection, id: &A::Id, state: &State<A>) -> Result<(), ApplyError> {
    let Folded { aggregate, revision, position } = &state.folded;
    let (revision, position) = (as_signed(revision.get()), as_signed(position.get()));
    let json = serde_json::to_string(aggregate)?;
    views.prepare_cached(A::SAVE)?.execute((id.to_string(), revision, position, json))?;
    Ok(())
}

pub(crate) fn list_nouns<A: Noun>(
    reader: &Reader,
    after: Option<&A::Id>,
    limit: usize,
) -> Result<NounPage<A::Id, A>, QueryError> {
    let mut statement = reader.connection().prepare_cached(A::LIST)?;
    // One more than asked for tells whether there is a next page.
    let most = i64::try_from(limit.saturating_add(1)).unwrap_or(i64::MAX);
    let mut rows = statement.query((after.map(ToString::to_string), most))?;
    let mut items: Vec<NounRow<A::Id, A>> = Vec::new();
    while let Some(row) = rows.next()? {
        if items.len() == limit {
            return Ok(NounPage { next: items.last().map(|item| item.id.clone()), items });
        }
        let (id, Folded { aggregate: state, revision, position }) = Folded::of_row(A::VIEW, row)?;
        items.push(NounRow { id, revision, position, state });
    }
    Ok(NounPage { items, next: None })
}

/// Gives an aggregate a table of its own, listed in the order of the ids.
macro_rules! noun {
    ($aggregate:ty, $id:ty, $event:ident, view $view:expr, table $table:literal, $after:literal, $order:literal) => {
        impl $crate::folded::Viewed for $aggregate {
            type Id = $id;
            type Memo = ();

            const CATEGORY: &'static str = <$aggregate>::CATEGORY;
            const LOAD: &'static str =
                concat!("SELECT revision, position, state FROM ", $table, " WHERE id = ?1");

            fn fold(&mut self, event: &domain::Event, at: jiff::Timestamp, (): &mut ()) -> bool {
                let domain::Event::$event(fact) = event else { return false };
                self.apply(fact, at);
                true
            }

            fn save(
                views: &rusqlite::Connection,
                id: &$id,
                state: &mut $crate::folded::State<Self>,
            ) -> Result<(), $crate::projection::ApplyError> {
                $crate::folded::save_noun(views, id, state)
            }
        }

        impl $crate::folded::Noun for $aggregate {
            const VIEW: &'static str = $view;
            const SAVE: &'static str = concat!(
                "INSERT INTO ", $table, " (id, revision, position, state) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (id) DO UPDATE SET
                     revision = excluded.revision, position = excluded.position, state = excluded.state"
            );
            const LIST: &'static str = concat!(
                "SELECT id, revision, position, state FROM ", $table,
                " WHERE ?1 IS NULL OR id ", $after, " ?1 ORDER BY id ", $order, " LIMIT ?2"
            );
        }
    };
}
pub(crate) use noun;
