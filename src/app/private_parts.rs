//! Opening private parts: only for who may, and never without a trace.

use std::{borrow::Cow, collections::HashMap};

use domain::{
    ClientId, MemberId, Permission,
    registry::{PrivatePartsOpened, RegistryEvent},
};
use serde_json::Value;
use store::{DisclosureRef, Outcome, Revision, StreamName};

use crate::{
    App, Inner,
    aggregates::Loader,
    context::Context,
    error::{CommandError, Fault},
    members::details::{MEMBER, SAID_BY},
};

/// Events of one stream read at a time.
const PAGE: usize = 500;
/// What the vault calls a contact.
const CONTACT: &str = "contact";
/// The events that name contacts.
const NAME_CONTACTS: [&str; 2] = ["client.created", "client.contacts_changed"];

/// A private part, opened, or what became of it.
#[derive(Clone, Debug)]
pub enum PrivatePart {
    /// It can be read.
    Open(OpenedPart),
    /// Its key was deleted: the person was erased, or the reason redacted.
    Erased,
}

/// A private part in the clear. Its `Debug` shows its name alone.
#[derive(Clone)]
pub struct OpenedPart {
    /// What it is: `contact`, `reason`, `source`.
    pub name: String,
    /// The personal value.
    pub value: Value,
}

impl std::fmt::Debug for OpenedPart {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "OpenedPart({})", self.name)
    }
}

impl App {
    /// Opens these private parts, and answers them by their digests. Needs `audit:read_private`; recorded before anything is opened.
    ///
    /// # Errors
    /// [`CommandError::Denied`], or a fault; a part that does not fit its digest is a fault, never an answer.
    pub async fn open_private_parts(
        &self,
        context: Context,
        what: &'static str,
        subject: Option<String>,
        wanted: Vec<DisclosureRef>,
    ) -> Result<HashMap<String, PrivatePart>, CommandError> {
        self.run(move |inner| async move {
            if let Err(error) = context.demand(Permission::AuditReadPrivate) {
                return Err(inner.refused(&context, None, error).await);
            }
            Ok(inner.open_recorded(&context, what, subject, &wanted).await?)
        })
        .await
    }

    /// Opens who a client's contacts were when it was at `revision`, in their order. Needs `audit:read_private`; recorded
    /// before.
    ///
    /// # Errors
    /// As [`App::open_private_parts`].
    pub async fn open_contacts(
        &self,
        context: Context,
        client_id: ClientId,
        revision: Revision,
    ) -> Result<Vec<Value>, CommandError> {
        self.run(move |inner| async move {
            let stream = Loader::<domain::Client>::stream(&client_id.to_string())?;
            if let Err(error) = context.demand(Permission::AuditReadPrivate) {
                return Err(inner.refused(&context, Some(&stream), error).await);
            }
            let wanted = inner.newest_parts(&stream, &NAME_CONTACTS, Some(revision)).await?;
            let parts =
                inner.open_recorded(&context, "client.contacts", Some(stream.to_string()), &wanted).await?;
            Ok(called(CONTACT, &wanted, &parts))
        })
        .await
    }

    /// Opens who these members are, in their order; of who was erased, nothing is left. Needs `audit:read_private`;
    /// recorded before.
    ///
    /// # Errors
    /// As [`App::open_private_parts`].
    pub async fn open_members(
        &self,
        context: Context,
        members: Vec<MemberId>,
    ) -> Result<Vec<Option<Value>>, CommandError> {
        self.run(move |inner| async move {
            let mut streams = Vec::with_capacity(members.len());
            for member_id in &members {
                streams.push(Loader::<domain::Member>::stream(&member_id.to_string())?);
            }
            let subject = streams.first().filter(|_| streams.len() == 1);
            if let Err(error) = context.demand(Permission::AuditReadPrivate) {
                return Err(inner.refused(&context, subject, error).await);
            }
            let mut wanted = Vec::with_capacity(streams.len());
            for stream in &streams {
                wanted.push(inner.newest_parts(stream, &SAID_BY, None).await?);
            }
            let subject = subject.map(ToString::to_string);
            let parts = inner.open_recorded(&context, "members", subject, &wanted.concat()).await?;
            Ok(wanted.iter().map(|wanted| called(MEMBER, wanted, &parts).pop()).collect())
        })
        .await
    }
}

impl Inner {
    pub(crate) async fn open_parts(
        &self,
        wanted: &[DisclosureRef],
    ) -> Result<HashMap<String, PrivatePart>, Fault> {
        self.learn_erasures().await?;
        let rows = self.log.disclosures(wanted).await?;
        let mut parts: HashMap<_, _> =
            wanted.iter().map(|part| (part.digest.clone(), PrivatePart::Erased)).collect();
        for row in rows {
            if let Some(disclosure) = self.vault.open_disclosure(&row).await? {
                let name = disclosure.name().to_owned();
                let part = OpenedPart { name, value: disclosure.expose_value().clone() };
                parts.insert(row.digest, PrivatePart::Open(part));
            }
        }
        Ok(parts)
    }

    /// Opens parts after recording that they are opened, and which; nothing is recorded where there is nothing to open.
    async fn open_recorded(
        &self,
        context: &Context,
        what: &str,
        subject: Option<String>,
        wanted: &[DisclosureRef],
    ) -> Result<HashMap<String, PrivatePart>, Fault> {
        if wanted.is_empty() {
            return Ok(HashMap::new());
        }
        let mut positions: Vec<u64> = wanted.iter().map(|part| part.position.get()).collect();
        positions.dedup();
        let parts = u32::try_from(wanted.len()).unwrap_or(u32::MAX);
        let opened = PrivatePartsOpened { what: what.to_owned(), subject, positions, parts };
        self.record(context, Outcome::Done, RegistryEvent::PrivatePartsOpened(opened)).await?;
        self.open_parts(wanted).await
    }

    /// Who a client's contacts are, for a decision of the write side; nobody is shown them.
    pub(crate) async fn contacts_of(&self, client_id: ClientId) -> Result<Vec<Value>, CommandError> {
        let stream = Loader::<domain::Client>::stream(&client_id.to_string())?;
        let wanted = self.newest_parts(&stream, &NAME_CONTACTS, None).await?;
        Ok(called(CONTACT, &wanted, &self.open_parts(&wanted).await?))
    }

    /// The private part called `name` of the newest event of these types, for a decision of the write side; nobody is
    /// shown it.
    pub(crate) async fn newest_part(
        &self,
        stream: &StreamName,
        types: &[&str],
        name: &str,
    ) -> Result<Option<Value>, CommandError> {
        let wanted = self.newest_parts(stream, types, None).await?;
        Ok(called(name, &wanted, &self.open_parts(&wanted).await?).pop())
    }

    /// The private parts of the newest event of these types; of those up to a revision, if one is given.
    async fn newest_parts(
        &self,
        stream: &StreamName,
        types: &[&str],
        until: Option<Revision>,
    ) -> Result<Vec<DisclosureRef>, Fault> {
        let mut newest = Vec::new();
        let mut after = Revision::NONE;
        loop {
            let page = self.log.read_stream(stream, after, PAGE).await?;
            for event in &page {
                if until.is_some_and(|until| event.revision > until) {
                    return Ok(newest);
                }
                let envelope =
                    event.envelope().map_err(|error| Fault::permanent("reading an event", error))?;
                if types.contains(&envelope.event_type.as_ref()) {
                    let digests = envelope.private.into_iter().map(Cow::into_owned);
                    newest =
                        digests.map(|digest| DisclosureRef { position: event.position, digest }).collect();
                }
            }
            match page.last() {
                Some(last) if page.len() == PAGE => after = last.revision,
                Some(_) | None => return Ok(newest),
            }
        }
    }
}

/// Those of a name among opened parts, in their order; reason and source of the event stand beside them.
fn called(name: &str, wanted: &[DisclosureRef], parts: &HashMap<String, PrivatePart>) -> Vec<Value> {
    let ordered = wanted.iter().filter_map(|part| parts.get(&part.digest));
    ordered
        .filter_map(|part| match part {
            PrivatePart::Open(open) if open.name == name => Some(open.value.clone()),
            PrivatePart::Open(_) | PrivatePart::Erased => None,
        })
        .collect()
}
