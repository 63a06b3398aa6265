//! Why tokens are refused to a client that is who it says it is.

use crate::refusals::refusals;

refusals! {
    /// Why tokens are refused to a client that is who it says it is.
    pub enum TokenRefusal,
    /// The `error` of RFC 6749 section 5.2, RFC 8707 section 2 or RFC 9449 section 5.
    error;

    /// The client is not registered for this grant type.
    GrantTypeNotAllowed = "grant_type_not_allowed", "unauthorized_client", "the client is not registered for this grant_type";
    /// A public client cannot act for itself (RFC 6749 section 4.4).
    PublicClient = "public_client", "unauthorized_client", "a public client cannot use client_credentials";
    /// A scope that it cannot have.
    UnknownScope = "unknown_scope", "invalid_scope", "a scope is unknown, malformed, or beyond what was granted";
    /// A resource that the environment does not know (RFC 8707 section 2).
    UnknownResource = "unknown_resource", "invalid_target", "a resource is unknown in this environment, or beyond what was granted";
    /// Its type has a daily quota, and that is used up (behaviour O2).
    OverQuota = "over_quota", "invalid_request", "the daily quota of the client's type is used up";
    /// No code by its form, or none of ours.
    UnknownCode = "unknown_code", "invalid_grant", "the code is unknown, expired, or of another client";
    /// A code of another client.
    CodeOfAnother = "code_of_another_client", "invalid_grant", "the code is unknown, expired, or of another client";
    /// Its time is over.
    ExpiredCode = "expired_code", "invalid_grant", "the code is unknown, expired, or of another client";
    /// It was used before: all that came of it ends.
    ReusedCode = "reused_code", "invalid_grant", "the code was used before: all tokens of it are revoked";
    /// The redirect URI is another one, or missing.
    RedirectUriDiffers = "redirect_uri_differs", "invalid_grant", "redirect_uri is not the one of the authorization request";
    /// There is no code verifier (RFC 7636 section 4.5).
    VerifierMissing = "code_verifier_missing", "invalid_grant", "code_verifier is missing";
    /// The code verifier has not the form that it needs (RFC 7636 section 4.1).
    VerifierMalformed = "code_verifier_malformed", "invalid_grant", "code_verifier must be 43 to 128 of A-Z, a-z, 0-9, -, ., _ and ~";
    /// The code verifier is not what the challenge was made of.
    VerifierWrong = "code_verifier_wrong", "invalid_grant", "code_verifier does not fit the code_challenge";
    /// No refresh token by its form, or none of ours.
    UnknownRefreshToken = "unknown_refresh_token", "invalid_grant", "the refresh token is unknown, expired, or of another client";
    /// A refresh token of another client.
    RefreshTokenOfAnother = "refresh_token_of_another_client", "invalid_grant", "the refresh token is unknown, expired, or of another client";
    /// Its time is over.
    ExpiredRefreshToken = "expired_refresh_token", "invalid_grant", "the refresh token is unknown, expired, or of another client";
    /// Its successor was issued before: all that came of the grant ends.
    ReusedRefreshToken = "reused_refresh_token", "invalid_grant", "the refresh token was used before: all tokens of its grant are revoked";
    /// The member took the grant back, or it ended otherwise.
    EndedGrant = "ended_grant", "invalid_grant", "the grant has ended";
    /// The member cannot act any more.
    EndedMember = "ended_member", "invalid_grant", "the grant has ended";
    /// The token is bound to another key (RFC 9449 section 5).
    AnotherKey = "another_key", "invalid_dpop_proof", "the proof is of another key than the code or refresh token is bound to";
}
