//! `/audit`.

pub(crate) mod export;
pub(crate) mod feed;
pub(crate) mod follow;
pub(crate) mod get;
pub(crate) mod get_verification;
pub(crate) mod list;
pub(crate) mod parameters;
pub(crate) mod question;
pub(crate) mod redact_reason;
pub(crate) mod standing;
pub(crate) mod verify;

use app::{AuditQuery, Context};
use serde::Deserialize;
use store::DisclosureRef;
use utoipa::ToSchema;

use crate::{problem::Problem, representation::AuditEvent, service::Service};

/// Which way a feed runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Order {
    /// Newest first.
    #[default]
    Desc,
    /// In the order of the log.
    Asc,
}

impl Order {
    /// The name on the wire.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Desc => "desc",
            Self::Asc => "asc",
        }
    }
}

/// Records that the audit is read, before it is. The record itself is in the answer, if it fits the question; and so is
/// whatever happened before the question, also at a page or by a client, neither of which waits for views.
pub(crate) async fn recorded(service: &Service, context: &Context, query: AuditQuery) -> Result<(), Problem> {
    let recorded = service.app.record_audit_read(context, query).await?;
    let position = match recorded {
        Some(position) => position,
        None => service.app.log().head().await?,
    };
    service.views_at(position).await;
    Ok(())
}

/// The events with their private parts opened, which is recorded.
pub(crate) async fn disclosed(
    service: &Service,
    context: Context,
    what: &'static str,
    subject: Option<String>,
    mut events: Vec<AuditEvent>,
) -> Result<Vec<AuditEvent>, Problem> {
    let mut wanted = Vec::new();
    for event in &events {
        let position = event.position;
        wanted.extend(event.digests()?.into_iter().map(|digest| DisclosureRef { position, digest }));
    }
    let opened = service.app.open_private_parts(context, what, subject, wanted).await?;
    for event in &mut events {
        event.disclose(&opened)?;
    }
    Ok(events)
}
