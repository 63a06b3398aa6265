//! What each command should do, and what it should be answered.

use std::collections::BTreeSet;

use super::command::{Change, Command, MemberChange, Role};

/// The most secrets of a client that can work at a time.
const MOST_USABLE_SECRETS: usize = 10;

/// Names that clash in the eyes of a reader: the case makes no difference.
pub(super) const NAMES: [&str; 6] =
    ["Matter sync", "MATTER  SYNC", "Billing", "billing", "Ｂilling", "Archive"];
pub(super) const URIS: [&str; 4] = [
    "https://app.example.com/callback",
    "https://app.example.com/callback/",
    "http://127.0.0.1:7777/done",
    "https://other.example.com/?keep=1",
];
pub(super) const SCOPES: [&str; 4] = ["matters:read", "matters:write", "documents:read", "contacts:read"];
pub(super) const ENVIRONMENTS: [&str; 2] = ["sandbox", "production"];

/// What a command should be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Answered {
    pub(super) status: u16,
    /// The slug of the problem; nothing for what is done.
    pub(super) slug: &'static str,
}

/// What is answered to what was done.
pub(super) const OK: Answered = done(200);
/// What is answered to what was made.
pub(super) const CREATED: Answered = done(201);

const fn done(status: u16) -> Answered {
    Answered { status, slug: "" }
}

const fn refused(status: u16, slug: &'static str) -> Answered {
    Answered { status, slug }
}

/// Whether a client gets tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Active,
    Inactive,
    Deleted,
}

/// A client as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Client {
    pub(super) environment: usize,
    pub(super) name: usize,
    pub(super) scopes: u8,
    pub(super) public: bool,
    pub(super) status: Status,
    pub(super) redirect_uris: Vec<usize>,
    /// Whether each secret it ever had still works, oldest first.
    pub(super) secrets: Vec<bool>,
    /// The newest overlap: the new secret, and those that it replaces.
    rotation: Option<(usize, Vec<usize>)>,
    /// Whether a former signing secret verifies too.
    signing_overlap: bool,
    pub(super) payload_encryption: bool,
    /// The member who answers for it; none is the first administrator.
    pub(super) responsible: Option<usize>,
}

/// A member as it should be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Member {
    /// What it was when its token was made: the token allows no more, whatever it becomes.
    pub(super) of_token: Role,
    pub(super) role: Role,
    pub(super) active: bool,
}

/// The registry as it should be.
#[derive(Clone, Debug, Default)]
pub struct Registry {
    pub(super) clients: Vec<Client>,
    pub(super) members: Vec<Member>,
    /// A bit for each scope that is given to no more clients.
    pub(super) deprecated_scopes: u8,
    pub(super) deprecated_type: bool,
}

impl Registry {
    /// Does what the command should do if the first administrator asks for it.
    pub(super) fn apply(&mut self, command: &Command) -> Answered {
        self.apply_as(None, command)
    }

    fn apply_as(&mut self, member: Option<usize>, command: &Command) -> Answered {
        match *command {
            Command::Create { environment, name, scopes, public } => {
                if scopes == 0 || self.deprecated_type || scopes & self.deprecated_scopes != 0 {
                    return refused(422, "invalid_request");
                }
                if self.taken(environment, name, None) {
                    return refused(409, "taken");
                }
                self.clients.push(Client {
                    environment,
                    name,
                    scopes,
                    public,
                    status: Status::Active,
                    redirect_uris: vec![0],
                    secrets: if public { Vec::new() } else { vec![true] },
                    rotation: None,
                    signing_overlap: false,
                    payload_encryption: false,
                    responsible: member,
                });
                CREATED
            }
            Command::On { client, change } => {
                if self.clients[client].status == Status::Deleted {
                    return refused(410, "gone");
                }
                if let Change::Rename(name) = change
                    && self.taken(self.clients[client].environment, name, Some(client))
                {
                    return refused(409, "taken");
                }
                if let Change::Scopes(scopes) = change
                    && scopes & !self.clients[client].scopes & self.deprecated_scopes != 0
                {
                    return refused(422, "invalid_request");
                }
                if let Change::Responsible(member) = change
                    && !self.members[member].active
                {
                    return refused(422, "invalid_request");
                }
                self.clients[client].apply(change)
            }
            Command::Scope { scope, deprecated } => {
                let bit = 1 << scope;
                self.deprecated_scopes =
                    if deprecated { self.deprecated_scopes | bit } else { self.deprecated_scopes & !bit };
                OK
            }
            Command::ClientType { deprecated } => {
                self.deprecated_type = deprecated;
                OK
            }
            Command::Member { member, change } => self.members[member].apply(change),
        }
    }

    /// Does what the command should do if a member asks for it with the token that it was given when it was enrolled.
    pub(super) fn apply_by(&mut self, member: usize, command: &Command) -> Answered {
        let Member { of_token, role, active } = self.members[member];
        if !active {
            refused(401, "unauthenticated")
        } else if role.may(command) && of_token.may(command) {
            self.apply_as(Some(member), command)
        } else {
            refused(403, "permission_denied")
        }
    }

    /// Whether a secret authenticates its client.
    pub(super) fn authenticates(&self, client: usize, secret: usize) -> bool {
        let Client { status, secrets, .. } = &self.clients[client];
        *status == Status::Active && secrets.get(secret) == Some(&true)
    }

    /// Ends a secret that leaked, the last one too.
    pub(super) fn report_leaked(&mut self, client: usize, secret: usize) {
        let Client { status, secrets, .. } = &mut self.clients[client];
        if let Some(works) = secrets.get_mut(secret).filter(|_| *status != Status::Deleted) {
            *works = false;
        }
    }

    /// Whether a client that is not deleted has a name that looks the same, in this environment.
    fn taken(&self, environment: usize, name: usize, but: Option<usize>) -> bool {
        let alike = |client: &Client| look(client.name) == look(name) && client.environment == environment;
        self.clients
            .iter()
            .enumerate()
            .any(|(place, client)| Some(place) != but && client.status != Status::Deleted && alike(client))
    }
}

impl Client {
    fn apply(&mut self, change: Change) -> Answered {
        match change {
            Change::Rename(name) => {
                self.name = name;
                OK
            }
            Change::Scopes(0) => refused(422, "invalid_request"),
            Change::Scopes(scopes) => {
                self.scopes = scopes;
                OK
            }
            Change::AddRedirectUri(uri) if self.redirect_uris.contains(&uri) => {
                refused(422, "invalid_request")
            }
            Change::AddRedirectUri(uri) => {
                self.redirect_uris.push(uri);
                OK
            }
            Change::RemoveRedirectUri(uri) if !self.redirect_uris.contains(&uri) => refused(404, "not_found"),
            Change::RemoveRedirectUri(_) if self.redirect_uris.len() == 1 => refused(422, "invalid_request"),
            Change::RemoveRedirectUri(uri) => {
                self.redirect_uris.retain(|known| *known != uri);
                OK
            }
            Change::IssueSecret | Change::ReplaceSecrets | Change::OverlapSecrets if self.public => {
                refused(409, "public_client")
            }
            Change::ReplaceSecrets => {
                self.secrets.fill(false);
                self.secrets.push(true);
                self.rotation = None;
                CREATED
            }
            Change::OverlapSecrets if self.rotates() => refused(409, "rotation_under_way"),
            Change::IssueSecret | Change::OverlapSecrets if self.working().count() >= MOST_USABLE_SECRETS => {
                refused(409, "too_many_secrets")
            }
            Change::IssueSecret => {
                self.secrets.push(true);
                CREATED
            }
            Change::OverlapSecrets => {
                let replaced: Vec<_> = self.working().collect();
                self.rotation =
                    Some((self.secrets.len(), replaced)).filter(|(_, replaced)| !replaced.is_empty());
                self.secrets.push(true);
                CREATED
            }
            Change::CompleteRotation(secret) | Change::CancelRotation(secret)
                if secret >= self.secrets.len() =>
            {
                refused(404, "no_such_secret")
            }
            Change::CompleteRotation(secret) | Change::CancelRotation(secret) => {
                let under_way = self.rotates();
                let to_it = |(new, _): &mut (usize, Vec<usize>)| under_way && *new == secret;
                let Some((new, replaced)) = self.rotation.take_if(to_it) else {
                    return refused(409, "no_rotation");
                };
                let ended = if matches!(change, Change::CancelRotation(_)) { vec![new] } else { replaced };
                for place in ended {
                    self.secrets[place] = false;
                }
                OK
            }
            Change::RevokeSecret { secret, allow_lockout } => match self.secrets.get(secret) {
                None => refused(404, "no_such_secret"),
                Some(false) => refused(409, "secret_not_usable"),
                Some(true) if self.working().count() == 1 && !allow_lockout => refused(409, "last_secret"),
                Some(true) => {
                    self.secrets[secret] = false;
                    OK
                }
            },
            Change::RotateSigningSecret { overlap: true } if self.signing_overlap => {
                refused(409, "rotation_under_way")
            }
            Change::RotateSigningSecret { overlap } => {
                self.signing_overlap = overlap;
                CREATED
            }
            Change::CompleteSigningSecretRotation if self.signing_overlap => {
                self.signing_overlap = false;
                OK
            }
            Change::CompleteSigningSecretRotation => refused(409, "no_rotation"),
            Change::RevealSigningSecret => OK,
            Change::EncryptPayloads(payload_encryption) => {
                self.payload_encryption = payload_encryption;
                OK
            }
            Change::Responsible(member) => {
                self.responsible = Some(member);
                OK
            }
            Change::Deactivate if self.status == Status::Active => {
                self.status = Status::Inactive;
                OK
            }
            Change::Deactivate => refused(409, "client_not_active"),
            Change::Enable if self.status == Status::Inactive => {
                self.status = Status::Active;
                OK
            }
            Change::Enable => refused(409, "client_not_inactive"),
            Change::Delete => {
                self.status = Status::Deleted;
                done(204)
            }
        }
    }

    /// Whether an overlap is under way: its new secret works, and one that it replaced.
    fn rotates(&self) -> bool {
        let works = |place: &usize| self.secrets[*place];
        self.rotation.as_ref().is_some_and(|(new, replaced)| works(new) && replaced.iter().any(works))
    }

    fn working(&self) -> impl Iterator<Item = usize> {
        self.secrets.iter().enumerate().filter(|(_, works)| **works).map(|(place, _)| place)
    }

    /// Its scopes as the wire has them.
    pub(super) fn scope(&self) -> BTreeSet<&'static str> {
        scopes(self.scopes).collect()
    }
}

impl Member {
    pub(super) fn new(role: Role) -> Self {
        Self { of_token: role, role, active: true }
    }

    fn apply(&mut self, change: MemberChange) -> Answered {
        match change {
            MemberChange::Role(role) => {
                self.role = role;
                OK
            }
            MemberChange::Deactivate if !self.active => refused(409, "member_not_active"),
            MemberChange::Enable if self.active => refused(409, "member_not_inactive"),
            MemberChange::Deactivate | MemberChange::Enable => {
                self.active = !self.active;
                OK
            }
        }
    }
}

/// The scopes whose bit is set.
pub(super) fn scopes(bits: u8) -> impl Iterator<Item = &'static str> {
    SCOPES.iter().enumerate().filter(move |(place, _)| bits >> place & 1 == 1).map(|(_, scope)| *scope)
}

/// The name as it must be unique: written down by hand, so that it is not the code under test that says it.
fn look(name: usize) -> &'static str {
    ["matter sync", "matter sync", "billing", "billing", "billing", "archive"][name]
}
