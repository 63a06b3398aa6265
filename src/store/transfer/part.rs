//! The parts of which all that an instance holds consists.

use std::fmt;

use super::{Row, Value, Which};
use crate::error::ReadError;
use crate::position::Position;
use crate::rows::expect_next;

/// A kind of rows. What they are is the same for every database; how it keeps them is its own matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// The log itself.
    Entries,
    /// Where each command's entries stand.
    Commands,
    /// Sealed private parts of entries.
    Disclosures,
    /// Who holds a unique key.
    Claims,
    /// Sealed verifiers and secrets.
    Credentials,
    /// By which addresses are found again.
    LookupTokens,
    /// Keys that are wrapped by the master key.
    DataKeys,
    /// Keys of persons.
    PersonKeys,
    /// Keys of single disclosures.
    EventKeys,
    /// The highest slot that ever held such a key.
    LastEventKey,
    /// What clients did.
    Activity,
    /// When each credential was last used.
    LastUsed,
    /// Days of activity that are over.
    Segments,
    /// What is good for a time.
    Vouchers,
    /// How far things were counted.
    Counts,
}

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Number,
    Text,
    Bytes,
    Id,
}

/// A column, by the name that statements know it by.
pub(crate) type Column = (&'static str, Kind);

use Kind::{Bytes, Id, Number, Text};

impl Part {
    /// In the order in which they are moved: claims refer to streams, which entries bring.
    pub const ALL: [Self; 15] = [
        Self::Entries,
        Self::Commands,
        Self::Disclosures,
        Self::Claims,
        Self::Credentials,
        Self::LookupTokens,
        Self::DataKeys,
        Self::PersonKeys,
        Self::EventKeys,
        Self::LastEventKey,
        Self::Activity,
        Self::LastUsed,
        Self::Segments,
        Self::Vouchers,
        Self::Counts,
    ];

    /// Its name for people and scripts.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Entries => "entries",
            Self::Commands => "commands",
            Self::Disclosures => "disclosures",
            Self::Claims => "claims",
            Self::Credentials => "credentials",
            Self::LookupTokens => "lookup_tokens",
            Self::DataKeys => "data_keys",
            Self::PersonKeys => "person_keys",
            Self::EventKeys => "event_keys",
            Self::LastEventKey => "last_event_key",
            Self::Activity => "activity",
            Self::LastUsed => "last_used",
            Self::Segments => "segments",
            Self::Vouchers => "vouchers",
            Self::Counts => "counts",
        }
    }

    /// Its columns; those of the key come first.
    pub(crate) const fn columns(self) -> &'static [Column] {
        match self {
            Self::Entries => {
                &[("position", Number), ("stream", Text), ("revision", Number), ("entry", Bytes)]
            }
            Self::Commands => &[("command_id", Id), ("first_position", Number), ("last_position", Number)],
            Self::Disclosures => &[
                ("command_position", Number),
                ("digest", Text),
                ("person", Id),
                ("event_key", Number),
                ("sealed", Bytes),
            ],
            Self::Claims => &[("namespace", Text), ("key", Text), ("stream", Text)],
            Self::Credentials => &[("id", Text), ("sealed", Bytes)],
            Self::LookupTokens => {
                &[("token", Bytes), ("person", Id), ("first_position", Number), ("last_position", Number)]
            }
            Self::DataKeys => &[("ordinal", Number), ("id", Text), ("purpose", Text), ("wrapped", Bytes)],
            Self::PersonKeys => &[("person", Id), ("token", Bytes), ("wrapped", Bytes)],
            Self::EventKeys => &[("slot", Number), ("wrapped", Bytes)],
            Self::LastEventKey => &[("only_row", Number), ("last_event_key", Number)],
            Self::Activity => &[
                ("position", Number),
                ("at", Number),
                ("kind", Text),
                ("outcome", Text),
                ("reason", Text),
                ("environment", Text),
                ("client", Text),
                ("credential", Text),
                ("request_id", Text),
                ("count", Number),
                ("since", Number),
                ("source_token", Bytes),
                ("source", Bytes),
                ("token", Text),
                ("grant_id", Text),
                ("scope", Text),
            ],
            Self::LastUsed => &[("credential", Text), ("client", Text), ("at", Number)],
            Self::Segments => {
                &[("number", Number), ("first_position", Number), ("last_position", Number), ("root", Bytes)]
            }
            Self::Vouchers => {
                &[("kind", Text), ("id", Text), ("data", Bytes), ("expires_at", Number), ("spent_at", Number)]
            }
            Self::Counts => &[("key", Text), ("count", Number), ("expires_at", Number)],
        }
    }

    /// The columns of the key.
    pub(crate) fn key_columns(self) -> &'static [Column] {
        let columns = match self {
            Self::Entries
            | Self::Commands
            | Self::Credentials
            | Self::DataKeys
            | Self::PersonKeys
            | Self::EventKeys
            | Self::LastEventKey
            | Self::Activity
            | Self::LastUsed
            | Self::Segments
            | Self::Counts => 1,
            Self::Disclosures | Self::Claims | Self::Vouchers => 2,
            Self::LookupTokens => 3,
        };
        &self.columns()[..columns]
    }

    /// The key of a row.
    pub(crate) fn key(self, row: &[Value]) -> &[Value] {
        &row[..self.key_columns().len()]
    }

    /// Whether no row is ever changed or removed.
    pub(super) const fn only_grows(self) -> bool {
        match self {
            Self::Entries
            | Self::Commands
            | Self::Disclosures
            | Self::DataKeys
            | Self::Activity
            | Self::Segments => true,
            Self::Claims
            | Self::Credentials
            | Self::LookupTokens
            | Self::PersonKeys
            | Self::EventKeys
            | Self::LastEventKey
            | Self::LastUsed
            | Self::Vouchers
            | Self::Counts => false,
        }
    }

    /// Whether a new row comes behind all others, besides: then what was copied once is not looked at before it is compared.
    pub(super) const fn grows_at_its_end(self) -> bool {
        self.only_grows() && !matches!(self, Self::Commands)
    }

    /// Fails if an entry is missing before this row, which is the `number`th.
    pub(super) fn expect_next(self, row: &Row, number: u64) -> Result<(), ReadError> {
        if let (Self::Entries, Some(Value::Number(position))) = (self, row.first()) {
            expect_next(Position::new(number), Position::new(position.unsigned_abs()))?;
        }
        Ok(())
    }
}

/// How a database keeps the rows of a part.
pub(crate) struct Kept {
    /// The columns, as they are selected.
    pub(crate) columns: &'static str,
    /// From where.
    pub(crate) from: &'static str,
    /// The columns of the key, as they are compared.
    pub(crate) key: &'static str,
    /// What adds rows, statement by statement.
    pub(crate) add: &'static [&'static str],
    /// What removes rows.
    pub(crate) remove: &'static [&'static str],
}

impl Kept {
    /// The statement that reads rows; a key is bound to its placeholders, the first of which is `mark` and 1.
    pub(crate) fn select(&self, part: Part, which: Which<'_>, limit: usize, mark: char) -> String {
        let Self { columns, from, key, .. } = self;
        let placeholders = |count: usize| {
            let numbered: Vec<_> = (1..=count).map(|number| format!("{mark}{number}")).collect();
            numbered.join(", ")
        };
        let (condition, direction) = match which {
            Which::After(None) => (String::new(), "ASC"),
            Which::After(Some(key_of)) => {
                (format!("WHERE ({key}) > ({})", placeholders(key_of.len())), "ASC")
            }
            Which::At(key_of) => (format!("WHERE ({key}) = ({})", placeholders(key_of.len())), "ASC"),
            Which::Last => (String::new(), "DESC"),
        };
        let order: Vec<_> =
            (1..=part.key_columns().len()).map(|column| format!("{column} {direction}")).collect();
        format!("SELECT {columns} FROM {from} {condition} ORDER BY {} LIMIT {limit}", order.join(", "))
    }

    /// The statement that counts the rows.
    pub(crate) fn count(&self) -> String {
        format!("SELECT count(*) FROM {}", self.from)
    }
}

impl fmt::Display for Part {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.name().replace('_', " "))
    }
}
