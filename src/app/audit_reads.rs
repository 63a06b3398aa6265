//! What is recorded of who reads the audit: every export, and every question once in a while (behaviour A2).

use std::{collections::BTreeMap, net::IpAddr, time::Duration};

use crypto::Personal;
use domain::{
    ClientType, Environment, Permission, Role, ScopeDefinition,
    registry::{AuditExported, AuditRead, RegistryEvent},
};
use moka::sync::Cache;
use serde_json::Value;
use store::{Disclosure, Outcome, Position, TokenPage};
use uuid::Uuid;

use crate::{
    App, Inner,
    context::Context,
    error::{CommandError, Fault},
};

/// For how long the same question through the same token is not recorded again. Without it, replay tooling that polls
/// the feed would be answered with nothing but the records of its own polling.
pub(crate) const COALESCED_SECONDS: u32 = 15 * 60;
/// Questions that are remembered; one that is forgotten early is recorded again, never left out.
const REMEMBERED: u64 = 10_000;
/// The longest value of a filter that is recorded in public.
const LONGEST_PUBLIC_VALUE: usize = 100;
/// What the vault calls the filters that may tell about a person.
const PRIVATE_PART: &str = "query";

/// A question to the audit, without the place where its page begins: the next page is the same question.
#[derive(Clone, Debug)]
pub struct AuditQuery {
    what: &'static str,
    subject: Option<String>,
    filters: BTreeMap<&'static str, String>,
    private: BTreeMap<&'static str, Personal<String>>,
}

/// What is taken out of the audit, beside the question.
#[derive(Clone, Copy, Debug)]
pub struct AuditExport {
    /// The format: `ndjson`, `csv`, …
    pub format: &'static str,
    /// Whether private parts are asked for.
    pub include_private: bool,
    /// It begins after this position.
    pub after: Position,
    /// It ends with this position.
    pub until: Position,
}

impl AuditQuery {
    /// A question to `what`: `audit.events`, `client.history`.
    pub fn of(what: &'static str) -> Self {
        Self { what, subject: None, filters: BTreeMap::new(), private: BTreeMap::new() }
    }

    /// The stream that is read, if it is one.
    #[must_use]
    pub fn about(mut self, stream: String) -> Self {
        self.subject = Some(stream);
        self
    }

    /// A filter whose value is one of ours, or the reference of a ticket. Anybody can write anything into a query: what
    /// does not look like a reference is taken for personal.
    #[must_use]
    pub fn filter(self, name: &'static str, value: Option<impl ToString>) -> Self {
        self.public_if(is_reference, name, value)
    }

    /// A filter whose value is an id. Whoever is looked for by a name or an address instead finds nothing, but must not
    /// stand in the log for it.
    #[must_use]
    pub fn id(self, name: &'static str, value: Option<impl ToString>) -> Self {
        self.public_if(is_id, name, value)
    }

    /// A filter whose value is the id of a secret. Whoever puts the secret itself there finds nothing, but must not have
    /// published it.
    #[must_use]
    pub fn secret_id(self, name: &'static str, value: Option<impl ToString>) -> Self {
        self.public_if(is_secret_id, name, value)
    }

    /// A filter whose value is the name of a stream; as with an id, what can be none is taken for personal.
    #[must_use]
    pub fn stream(self, name: &'static str, value: Option<impl ToString>) -> Self {
        self.public_if(is_stream, name, value)
    }

    fn public_if(
        mut self,
        is_public: fn(&str) -> bool,
        name: &'static str,
        value: Option<impl ToString>,
    ) -> Self {
        match value.map(|value| value.to_string()) {
            Some(value) if is_public(&value) => {
                self.filters.insert(name, value);
                self
            }
            Some(value) => self.private_filter(name, Some(value)),
            None => self,
        }
    }

    /// A filter whose value may tell about a person: an address, free text.
    #[must_use]
    pub fn private_filter(mut self, name: &'static str, value: Option<String>) -> Self {
        if let Some(value) = value {
            self.private.insert(name, Personal::new(value));
        }
        self
    }

    fn parts(&self) -> Vec<&[u8]> {
        let mut parts = vec![self.what.as_bytes(), self.subject.as_deref().unwrap_or_default().as_bytes()];
        let public = self.filters.iter().map(|(name, value)| (name, value.as_bytes()));
        let private = self.private.iter().map(|(name, value)| (name, value.expose().as_bytes()));
        for (name, value) in public.chain(private) {
            parts.extend([name.as_bytes(), value]);
        }
        parts
    }

    fn public(&self) -> BTreeMap<String, String> {
        self.filters.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
    }

    fn private_names(&self) -> Vec<String> {
        self.private.keys().map(|name| (*name).to_owned()).collect()
    }
}

fn is_reference(value: &str) -> bool {
    value.len() <= LONGEST_PUBLIC_VALUE
        && !value.contains('@')
        && value.chars().all(|character| character.is_ascii_graphic())
        && !crypto::has_secret(value)
}

/// Whether it has the form of the id of a secret: that of one which is shown once, or of a signing secret.
fn is_secret_id(value: &str) -> bool {
    let signing = value.len() == 24 && value.bytes().all(|byte| byte.is_ascii_hexdigit());
    signing || value.parse::<crypto::SecretId>().is_ok()
}

fn is_id(value: &str) -> bool {
    Uuid::try_parse(value).is_ok()
}

/// Whether it is a stream that has an id, or one of those that have the name of something of ours.
fn is_stream(value: &str) -> bool {
    const NAMED: [&str; 4] =
        [Environment::CATEGORY, ClientType::CATEGORY, ScopeDefinition::CATEGORY, Role::CATEGORY];
    value
        .split_once('-')
        .is_some_and(|(category, name)| is_id(name) || NAMED.contains(&category) && is_reference(name))
}

/// The questions that were recorded a short while ago, by a keyed digest. By the monotonic clock: the wall clock may be
/// set.
pub(crate) struct RecordedReads(Cache<[u8; 32], ()>);

impl RecordedReads {
    pub(crate) fn new() -> Self {
        let lifetime = Duration::from_secs(u64::from(COALESCED_SECONDS));
        Self(Cache::builder().max_capacity(REMEMBERED).time_to_live(lifetime).build())
    }

    /// Whether it was recorded a short while ago.
    pub(crate) fn is_recent(&self, question: &[u8; 32]) -> bool {
        self.0.contains_key(question)
    }

    /// It is recorded now.
    pub(crate) fn remember(&self, question: [u8; 32]) {
        self.0.insert(question, ());
    }
}

impl App {
    /// Records that the audit is read, before it is; answers where, or `None` if the same question through the same
    /// token was recorded on this node within 15 minutes.
    ///
    /// # Errors
    /// The fault that kept it from being recorded: then nothing may be shown.
    pub async fn record_audit_read(
        &self,
        context: &Context,
        query: AuditQuery,
    ) -> Result<Option<Position>, CommandError> {
        let context = context.clone();
        self.run(move |inner| async move {
            let question = inner.question(&context, "audit/question", &query.parts());
            if inner.audit_reads.is_recent(&question) {
                return Ok(None);
            }
            let read = RegistryEvent::AuditRead(AuditRead {
                what: query.what.to_owned(),
                subject: query.subject.clone(),
                filters: query.public(),
                private_filters: query.private_names(),
                coalesced_seconds: COALESCED_SECONDS,
            });
            let private = inner.sealed_filters(&query).await?;
            let position = inner.note(&context, Outcome::Done, read, private).await?;
            inner.audit_reads.remember(question);
            Ok(Some(position))
        })
        .await
    }

    /// Where the events are that were caused from an address. Needs `audit:read_private`, because the answer tells who was
    /// there. That it was asked is recorded by [`App::record_audit_read`], with the address as a private filter.
    ///
    /// # Errors
    /// [`CommandError::Denied`], or a fault.
    pub async fn audit_positions_of_address(
        &self,
        context: &Context,
        address: IpAddr,
        page: TokenPage,
    ) -> Result<Vec<Position>, CommandError> {
        self.demand(context.clone(), Permission::AuditReadPrivate).await?;
        let token = self.inner.vault.address_token(&address.to_string());
        Ok(self.inner.log.positions_by_token(&token, page).await?)
    }

    /// Records that the audit is exported, before it is; each time.
    ///
    /// # Errors
    /// The fault that kept it from being recorded: then nothing may be exported.
    pub async fn record_audit_export(
        &self,
        context: &Context,
        query: AuditQuery,
        export: AuditExport,
    ) -> Result<Position, CommandError> {
        let context = context.clone();
        self.run(move |inner| async move {
            let AuditExport { format, include_private, after, until } = export;
            let exported = RegistryEvent::AuditExported(AuditExported {
                filters: query.public(),
                private_filters: query.private_names(),
                format: format.to_owned(),
                include_private,
                after: after.get(),
                until: until.get(),
            });
            let private = inner.sealed_filters(&query).await?;
            Ok(inner.note(&context, Outcome::Done, exported, private).await?)
        })
        .await
    }
}

impl Inner {
    /// What tells one question of one token from every other; nothing that was asked can be read from it.
    pub(crate) fn question(&self, context: &Context, label: &str, what: &[&[u8]]) -> [u8; 32] {
        let actor = context.recorded_actor();
        let by = [actor.id.as_bytes(), actor.via.as_deref().unwrap_or_default().as_bytes()];
        self.vault.ring.digests.digest(label, &[&by, what].concat())
    }

    /// The filters that may tell about a person, under a key of their own.
    async fn sealed_filters(&self, query: &AuditQuery) -> Result<Vec<Disclosure>, Fault> {
        if query.private.is_empty() {
            return Ok(Vec::new());
        }
        let values =
            query.private.iter().map(|(name, value)| ((*name).to_owned(), value.expose().as_str().into()));
        Ok(vec![self.vault.seal_for_event(PRIVATE_PART, Value::Object(values.collect())).await?])
    }
}

#[cfg(test)]
mod tests {
    use super::AuditQuery;

    #[test]
    fn a3_what_does_not_look_like_a_reference_is_not_recorded_in_public() {
        let id = "0193b5e0-7a5c-7c3e-9d1f-2b3c4d5e6f70";
        let query = AuditQuery::of("audit.events")
            .filter("ticket", Some("INC-42"))
            .filter("client", None::<&str>)
            .filter("type", Some("Ada Lovelace"))
            .filter("outcome", Some("x".repeat(101)))
            .id("actor", Some("ada.lovelace"))
            .id("responsible", Some(id))
            .id("request_id", Some("192.0.2.7"))
            .stream("subject", Some("person-ada.lovelace"))
            .private_filter("address", Some("192.0.2.7".to_owned()));
        let public = [("responsible", id), ("ticket", "INC-42")];
        assert_eq!(query.public(), public.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
        assert_eq!(query.private_names(), ["actor", "address", "outcome", "request_id", "subject", "type"]);
        assert!(!format!("{query:?}").to_lowercase().contains("lovelace"));
        let secret =
            "mcs_wub6gnYaWXKkegFO_JiuY9wy5UlOEufh2D6RnfeGLYUh2Na56Zg71lrsxPGz_02ucoQ2VLilGmYe2Qf48q1Vd";
        let query = AuditQuery::of("activity")
            .filter("ticket", Some(secret))
            .secret_id("secret", Some(secret))
            .stream("subject", Some(format!("scope-{secret}")));
        assert_eq!(query.public(), [].into());
        for id in ["wub6gnYaWXKkegFO", "000102030405060708090a0b"] {
            let query = AuditQuery::of("activity").secret_id("secret", Some(id));
            assert_eq!(query.public()["secret"], id);
        }
        for stream in ["scope-matters:read", &format!("client-{id}")] {
            assert_eq!(
                AuditQuery::of("audit.events").stream("subject", Some(stream)).public()["subject"],
                stream
            );
        }
    }
}
