//! From a request to who asks, for what, and how.

mod anonymous;
mod body;
mod command;
mod context;
mod encoding;
mod idempotency_key;
mod if_match;
mod json;
pub(crate) mod page;
pub(crate) mod path;
mod principal;
mod query;
mod read;
#[cfg(test)]
mod tests;
mod time;

pub(crate) use anonymous::Anonymous;
pub(crate) use body::{bytes_of, said_in};
pub(crate) use command::{Command, CommandBody, Why, why};
pub(crate) use context::{of as member_context, source};
pub(crate) use encoding::accepts_gzip;
pub(crate) use idempotency_key::NAME as IDEMPOTENCY_KEY;
pub(crate) use json::{Object, Salvaged, json_value, present, salvage, whole, wrong};
pub(crate) use principal::who;
pub(crate) use query::NoParameters;
pub(crate) use read::{Read, body_of_read};
pub(crate) use time::{present_time, time};
