//! What each command should do to a client, and what it should be answered.

use std::collections::BTreeSet;

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

/// A command on the registry. A client is named by its place in the order of creation.
#[derive(Clone, Debug)]
pub enum Command {
    /// A new client.
    Create {
        /// Where.
        environment: usize,
        /// Which name.
        name: usize,
        /// Which scopes, a bit each.
        scopes: u8,
        /// Whether it has no secret.
        public: bool,
    },
    /// A command on a client.
    On {
        /// Which client.
        client: usize,
        /// What to do with it.
        change: Change,
    },
}

/// A command on a client that is there.
#[derive(Clone, Copy, Debug)]
pub enum Change {
    /// Another name, or the same.
    Rename(usize),
    /// Other scopes, a bit each; none is refused.
    Scopes(u8),
    /// One redirect URI more.
    AddRedirectUri(usize),
    /// One redirect URI less.
    RemoveRedirectUri(usize),
    /// A secret beside the others.
    IssueSecret,
    /// A secret in place of the others, at once.
    ReplaceSecrets,
    /// A secret in place of the others, after an overlap.
    OverlapSecrets,
    /// The end of one secret.
    RevokeSecret {
        /// Which, from the oldest.
        secret: usize,
        /// Whether it may be the last that works.
        allow_lockout: bool,
    },
    /// Another signing secret.
    RotateSigningSecret,
    /// A look at the signing secret.
    RevealSigningSecret,
    /// No more tokens.
    Deactivate,
    /// Tokens again.
    Enable,
    /// The end.
    Delete,
}

impl Command {
    /// Whether it is done once under one `Idempotency-Key`. A look at a secret is a look each time.
    pub(super) fn happens_once(&self) -> bool {
        !matches!(self, Self::On { change: Change::RevealSigningSecret, .. })
    }
}

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
}

/// The registry as it should be.
#[derive(Clone, Debug, Default)]
pub struct Registry {
    pub(super) clients: Vec<Client>,
}

impl Registry {
    /// Does what the command should do.
    pub(super) fn apply(&mut self, command: &Command) -> Answered {
        match *command {
            Command::Create { environment, name, scopes, public } => {
                if scopes == 0 {
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
                self.clients[client].apply(change)
            }
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
                CREATED
            }
            Change::IssueSecret | Change::OverlapSecrets if self.working() >= MOST_USABLE_SECRETS => {
                refused(409, "too_many_secrets")
            }
            Change::IssueSecret | Change::OverlapSecrets => {
                self.secrets.push(true);
                CREATED
            }
            Change::RevokeSecret { secret, allow_lockout } => match self.secrets.get(secret) {
                None => refused(404, "no_such_secret"),
                Some(false) => refused(409, "secret_not_usable"),
                Some(true) if self.working() == 1 && !allow_lockout => refused(409, "last_secret"),
                Some(true) => {
                    self.secrets[secret] = false;
                    OK
                }
            },
            Change::RotateSigningSecret => CREATED,
            Change::RevealSigningSecret => OK,
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

    fn working(&self) -> usize {
        self.secrets.iter().filter(|works| **works).count()
    }

    /// Its scopes as the wire has them.
    pub(super) fn scope(&self) -> BTreeSet<&'static str> {
        scopes(self.scopes).collect()
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
