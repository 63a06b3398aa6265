//! What can be asked of a registry.

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
    /// A scope of the catalog is given to no more clients, or again.
    Scope {
        /// Which.
        scope: usize,
        /// What becomes of it.
        deprecated: bool,
    },
    /// The type of all clients takes no new ones, or again.
    ClientType {
        /// What becomes of it.
        deprecated: bool,
    },
    /// A command on a member.
    Member {
        /// Which, in the order of enrolment.
        member: usize,
        /// What to do with it.
        change: MemberChange,
    },
}

/// A command on a member that is there.
#[derive(Clone, Copy, Debug)]
pub enum MemberChange {
    /// This role and no other.
    Role(Role),
    /// No sign-in.
    Deactivate,
    /// Sign-in again.
    Enable,
}

/// What a member is. Written down by hand what each may do, so that it is not the code under test that says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// May do everything.
    Administrator,
    /// May do what is about clients.
    IntegrationManager,
    /// May do nothing that changes anything.
    Auditor,
}

impl Role {
    pub(super) const ALL: [Self; 3] = [Self::Administrator, Self::IntegrationManager, Self::Auditor];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Administrator => "administrator",
            Self::IntegrationManager => "integration_manager",
            Self::Auditor => "auditor",
        }
    }

    pub(super) fn may(self, command: &Command) -> bool {
        match self {
            Self::Administrator => true,
            Self::IntegrationManager => matches!(command, Command::Create { .. } | Command::On { .. }),
            Self::Auditor => false,
        }
    }
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
    /// The end of those that this one replaced.
    CompleteRotation(usize),
    /// The end of this one; those that it replaced go on.
    CancelRotation(usize),
    /// Another signing secret, the former beside it for a while or not.
    RotateSigningSecret {
        /// Whether the former verifies for a while.
        overlap: bool,
    },
    /// The end of the former signing secret.
    CompleteSigningSecretRotation,
    /// A look at the signing secret.
    RevealSigningSecret,
    /// Whether its payloads can be encrypted.
    EncryptPayloads(bool),
    /// Another member answers for it, in the order of enrolment.
    Responsible(usize),
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
