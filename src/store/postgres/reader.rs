//! Reading the log.

use async_trait::async_trait;
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::database::PostgresDatabase;
use super::error::read_error;
use crate::commit::{ClaimKey, Disclosure, DisclosureKey, DisclosureRef, RecordedCommand};
use crate::error::{Place, ReadError};
use crate::event::RecordedEvent;
use crate::event_log::TokenPage;
use crate::position::{Position, Revision};
use crate::rows::{as_i64, expect_next, expect_next_of, stream_name};
use crate::stream::StreamName;
use crate::subscription::Pages;

/// Reads the tables of the log.
#[derive(Clone)]
pub(super) struct Reader(pub(super) PostgresDatabase);

impl Reader {
    pub(super) async fn read_stream(
        &self,
        stream: &StreamName,
        after: Revision,
        limit: usize,
    ) -> Result<Vec<RecordedEvent>, ReadError> {
        let query = sqlx::query(
            "SELECT position, revision, entry FROM log_events
             WHERE stream = (SELECT number FROM streams WHERE category = $1 AND id = $2) AND revision > $3
             ORDER BY revision LIMIT $4",
        );
        let query = query.bind(stream.category()).bind(stream.id());
        let rows = self.0.rows(query.bind(as_i64(after.get())).bind(as_i64(limit as u64))).await?;
        let mut expected = after;
        let mut events = Vec::with_capacity(rows.len());
        for row in &rows {
            expected = expected.next();
            let revision = Revision::new(number(row, 1)?);
            expect_next_of(stream, expected, revision)?;
            let position = Position::new(number(row, 0)?);
            events.push(RecordedEvent { position, stream: stream.clone(), revision, entry: get(row, 2)? });
        }
        Ok(events)
    }

    pub(super) async fn read_all(
        &self,
        after: Position,
        limit: usize,
    ) -> Result<Vec<RecordedEvent>, ReadError> {
        let query = sqlx::query(
            "SELECT position, revision, entry, category, id
             FROM log_events LEFT JOIN streams ON number = stream
             WHERE position > $1 ORDER BY position LIMIT $2",
        );
        let rows = self.0.rows(query.bind(as_i64(after.get())).bind(as_i64(limit as u64))).await?;
        let mut expected = after;
        let mut events = Vec::with_capacity(rows.len());
        for row in &rows {
            expected = expected.next();
            let position = Position::new(number(row, 0)?);
            expect_next(expected, position)?;
            events.push(RecordedEvent {
                position,
                stream: named_stream_of(row, 3, || Place::Position(position))?,
                revision: Revision::new(number(row, 1)?),
                entry: get(row, 2)?,
            });
        }
        Ok(events)
    }

    pub(super) async fn stream_revision(&self, stream: &StreamName) -> Result<Revision, ReadError> {
        let query = sqlx::query(
            "SELECT coalesce(max(revision), 0) FROM log_events
             WHERE stream = (SELECT number FROM streams WHERE category = $1 AND id = $2)",
        );
        let row = self.0.row(query.bind(stream.category()).bind(stream.id())).await?;
        Ok(Revision::new(number(&row, 0)?))
    }

    pub(super) async fn streams(
        &self,
        category: &str,
        after: Option<&StreamName>,
        limit: usize,
    ) -> Result<Vec<StreamName>, ReadError> {
        // Names of one category are in the order of their ids.
        let after = match after {
            Some(after) if after.category() < category => "",
            Some(after) if after.category() > category => return Ok(Vec::new()),
            Some(after) => after.id(),
            None => "",
        };
        let query = sqlx::query(
            "SELECT category, id FROM streams WHERE category = $1 AND id > $2 ORDER BY id LIMIT $3",
        );
        let rows = self.0.rows(query.bind(category).bind(after).bind(as_i64(limit as u64))).await?;
        rows.iter().map(|row| named_stream_of(row, 0, || Place::Row("a stream".to_owned()))).collect()
    }

    pub(super) async fn claim_holder(&self, key: &ClaimKey) -> Result<Option<StreamName>, ReadError> {
        let query = sqlx::query(
            "SELECT category, id FROM claims LEFT JOIN streams ON number = stream
             WHERE namespace = $1 AND key = $2",
        );
        let rows = self.0.rows(query.bind(&key.namespace).bind(&key.key)).await?;
        rows.first().map(|row| named_stream_of(row, 0, || Place::Row(format!("claim `{key}`")))).transpose()
    }

    pub(super) async fn find_command(&self, command_id: Uuid) -> Result<Option<RecordedCommand>, ReadError> {
        let query = sqlx::query("SELECT first_position, last_position FROM commands WHERE command_id = $1");
        let rows = self.0.rows(query.bind(command_id)).await?;
        rows.first().map(|row| recorded_command(row, 0)).transpose()
    }

    pub(super) async fn credential(&self, id: &str) -> Result<Option<Vec<u8>>, ReadError> {
        let rows = self.0.rows(sqlx::query("SELECT sealed FROM credentials WHERE id = $1").bind(id)).await?;
        rows.first().map(|row| get(row, 0)).transpose()
    }

    pub(super) async fn credential_ids(&self) -> Result<Vec<String>, ReadError> {
        let rows = self.0.rows(sqlx::query("SELECT id FROM credentials ORDER BY id")).await?;
        rows.iter().map(|row| get(row, 0)).collect()
    }

    pub(super) async fn disclosures(&self, wanted: &[DisclosureRef]) -> Result<Vec<Disclosure>, ReadError> {
        // They stand at the first position of their commit, and no other commit begins between that and its events.
        let query = sqlx::query(
            "SELECT disclosures.digest, person, event_key, sealed
             FROM unnest($1::bigint[], $2::text[]) WITH ORDINALITY AS wanted (position, digest, item)
             JOIN disclosures ON disclosures.digest = wanted.digest AND command_position =
               (SELECT max(command_position) FROM disclosures WHERE command_position <= wanted.position)
             ORDER BY item",
        );
        let positions: Vec<_> = wanted.iter().map(|wanted| as_i64(wanted.position.get())).collect();
        let digests: Vec<_> = wanted.iter().map(|wanted| wanted.digest.as_str()).collect();
        self.0.rows(query.bind(positions).bind(digests)).await?.iter().map(disclosure).collect()
    }

    pub(super) async fn last_event_key_slot(&self) -> Result<u64, ReadError> {
        let last = "SELECT coalesce(max(event_key), 0) FROM disclosures WHERE event_key IS NOT NULL";
        number(&self.0.row(sqlx::query(last)).await?, 0)
    }

    pub(super) async fn newest_persons(&self, most: usize) -> Result<Vec<Uuid>, ReadError> {
        let query = sqlx::query(
            "SELECT DISTINCT person FROM
               (SELECT person FROM disclosures ORDER BY command_position DESC LIMIT $1) AS newest
             WHERE person IS NOT NULL",
        );
        let rows = self.0.rows(query.bind(as_i64(most as u64))).await?;
        rows.iter().map(|row| get(row, 0)).collect()
    }

    pub(super) async fn positions_by_token(
        &self,
        token: &[u8; 16],
        page: TokenPage,
    ) -> Result<Vec<Position>, ReadError> {
        // Of persons there are few, each with many rows, so it leaps from one to the next. The first commit of a span may
        // have begun before it: no other one that did reaches into it.
        let direction = if page.ascending { "ASC" } else { "DESC" };
        let sql = format!(
            "WITH RECURSIVE persons (person) AS (
               (SELECT person FROM lookup_tokens WHERE token = $1 ORDER BY person LIMIT 1)
               UNION ALL
               SELECT (SELECT later.person FROM lookup_tokens AS later
                       WHERE later.token = $1 AND later.person > persons.person ORDER BY later.person LIMIT 1)
               FROM persons WHERE persons.person IS NOT NULL
             )
             SELECT spans.first_position, spans.last_position
             FROM persons CROSS JOIN LATERAL (
               SELECT first_position, last_position FROM lookup_tokens
               WHERE token = $1 AND lookup_tokens.person = persons.person AND first_position <= $3
                     AND first_position >= coalesce((
                       SELECT max(first_position) FROM lookup_tokens
                       WHERE token = $1 AND lookup_tokens.person = persons.person AND first_position <= $2
                     ), 0)
               ORDER BY first_position {direction} LIMIT $4
             ) AS spans"
        );
        let query = sqlx::query(&sql).bind(token.as_slice()).bind(as_i64(page.after.get()));
        let limit = page.limit.saturating_add(1) as u64;
        let query = query.bind(as_i64(page.until.get())).bind(as_i64(limit));
        let rows = self.0.rows(query).await?;
        let spans = rows.iter().map(|row| Ok((number(row, 0)?, number(row, 1)?)));
        Ok(page.of(spans.collect::<Result<Vec<_>, ReadError>>()?))
    }
}

#[async_trait]
impl Pages for Reader {
    async fn page(&self, after: Position, limit: usize) -> Result<Vec<RecordedEvent>, ReadError> {
        self.read_all(after, limit).await
    }
}

/// A value of a row.
pub(super) fn get<'r, T>(row: &'r PgRow, column: usize) -> Result<T, ReadError>
where
    T: sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
{
    row.try_get(column).map_err(read_error)
}

/// A count of a row.
pub(super) fn number(row: &PgRow, column: usize) -> Result<u64, ReadError> {
    let number: i64 = get(row, column)?;
    u64::try_from(number).map_err(|error| read_error(sqlx::Error::Decode(Box::new(error))))
}

/// The span of a command, in two columns.
pub(super) fn recorded_command(row: &PgRow, column: usize) -> Result<RecordedCommand, ReadError> {
    Ok(RecordedCommand {
        first_position: Position::new(number(row, column)?),
        position: Position::new(number(row, column + 1)?),
    })
}

/// The name of a stream, in two columns; `None` if both are empty.
pub(super) fn stream_of(
    row: &PgRow,
    column: usize,
    place: impl FnOnce() -> Place,
) -> Result<Option<StreamName>, ReadError> {
    let (category, id): (Option<&str>, Option<&str>) = (get(row, column)?, get(row, column + 1)?);
    match (category, id) {
        (Some(category), Some(id)) => stream_name(place(), Some(&format!("{category}-{id}"))).map(Some),
        (_, _) => Ok(None),
    }
}

/// The name of a stream that must be there.
pub(super) fn named_stream_of(
    row: &PgRow,
    column: usize,
    place: impl Fn() -> Place,
) -> Result<StreamName, ReadError> {
    match stream_of(row, column, &place)? {
        Some(stream) => Ok(stream),
        None => stream_name(place(), None),
    }
}

fn disclosure(row: &PgRow) -> Result<Disclosure, ReadError> {
    let person: Option<Uuid> = get(row, 1)?;
    let key = match person {
        Some(person) => DisclosureKey::Person(person),
        None => DisclosureKey::Event(number(row, 2)?),
    };
    Ok(Disclosure { digest: get(row, 0)?, key, sealed: get(row, 3)? })
}
