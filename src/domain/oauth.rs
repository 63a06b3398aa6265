//! Value types of the OAuth registry, named as the RFCs name them.

mod public_key;
mod redirect_mismatch;
mod redirect_scheme;
mod redirect_uri;
mod resource_indicator;
mod scope_set;

use serde::{Deserialize, Serialize};

pub use public_key::PublicKey;
pub use redirect_mismatch::{RedirectDifference, RedirectMismatch};
pub use redirect_scheme::RedirectScheme;
pub use redirect_uri::{RedirectLimits, RedirectRule, RedirectUri};
pub use resource_indicator::ResourceIndicator;
pub(crate) use scope_set::MOST_SCOPES;
pub use scope_set::{ScopeSet, ScopeToken};

/// How a client asks for a token (RFC 7591 section 2, `grant_types`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GrantType {
    /// RFC 6749 section 4.1.
    AuthorizationCode,
    /// RFC 6749 section 6.
    RefreshToken,
    /// RFC 6749 section 4.4.
    ClientCredentials,
}

impl GrantType {
    /// Every grant type that the service supports.
    pub const ALL: &'static [Self] = &[Self::AuthorizationCode, Self::RefreshToken, Self::ClientCredentials];

    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AuthorizationCode => "authorization_code",
            Self::RefreshToken => "refresh_token",
            Self::ClientCredentials => "client_credentials",
        }
    }

    /// The grant type of that name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|grant_type| grant_type.as_str() == text)
    }
}

/// How a client authenticates at the token endpoint (RFC 7591 section 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenEndpointAuthMethod {
    /// HTTP Basic (RFC 6749 section 2.3.1).
    ClientSecretBasic,
    /// In the form body (RFC 6749 section 2.3.1).
    ClientSecretPost,
    /// An assertion signed with a key of its own (RFC 7523 section 2.2, OpenID Connect Core section 9).
    PrivateKeyJwt,
    /// A public client: it has no secret (RFC 6749 section 2.1).
    None,
}

impl TokenEndpointAuthMethod {
    /// Every method that the service supports.
    pub const ALL: &'static [Self] =
        &[Self::ClientSecretBasic, Self::ClientSecretPost, Self::PrivateKeyJwt, Self::None];

    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ClientSecretBasic => "client_secret_basic",
            Self::ClientSecretPost => "client_secret_post",
            Self::PrivateKeyJwt => "private_key_jwt",
            Self::None => "none",
        }
    }

    /// The method of that name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|method| method.as_str() == text)
    }

    /// Whether a client of this method has secrets at all.
    pub fn has_secret(self) -> bool {
        matches!(self, Self::ClientSecretBasic | Self::ClientSecretPost)
    }

    /// Whether anybody could be such a client, for all that it can prove.
    pub fn is_public(self) -> bool {
        self == Self::None
    }
}

#[cfg(test)]
mod tests {
    use super::{GrantType, TokenEndpointAuthMethod};

    #[test]
    fn l2_protocol_names_are_those_of_the_rfc() {
        for grant_type in GrantType::ALL {
            assert_eq!(GrantType::parse(grant_type.as_str()), Some(*grant_type));
            assert_eq!(serde_json::to_value(grant_type).expect("json"), grant_type.as_str());
        }
        for method in TokenEndpointAuthMethod::ALL {
            assert_eq!(TokenEndpointAuthMethod::parse(method.as_str()), Some(*method));
            assert_eq!(serde_json::to_value(method).expect("json"), method.as_str());
        }
        assert_eq!((GrantType::parse("password"), GrantType::parse("implicit")), (None, None));
    }
}
