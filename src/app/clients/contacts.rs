//! Contacts: pseudonyms in the events, people in the vault.

use domain::{ClientId, Erasures, PersonId};
use serde_json::json;

use super::{Beside, Contact};
use crate::{Inner, aggregates::Loader, error::CommandError, ids::uuid_v7};

impl Inner {
    /// Finds or makes the pseudonym of each contact, and seals who it is. Nobody may be erased until that is recorded: it
    /// would be sealed under a key that is gone.
    pub(super) async fn seal_contacts(
        &self,
        contacts: &[Contact],
        beside: &mut Beside,
    ) -> Result<Vec<PersonId>, CommandError> {
        let wrong: Vec<_> = contacts
            .iter()
            .enumerate()
            .flat_map(|(place, contact)| {
                let pointer = format!("/contacts/{place}");
                domain::client::check_contact(contact.name.expose(), contact.email.expose(), &pointer)
            })
            .collect();
        if !wrong.is_empty() {
            return Err(CommandError::Invalid(wrong));
        }
        let register = self.erasures.current(Erasures::REGISTER).await?.revision;
        beside.unmoved.push((Loader::<Erasures>::stream(Erasures::REGISTER)?, register));
        // Who was erased on another node comes back as somebody new.
        self.learn_erasures().await?;
        let mut persons = Vec::with_capacity(contacts.len());
        for contact in contacts {
            let candidate = uuid_v7(self.log.now(), self.entropy.as_ref())?;
            let person = self.vault.person_by_email(contact.email.expose(), candidate).await?;
            let value =
                json!({ "person": person, "name": contact.name.expose(), "email": contact.email.expose() });
            beside.private.push(self.vault.seal_for_person(person, "contact", value).await?);
            persons.push(PersonId(person));
        }
        Ok(persons)
    }

    /// Whether a client's contacts are these already, to the letter.
    pub(super) async fn same_contacts(
        &self,
        client_id: ClientId,
        contacts: &[Contact],
    ) -> Result<bool, CommandError> {
        let now = self.contacts_of(client_id).await?;
        let given =
            contacts.iter().map(|contact| (contact.name.expose().as_str(), contact.email.expose().as_str()));
        let held: Vec<_> = now.iter().map(|part| (text(part, "name"), text(part, "email"))).collect();
        Ok(given.eq(held.iter().copied()))
    }
}

fn text<'a>(part: &'a serde_json::Value, field: &str) -> &'a str {
    part.get(field).and_then(serde_json::Value::as_str).unwrap_or_default()
}
