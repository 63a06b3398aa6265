//! Every route on one screen: what is served, who may ask, what is recorded of it.
//!
//! The server is built from this table, reads are authorized by it, and the OpenAPI document is written from it, so
//! that none of the three can say what another does not.

#[cfg(test)]
mod tests;

use actix_web::{
    HttpResponse, guard,
    http::{Method, header},
    web::{self, ServiceConfig},
};
use domain::Permission;

use crate::{
    api, compatibility, health, metrics,
    middleware::cross_origin,
    oauth, openapi,
    openapi::Operation,
    pages,
    problem::{Kind, Problem},
};

/// One method of one path.
pub(crate) struct Route {
    pub(crate) method: Method,
    /// The pattern, as the router and OpenAPI both write it.
    pub(crate) path: &'static str,
    /// What it does: its name in OpenAPI.
    pub(crate) operation: &'static str,
    /// What it is called in policies, in metrics, and in the record of a refusal: one command has one name there, whatever
    /// way it comes in.
    pub(crate) command: &'static str,
    pub(crate) access: Access,
    pub(crate) audit: Audit,
    handler: fn() -> actix_web::Route,
    pub(crate) document: fn(Operation) -> Operation,
}

/// Who may ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Anyone, without a token.
    Anyone,
    /// Any member.
    SignedIn,
    /// Who holds a permission.
    Needs(Permission),
    /// A client, by a secret of its own.
    Client,
    /// Who holds a permission in the environment that a token acts in: `compatibility::environment`.
    NeedsWhereItActs(Permission),
    /// Whoever the protocol lets ask, by rules of its own that the endpoint knows.
    Protocol,
    /// Who holds a permission in the environment that the query limits the answer to; without one, everywhere.
    NeedsWhereAsked(Permission),
    /// Who holds a permission where the thing is that the path names; where nothing is, everywhere. The endpoint demands
    /// it, once it knows where.
    NeedsWhereFound(Permission),
    /// Who holds one of two permissions. A refusal names the first.
    NeedsEither(Permission, Permission),
    /// A member about itself; about others, who holds a permission.
    OneselfOr(Permission),
}

/// What the main log holds of it afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Audit {
    /// Nothing.
    Nothing,
    /// Nothing; the activity log has each use, and refusals listed or counted.
    Activity,
    /// That it was refused, if it was; that private parts were opened, if they were.
    Refusals,
    /// That it was read or used, the same once in a while; and what [`Self::Refusals`] says.
    Reads,
    /// What it did, or that it was refused.
    Everything,
}

impl Audit {
    /// The name in OpenAPI.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Activity => "activity",
            Self::Refusals => "refusals",
            Self::Reads => "reads",
            Self::Everything => "everything",
        }
    }
}

macro_rules! routes {
    (@command $operation:literal) => { $operation };
    (@command $operation:literal $command:literal) => { $command };
    ($($method:ident $path:literal $operation:literal $(as $command:literal)? $access:expr, $audit:ident => $($endpoint:ident)::+;)+) => {
        [$(Route {
            method: Method::$method,
            path: $path,
            operation: $operation,
            command: routes!(@command $operation $($command)?),
            access: $access,
            audit: Audit::$audit,
            handler: || web::to($($endpoint)::+::handle),
            document: $($endpoint)::+::document,
        }),+]
    };
}

const ANYONE: Access = Access::Anyone;
const CLIENT: Access = Access::Client;
const PROTOCOL: Access = Access::Protocol;
const SIGNED_IN: Access = Access::SignedIn;
const CLIENTS_READ: Access = Access::Needs(Permission::ClientsRead);
const CLIENTS_WRITE: Access = Access::Needs(Permission::ClientsWrite);
const CLIENTS_READ_WHERE_IT_ACTS: Access = Access::NeedsWhereItActs(Permission::ClientsRead);
const CLIENTS_WRITE_WHERE_IT_ACTS: Access = Access::NeedsWhereItActs(Permission::ClientsWrite);
const SECRETS_REVEAL: Access = Access::Needs(Permission::SecretsReveal);
const AUDIT_READ: Access = Access::Needs(Permission::AuditRead);
const AUDIT_READ_WHERE_ASKED: Access = Access::NeedsWhereAsked(Permission::AuditRead);
const AUDIT_READ_WHERE_FOUND: Access = Access::NeedsWhereFound(Permission::AuditRead);
const CLIENTS_OR_AUDIT_READ: Access = Access::NeedsEither(Permission::ClientsRead, Permission::AuditRead);
const CATALOG_WRITE: Access = Access::Needs(Permission::CatalogWrite);
const ENVIRONMENTS_WRITE: Access = Access::Needs(Permission::EnvironmentsWrite);
const MEMBERS_WRITE: Access = Access::Needs(Permission::MembersWrite);
const OWN_OR_AUDIT_READ: Access = Access::OneselfOr(Permission::AuditRead);
const OWN_OR_MEMBERS_WRITE: Access = Access::OneselfOr(Permission::MembersWrite);
const REPLAY_RUN: Access = Access::Needs(Permission::ReplayRun);

/// The table. Methods of one path stand together.
#[rustfmt::skip]
static ROUTES: &[Route] = &routes! {
    POST   "/api/v1/environments/{environment}/clients"                                 "CreateClient"        CLIENTS_WRITE, Everything => api::clients::create;
    GET    "/api/v1/environments/{environment}/clients"                                 "ListClients"         CLIENTS_READ, Refusals => api::clients::list;
    GET    "/api/v1/environments/{environment}/clients/{client_id}"                     "GetClient"           CLIENTS_READ, Refusals => api::clients::get;
    PATCH  "/api/v1/environments/{environment}/clients/{client_id}"                     "ChangeClient"        CLIENTS_WRITE, Everything => api::clients::change;
    DELETE "/api/v1/environments/{environment}/clients/{client_id}"                     "Delete"              CLIENTS_WRITE, Everything => api::clients::delete;
    POST   "/api/v1/environments/{environment}/clients/{client_id}/deactivate"          "Deactivate"          CLIENTS_WRITE, Everything => api::clients::deactivate;
    POST   "/api/v1/environments/{environment}/clients/{client_id}/revoke_tokens"       "RevokeTokens"        CLIENTS_WRITE, Everything => api::clients::revoke_tokens;
    GET    "/api/v1/environments/{environment}/clients/{client_id}/impact"              "GetImpact"           CLIENTS_READ, Refusals => api::clients::impact;
    POST   "/api/v1/environments/{environment}/clients/{client_id}/enable"              "Enable"              CLIENTS_WRITE, Everything => api::clients::enable;
    PUT    "/api/v1/environments/{environment}/clients/{client_id}/responsible"         "ChangeResponsible"   CLIENTS_WRITE, Everything => api::clients::change_responsible;
    POST   "/api/v1/environments/{environment}/clients/{client_id}/redirect_uris"       "AddRedirectUri"      CLIENTS_WRITE, Everything => api::clients::add_redirect_uri;
    DELETE "/api/v1/environments/{environment}/clients/{client_id}/redirect_uris"       "RemoveRedirectUri"   CLIENTS_WRITE, Everything => api::clients::remove_redirect_uri;
    POST   "/api/v1/environments/{environment}/clients/{client_id}/redirect_uris/check" "CheckRedirectUri"    CLIENTS_READ, Refusals => api::clients::check_redirect_uri;
    POST   "/api/v1/environments/{environment}/clients/{client_id}/redirect_exceptions" "GrantRedirectException" ENVIRONMENTS_WRITE, Everything => api::clients::grant_redirect_exception;
    DELETE "/api/v1/environments/{environment}/clients/{client_id}/redirect_exceptions/{scheme}" "WithdrawRedirectException" CLIENTS_WRITE, Everything => api::clients::withdraw_redirect_exception;
    POST   "/api/v1/environments/{environment}/clients/{client_id}/secrets"             "IssueSecret"         CLIENTS_WRITE, Everything => api::clients::issue_secret;
    GET    "/api/v1/environments/{environment}/clients/{client_id}/secrets"             "ListSecrets"         CLIENTS_READ, Refusals => api::clients::list_secrets;
    DELETE "/api/v1/environments/{environment}/clients/{client_id}/secrets/{secret_id}" "RevokeSecret"        CLIENTS_WRITE, Everything => api::clients::revoke_secret;
    PATCH  "/api/v1/environments/{environment}/clients/{client_id}/secrets/{secret_id}" "ChangeSecret"        CLIENTS_WRITE, Everything => api::clients::change_secret;
    POST   "/api/v1/environments/{environment}/clients/{client_id}/secrets/{secret_id}/complete" "CompleteRotation" CLIENTS_WRITE, Everything => api::clients::complete_rotation;
    POST   "/api/v1/environments/{environment}/clients/{client_id}/secrets/{secret_id}/cancel" "CancelRotation" CLIENTS_WRITE, Everything => api::clients::cancel_rotation;
    POST   "/api/v1/environments/{environment}/clients/{client_id}/signing_secret"      "RotateSigningSecret" CLIENTS_WRITE, Everything => api::clients::rotate_signing_secret;
    POST   "/api/v1/environments/{environment}/clients/{client_id}/signing_secret/complete" "CompleteSigningSecretRotation" CLIENTS_WRITE, Everything => api::clients::complete_signing_secret_rotation;
    POST   "/api/v1/environments/{environment}/clients/{client_id}/reveal"              "RevealSigningSecret" SECRETS_REVEAL, Everything => api::clients::reveal_signing_secret;
    POST   "/api/v1/environments/{environment}/clients/{client_id}/payloads/sign"       "SignPayload"         SECRETS_REVEAL, Reads => api::clients::payloads::sign;
    POST   "/api/v1/environments/{environment}/clients/{client_id}/payloads/verify"     "VerifyPayload"       SECRETS_REVEAL, Reads => api::clients::payloads::verify;
    POST   "/api/v1/environments/{environment}/clients/{client_id}/payloads/encrypt"    "EncryptPayload"      SECRETS_REVEAL, Reads => api::clients::payloads::encrypt;
    POST   "/api/v1/environments/{environment}/clients/{client_id}/payloads/decrypt"    "DecryptPayload"      SECRETS_REVEAL, Reads => api::clients::payloads::decrypt;
    GET    "/api/v1/environments/{environment}/clients/{client_id}/credentials"         "GetClientCredentials" AUDIT_READ, Reads => api::clients::credentials;
    GET    "/api/v1/environments/{environment}/clients/{client_id}/difference"          "GetClientDifference" AUDIT_READ, Reads => api::clients::difference;
    GET    "/api/v1/environments/{environment}/clients/{client_id}/history"             "GetClientHistory"    CLIENTS_OR_AUDIT_READ, Reads => api::clients::history;
    GET    "/api/v1/environments/{environment}/expiring_secrets"                        "ListExpiringSecrets" CLIENTS_READ, Refusals => api::expiring_secrets;
    GET    "/api/v1/expiring_secrets"                                                   "ListAllExpiringSecrets" CLIENTS_READ, Refusals => api::expiring_secrets;
    GET    "/api/v1/audit/events"                                                       "ListAuditEvents"     AUDIT_READ_WHERE_ASKED, Reads => api::audit::list;
    GET    "/api/v1/audit/export"                                                       "ExportAudit"         AUDIT_READ_WHERE_ASKED, Reads => api::audit::export;
    GET    "/api/v1/audit/follow"                                                       "FollowAudit"         AUDIT_READ_WHERE_ASKED, Reads => api::audit::follow;
    GET    "/api/v1/audit/events/{position}"                                            "GetAuditEvent"       AUDIT_READ_WHERE_FOUND, Reads => api::audit::get;
    POST   "/api/v1/audit/verify"                                                       "VerifyAudit"         AUDIT_READ, Everything => api::audit::verify;
    GET    "/api/v1/audit/verify/{verification_id}"                                     "GetAuditVerification" AUDIT_READ, Reads => api::audit::get_verification;
    GET    "/api/v1/environments/{environment}/clients/{client_id}/activity"            "GetClientActivity"   AUDIT_READ, Reads => api::activity::of_client;
    GET    "/api/v1/activity"                                                           "ListActivity"        AUDIT_READ_WHERE_ASKED, Reads => api::activity;
    POST   "/api/v1/audit/events/{position}/redact_reason"                              "RedactReason"        MEMBERS_WRITE, Everything => api::audit::redact_reason;
    GET    "/api/v1/persons/{person_id}"                                                "GetPerson"           AUDIT_READ, Reads => api::persons::get;
    POST   "/api/v1/persons/{person_id}/erase"                                          "ErasePerson"         MEMBERS_WRITE, Everything => api::persons::erase;
    POST   "/api/v1/legal_holds"                                                        "PlaceLegalHold"      MEMBERS_WRITE, Everything => api::legal_holds::place;
    GET    "/api/v1/legal_holds"                                                        "ListLegalHolds"      AUDIT_READ, Refusals => api::legal_holds::list;
    GET    "/api/v1/legal_holds/{legal_hold_id}"                                        "GetLegalHold"        AUDIT_READ, Refusals => api::legal_holds::get;
    POST   "/api/v1/legal_holds/{legal_hold_id}/release"                                "ReleaseLegalHold"    MEMBERS_WRITE, Everything => api::legal_holds::release;
    POST   "/api/v1/members"                                                            "CreateMember"        MEMBERS_WRITE, Everything => api::members::create;
    GET    "/api/v1/members"                                                            "ListMembers"         MEMBERS_WRITE, Refusals => api::members::list;
    GET    "/api/v1/members/{member_id}"                                                "GetMember"           OWN_OR_MEMBERS_WRITE, Refusals => api::members::get;
    PATCH  "/api/v1/members/{member_id}"                                                "ChangeMember"        MEMBERS_WRITE, Everything => api::members::change;
    POST   "/api/v1/members/{member_id}/deactivate"                                     "DeactivateMember"    MEMBERS_WRITE, Everything => api::members::deactivate;
    POST   "/api/v1/members/{member_id}/enable"                                         "EnableMember"        MEMBERS_WRITE, Everything => api::members::enable;
    GET    "/api/v1/members/{member_id}/audit"                                          "ListMemberAudit"     AUDIT_READ, Reads => api::members::audit;
    GET    "/api/v1/members/{member_id}/responsibilities"                               "ListResponsibilities" OWN_OR_AUDIT_READ, Refusals => api::members::responsibilities;
    POST   "/api/v1/members/{member_id}/hand_over"                                      "HandOver"            CLIENTS_WRITE, Everything => api::members::hand_over;
    PUT    "/api/v1/members/{member_id}/roles"                                          "ChangeRoles"         MEMBERS_WRITE, Everything => api::members::change_roles;
    PUT    "/api/v1/members/{member_id}/password"                                       "SetPassword"         OWN_OR_MEMBERS_WRITE, Everything => api::members::set_password;
    DELETE "/api/v1/members/{member_id}/password"                                       "RemovePassword"      OWN_OR_MEMBERS_WRITE, Everything => api::members::remove_password;
    POST   "/api/v1/members/{member_id}/totp"                                           "BeginTotp"           OWN_OR_MEMBERS_WRITE, Refusals => api::members::totp::begin;
    DELETE "/api/v1/members/{member_id}/totp"                                           "RemoveTotp"          OWN_OR_MEMBERS_WRITE, Everything => api::members::totp::remove;
    POST   "/api/v1/members/{member_id}/totp/confirm"                                   "EnrolTotp"           OWN_OR_MEMBERS_WRITE, Everything => api::members::totp::confirm;
    POST   "/api/v1/members/{member_id}/totp/recovery_codes"                            "IssueRecoveryCodes"  OWN_OR_MEMBERS_WRITE, Everything => api::members::totp::recovery_codes;
    DELETE "/api/v1/members/{member_id}/passkeys/{passkey_id}"                          "RemovePasskey"       OWN_OR_MEMBERS_WRITE, Everything => api::members::remove_passkey;
    POST   "/api/v1/members/{member_id}/tokens"                                         "IssueToken"          OWN_OR_MEMBERS_WRITE, Everything => api::members::issue_token;
    GET    "/api/v1/members/{member_id}/tokens"                                         "ListTokens"          OWN_OR_MEMBERS_WRITE, Refusals => api::members::list_tokens;
    DELETE "/api/v1/members/{member_id}/tokens/{token_id}"                              "RevokeToken"         OWN_OR_MEMBERS_WRITE, Everything => api::members::revoke_token;
    POST   "/api/v1/roles"                                                              "CreateRole"          MEMBERS_WRITE, Everything => api::roles::create;
    GET    "/api/v1/roles"                                                              "ListRoles"           MEMBERS_WRITE, Refusals => api::roles::list;
    GET    "/api/v1/roles/{role}"                                                       "GetRole"             MEMBERS_WRITE, Refusals => api::roles::get;
    DELETE "/api/v1/roles/{role}"                                                       "DeleteRole"          MEMBERS_WRITE, Everything => api::roles::delete;
    PUT    "/api/v1/roles/{role}/permissions"                                           "ChangePermissions"   MEMBERS_WRITE, Everything => api::roles::change_permissions;
    GET    "/api/v1/me"                                                                 "GetMe"               SIGNED_IN, Nothing => api::me;
    POST   "/api/v1/environments"                                                       "CreateEnvironment"   ENVIRONMENTS_WRITE, Everything => api::environments::create;
    GET    "/api/v1/environments"                                                       "ListEnvironments"    CLIENTS_READ, Refusals => api::environments::list;
    GET    "/api/v1/environments/{environment}"                                         "GetEnvironment"      CLIENTS_READ, Refusals => api::environments::get;
    PATCH  "/api/v1/environments/{environment}"                                         "ChangePolicy"        ENVIRONMENTS_WRITE, Everything => api::environments::change_policy;
    POST   "/api/v1/environments/{environment}/terms"                                   "PublishTerms"        ENVIRONMENTS_WRITE, Everything => api::environments::publish_terms;
    GET    "/api/v1/environments/{environment}/signing_keys"                            "ListSigningKeys"     CLIENTS_READ, Refusals => api::signing_keys::list;
    POST   "/api/v1/environments/{environment}/signing_keys"                            "RotateSigningKey"    ENVIRONMENTS_WRITE, Everything => api::signing_keys::rotate;
    POST   "/api/v1/environments/{environment}/signing_keys/{key_id}/retire"            "RetireSigningKey"    ENVIRONMENTS_WRITE, Everything => api::signing_keys::retire;
    POST   "/api/v1/environments/{environment}/initial_access_tokens"                   "IssueInitialAccessToken" CLIENTS_WRITE, Everything => api::initial_access_tokens::issue;
    GET    "/api/v1/environments/{environment}/initial_access_tokens"                   "ListInitialAccessTokens" CLIENTS_READ, Refusals => api::initial_access_tokens::list;
    DELETE "/api/v1/environments/{environment}/initial_access_tokens/{token_id}"        "RevokeInitialAccessToken" CLIENTS_WRITE, Everything => api::initial_access_tokens::revoke;
    POST   "/api/v1/client_types"                                                       "CreateClientType"    CATALOG_WRITE, Everything => api::client_types::create;
    GET    "/api/v1/client_types"                                                       "ListClientTypes"     CLIENTS_READ, Refusals => api::client_types::list;
    GET    "/api/v1/client_types/{name}"                                                "GetClientType"       CLIENTS_READ, Refusals => api::client_types::get;
    PATCH  "/api/v1/client_types/{name}"                                                "ChangeClientType"    CATALOG_WRITE, Everything => api::client_types::change;
    POST   "/api/v1/client_types/{name}/deprecate"                                      "DeprecateClientType" CATALOG_WRITE, Everything => api::client_types::deprecate;
    POST   "/api/v1/client_types/{name}/restore"                                        "RestoreClientType"   CATALOG_WRITE, Everything => api::client_types::restore;
    POST   "/api/v1/scopes"                                                             "CreateScope"         CATALOG_WRITE, Everything => api::scopes::create;
    GET    "/api/v1/scopes"                                                             "ListScopes"          CLIENTS_READ, Refusals => api::scopes::list;
    GET    "/api/v1/scopes/{name}"                                                      "GetScope"            CLIENTS_READ, Refusals => api::scopes::get;
    PATCH  "/api/v1/scopes/{name}"                                                      "ChangeScope"         CATALOG_WRITE, Everything => api::scopes::change;
    POST   "/api/v1/scopes/{name}/deprecate"                                            "DeprecateScope"      CATALOG_WRITE, Everything => api::scopes::deprecate;
    POST   "/api/v1/scopes/{name}/restore"                                              "RestoreScope"        CATALOG_WRITE, Everything => api::scopes::restore;
    GET    "/api/v1/projections"                                                        "ListProjections"     REPLAY_RUN, Refusals => api::projections;
    POST   "/api/v1/projections/rebuild"                                                "RebuildViews"        REPLAY_RUN, Everything => api::projections::rebuild;
    POST   "/api/v2/oauth/clients"                                                      "CreateCompatibleClient" as "CreateClient" CLIENTS_WRITE_WHERE_IT_ACTS, Everything => compatibility::clients::create;
    GET    "/api/v2/oauth/clients"                                                      "ListCompatibleClients" as "ListClients" CLIENTS_READ_WHERE_IT_ACTS, Refusals => compatibility::clients::list;
    GET    "/api/v2/oauth/clients/{client_id}"                                          "GetCompatibleClient" as "GetClient" CLIENTS_READ_WHERE_IT_ACTS, Refusals => compatibility::clients::get;
    PATCH  "/api/v2/oauth/clients/{client_id}"                                          "PatchCompatibleClient" as "ChangeClient" CLIENTS_WRITE_WHERE_IT_ACTS, Everything => compatibility::clients::patch;
    DELETE "/api/v2/oauth/clients/{client_id}"                                          "DeleteCompatibleClient" as "Delete" CLIENTS_WRITE_WHERE_IT_ACTS, Everything => compatibility::clients::delete;
    POST   "/api/v1/leaked_secrets"                                                     "ReportLeakedSecrets" ANYONE, Everything => api::leaked_secrets;
    GET    "/assets/{asset}"                                                            "GetAsset"            ANYONE, Nothing => pages::assets;
    GET    "/healthz"                                                                   "GetHealth"           ANYONE, Nothing => health::alive;
    GET    "/readyz"                                                                    "GetReadiness"        ANYONE, Nothing => health::ready;
    GET    "/metrics"                                                                   "GetMetrics"          ANYONE, Nothing => metrics::endpoint;
    GET    "/openapi.json"                                                              "GetOpenApi"          ANYONE, Nothing => openapi::endpoint;
    GET    "/{environment}/client"                                                      "GetOwnClient"        CLIENT, Activity => oauth::own_client;
    POST   "/{environment}/client/payloads/sign"                                        "SignOwnPayload"      CLIENT, Activity => oauth::payloads::sign;
    POST   "/{environment}/client/payloads/verify"                                      "VerifyOwnPayload"    CLIENT, Activity => oauth::payloads::verify;
    POST   "/{environment}/client/payloads/encrypt"                                     "EncryptOwnPayload"   CLIENT, Activity => oauth::payloads::encrypt;
    POST   "/{environment}/client/payloads/decrypt"                                     "DecryptOwnPayload"   CLIENT, Activity => oauth::payloads::decrypt;
    GET    "/.well-known/oauth-authorization-server/{environment}"                      "GetMetadata"         PROTOCOL, Nothing => oauth::metadata;
    GET    "/.well-known/openid-configuration/{environment}"                            "GetOpenIdMetadata"   PROTOCOL, Nothing => oauth::metadata;
    GET    "/{environment}/.well-known/openid-configuration"                            "GetOpenIdConfiguration" PROTOCOL, Nothing => oauth::metadata;
    GET    "/{environment}/.well-known/oauth-authorization-server"                      "GetMetadataBelow"    PROTOCOL, Nothing => oauth::metadata;
    GET    "/{environment}/authorize"                                                   "Authorize"           PROTOCOL, Activity => oauth::authorize::get;
    POST   "/{environment}/authorize"                                                   "PostAuthorize"       PROTOCOL, Activity => oauth::authorize::post;
    GET    "/{environment}/sign_in"                                                     "GetSignIn"           PROTOCOL, Nothing => oauth::sign_in::get;
    POST   "/{environment}/sign_in"                                                     "SignIn"              PROTOCOL, Activity => oauth::sign_in::post;
    POST   "/{environment}/consent"                                                     "Consent"             PROTOCOL, Activity => oauth::consent;
    GET    "/{environment}/grants"                                                      "GetOwnGrants"        PROTOCOL, Nothing => oauth::grants::get;
    POST   "/{environment}/grants"                                                      "WithdrawGrant"       PROTOCOL, Activity => oauth::grants::post;
    GET    "/{environment}/second_factor"                                               "GetSecondFactors"    PROTOCOL, Nothing => oauth::second_factor::get;
    POST   "/{environment}/second_factor"                                               "ChangeSecondFactors" PROTOCOL, Activity => oauth::second_factor::post;
    GET    "/{environment}/logout"                                                      "GetLogout"           PROTOCOL, Activity => oauth::logout::get;
    POST   "/{environment}/logout"                                                      "Logout"              PROTOCOL, Activity => oauth::logout::post;
    GET    "/{environment}/jwks"                                                        "GetKeySet"           PROTOCOL, Nothing => oauth::jwks;
    POST   "/{environment}/par"                                                         "PushAuthorization"   PROTOCOL, Activity => oauth::push;
    POST   "/{environment}/token"                                                       "IssueTokens"         PROTOCOL, Activity => oauth::token;
    POST   "/{environment}/introspect"                                                  "Introspect"          PROTOCOL, Activity => oauth::introspect;
    POST   "/{environment}/revoke"                                                      "RevokeOwnToken"      PROTOCOL, Activity => oauth::revoke;
    GET    "/{environment}/userinfo"                                                    "GetUserinfo"         PROTOCOL, Activity => oauth::userinfo;
    POST   "/{environment}/userinfo"                                                    "PostUserinfo"        PROTOCOL, Activity => oauth::userinfo;
    POST   "/{environment}/register"                                                    "RegisterClient"      PROTOCOL, Activity => oauth::register::create;
    GET    "/{environment}/register/{client_id}"                                        "GetRegistration"     PROTOCOL, Activity => oauth::register::get;
    PUT    "/{environment}/register/{client_id}"                                        "ReplaceRegistration" PROTOCOL, Activity => oauth::register::replace;
    DELETE "/{environment}/register/{client_id}"                                        "DeleteRegistration"  PROTOCOL, Activity => oauth::register::delete;
    GET    "/"                                                                          "GetPointer"          ANYONE, Nothing => api::pointer;
};

/// Every route.
pub(crate) fn all() -> &'static [Route] {
    ROUTES
}

/// Whether anyone may ask this.
pub(crate) fn is_anyones(method: &Method, path: &str) -> bool {
    let mut anyones = ROUTES.iter().filter(|route| route.access == Access::Anyone);
    anyones.any(|route| is_of(route.path, path) && route.answers(method))
}

/// Whether a path is of this pattern.
fn is_of(pattern: &str, path: &str) -> bool {
    let mut segments = path.split('/');
    let alike = |expected: &str| {
        segments
            .next()
            .is_some_and(|segment| segment == expected || !segment.is_empty() && expected.starts_with('{'))
    };
    pattern.split('/').all(alike) && segments.next().is_none()
}

/// The routes of one path, in reach of whoever handles a request for it.
#[derive(Clone, Copy)]
pub(crate) struct Methods(&'static [Route]);

impl Methods {
    fn each() -> impl Iterator<Item = Self> {
        ROUTES.chunk_by(|left, right| left.path == right.path).map(Self)
    }

    /// The pattern that they share.
    pub(crate) fn path(self) -> &'static str {
        self.0[0].path
    }

    /// The route that answers `method`.
    pub(crate) fn route(self, method: &Method) -> Option<&'static Route> {
        self.0.iter().find(|route| route.answers(method))
    }

    /// Whether a page of any origin may ask.
    pub(crate) fn is_asked_by_pages(self) -> bool {
        ASKED_BY_PAGES.contains(&self.path())
    }

    /// What `Allow` says.
    pub(crate) fn allow(self) -> String {
        let names: Vec<_> = self.0.iter().flat_map(Route::methods).map(Method::as_str).collect();
        names.join(", ")
    }
}

impl Route {
    /// A GET answers HEAD as well; the server leaves the body out.
    fn methods(&self) -> impl Iterator<Item = &Method> {
        let head = (self.method == Method::GET).then_some(&Method::HEAD);
        std::iter::once(&self.method).chain(head)
    }

    fn answers(&self, method: &Method) -> bool {
        self.methods().any(|answered| answered == method)
    }
}

/// What clients ask thousands of times a second, most of it first. The router tries one pattern after the other, and nearly
/// all of the table stands before these.
const ASKED_OFTEN: [&str; 4] = [
    "/{environment}/token",
    "/{environment}/introspect",
    "/{environment}/authorize",
    "/{environment}/client",
];

/// What programs ask that run in a browser, on a page of any origin: nothing there rests on what a browser sends along by itself.
/// Never where a member is asked (RFC 9700 section 2.6).
const ASKED_BY_PAGES: [&str; 9] = [
    "/.well-known/oauth-authorization-server/{environment}",
    "/.well-known/openid-configuration/{environment}",
    "/{environment}/.well-known/openid-configuration",
    "/{environment}/.well-known/oauth-authorization-server",
    "/{environment}/jwks",
    "/{environment}/par",
    "/{environment}/token",
    "/{environment}/revoke",
    "/{environment}/userinfo",
];

/// Puts the table into the router.
pub(crate) fn register(config: &mut ServiceConfig) {
    let mut table: Vec<_> = Methods::each().collect();
    table.sort_by_key(|methods| {
        let place = ASKED_OFTEN.iter().position(|often| *often == methods.path());
        place.unwrap_or(ASKED_OFTEN.len())
    });
    for methods in table {
        let mut resource = web::resource(methods.path()).app_data(methods);
        for route in methods.0 {
            resource = resource.route(
                (route.handler)().guard(guard::fn_guard(|context| route.answers(&context.head().method))),
            );
        }
        if methods.is_asked_by_pages() {
            resource = resource.route(web::route().guard(guard::Options()).to(cross_origin::preflight));
        }
        config.service(
            resource.default_service(web::to(move || std::future::ready(method_not_allowed(methods)))),
        );
    }
}

fn method_not_allowed(methods: Methods) -> Result<HttpResponse, Problem> {
    Err(Problem::new(Kind::MethodNotAllowed).header(header::ALLOW, &methods.allow()))
}

/// Answers what no route does.
pub(crate) async fn no_such_route() -> Result<HttpResponse, Problem> {
    Err(Problem::new(Kind::NotFound).detail("nothing is served at this path: /openapi.json lists what is"))
}
