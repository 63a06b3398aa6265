//! What a secret is for.

/// What a secret is for; its prefix says so in plain sight.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum SecretKind {
    /// `mcs`: a client secret (RFC 6749 section 2.3.1).
    ClientSecret,
    /// `mat`: an access token.
    AccessToken,
    /// `mrt`: a refresh token.
    RefreshToken,
    /// `mac`: an authorization code.
    AuthorizationCode,
    /// `mpt`: a member's personal token.
    PersonalToken,
    /// `mse`: a member's session.
    Session,
    /// `mia`: what lets somebody register clients (RFC 7591 section 1.2).
    InitialAccessToken,
    /// `mra`: what a client manages its registration with (RFC 7592 section 1.2).
    RegistrationAccessToken,
}

impl SecretKind {
    /// Every kind there is.
    pub const ALL: [Self; 8] = [
        Self::ClientSecret,
        Self::AccessToken,
        Self::RefreshToken,
        Self::AuthorizationCode,
        Self::PersonalToken,
        Self::Session,
        Self::InitialAccessToken,
        Self::RegistrationAccessToken,
    ];

    /// The three letters a secret of this kind begins with.
    #[must_use]
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::ClientSecret => "mcs",
            Self::AccessToken => "mat",
            Self::RefreshToken => "mrt",
            Self::AuthorizationCode => "mac",
            Self::PersonalToken => "mpt",
            Self::Session => "mse",
            Self::InitialAccessToken => "mia",
            Self::RegistrationAccessToken => "mra",
        }
    }

    /// The kind with this prefix.
    #[must_use]
    pub fn from_prefix(prefix: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.prefix() == prefix)
    }
}
