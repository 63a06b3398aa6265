//! Nobody is locked out for good: there is always an administrator without limits who can sign in.

use domain::{Member, MemberId};
use store::Revision;

use crate::{Inner, aggregates::Loader, context::Context, error::Fault, execute::ProposedStream};

/// Members that are looked at, at a time.
const PAGE: usize = 500;

impl Inner {
    /// An administrator other than `except` who can sign in now, as the stream of it that the commit must find unmoved:
    /// of two who take the role from each other at one moment, one is recorded, and the other is decided again.
    ///
    /// There is no index of administrators to get out of step: the actor mostly is one, and otherwise every member is
    /// looked at, which only a command that would lock everybody out comes to.
    pub(super) async fn another_administrator(
        &self,
        context: &Context,
        except: MemberId,
    ) -> Result<Option<ProposedStream>, Fault> {
        if let Some(actor) = context.member().filter(|actor| *actor != except)
            && let Some(revision) = self.can_administer(&actor.to_string()).await?
        {
            return Ok(Some(ProposedStream::unmoved(
                Loader::<Member>::stream(&actor.to_string())?,
                revision,
            )));
        }
        let except = except.to_string();
        let mut after = None;
        loop {
            let page = self.log.streams(Member::CATEGORY, after.as_ref(), PAGE).await?;
            for stream in page.iter().filter(|stream| stream.id() != except) {
                if let Some(revision) = self.can_administer(stream.id()).await? {
                    return Ok(Some(ProposedStream::unmoved(stream.clone(), revision)));
                }
            }
            after = page.last().cloned();
            if after.is_none() {
                return Ok(None);
            }
        }
    }

    async fn can_administer(&self, id: &str) -> Result<Option<Revision>, Fault> {
        let loaded = self.members.current(id).await?;
        let able = loaded.aggregate.membership().is_some_and(|member| member.can_administer(self.log.now()));
        Ok(able.then_some(loaded.revision))
    }
}
