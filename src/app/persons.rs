//! What the registry holds of a person, by pseudonym: where, never what.

use std::{collections::BTreeMap, ops::ControlFlow, sync::Arc};

use domain::{Client, ClientId, Erasures, LegalHolds, PersonId, erasure::PersonKind, legal_hold::LegalHold};
use jiff::Timestamp;
use serde_json::Value;
use store::{Envelope, EventLog, Position, ReadError, StreamName};

use crate::{
    App, Inner,
    error::{CommandError, Fault},
};

/// How many look for who names a person at once.
pub(crate) const MOST_AT_ONCE: usize = 2;

/// What is held of a person.
#[derive(Clone, Debug)]
pub struct Person {
    /// Who, by pseudonym.
    pub person_id: PersonId,
    /// What the person is to the registry.
    pub kind: PersonKind,
    /// When it was erased.
    pub erased_at: Option<Timestamp>,
    /// The clients that ever named it, and whether they still do.
    pub clients: BTreeMap<ClientId, bool>,
    /// The oldest legal hold that keeps it from being erased.
    pub legal_hold: Option<LegalHold>,
}

impl App {
    /// What is held of a person. Reads the whole log: no index has what only an erasure asks for.
    ///
    /// # Errors
    /// [`CommandError::NotFound`]; [`CommandError::Busy`] if others look already; or a fault.
    pub async fn person(&self, person_id: PersonId) -> Result<Person, CommandError> {
        self.run(move |inner| async move { inner.person(person_id).await }).await
    }
}

impl Inner {
    async fn person(&self, person_id: PersonId) -> Result<Person, CommandError> {
        let register = self.erasures.current(Erasures::REGISTER).await?;
        let erased_at = register.aggregate.erased_at(person_id);
        let member = self.members.current(&person_id.to_string()).await?;
        let is_member = member.aggregate.membership().is_some();
        if !is_member && erased_at.is_none() && !self.vault.knows(person_id.0).await? {
            return Err(CommandError::NotFound("person"));
        }
        let log = Arc::clone(&self.log);
        let _looking = self.looking_for_names.try_acquire().map_err(|_| CommandError::Busy)?;
        let clients = tokio::task::spawn_blocking(move || clients_naming(log.as_ref(), person_id))
            .await
            .map_err(|error| Fault::permanent("looking for who names a person", error))??;
        let holds = self.legal_holds.current(LegalHolds::REGISTER).await?;
        let (touched, _) = self.touched_by_erasure(person_id, &holds.aggregate).await?;
        Ok(Person {
            person_id,
            kind: if is_member { PersonKind::Member } else { PersonKind::Contact },
            erased_at,
            clients,
            legal_hold: holds.aggregate.covering(&touched).cloned(),
        })
    }
}

/// The clients that ever named a person as a contact, and whether they still do.
fn clients_naming(log: &dyn EventLog, person_id: PersonId) -> Result<BTreeMap<ClientId, bool>, ReadError> {
    let person = person_id.to_string();
    let mut clients = BTreeMap::new();
    log.scan(Position::ORIGIN, &mut |event| {
        // Nearly every entry ends here: most name nobody.
        if str::from_utf8(event.entry).is_ok_and(|entry| entry.contains(&person))
            && let Ok(envelope) = Envelope::parse(event.entry)
            && let Some((client, still)) = named_by(&envelope, &person)
        {
            clients.insert(client, still);
        }
        ControlFlow::Continue(())
    })?;
    Ok(clients)
}

/// The client whose contacts an event sets, if the person is or was one of them; and whether it still is.
fn named_by(envelope: &Envelope<'_>, person: &str) -> Option<(ClientId, bool)> {
    let stream: StreamName = envelope.stream.parse().ok()?;
    if stream.category() != Client::CATEGORY {
        return None;
    }
    let data: Value = serde_json::from_str(envelope.data.get()).ok()?;
    let names = |contacts: &Value| {
        contacts.as_array().is_some_and(|contacts| contacts.iter().any(|contact| contact == person))
    };
    let (before, after) = match envelope.event_type.as_ref() {
        "client.created" => (false, names(&data["contacts"])),
        "client.contacts_changed" => (names(&data["contacts"]["old"]), names(&data["contacts"]["new"])),
        _ => (false, false),
    };
    let client = stream.id().parse().ok()?;
    (before || after).then_some((client, after))
}
