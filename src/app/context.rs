//! Who asks, from where and why: nothing is written without it.

use std::sync::Arc;

use crypto::Personal;
use domain::{
    ClientId, EnvironmentName, MemberId, Permission, Rights, Rule, SecretId, Violation, environment::Policy,
    member::MadeWith,
};
use store::{ActorKind, Revision};
use uuid::Uuid;

use crate::{authenticate_client::ProvedBy, error::CommandError, standing::Standing};

/// The longest free-text reason, in characters.
pub const MAX_REASON_CHARS: usize = 1_000;
const MAX_TICKET_CHARS: usize = 100;

/// Who an authenticated request acts as.
#[derive(Clone, Debug)]
pub struct Principal {
    /// The member.
    pub member: MemberId,
    /// What it came with.
    pub via: Via,
    /// What both the member's roles and a token allow, and where.
    pub rights: Rights,
    /// What that rests on.
    pub(crate) standing: Arc<Standing>,
}

/// What a member acts through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Via {
    /// A personal token.
    Token(SecretId),
    /// A session, which allows all that the member's roles do.
    Session(SecretId),
    /// An initial access token that it made, by which a client registers itself (RFC 7591).
    InitialAccessToken(SecretId),
}

impl Via {
    /// The id of the token or session.
    #[must_use]
    pub fn id(&self) -> &SecretId {
        match self {
            Self::Token(id) | Self::Session(id) | Self::InitialAccessToken(id) => id,
        }
    }

    /// The personal token, if it is one.
    #[must_use]
    pub fn token(&self) -> Option<&SecretId> {
        match self {
            Self::Token(id) => Some(id),
            Self::Session(_) | Self::InitialAccessToken(_) => None,
        }
    }
}

impl std::fmt::Display for Via {
    /// As the log records it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Token(id) => write!(f, "token:{id}"),
            Self::Session(id) => write!(f, "session:{id}"),
            Self::InitialAccessToken(id) => write!(f, "initial_access_token:{id}"),
        }
    }
}

impl Principal {
    /// Whether it may do what needs `permission` in `environment`, or outside of any.
    pub fn allows(&self, permission: Permission, environment: Option<&EnvironmentName>) -> bool {
        self.rights.allows(permission, environment)
    }
}

/// Who acts.
#[derive(Clone, Debug)]
pub enum Actor {
    /// A member, through a personal token or a session.
    Member(Principal),
    /// A person at the command line of the host, who may do everything the files allow anyway.
    Host {
        /// The user id of the process.
        uid: u32,
    },
    /// A client that has proved who it is, by the rules of the protocol. It holds no permission.
    Client {
        /// Which one.
        client_id: ClientId,
        /// By what it has.
        by: ProvedBy,
    },
    /// Muniment itself, on schedule.
    System,
    /// Nobody who said who they are, who may do nothing that takes a permission.
    Anonymous,
}

impl Actor {
    /// Whether it is this member.
    #[must_use]
    pub fn is(&self, member_id: MemberId) -> bool {
        match self {
            Self::Member(principal) => principal.member == member_id,
            Self::Host { .. } | Self::Client { .. } | Self::System | Self::Anonymous => false,
        }
    }
}

/// Where a request came from: personal, so it is sealed under the actor's key.
#[derive(Clone, Debug)]
pub struct Source {
    /// The address of the peer.
    pub address: Personal<String>,
    /// `User-Agent`, if one was sent.
    pub user_agent: Option<Personal<String>>,
}

/// An `Idempotency-Key` and the request it stands for.
#[derive(Clone, Debug)]
pub struct Idempotency {
    /// The key, chosen by the client, unique to it.
    pub key: String,
    /// Method, path and body: the same key with another request is refused. Kept only as a keyed digest.
    pub request: Personal<Vec<u8>>,
}

/// `If-Match` (RFC 9110 section 13.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IfMatch {
    /// `*`: whatever revision it is at.
    Any,
    /// `"<revision>"`.
    Revision(Revision),
}

/// Everything about a command that is not the command.
#[derive(Clone, Debug)]
pub struct Context {
    /// Who acts.
    pub actor: Actor,
    /// What is asked, by the name that audit and metrics know it by: `CreateClient`.
    pub operation: &'static str,
    /// The environment that it is asked in, if in one.
    pub environment: Option<EnvironmentName>,
    /// The id that the answer and the service's own logs carry too.
    pub request_id: String,
    /// The same for everything that one outside request set going.
    pub correlation_id: Uuid,
    /// Where it came from.
    pub source: Option<Source>,
    /// Why, in free text: personal, so it is sealed under a key of its own.
    pub reason: Option<Personal<String>>,
    /// Why, as a public reference to a case elsewhere.
    pub ticket: Option<String>,
    /// How a repeated request is recognised.
    pub idempotency: Option<Idempotency>,
    /// What is wrong with the form of what was sent. The command is made of the rest, to find out what else is wrong with
    /// it, and is never carried out.
    pub malformed: Vec<Violation>,
}

impl Context {
    /// The permission that a use case needs, where it is asked; or the refusal.
    pub(crate) fn demand(&self, permission: Permission) -> Result<(), CommandError> {
        match &self.actor {
            Actor::Member(principal) if principal.allows(permission, self.environment.as_ref()) => Ok(()),
            Actor::Host { .. } | Actor::System => Ok(()),
            Actor::Member(_) | Actor::Client { .. } | Actor::Anonymous => {
                Err(CommandError::Denied(permission))
            }
        }
    }

    /// Nobody gives what they do not have, and nobody rules over who can do more.
    pub(crate) fn demand_all(&self, rights: &Rights) -> Result<(), CommandError> {
        let held = match &self.actor {
            Actor::Member(principal) => &principal.rights,
            Actor::Host { .. } | Actor::System => return Ok(()),
            Actor::Client { .. } | Actor::Anonymous => &Rights::default(),
        };
        match rights.beyond(held) {
            Some(permission) => Err(CommandError::GrantsTooMuch(permission)),
            None => Ok(()),
        }
    }

    /// Whether it must say why, by the policy of its environment: of what happens by itself, and of what a client does, there
    /// is nobody to ask.
    pub(crate) fn must_say_why(&self, policy: &Policy) -> bool {
        let by_itself = match &self.actor {
            Actor::Member(principal) => matches!(principal.via, Via::InitialAccessToken(_)),
            Actor::Host { .. } => false,
            Actor::Client { .. } | Actor::System | Actor::Anonymous => true,
        };
        !by_itself && policy.reason_required.covers(self.operation)
    }

    /// The member who answers for what this request creates.
    pub(crate) fn member(&self) -> Option<MemberId> {
        match &self.actor {
            Actor::Member(principal) => Some(principal.member),
            Actor::Host { .. } | Actor::Client { .. } | Actor::System | Actor::Anonymous => None,
        }
    }

    /// The session that it is done by.
    pub(crate) fn session(&self) -> Option<&SecretId> {
        match &self.actor {
            Actor::Member(Principal { via: Via::Session(id), .. }) => Some(id),
            Actor::Member(_)
            | Actor::Host { .. }
            | Actor::Client { .. }
            | Actor::System
            | Actor::Anonymous => None,
        }
    }

    /// The token that a token made by this request descends from, or who else makes it for `member_id`; a member makes its
    /// own by a session as the host would.
    pub(crate) fn made_with(&self, member_id: MemberId) -> Option<MadeWith> {
        match &self.actor {
            Actor::Member(principal) if principal.via.token().is_none() && principal.member == member_id => {
                None
            }
            Actor::Member(principal) => {
                Some(MadeWith { member: principal.member, token: principal.via.id().clone() })
            }
            Actor::Host { .. } | Actor::Client { .. } | Actor::System | Actor::Anonymous => None,
        }
    }

    /// The actor as the log records it.
    pub(crate) fn recorded_actor(&self) -> store::Actor {
        match &self.actor {
            Actor::Member(principal) => store::Actor {
                id: principal.member.to_string(),
                kind: ActorKind::Member,
                via: Some(principal.via.to_string()),
            },
            Actor::Host { uid } => {
                store::Actor { id: format!("uid:{uid}"), kind: ActorKind::Host, via: None }
            }
            Actor::Client { client_id, by } => store::Actor {
                id: client_id.to_string(),
                kind: ActorKind::Client,
                via: match by {
                    ProvedBy::Nothing => None,
                    ProvedBy::Secret(id) => Some(format!("secret:{id}")),
                    ProvedBy::Key(thumbprint) => Some(format!("key:{thumbprint}")),
                },
            },
            Actor::System => store::Actor { id: "muniment".to_owned(), kind: ActorKind::System, via: None },
            Actor::Anonymous => {
                store::Actor { id: "anonymous".to_owned(), kind: ActorKind::Anonymous, via: None }
            }
        }
    }

    /// The refusal of a request whose form is wrong too: one answer names both. Whatever else stands in its way will not
    /// matter before its form is right.
    pub(crate) fn with_form(&self, error: CommandError) -> CommandError {
        if self.malformed.is_empty()
            || matches!(error, CommandError::Denied(_) | CommandError::Unauthenticated)
        {
            return error;
        }
        let mut wrong = self.malformed.clone();
        if let CommandError::Invalid(rules) = error {
            // A rule that only breaks because something could not be read says nothing about what was sent.
            let known = |rule: &Violation| self.malformed.iter().any(|fault| fault.explains(rule));
            wrong.extend(rules.into_iter().filter(|rule| !known(rule)));
        }
        CommandError::Invalid(wrong)
    }

    /// What is wrong with form, reason and ticket; `reason_required` is what the environment's policy says of the command.
    pub(crate) fn violations(&self, reason_required: bool) -> Vec<Violation> {
        let mut wrong = self.malformed.clone();
        wrong.extend(self.wrong_why(reason_required));
        wrong
    }

    /// What is wrong with reason and ticket.
    pub(crate) fn wrong_why(&self, reason_required: bool) -> Vec<Violation> {
        let mut wrong = Vec::new();
        match self.reason.as_ref().map(crypto::Personal::expose) {
            reason if reason_required && reason.is_none_or(|reason| reason.trim().is_empty()) => {
                wrong.push(Violation::new(
                    "/reason",
                    Rule::ReasonRequired,
                    "this environment asks for a reason",
                ));
            }
            Some(reason) if reason.chars().count() > MAX_REASON_CHARS => {
                wrong.push(Violation::new(
                    "/reason",
                    Rule::TooLong,
                    format!("at most {MAX_REASON_CHARS} characters"),
                ));
            }
            Some(reason) if reason.contains('\0') => {
                wrong.push(Violation::new("/reason", Rule::ControlCharacter, "must not contain U+0000"));
            }
            None | Some(_) => {}
        }
        if let Some(ticket) = &self.ticket {
            if ticket.is_empty() || ticket.chars().count() > MAX_TICKET_CHARS {
                wrong.push(Violation::new(
                    "/ticket",
                    Rule::OutOfRange,
                    format!("1 to {MAX_TICKET_CHARS} characters"),
                ));
            }
            if ticket.contains('@') || !ticket.chars().all(|c| c.is_ascii_graphic()) {
                let detail = "a public reference such as INC-42: printable ASCII, no blanks, no `@`";
                wrong.push(Violation::new("/ticket", Rule::Malformed, detail));
            } else if crypto::has_secret(ticket) {
                let detail = "has a secret in it: it would stand in the log for ever. Revoke that secret";
                wrong.push(Violation::new("/ticket", Rule::Malformed, detail));
            }
        }
        wrong
    }
}
