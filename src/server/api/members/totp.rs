//! `/members/{member_id}/totp`.

pub(crate) mod begin;
pub(crate) mod confirm;
pub(crate) mod recovery_codes;
pub(crate) mod remove;

use app::IssuedRecoveryCodes;
use crypto::ExposeSecret;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{representation::Member, service::Service};

/// Recovery codes that were just issued: each signs the member in once, in place of the device. They are shown here and never
/// again.
#[derive(Serialize, ToSchema)]
struct RecoveryCodes {
    /// Left out in the answer to a repeated request: issue others if the first answer was lost.
    #[serde(skip_serializing_if = "Option::is_none")]
    recovery_codes: Option<Vec<String>>,
    member: Member,
}

impl RecoveryCodes {
    fn new(service: &Service, issued: &IssuedRecoveryCodes) -> Self {
        let shown = |codes: &Vec<crypto::SecretString>| {
            codes.iter().map(|code| code.expose_secret().to_owned()).collect()
        };
        Self {
            recovery_codes: issued.codes.as_ref().map(shown),
            member: Member::new(service, &issued.member),
        }
    }
}
