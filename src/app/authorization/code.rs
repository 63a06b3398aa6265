//! Codes for what members allow (RFC 6749 section 4.1.2).

use std::sync::Arc;

use crypto::SecretString;
use domain::{GrantId, MemberId};
use jiff::{SignedDuration, Timestamp};
use store::{ActivityCommit, ActivityError, Outcome, Voucher, VoucherChange};

use super::{AUTHORIZATION, Authorization, PUSHED_REQUEST};
use crate::{
    App, Inner,
    activity::Deed,
    context::Source,
    error::{CommandError, Fault},
    tokens::{CODE, CodeVoucher, Entitlement},
};

/// A member who has signed in.
#[derive(Clone, Debug)]
pub struct SignedInMember {
    /// Who.
    pub member_id: MemberId,
    /// When.
    pub signed_in_at: Timestamp,
    /// How (RFC 8176).
    pub methods: Vec<String>,
}

impl App {
    /// A code for what a member allows.
    ///
    /// # Errors
    /// A fault.
    pub async fn issue_code(
        &self,
        authorization: Authorization,
        grant_id: GrantId,
        member: SignedInMember,
        request_id: String,
        source: Option<Source>,
    ) -> Result<SecretString, CommandError> {
        self.run(move |inner| async move {
            inner.issue_code(authorization, grant_id, member, request_id, source).await
        })
        .await
    }
}

impl Inner {
    async fn issue_code(
        self: Arc<Self>,
        authorization: Authorization,
        grant_id: GrantId,
        member: SignedInMember,
        request_id: String,
        source: Option<Source>,
    ) -> Result<SecretString, CommandError> {
        let (policy, _) = self.policy(&authorization.environment).await?;
        let client_id = authorization.client_id;
        let minted = self.mint_for_client(CODE.secret, &authorization.environment, client_id)?;
        let voucher = CodeVoucher {
            entitlement: Entitlement {
                client_id,
                grant_id,
                member_id: member.member_id,
                scope: authorization.scope.clone(),
                resources: authorization.resources,
                auth_time: member.signed_in_at.as_second(),
                generation: authorization.registration.token_generation,
                key_thumbprint: authorization.key_thumbprint,
            },
            redirect_uri: authorization.redirect_uri,
            code_challenge: authorization.code_challenge,
            nonce: authorization.nonce,
            methods: member.methods,
        };
        let data = serde_json::to_vec(&voucher)
            .map_err(|error| Fault::permanent("writing what a code is good for", error))?;
        let deed = Deed {
            kind: AUTHORIZATION,
            environment: Some(authorization.environment.to_string()),
            client: Some(client_id.to_string()),
            token: Some(minted.id.to_string()),
            grant: Some(grant_id.to_string()),
            scope: Some(authorization.scope.to_wire()),
            request_id,
            source,
            ..Deed::default()
        };
        let record = self.listed(deed, Outcome::Done, None).await?;
        let expires_at = self.log.now() + SignedDuration::from_secs(policy.code_lifetime_seconds.into());
        let spent = authorization.pushed.map(|id| VoucherChange::Spend { kind: PUSHED_REQUEST, id });
        let issued = Voucher { kind: CODE.voucher, id: minted.id.into(), data, expires_at };
        let commit = ActivityCommit {
            records: vec![record],
            vouchers: [VoucherChange::Issue(issued)].into_iter().chain(spent).collect(),
            ..ActivityCommit::default()
        };
        match self.activity.append(commit).await {
            Ok(_) => Ok(minted.secret),
            // The same request was answered meanwhile: who asks again is told so.
            Err(ActivityError::VoucherNotLive { .. }) => Err(CommandError::Contended),
            Err(
                error @ (ActivityError::Unavailable(_)
                | ActivityError::VoucherTaken { .. }
                | ActivityError::OverLimit { .. }),
            ) => Err(Fault::passing("recording activity", error).into()),
        }
    }
}
