//! Who stands opposite each other when a client asks a member: told to that member alone.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use crypto::Personal;
use domain::{ClientId, Member, MemberId};
use serde_json::Value;

use crate::{
    App,
    aggregates::Loader,
    error::CommandError,
    members::details::{MEMBER, SAID_BY},
};

/// A person's name and address.
#[derive(Clone, Debug)]
pub struct Introduced {
    /// What the person is called.
    pub name: Personal<String>,
    /// Where the person is reached.
    pub email: Personal<String>,
}

impl App {
    /// What a member is called, told to that member; nothing is left of who was erased.
    ///
    /// # Errors
    /// A fault.
    pub async fn introduce_member(&self, member_id: MemberId) -> Result<Option<Introduced>, CommandError> {
        self.run(move |inner| async move {
            let stream = Loader::<Member>::stream(&member_id.to_string())?;
            Ok(inner.newest_part(&stream, &SAID_BY, MEMBER).await?.as_ref().and_then(introduced))
        })
        .await
    }

    /// Who runs a client: the first of its contacts, told to whom it asks for something.
    ///
    /// # Errors
    /// A fault.
    pub async fn introduce_client(&self, client_id: ClientId) -> Result<Option<Introduced>, CommandError> {
        self.run(
            move |inner| async move { Ok(inner.contacts_of(client_id).await?.first().and_then(introduced)) },
        )
        .await
    }

    /// What a client is called, or was called before it was deleted.
    ///
    /// # Errors
    /// A fault.
    pub async fn client_name(&self, client_id: ClientId) -> Result<Option<String>, CommandError> {
        let loaded = self.inner.clients.current(&client_id.to_string()).await?;
        Ok(loaded.aggregate.registration().map(|client| client.client_name.clone()))
    }

    /// What proves that a form was made for a browser or a session: nobody else can make it (OWASP's signed token).
    #[must_use]
    pub fn form_proof(&self, form: &str, holder: &str) -> String {
        URL_SAFE_NO_PAD.encode(self.inner.vault.form_digest(form, holder))
    }

    /// Whether it is that proof.
    #[must_use]
    pub fn is_form_proof(&self, form: &str, holder: &str, presented: &str) -> bool {
        let presented = URL_SAFE_NO_PAD.decode(presented).unwrap_or_default();
        self.inner.vault.is_form_digest(form, holder, &presented)
    }
}

fn introduced(part: &Value) -> Option<Introduced> {
    let text =
        |field: &str| part.get(field).and_then(Value::as_str).map(|text| Personal::new(text.to_owned()));
    Some(Introduced { name: text("name")?, email: text("email")? })
}
