//! Why somebody may not register a client, or not manage it.

macro_rules! refusals {
    ($($(#[$doc:meta])* $variant:ident = $slug:literal, $description:literal;)+) => {
        /// Why somebody may not register a client, or not manage it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum RegistrationRefusal { $($(#[$doc])* $variant,)+ }

        impl RegistrationRefusal {
            /// Every one of them.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The name in activity and metrics.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $slug),+ }
            }

            /// The `error_description`: what the developer should know, and no more than that.
            pub fn description(self) -> &'static str {
                match self { $(Self::$variant => $description),+ }
            }
        }
    };
}

refusals! {
    /// Nobody registers clients here by the protocol.
    Closed = "registration_closed", "clients do not register themselves in this environment";
    /// Anybody may, and no member opened that who could answer for it.
    Unanswered = "registration_unanswered", "nobody answers for clients that register themselves: a member has to open registration";
    /// It takes an initial access token, and none is presented.
    InitialTokenMissing = "initial_access_token_missing", "an initial access token is needed";
    /// No initial access token of this environment.
    InitialTokenUnknown = "unknown_initial_access_token", "the initial access token is unknown or works no longer";
    /// It is revoked, expired or used up.
    InitialTokenEnded = "ended_initial_access_token", "the initial access token is unknown or works no longer";
    /// Its member can create clients here no longer.
    InitialTokenOfEndedMember = "initial_access_token_of_ended_member", "the initial access token is unknown or works no longer";
    /// As many clients have registered themselves as may.
    Full = "too_many_registered_clients", "as many clients have registered themselves as may";
    /// What it says of itself breaks rules.
    InvalidMetadata = "invalid_client_metadata", "the metadata break rules";
    /// It takes a registration access token, and none is presented.
    TokenMissing = "registration_access_token_missing", "a registration access token is needed";
    /// No registration access token of this client.
    TokenUnknown = "unknown_registration_access_token", "the registration access token is unknown or works no longer";
    /// Another took its place, or its client was deleted.
    TokenEnded = "ended_registration_access_token", "the registration access token is unknown or works no longer";
    /// Its client is deactivated.
    Deactivated = "registration_of_inactive_client", "the client is deactivated";
}
