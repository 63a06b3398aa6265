//! What a member signs in with beside its password, and the question before one of it is taken away.

use actix_web::HttpResponse;
use askama::Template;

use super::{Moment, Person, Place, SignInRefusal, assets, sign_in::refused};

/// Something that a member signs in with.
#[derive(Clone, Copy, Debug)]
pub struct Factor {
    /// Since when.
    pub added_at: Moment,
    /// When it was used last.
    pub last_used_at: Option<Moment>,
}

/// A passkey of a member.
#[derive(Clone, Copy, Debug)]
pub struct PasskeyRow<'a> {
    /// Its id.
    pub id: &'a str,
    /// What the member calls it.
    pub label: &'a str,
    /// Since when, and when it was used last.
    pub factor: Factor,
}

/// What may be asked before it is done: `?remove=authenticator`, `?remove=<a passkey's id>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question<'a> {
    /// Whether the authenticator is removed.
    RemoveAuthenticator,
    /// Whether this passkey is removed.
    RemovePasskey(&'a str),
}

/// Something that it is asked of whether it is removed.
#[derive(Clone, Copy)]
enum Removing<'a> {
    Authenticator,
    Passkey(&'a PasskeyRow<'a>),
}

/// What has just been done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// The authenticator is removed.
    RemovedAuthenticator,
    /// A passkey is removed.
    RemovedPasskey,
    /// A passkey is added.
    AddedPasskey,
}

/// All of it.
#[derive(Clone, Copy, Debug, Template)]
#[template(path = "second_factors.html")]
pub struct SecondFactors<'a> {
    /// Where.
    pub place: Place<'a>,
    /// Whose they are.
    pub member: Person<'a>,
    /// The client whose request goes on as soon as there is one.
    pub client_name: Option<&'a str>,
    /// The query of that request; it is validated again then.
    pub continue_query: &'a str,
    /// The authenticator.
    pub authenticator: Option<Factor>,
    /// The passkeys, oldest first.
    pub passkeys: &'a [PasskeyRow<'a>],
    /// Whether passkeys can be added: browsers make none for a service that is reached by no name.
    pub offers_passkeys: bool,
    /// Since when there are these recovery codes.
    pub recovery_codes: Option<Moment>,
    /// Whether the member has to say its password to change anything.
    pub needs_password: bool,
    /// What is asked, if anything is.
    pub question: Option<Question<'a>>,
    /// What has just been done.
    pub done: Option<Done>,
    /// Why something was not done.
    pub refusal: Option<SignInRefusal>,
    /// What proves that the form is this session's.
    pub csrf: &'a str,
}

impl SecondFactors<'_> {
    /// The page.
    #[must_use]
    pub fn respond(&self) -> HttpResponse {
        refused(self, self.refusal, None)
    }

    fn has_any(&self) -> bool {
        self.authenticator.is_some() || !self.passkeys.is_empty()
    }

    /// What it is asked of whether it is removed.
    fn removing(&self) -> Option<Removing<'_>> {
        match self.question? {
            Question::RemoveAuthenticator => self.authenticator.map(|_| Removing::Authenticator),
            Question::RemovePasskey(id) => {
                self.passkeys.iter().find(|passkey| passkey.id == id).map(Removing::Passkey)
            }
        }
    }

    /// Whether the field of a password is at fault.
    fn wrong_password(&self) -> Option<SignInRefusal> {
        self.refusal.filter(|refusal| *refusal == SignInRefusal::WrongPassword)
    }
}

impl Done {
    /// Whether there is less than before.
    fn is_removal(self) -> bool {
        match self {
            Self::RemovedAuthenticator | Self::RemovedPasskey => true,
            Self::AddedPasskey => false,
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::RemovedAuthenticator => "The authenticator is removed.",
            Self::RemovedPasskey => "The passkey is removed.",
            Self::AddedPasskey => "The passkey is added.",
        }
    }
}

impl<'a> Removing<'a> {
    /// What the form does.
    fn action(self) -> &'static str {
        match self {
            Self::Authenticator => "remove_authenticator",
            Self::Passkey(_) => "remove_passkey",
        }
    }

    /// What it is called.
    fn name(self) -> &'a str {
        match self {
            Self::Authenticator => "the authenticator",
            Self::Passkey(passkey) => passkey.label,
        }
    }

    fn passkey_id(self) -> &'a str {
        match self {
            Self::Authenticator => "",
            Self::Passkey(passkey) => passkey.id,
        }
    }

    fn follows(self) -> &'static str {
        match self {
            Self::Authenticator => "Its codes sign you in no more.",
            Self::Passkey(_) => "It signs you in no more, wherever it is.",
        }
    }
}
