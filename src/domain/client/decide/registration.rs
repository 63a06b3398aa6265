//! Clients that register themselves, and anew (RFC 7591, RFC 7592).

use super::super::{
    ClientError, ClientEvent, ClientSelfRegistered, IssuedRegistrationToken, NewRegistrationToken,
    Registration, RegistrationReplaced, ReplaceRegistration, SelfRegistration,
};
use crate::{Change, Rule, oauth::GrantType, violation::Violations};

impl SelfRegistration {
    pub(super) fn event(self) -> Result<ClientEvent, ClientError> {
        Ok(ClientEvent::SelfRegistered(ClientSelfRegistered {
            initial_access_token_id: self.initial_access_token_id,
            registration_access_token: self.token.issued(),
            software: self.software.checked().map_err(ClientError::Invalid)?,
            names_contacts: self.names_contacts,
        }))
    }
}

impl NewRegistrationToken {
    fn issued(self) -> IssuedRegistrationToken {
        IssuedRegistrationToken { id: self.id, commitment: self.commitment }
    }
}

impl Registration {
    pub(super) fn replace_registration(
        &self,
        replace: ReplaceRegistration,
    ) -> Result<Vec<ClientEvent>, ClientError> {
        // Who did not register itself has nothing that could be replaced.
        let before = self.self_registered.as_ref().ok_or(ClientError::NotFound)?;
        let mut wrong = Violations::default();
        self.check_what_stays(&mut wrong, &replace);
        let software = match replace.software.checked() {
            Ok(software) => Some(software),
            Err(violations) => {
                wrong.0.extend(violations);
                None
            }
        };
        let mut events = match self.change(&replace.change) {
            Ok(events) => events,
            Err(ClientError::Invalid(violations)) => {
                wrong.0.extend(violations);
                Vec::new()
            }
            Err(error) => return Err(error),
        };
        let software = match software {
            Some(software) if wrong.0.is_empty() => software,
            Some(_) | None => return Err(ClientError::Invalid(wrong.0)),
        };
        let named = Change::new(before.names_contacts, replace.names_contacts);
        let software = Change::new(before.software.clone(), software);
        events.push(ClientEvent::RegistrationReplaced(RegistrationReplaced {
            registration_access_token: replace.token.issued(),
            replaced_id: before.registration_access_token.id.clone(),
            software: Some(software).filter(|change| change.old != change.new),
            names_contacts: Some(named).filter(|change| change.old != change.new),
        }));
        Ok(events)
    }

    /// How a client asks for tokens and proves who it is stays as it was registered: its secrets hang on it.
    fn check_what_stays(&self, wrong: &mut Violations, replace: &ReplaceRegistration) {
        if let Some(method) = &replace.token_endpoint_auth_method
            && method != self.token_endpoint_auth_method.as_str()
        {
            let now = self.token_endpoint_auth_method.as_str();
            let detail = format!("is {now} for good: register another client");
            wrong.add("/token_endpoint_auth_method", Rule::Contradiction, detail);
        }
        if let Some(texts) = &replace.grant_types {
            let mut asked: Vec<_> = texts.iter().map(|text| GrantType::parse(text)).collect();
            asked.sort_unstable();
            asked.dedup();
            if !asked.iter().copied().eq(self.grant_types.iter().copied().map(Some)) {
                let now: Vec<_> = self.grant_types.iter().map(|grant_type| grant_type.as_str()).collect();
                let detail = format!("are {} for good: register another client", now.join(", "));
                wrong.add("/grant_types", Rule::Contradiction, detail);
            }
        }
    }
}
