//! One sample of every shape that is stored: what the golden files hold.

use std::collections::BTreeSet;

use domain::{
    AdmissionEvent, BuiltInRole, Change, ClientEvent, ClientId, ClientTypeEvent, EnvironmentEvent,
    EnvironmentName, ErasureEvent, Event, GrantEvent, LegalHoldEvent, LegalHoldId, MemberEvent, MemberId,
    Permission, PersonId, Reach, RoleEvent, RoleGrant, RoleName, ScopeEvent, SecretId, SigningAlgorithm,
    SigningKeyEvent, VerificationId,
    admission::{ClientAdmitted, ClientLeft, InitialAccessTokenIssued, InitialAccessTokenRevoked},
    client::{
        AccessTokenFormatChanged, ClientCreated, ClientNameChanged, ClientSelfRegistered, ContactsChanged,
        DescriptionChanged, ExpiryChanged, ExpiryMoved, ExpiryRestored, IssuedRegistrationToken,
        IssuedSecret, IssuedSigningSecret, KeysChanged, PayloadEncryptionChanged,
        PostLogoutRedirectUrisChanged, RedirectExceptionGranted, RedirectExceptionWithdrawn,
        RedirectUrisChanged, RegistrationReplaced, ResponsibleChanged, RotationCancelled, RotationCompleted,
        ScopeChanged, SecretChanged, SecretIssued, SecretLeakReported, SecretRevoked, SecretRotated,
        SigningSecretRevealed, SigningSecretRotated, SigningSecretRotationCompleted, Software, Status,
        StatusChanged, TokensRevoked,
    },
    client_type::{
        ClientTypeCreated, ClientTypeDeprecated, ClientTypeDescriptionChanged, ClientTypeRestored,
        ClientTypeScopesChanged, DailyQuotaChanged,
    },
    environment::{
        AccessTokenFormat, ChannelDefaults, EnvironmentCreated, FirstPolicy, PolicyChanged, ReasonRequired,
        RegistrationRule, SecondFactorRule, TermsPublished,
    },
    erasure::{PersonErased, PersonKind, ReasonRedacted},
    grant::{CodeReused, GrantDenied, GrantEnded, GrantGiven, GrantWidened, RefreshTokenReused},
    legal_hold::{HoldSubject, LegalHoldPlaced, LegalHoldReleased},
    member::{
        DetailsChanged, IssuedToken, MemberCreated, MemberDetail, MemberStatus, PasskeyRegistered,
        PasskeyRemoved, PasswordRemoved, PasswordSet, RecoveryCodesIssued, RolesChanged, TokenIssued,
        TokenRevoked, TotpEnrolled, TotpRemoved,
    },
    oauth::{
        GrantType, PublicKey, RedirectRule, RedirectScheme, RedirectUri, ResourceIndicator, ScopeSet,
        ScopeToken, TokenEndpointAuthMethod,
    },
    registry::{
        ActivitySegmentClosed, AuditExported, AuditRead, AuditVerificationStarted, AuditVerified,
        ClockStepped, CommandRefused, PrivatePartsOpened, RebuiltView, RefusalsCounted, RefusedField,
        RegistryEvent, SigningSecretUsed, ViewsRebuilt,
    },
    role::{RoleCreated, RoleDeleted, RolePermissionsChanged},
    scope::{ScopeCreated, ScopeDeprecated, ScopeDescriptionChanged, ScopeRestored},
    signing_keys::{SigningKeyCreated, SigningKeyRetired},
};
use jiff::Timestamp;
use uuid::Uuid;

/// An event, and what sets it apart from the other sample of its type, if there is another.
pub struct Sample {
    pub case: Option<&'static str>,
    pub event: Event,
}

/// Every type in its current schema; twice where a part may be left out.
pub fn samples() -> Vec<Sample> {
    let full = |event: Event| Sample { case: None, event };
    let least = |event: Event| Sample { case: Some("least"), event };
    vec![
        full(ClientEvent::Created(client_created()).into()),
        least(ClientEvent::Created(least_client_created()).into()),
        full(ClientEvent::NameChanged(name_changed()).into()),
        full(ClientEvent::DescriptionChanged(description_changed()).into()),
        full(ClientEvent::ContactsChanged(contacts_changed()).into()),
        full(ClientEvent::RedirectUrisChanged(redirect_uris_changed()).into()),
        full(ClientEvent::PostLogoutRedirectUrisChanged(post_logout_redirect_uris_changed()).into()),
        full(ClientEvent::ScopeChanged(scope_changed()).into()),
        full(ClientEvent::ResponsibleChanged(responsible_changed()).into()),
        full(ClientEvent::RedirectExceptionGranted(RedirectExceptionGranted { scheme: scheme() }).into()),
        full(ClientEvent::RedirectExceptionWithdrawn(RedirectExceptionWithdrawn { scheme: scheme() }).into()),
        full(ClientEvent::SecretIssued(SecretIssued { secret: issued_secret() }).into()),
        least(ClientEvent::SecretIssued(SecretIssued { secret: least_issued_secret() }).into()),
        full(ClientEvent::SecretRotated(secret_rotated()).into()),
        least(ClientEvent::SecretRotated(least_secret_rotated()).into()),
        full(ClientEvent::SecretRevoked(SecretRevoked { secret_id: secret("9hT2kQ"), lockout: true }).into()),
        full(ClientEvent::RotationCompleted(rotation_completed()).into()),
        full(ClientEvent::RotationCancelled(rotation_cancelled()).into()),
        full(ClientEvent::SecretChanged(secret_changed()).into()),
        least(ClientEvent::SecretChanged(least_secret_changed()).into()),
        full(ClientEvent::SecretLeakReported(SecretLeakReported { secret_id: secret("9hT2kQ") }).into()),
        full(ClientEvent::SigningSecretRotated(signing_secret_rotated()).into()),
        least(ClientEvent::SigningSecretRotated(least_signing_secret_rotated()).into()),
        full(ClientEvent::SigningSecretRotationCompleted(signing_secret_rotation_completed()).into()),
        full(ClientEvent::PayloadEncryptionChanged(payload_encryption_changed()).into()),
        full(ClientEvent::KeysChanged(keys_changed()).into()),
        full(ClientEvent::AccessTokenFormatChanged(access_token_format_changed()).into()),
        full(ClientEvent::SigningSecretRevealed(signing_secret_revealed()).into()),
        full(ClientEvent::TokensRevoked(TokensRevoked { token_generation: Change::new(0, 1) }).into()),
        full(ClientEvent::Deactivated(status(Status::Active, Status::Inactive)).into()),
        full(ClientEvent::Enabled(status(Status::Inactive, Status::Active)).into()),
        full(ClientEvent::Deleted(status(Status::Inactive, Status::Deleted)).into()),
        full(ClientEvent::SelfRegistered(self_registered()).into()),
        least(ClientEvent::SelfRegistered(least_self_registered()).into()),
        full(ClientEvent::RegistrationReplaced(registration_replaced()).into()),
        least(ClientEvent::RegistrationReplaced(least_registration_replaced()).into()),
        full(MemberEvent::Created(member_created()).into()),
        least(MemberEvent::Created(MemberCreated { token: None, ..member_created() }).into()),
        full(MemberEvent::DetailsChanged(details_changed()).into()),
        full(MemberEvent::RolesChanged(roles_changed()).into()),
        full(MemberEvent::Deactivated(member_status(MemberStatus::Active, MemberStatus::Inactive)).into()),
        full(MemberEvent::Enabled(member_status(MemberStatus::Inactive, MemberStatus::Active)).into()),
        full(MemberEvent::TokenIssued(TokenIssued { token: issued_token() }).into()),
        least(MemberEvent::TokenIssued(TokenIssued { token: least_issued_token() }).into()),
        full(
            MemberEvent::TokenRevoked(TokenRevoked {
                token_id: secret("5vXw1b"),
                descendants: vec![secret("6wYx2c")],
            })
            .into(),
        ),
        full(MemberEvent::PasswordSet(password_set()).into()),
        least(MemberEvent::PasswordSet(PasswordSet { replaced: None, ..password_set() }).into()),
        full(MemberEvent::PasswordRemoved(PasswordRemoved { id: secret("7pQz3d") }).into()),
        full(MemberEvent::TotpEnrolled(totp_enrolled()).into()),
        least(MemberEvent::TotpEnrolled(TotpEnrolled { replaced: None, ..totp_enrolled() }).into()),
        full(MemberEvent::TotpRemoved(totp_removed()).into()),
        least(MemberEvent::TotpRemoved(TotpRemoved { recovery_codes: None, ..totp_removed() }).into()),
        full(MemberEvent::PasskeyRegistered(passkey_registered()).into()),
        full(MemberEvent::PasskeyRemoved(passkey_removed()).into()),
        least(
            MemberEvent::PasskeyRemoved(PasskeyRemoved { recovery_codes: None, ..passkey_removed() }).into(),
        ),
        full(MemberEvent::RecoveryCodesIssued(recovery_codes_issued()).into()),
        least(
            MemberEvent::RecoveryCodesIssued(RecoveryCodesIssued {
                replaced: None,
                ..recovery_codes_issued()
            })
            .into(),
        ),
        full(EnvironmentEvent::Created(environment_created()).into()),
        full(EnvironmentEvent::PolicyChanged(policy_changed()).into()),
        least(EnvironmentEvent::PolicyChanged(least_policy_changed()).into()),
        full(EnvironmentEvent::TermsPublished(terms_published()).into()),
        full(ClientTypeEvent::Created(client_type_created()).into()),
        full(ClientTypeEvent::Deprecated(ClientTypeDeprecated {}).into()),
        full(ClientTypeEvent::DescriptionChanged(client_type_description_changed()).into()),
        full(ClientTypeEvent::ScopesChanged(client_type_scopes_changed()).into()),
        full(ClientTypeEvent::DailyQuotaChanged(daily_quota_changed()).into()),
        full(ClientTypeEvent::Restored(ClientTypeRestored {}).into()),
        full(ScopeEvent::Created(scope_created()).into()),
        full(ScopeEvent::DescriptionChanged(scope_description_changed()).into()),
        full(ScopeEvent::Deprecated(ScopeDeprecated {}).into()),
        full(ScopeEvent::Restored(ScopeRestored {}).into()),
        full(ErasureEvent::PersonErased(person_erased()).into()),
        full(ErasureEvent::ReasonRedacted(reason_redacted()).into()),
        full(LegalHoldEvent::Placed(legal_hold_placed()).into()),
        full(LegalHoldEvent::Released(legal_hold_released()).into()),
        full(RoleEvent::Created(role_created()).into()),
        full(RoleEvent::PermissionsChanged(role_permissions_changed()).into()),
        full(RoleEvent::Deleted(RoleDeleted { permissions: permissions() }).into()),
        full(SigningKeyEvent::Created(signing_key_created()).into()),
        full(SigningKeyEvent::Retired(signing_key_retired()).into()),
        full(GrantEvent::Given(grant_given()).into()),
        full(GrantEvent::Denied(grant_denied()).into()),
        full(GrantEvent::Widened(grant_widened()).into()),
        full(GrantEvent::Withdrawn(grant_ended()).into()),
        full(GrantEvent::Revoked(grant_ended()).into()),
        full(GrantEvent::CodeReused(code_reused()).into()),
        full(GrantEvent::RefreshTokenReused(refresh_token_reused()).into()),
        full(AdmissionEvent::TokenIssued(initial_access_token_issued()).into()),
        least(
            AdmissionEvent::TokenIssued(InitialAccessTokenIssued {
                scope: None,
                ..initial_access_token_issued()
            })
            .into(),
        ),
        full(AdmissionEvent::TokenRevoked(InitialAccessTokenRevoked { token_id: secret("2kXr8p") }).into()),
        full(AdmissionEvent::ClientAdmitted(client_admitted()).into()),
        least(
            AdmissionEvent::ClientAdmitted(ClientAdmitted {
                initial_access_token_id: None,
                ..client_admitted()
            })
            .into(),
        ),
        full(AdmissionEvent::ClientLeft(ClientLeft { client_id: ClientId(uuid(1)) }).into()),
        full(RegistryEvent::ClockStepped(clock_stepped()).into()),
        full(RegistryEvent::CommandRefused(command_refused()).into()),
        least(RegistryEvent::CommandRefused(least_command_refused()).into()),
        full(RegistryEvent::RefusalsCounted(refusals_counted()).into()),
        full(RegistryEvent::PrivatePartsOpened(private_parts_opened()).into()),
        least(
            RegistryEvent::PrivatePartsOpened(PrivatePartsOpened { subject: None, ..private_parts_opened() })
                .into(),
        ),
        full(RegistryEvent::AuditRead(audit_read()).into()),
        least(RegistryEvent::AuditRead(least_audit_read()).into()),
        full(RegistryEvent::AuditExported(audit_exported()).into()),
        least(RegistryEvent::AuditExported(least_audit_exported()).into()),
        full(RegistryEvent::AuditVerificationStarted(audit_verification_started()).into()),
        full(RegistryEvent::AuditVerified(audit_verified()).into()),
        full(RegistryEvent::SigningSecretUsed(signing_secret_used()).into()),
        full(RegistryEvent::ViewsRebuilt(views_rebuilt()).into()),
        least(RegistryEvent::ViewsRebuilt(least_views_rebuilt()).into()),
        full(RegistryEvent::ActivitySegmentClosed(activity_segment_closed()).into()),
    ]
}

fn time(text: &str) -> Timestamp {
    text.parse().expect(text)
}

fn uuid(last: u128) -> Uuid {
    Uuid::from_u128(0x0193_b4a2_7c00_7000_8000_0000_0000_0000 + last)
}

fn secret(text: &str) -> SecretId {
    SecretId(text.to_owned())
}

fn environment() -> EnvironmentName {
    EnvironmentName::parse("sandbox").expect("a name")
}

fn uris(texts: &[&str]) -> Vec<RedirectUri> {
    texts.iter().map(|text| RedirectUri::parse(text).expect(text)).collect()
}

fn scheme() -> RedirectScheme {
    RedirectScheme::parse("com.example.app").expect("a scheme")
}

fn scopes(tokens: &[&str]) -> ScopeSet {
    tokens.iter().copied().collect()
}

fn commitment(letter: char) -> String {
    letter.to_string().repeat(43)
}

fn client_created() -> ClientCreated {
    ClientCreated {
        environment: environment(),
        client_name: "Mätter \"sync\" \\ 同期 \u{1F4BB}".into(),
        client_type: "standard".into(),
        singleton: true,
        redirect_uris: uris(&["https://app.example.com/callback?x=%2F", "http://[::1]:8080/cb"]),
        scope: scopes(&["matters:read", "matters:write"]),
        contacts: vec![PersonId(uuid(1)), PersonId(uuid(2))],
        grant_types: vec![
            GrantType::AuthorizationCode,
            GrantType::RefreshToken,
            GrantType::ClientCredentials,
        ],
        token_endpoint_auth_method: TokenEndpointAuthMethod::ClientSecretBasic,
        responsible: MemberId(uuid(7)),
        terms_accepted: "2026-01".into(),
        secret: Some(issued_secret()),
        signing_secret: signing("sig0a1b2c", 'S'),
    }
}

fn least_client_created() -> ClientCreated {
    ClientCreated {
        singleton: false,
        redirect_uris: vec![],
        grant_types: vec![GrantType::AuthorizationCode],
        token_endpoint_auth_method: TokenEndpointAuthMethod::None,
        secret: None,
        ..client_created()
    }
}

fn issued_secret() -> IssuedSecret {
    IssuedSecret {
        id: secret("9hT2kQ"),
        label: Some("build server".into()),
        hint: "mcs_9hT2".into(),
        not_before: Some(time("2026-01-02T00:00:00Z")),
        expires_at: Some(time("2027-01-01T00:00:00.123456Z")),
        commitment: commitment('A'),
    }
}

fn least_issued_secret() -> IssuedSecret {
    IssuedSecret { label: None, not_before: None, expires_at: None, ..issued_secret() }
}

fn signing(id: &str, letter: char) -> IssuedSigningSecret {
    IssuedSigningSecret { id: secret(id), commitment: commitment(letter) }
}

fn name_changed() -> ClientNameChanged {
    ClientNameChanged { client_name: Change::new("Matter sync".into(), "Matter export".into()) }
}

fn contacts_changed() -> ContactsChanged {
    ContactsChanged {
        contacts: Change::new(vec![PersonId(uuid(1))], vec![PersonId(uuid(2)), PersonId(uuid(1))]),
    }
}

fn redirect_uris_changed() -> RedirectUrisChanged {
    let one = uris(&["https://app.example.com/callback"]);
    let two = uris(&["https://app.example.com/callback", "https://app.example.com/callback/"]);
    RedirectUrisChanged { redirect_uris: Change::new(one, two) }
}

fn post_logout_redirect_uris_changed() -> PostLogoutRedirectUrisChanged {
    let one = uris(&["https://app.example.com/bye"]);
    PostLogoutRedirectUrisChanged { post_logout_redirect_uris: Change::new(Vec::new(), one) }
}

fn scope_changed() -> ScopeChanged {
    ScopeChanged { scope: Change::new(scopes(&["matters:read", "matters:write"]), scopes(&["matters:read"])) }
}

fn responsible_changed() -> ResponsibleChanged {
    ResponsibleChanged { responsible: Change::new(MemberId(uuid(7)), MemberId(uuid(8))) }
}

fn secret_rotated() -> SecretRotated {
    let end = time("2026-02-01T00:00:00.5Z");
    SecretRotated {
        secret: issued_secret(),
        overlap_seconds: 86_400,
        revoked: vec![],
        expiring: vec![
            ExpiryMoved { id: secret("3aB7zz"), old: Some(time("2026-12-31T23:59:59.999999Z")), new: end },
            ExpiryMoved { id: secret("4cD8yy"), old: None, new: end },
        ],
    }
}

fn least_secret_rotated() -> SecretRotated {
    SecretRotated {
        secret: least_issued_secret(),
        overlap_seconds: 0,
        revoked: vec![secret("3aB7zz"), secret("4cD8yy")],
        expiring: vec![],
    }
}

fn rotation_completed() -> RotationCompleted {
    RotationCompleted {
        secret_id: secret("9hT2kQ"),
        ended: vec![secret("3aB7zz"), secret("4cD8yy")],
        lockout: true,
    }
}

fn rotation_cancelled() -> RotationCancelled {
    let old = time("2026-02-01T00:00:00.5Z");
    RotationCancelled {
        secret_id: secret("9hT2kQ"),
        restored: vec![
            ExpiryRestored { id: secret("3aB7zz"), old, new: Some(time("2026-12-31T23:59:59.999999Z")) },
            ExpiryRestored { id: secret("4cD8yy"), old, new: None },
        ],
        lockout: false,
    }
}

fn secret_changed() -> SecretChanged {
    SecretChanged {
        secret_id: secret("9hT2kQ"),
        label: Some(Change::new(Some("build server".into()), None)),
        expires_at: Some(ExpiryChanged {
            old: Some(time("2027-01-01T00:00:00.123456Z")),
            new: time("2026-02-01T00:00:00.5Z"),
        }),
    }
}

fn least_secret_changed() -> SecretChanged {
    SecretChanged {
        label: None,
        expires_at: Some(ExpiryChanged { old: None, new: time("2026-02-01T00:00:00.5Z") }),
        ..secret_changed()
    }
}

fn signing_secret_rotated() -> SigningSecretRotated {
    SigningSecretRotated {
        signing_secret: signing("sig3d4e5f", 'T'),
        replaced_id: secret("sig0a1b2c"),
        overlap_seconds: 86_400,
        replaced_expires_at: Some(time("2026-02-01T00:00:00.5Z")),
    }
}

fn least_signing_secret_rotated() -> SigningSecretRotated {
    SigningSecretRotated { overlap_seconds: 0, replaced_expires_at: None, ..signing_secret_rotated() }
}

fn signing_secret_rotation_completed() -> SigningSecretRotationCompleted {
    SigningSecretRotationCompleted { signing_secret_id: secret("sig3d4e5f"), ended_id: secret("sig0a1b2c") }
}

fn description_changed() -> DescriptionChanged {
    DescriptionChanged { description: Change::new(None, Some("Keeps matters in step".to_owned())) }
}

fn payload_encryption_changed() -> PayloadEncryptionChanged {
    PayloadEncryptionChanged { payload_encryption: Change::new(false, true) }
}

fn keys_changed() -> KeysChanged {
    let key = serde_json::json!({
        "kty": "EC",
        "crv": "P-256",
        "kid": "1",
        "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
        "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
    });
    let keys = key.as_object().cloned().into_iter().collect::<Vec<_>>();
    KeysChanged { keys: Change::new(Vec::new(), PublicKey::parse_set(&keys, "").unwrap()) }
}

fn access_token_format_changed() -> AccessTokenFormatChanged {
    AccessTokenFormatChanged { access_token_format: Change::new(None, Some(AccessTokenFormat::Opaque)) }
}

fn signing_secret_revealed() -> SigningSecretRevealed {
    SigningSecretRevealed { signing_secret_id: secret("sig0a1b2c") }
}

fn status(old: Status, new: Status) -> StatusChanged {
    StatusChanged { status: Change::new(old, new) }
}

fn member_created() -> MemberCreated {
    MemberCreated {
        roles: [
            BuiltInRole::Administrator.into(),
            limited(BuiltInRole::IntegrationManager.name()),
            limited(on_call()),
        ]
        .into(),
        token: Some(issued_token()),
    }
}

fn limited(role: RoleName) -> RoleGrant {
    RoleGrant { role, reach: within_two() }
}

fn within_two() -> Reach {
    Reach::Within([environment(), EnvironmentName::parse("production").expect("a name")].into())
}

fn on_call() -> RoleName {
    RoleName::parse("on_call").expect("a name")
}

fn self_registered() -> ClientSelfRegistered {
    ClientSelfRegistered {
        initial_access_token_id: Some(secret("2kXr8p")),
        registration_access_token: registration_token("4mZt0q", 'M'),
        software: software("1.4.0"),
        names_contacts: true,
    }
}

fn least_self_registered() -> ClientSelfRegistered {
    ClientSelfRegistered {
        initial_access_token_id: None,
        software: Software::default(),
        names_contacts: false,
        ..self_registered()
    }
}

fn registration_replaced() -> RegistrationReplaced {
    RegistrationReplaced {
        registration_access_token: registration_token("6nBv2s", 'N'),
        replaced_id: secret("4mZt0q"),
        software: Some(Change::new(software("1.4.0"), software("1.5.0"))),
        names_contacts: Some(Change::new(true, false)),
    }
}

fn least_registration_replaced() -> RegistrationReplaced {
    RegistrationReplaced { software: None, names_contacts: None, ..registration_replaced() }
}

fn registration_token(id: &str, letter: char) -> IssuedRegistrationToken {
    IssuedRegistrationToken { id: secret(id), commitment: commitment(letter) }
}

fn software(version: &str) -> Software {
    Software {
        client_uri: Some("https://app.example.com/about".into()),
        logo_uri: Some("https://app.example.com/logo.png".into()),
        tos_uri: Some("https://app.example.com/terms".into()),
        policy_uri: Some("https://app.example.com/privacy#what".into()),
        software_id: Some("4NRB1-0XZABZI9E6-5SM3R".into()),
        software_version: Some(version.into()),
    }
}

fn initial_access_token_issued() -> InitialAccessTokenIssued {
    InitialAccessTokenIssued {
        environment: environment(),
        token_id: secret("2kXr8p"),
        label: "build agents".into(),
        hint: "mia_2kXr8p…".into(),
        member_id: MemberId(uuid(7)),
        scope: Some(scopes(&["matters:read"])),
        max_uses: 5,
        expires_at: time("2026-12-20T22:13:25.123456Z"),
        commitment: commitment('I'),
    }
}

fn client_admitted() -> ClientAdmitted {
    ClientAdmitted {
        environment: environment(),
        client_id: ClientId(uuid(1)),
        initial_access_token_id: Some(secret("2kXr8p")),
    }
}

fn details_changed() -> DetailsChanged {
    DetailsChanged { details: [MemberDetail::Name, MemberDetail::Email].into() }
}

fn member_status(old: MemberStatus, new: MemberStatus) -> domain::member::StatusChanged {
    domain::member::StatusChanged { status: Change::new(old, new) }
}

fn roles_changed() -> RolesChanged {
    let auditor = || RoleGrant::from(BuiltInRole::Auditor);
    RolesChanged { roles: Change::new([auditor()].into(), [auditor(), limited(on_call())].into()) }
}

fn signing_key_created() -> SigningKeyCreated {
    SigningKeyCreated {
        environment: environment(),
        key_id: secret("aB3dEfGh1JkLmN0p"),
        algorithm: SigningAlgorithm::Es256,
        public_key: [("crv", "P-256"), ("kty", "EC"), ("x", "MKBCTNIc"), ("y", "4Etl6SRW")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        commitment: "wOdJ2Cq1TjUF0Qz0u8mIr1KDzZ0E2c0gDoYpyvJ4oWg".into(),
        active_from: time("2026-11-20T22:13:25.123456Z"),
    }
}

fn signing_key_retired() -> SigningKeyRetired {
    SigningKeyRetired { key_id: secret("aB3dEfGh1JkLmN0p"), algorithm: SigningAlgorithm::Rs256 }
}

fn grant_given() -> GrantGiven {
    GrantGiven {
        environment: environment(),
        client_id: ClientId(uuid(1)),
        member_id: MemberId(uuid(2)),
        scope: scopes(&["matters:read", "openid"]),
        remembered: true,
    }
}

fn grant_denied() -> GrantDenied {
    let GrantGiven { environment, client_id, member_id, scope, .. } = grant_given();
    GrantDenied { environment, client_id, member_id, scope }
}

fn grant_widened() -> GrantWidened {
    GrantWidened {
        client_id: ClientId(uuid(1)),
        member_id: MemberId(uuid(2)),
        scope: Change::new(scopes(&["openid"]), scopes(&["matters:read", "openid"])),
    }
}

fn grant_ended() -> GrantEnded {
    GrantEnded { client_id: ClientId(uuid(1)), member_id: MemberId(uuid(2)) }
}

fn code_reused() -> CodeReused {
    CodeReused {
        code_id: secret("aB3dEfGh1JkLmN0p"),
        client_id: ClientId(uuid(1)),
        member_id: MemberId(uuid(2)),
    }
}

fn refresh_token_reused() -> RefreshTokenReused {
    RefreshTokenReused {
        token_id: secret("aB3dEfGh1JkLmN0p"),
        client_id: ClientId(uuid(1)),
        member_id: MemberId(uuid(2)),
    }
}

fn role_created() -> RoleCreated {
    RoleCreated {
        name: on_call(),
        description: "Looks and reveals at night".into(),
        permissions: [Permission::ClientsRead, Permission::SecretsReveal].into(),
    }
}

fn role_permissions_changed() -> RolePermissionsChanged {
    RolePermissionsChanged { permissions: Change::new([Permission::ClientsRead].into(), permissions()) }
}

fn issued_token() -> IssuedToken {
    IssuedToken {
        id: secret("5vXw1b"),
        label: "laptop".into(),
        hint: "mpt_5vXw".into(),
        permissions: permissions(),
        reach: within_two(),
        expires_at: time("2026-04-01T00:00:00.000001Z"),
        commitment: commitment('B'),
        parent: Some(secret("0a1b2c")),
        issued_by: None,
    }
}

fn least_issued_token() -> IssuedToken {
    IssuedToken {
        reach: Reach::Everywhere,
        parent: None,
        issued_by: Some(MemberId(uuid(7))),
        ..issued_token()
    }
}

fn password_set() -> PasswordSet {
    PasswordSet { id: secret("7pQz3d"), commitment: commitment('P'), replaced: Some(secret("8pRz4e")) }
}

fn totp_enrolled() -> TotpEnrolled {
    TotpEnrolled { id: secret("9tOz5f"), commitment: commitment('T'), replaced: Some(secret("0tPz6g")) }
}

fn totp_removed() -> TotpRemoved {
    TotpRemoved { id: secret("9tOz5f"), recovery_codes: Some(secret("1rCz7h")) }
}

fn passkey_registered() -> PasskeyRegistered {
    PasskeyRegistered { id: secret("2pKy8i"), commitment: commitment('K') }
}

fn passkey_removed() -> PasskeyRemoved {
    PasskeyRemoved { id: secret("2pKy8i"), recovery_codes: Some(secret("1rCz7h")) }
}

fn recovery_codes_issued() -> RecoveryCodesIssued {
    RecoveryCodesIssued {
        id: secret("1rCz7h"),
        commitment: commitment('R'),
        replaced: Some(secret("2rDz8i")),
    }
}

/// Spelled out, because a permission of tomorrow must not change the sample of today.
fn permissions() -> BTreeSet<Permission> {
    [
        Permission::ClientsRead,
        Permission::ClientsWrite,
        Permission::SecretsReveal,
        Permission::CatalogWrite,
        Permission::EnvironmentsWrite,
        Permission::OfferingsWrite,
        Permission::ProvidersWrite,
        Permission::MembersWrite,
        Permission::AuditRead,
        Permission::AuditReadPrivate,
        Permission::ReplayRun,
    ]
    .into()
}

fn environment_created() -> EnvironmentCreated {
    let policy = FirstPolicy {
        reason_required: true,
        secret_lifetime_seconds: 31_536_000,
        max_secret_lifetime_seconds: u32::MAX,
        max_overlap_seconds: 7_884_000,
        terms: vec!["2025-06".into(), "2026-01".into()],
    };
    EnvironmentCreated { name: environment(), policy }
}

fn policy_changed() -> PolicyChanged {
    let commands = ["Delete".to_owned(), "RevokeSecret".to_owned()].into();
    let defaults = |client_type: Option<&str>, tokens: &[&str], required| ChannelDefaults {
        client_type: client_type.map(str::to_owned),
        scope: scopes(tokens),
        contacts_required: required,
        terms_required: required,
    };
    PolicyChanged {
        reason_required: Some(Change::new(ReasonRequired::Always(true), ReasonRequired::For(commands))),
        secret_lifetime_seconds: Some(Change::new(31_536_000, 15_768_000)),
        max_secret_lifetime_seconds: Some(Change::new(u32::MAX, 31_536_000)),
        max_overlap_seconds: Some(Change::new(7_884_000, 0)),
        access_token_lifetime_seconds: Some(Change::new(3_600, 600)),
        refresh_token_lifetime_seconds: Some(Change::new(2_592_000, 86_400)),
        code_lifetime_seconds: Some(Change::new(60, 30)),
        redirect_rule: Some(Change::new(RedirectRule::HttpsOrLoopback, RedirectRule::HttpsOnly)),
        access_token_format: Some(Change::new(AccessTokenFormat::Jwt, AccessTokenFormat::Opaque)),
        resources: Some(Change::new([].into(), [resource("https://api.example.com")].into())),
        signing_key_lifetime_seconds: Some(Change::new(7_776_000, 172_800)),
        second_factor_required: Some(Change::new(SecondFactorRule::Never, SecondFactorRule::Administrators)),
        registration: Some(Change::new(RegistrationRule::Closed, RegistrationRule::InitialAccessToken)),
        max_registered_clients: Some(Change::new(1_000, 20)),
        dormant_after_seconds: Some(Change::new(7_776_000, 86_400)),
        compatibility_defaults: Some(Change::new(
            defaults(None, &[], true),
            defaults(Some("standard"), &["matters:read", "matters:write"], false),
        )),
        registration_defaults: Some(Change::new(
            defaults(Some("webhook"), &["webhooks:receive"], true),
            defaults(None, &[], true),
        )),
    }
}

fn resource(text: &str) -> ResourceIndicator {
    ResourceIndicator::parse(text).expect("a resource")
}

fn least_policy_changed() -> PolicyChanged {
    let reason_required = Change::new(ReasonRequired::Always(false), ReasonRequired::Always(true));
    PolicyChanged { reason_required: Some(reason_required), ..PolicyChanged::default() }
}

fn terms_published() -> TermsPublished {
    TermsPublished { terms: Change::new("2026-01".into(), "2026-06 (é)".into()) }
}

fn client_type_created() -> ClientTypeCreated {
    ClientTypeCreated {
        name: "record-search".into(),
        description: "Searches civil records".into(),
        scopes: scopes(&["records:search"]),
        singleton: true,
    }
}

fn client_type_description_changed() -> ClientTypeDescriptionChanged {
    let (old, new) = ("Searches civil records".into(), "Searches records of birth and marriage".into());
    ClientTypeDescriptionChanged { description: Change::new(old, new) }
}

fn client_type_scopes_changed() -> ClientTypeScopesChanged {
    let (old, new) = (scopes(&["records:search"]), scopes(&["records:read", "records:search"]));
    ClientTypeScopesChanged { scopes: Change::new(old, new) }
}

fn daily_quota_changed() -> DailyQuotaChanged {
    DailyQuotaChanged { daily_quota: Change::new(None, Some(u32::MAX)) }
}

fn scope_description_changed() -> ScopeDescriptionChanged {
    ScopeDescriptionChanged {
        description: Change::new("See your matters".into(), "See all your matters".into()),
    }
}

fn scope_created() -> ScopeCreated {
    ScopeCreated {
        name: ScopeToken::parse("matters:read").expect("a token"),
        description: "See your matters".into(),
    }
}

fn clock_stepped() -> ClockStepped {
    ClockStepped { from: time("2026-01-01T00:00:10.000001Z"), to: time("2026-01-01T00:00:00Z") }
}

fn command_refused() -> CommandRefused {
    CommandRefused {
        command: "CreateClient".into(),
        subject: Some("client-0193b4a2-7c00-7000-8000-000000000001".into()),
        problem: "invalid_request".into(),
        errors: vec![
            RefusedField { pointer: "/client_name".into(), rule: "required".into() },
            RefusedField { pointer: "/redirect_uris/1".into(), rule: "not_https".into() },
        ],
    }
}

fn least_command_refused() -> CommandRefused {
    CommandRefused {
        command: "Delete".into(),
        subject: None,
        problem: "permission_denied".into(),
        errors: vec![],
    }
}

fn private_parts_opened() -> PrivatePartsOpened {
    PrivatePartsOpened {
        what: "client.contacts".into(),
        subject: Some("client-0193b4a2-7c00-7000-8000-000000000001".into()),
        positions: vec![7],
        parts: 3,
    }
}

fn audit_read() -> AuditRead {
    AuditRead {
        what: "audit.events".into(),
        subject: Some("client-0193b4a2-7c00-7000-8000-000000000001".into()),
        filters: [("environment".into(), "sandbox".into()), ("ticket".into(), "INC-42".into())].into(),
        private_filters: vec!["address".into(), "q".into()],
        coalesced_seconds: 900,
    }
}

fn least_audit_read() -> AuditRead {
    AuditRead { subject: None, filters: [].into(), private_filters: vec![], ..audit_read() }
}

fn activity_segment_closed() -> ActivitySegmentClosed {
    ActivitySegmentClosed {
        segment: 20_777,
        first_position: 1_001,
        last_position: 2_000,
        root: "bjQLnP-zepicpUTmu3gKLHiQHT-zNzh2hRGjBhevoB0".into(),
    }
}

fn audit_exported() -> AuditExported {
    AuditExported {
        filters: [("type".into(), "client.created".into())].into(),
        private_filters: vec!["address".into()],
        format: "ndjson".into(),
        include_private: true,
        after: 0,
        until: 4_096,
    }
}

fn least_audit_exported() -> AuditExported {
    AuditExported { filters: [].into(), private_filters: vec![], include_private: false, ..audit_exported() }
}

fn audit_verification_started() -> AuditVerificationStarted {
    AuditVerificationStarted { verification_id: VerificationId(uuid(11)), head: 41 }
}

fn audit_verified() -> AuditVerified {
    AuditVerified {
        verification_id: VerificationId(uuid(11)),
        verdict: "views_differ".into(),
        position: 42,
        defects: 0,
        differing_rows: 1,
    }
}

fn signing_secret_used() -> SigningSecretUsed {
    SigningSecretUsed {
        subject: "client-0193b4a2-7c00-7000-8000-000000000001".into(),
        operation: "verify".into(),
        signing_secret_ids: vec![secret("sig3d4e5f"), secret("sig0a1b2c")],
        coalesced_seconds: 900,
    }
}

fn views_rebuilt() -> ViewsRebuilt {
    let digest = |of: u8| Some(format!("{of:02x}").repeat(32));
    let differs = RebuiltView {
        name: "clients".into(),
        position: 42,
        from: digest(0xab),
        to: digest(0xcd),
        differing_rows: 1,
    };
    ViewsRebuilt { views: vec![differs] }
}

fn least_views_rebuilt() -> ViewsRebuilt {
    let alone = RebuiltView { name: "clients".into(), position: 42, from: None, to: None, differing_rows: 0 };
    ViewsRebuilt { views: vec![alone] }
}

fn person_erased() -> PersonErased {
    PersonErased { person_id: PersonId(uuid(1)), kind: PersonKind::Contact }
}

fn reason_redacted() -> ReasonRedacted {
    ReasonRedacted { position: 42, digest: commitment('D') }
}

fn legal_hold_placed() -> LegalHoldPlaced {
    LegalHoldPlaced {
        legal_hold_id: LegalHoldId(uuid(9)),
        subject: HoldSubject::Person(PersonId(uuid(1))),
        ticket: "CASE-7".into(),
    }
}

fn legal_hold_released() -> LegalHoldReleased {
    LegalHoldReleased { legal_hold_id: LegalHoldId(uuid(9)), active: Change::new(true, false) }
}

fn refusals_counted() -> RefusalsCounted {
    RefusalsCounted {
        command: "CreateClient".into(),
        problem: "permission_denied".into(),
        count: 4_711,
        from: time("2026-01-01T00:00:00.000001Z"),
        to: time("2026-01-01T00:00:59Z"),
    }
}
