//! Finding the events of a filter: leaping through the sorted postings of its properties until they meet.
//!
//! A search takes about as many look-ups as the rarest of its properties has hits in the stretch that a page covers,
//! whatever the size of the log. Where even that is much, because many events have one property each and hardly any
//! has both, it stops half way and says so: a page has fewer items then, and the next one goes on where it stopped.

use std::ops::Range;

use rusqlite::types::Value;
use store::{Outcome, Position};

use super::posting::{Effort, Index, Posting};
use super::{AuditFilter, AuditFound, AuditPage, Order, number_of, time_range, words};
use crate::error::QueryError;
use crate::reader::{Reader, as_signed, as_unsigned};

/// Look-ups that one page may take: a few microseconds each.
pub(super) const MOST_LOOKUPS: usize = 1_000;

/// What a search needs to meet.
#[derive(Default)]
struct Conditions {
    /// Of each, at least one must hold.
    any_of: Vec<Vec<Posting>>,
    /// None of these may hold.
    none_of: Vec<Posting>,
    /// A value that no event has: nothing is found.
    nothing: bool,
}

/// The events that a filter lets through, in the order asked for.
pub(super) fn search(
    reader: &Reader,
    filter: &AuditFilter,
    page: AuditPage,
    effort: usize,
) -> Result<AuditFound, QueryError> {
    let views = reader.connection();
    let last: Option<i64> =
        views.prepare_cached("SELECT max(position) FROM audit_events")?.query_row([], |row| row.get(0))?;
    let last = last.unwrap_or(0);
    let conditions = Conditions::of(reader, filter, page.order)?;
    let mut found = AuditFound { positions: Vec::new(), rest: None, end: Position::new(as_unsigned(last)) };
    if conditions.nothing {
        return Ok(found);
    }
    let mut ranges = match (filter.from, filter.to) {
        (None, None) => Vec::from([Range { start: 1, end: last.saturating_add(1) }]),
        (from, to) => time_range::positions(views, from, to)?,
    };
    if page.order == Order::Descending {
        ranges.reverse();
    }
    Leaps { reader, page, conditions, effort: Effort(effort) }.run(&ranges, &mut found)?;
    Ok(found)
}

impl Conditions {
    fn of(reader: &Reader, filter: &AuditFilter, order: Order) -> Result<Self, QueryError> {
        let mut conditions = Self::default();
        let types = filter.types(reader)?;
        conditions.nothing = types.is_empty() && !filter.event_types.is_empty();
        conditions.one_of(reader, Index::Type, &types)?;
        let single = [
            (Index::Ticket, &filter.ticket),
            (Index::Subject, &filter.subject),
            (Index::Actor, &filter.actor),
            (Index::Responsible, &filter.responsible),
            (Index::Environment, &filter.environment),
        ];
        for (index, word) in single {
            conditions.one_of(reader, index, word.as_slice())?;
        }
        if let Some(request_id) = &filter.request_id {
            conditions.any_of.push(vec![Posting::of(Index::Request, number_of(request_id))]);
        }
        if let Some(correlation_id) = &filter.correlation_id {
            let number = number_of(correlation_id);
            conditions.any_of.push(vec![
                Posting::of(Index::Correlation, number),
                Posting::of(Index::RequestAsCorrelation, number),
            ]);
        }
        let refused = || Posting::of(Index::Refusal, 1_i64);
        match filter.outcome {
            Some(Outcome::Refused) => conditions.any_of.push(vec![refused()]),
            Some(Outcome::Done) => conditions.none_of.push(refused()),
            None => {}
        }
        for word in filter.words() {
            conditions.any_of.push(vec![Posting::of(Index::Text, format!("\"{word}\""))]);
        }
        if let Some(among) = &filter.among {
            let positions = among.iter().map(|position| as_signed(position.get()));
            conditions.any_of.push(vec![match order {
                Order::Ascending => Posting::given(positions),
                Order::Descending => Posting::given(positions.rev()),
            }]);
        }
        Ok(conditions)
    }

    /// One of these words in a column; no condition if there are none.
    fn one_of(&mut self, reader: &Reader, index: Index, wanted: &[String]) -> Result<(), QueryError> {
        if wanted.is_empty() {
            return Ok(());
        }
        let mut postings = Vec::new();
        for word in wanted {
            if let Some(number) = words::find(reader.connection(), word)? {
                postings.push(Posting::of(index, Value::Integer(number)));
            }
        }
        self.nothing |= postings.is_empty();
        self.any_of.push(postings);
        Ok(())
    }
}

/// A search under way.
struct Leaps<'r> {
    reader: &'r Reader,
    page: AuditPage,
    conditions: Conditions,
    effort: Effort,
}

/// Where the next event can be at the earliest.
enum Leap {
    /// Here: it meets every condition.
    Here,
    /// There, or further on.
    To(i64),
    /// Nowhere.
    Nowhere,
}

impl Leaps<'_> {
    fn run(&mut self, ranges: &[Range<i64>], found: &mut AuditFound) -> Result<(), QueryError> {
        let order = self.page.order;
        let step = order.step();
        let lowest = self.page.after.map_or(1, |after| as_signed(after.get()).saturating_add(1));
        let highest = self.page.before.map_or(i64::MAX, |before| as_signed(before.get()).saturating_sub(1));
        for range in ranges {
            let (low, high) = (range.start.max(lowest), (range.end - 1).min(highest));
            let mut place = match order {
                Order::Ascending => low,
                Order::Descending => high,
            };
            while (low..=high).contains(&place) {
                if self.effort.0 == 0 {
                    found.rest = Some(Position::new(as_unsigned(place - step)));
                    return Ok(());
                }
                match self.leap(place)? {
                    Leap::Nowhere => return Ok(()),
                    Leap::To(next) => place = next,
                    // One more than asked for tells that there is a next page.
                    Leap::Here if found.positions.len() == self.page.limit => {
                        found.rest = found.positions.last().copied();
                        return Ok(());
                    }
                    Leap::Here => {
                        found.positions.push(Position::new(as_unsigned(place)));
                        place += step;
                    }
                }
            }
        }
        Ok(())
    }

    fn leap(&mut self, place: i64) -> Result<Leap, QueryError> {
        let (views, order) = (self.reader.connection(), self.page.order);
        let Conditions { any_of, none_of, nothing: _ } = &mut self.conditions;
        for postings in any_of {
            let mut nearest = None;
            for posting in postings {
                let hit = posting.seek(views, order, place, &mut self.effort)?;
                nearest = match (nearest, hit) {
                    (Some(nearest), Some(hit)) if order.is_before(nearest, hit) => Some(nearest),
                    (nearest, None) => nearest,
                    (_, Some(hit)) => Some(hit),
                };
                if nearest == Some(place) {
                    break;
                }
            }
            match nearest {
                None => return Ok(Leap::Nowhere),
                Some(nearest) if nearest != place => return Ok(Leap::To(nearest)),
                Some(_) => {}
            }
        }
        for posting in none_of {
            if posting.seek(views, order, place, &mut self.effort)? == Some(place) {
                return Ok(Leap::To(place + order.step()));
            }
        }
        Ok(Leap::Here)
    }
}
