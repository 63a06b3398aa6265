//! Who a member is: sealed under a key of its own, and named in no event.
//!
//! The claim on an e-mail is a keyed digest in the table of claims, and in no event either: an event stays for ever, and
//! whoever held the key one day could try addresses against it, an erased one among them.

use std::collections::BTreeSet;

use crypto::Personal;
use domain::{
    Event, Member, MemberCommand, MemberId, Rule, Violation,
    member::{CreateMember, MemberDetail},
};
use serde_json::{Value, json};
use store::{ExpectedRevision, StreamName};

use super::{Along, ChangeDetailsRequest, ChangedMember};
use crate::{
    Inner,
    aggregates::Loader,
    context::{Context, IfMatch},
    error::{CommandError, Fault},
    execute::{MOST_ATTEMPTS, ProposedStream, claim_changes, claim_key},
};

/// What the vault calls who a member is.
pub(crate) const MEMBER: &str = "member";
/// The events that say who a member is.
pub(crate) const SAID_BY: [&str; 2] = ["member.created", "member.details_changed"];

/// A member that is about to be enrolled.
pub(crate) struct EnrolledMember {
    pub(crate) stream: ProposedStream,
    pub(crate) claims: Vec<store::ClaimChange>,
    pub(crate) member: Vec<domain::MemberEvent>,
}

impl Inner {
    /// The part of a commit that enrols a member; who it is goes into the vault under a key of its own.
    pub(crate) async fn enrolment(
        &self,
        member_id: MemberId,
        create: CreateMember,
        name: &Personal<String>,
        email: &Personal<String>,
    ) -> Result<EnrolledMember, CommandError> {
        let events = Member::Absent.decide(MemberCommand::CreateMember(create), self.log.now())?;
        self.vault.insert_person(member_id.0, None).await?;
        let stream = Loader::<Member>::stream(&member_id.to_string())?;
        let mut claims = claim_changes(Member::claims(&events), &stream);
        claims.push(store::ClaimChange::Take {
            key: claim_key(&self.member_email(email.expose())),
            stream: stream.clone(),
        });
        Ok(EnrolledMember {
            stream: ProposedStream {
                stream,
                expected: ExpectedRevision::NoStream,
                environment: None,
                responsible: None,
                events: events.iter().cloned().map(Event::Member).collect(),
                private: vec![self.seal_member(member_id, name.expose(), email.expose()).await?],
            },
            claims,
            member: events,
        })
    }

    pub(super) async fn change_details(
        &self,
        context: &Context,
        member_id: MemberId,
        if_match: Option<IfMatch>,
        request: &ChangeDetailsRequest,
    ) -> Result<ChangedMember, CommandError> {
        if if_match.is_none() {
            return Err(CommandError::PreconditionRequired);
        }
        let stream = Loader::<Member>::stream(&member_id.to_string())?;
        for _ in 0..MOST_ATTEMPTS {
            let revision = self.members.current(stream.id()).await?.revision;
            self.check_if_match(if_match, revision, &stream).await?;
            // What is not changed is sealed anew as it was then: if the member moves meanwhile it is all looked at again.
            let as_seen = Some(IfMatch::Revision(revision));
            match self.change_details_of(context, &stream, member_id, as_seen, request).await {
                Err(CommandError::PreconditionFailed { .. }) => {}
                changed => return changed,
            }
        }
        Err(CommandError::Contended)
    }

    async fn change_details_of(
        &self,
        context: &Context,
        stream: &StreamName,
        member_id: MemberId,
        if_match: Option<IfMatch>,
        request: &ChangeDetailsRequest,
    ) -> Result<ChangedMember, CommandError> {
        let held = self.newest_part(stream, &SAID_BY, MEMBER).await?;
        let (name, email) = (text(held.as_ref(), "name"), text(held.as_ref(), "email"));
        let new_name = asked(request.name.as_ref(), name, "/name")?;
        let new_email = asked(request.email.as_ref(), email, "/email")?;
        let wrong = domain::client::check_contact(new_name, new_email, "");
        if !wrong.is_empty() {
            return Err(CommandError::Invalid(wrong));
        }
        let mut details = BTreeSet::new();
        details.extend((name != Some(new_name)).then_some(MemberDetail::Name));
        details.extend((email != Some(new_email)).then_some(MemberDetail::Email));
        let along = Along {
            if_match,
            private: vec![self.seal_member(member_id, new_name, new_email).await?],
            claims: self.email_moves(stream, email, new_email),
            ..Along::default()
        };
        self.execute_member(context, member_id, along, |membership, facts| {
            context.demand_all(&membership.rights(&facts.own_roles))?;
            Ok(MemberCommand::ChangeDetails { details: details.clone() })
        })
        .await
    }

    /// Name and e-mail of a member, for a decision of the write side; nothing of who was erased.
    pub(crate) async fn member_details(
        &self,
        member_id: MemberId,
    ) -> Result<Option<(Personal<String>, Personal<String>)>, CommandError> {
        let stream = Loader::<Member>::stream(&member_id.to_string())?;
        let held = self.newest_part(&stream, &SAID_BY, MEMBER).await?;
        let field = |name| text(held.as_ref(), name).map(|text| Personal::new(text.to_owned()));
        Ok(field("name").zip(field("email")))
    }

    async fn seal_member(
        &self,
        member_id: MemberId,
        name: &str,
        email: &str,
    ) -> Result<store::Disclosure, CommandError> {
        let value = json!({ "name": name, "email": email });
        Ok(self.vault.seal_for_person(member_id.0, MEMBER, value).await?)
    }

    /// Refuses an address that is taken before anything is made for it: the commit is what decides, but a key for a member
    /// that never came to be would stay behind.
    pub(super) async fn check_email_is_free(&self, email: &Personal<String>) -> Result<(), CommandError> {
        match self.member_of_email(email).await? {
            Some(_) => Err(CommandError::Taken { pointer: "/email" }),
            None => Ok(()),
        }
    }

    /// Who holds an address, if anybody does.
    pub(crate) async fn member_of_email(&self, email: &Personal<String>) -> Result<Option<MemberId>, Fault> {
        let holder = self.log.claim_holder(&claim_key(&self.member_email(email.expose()))).await?;
        Ok(holder.and_then(|stream| stream.id().parse().ok()))
    }

    /// What happens to the claims; nothing if the two addresses are one but for their case.
    fn email_moves(&self, stream: &StreamName, old: Option<&str>, new: &str) -> Vec<store::ClaimChange> {
        let (old, new) =
            (old.map(|old| claim_key(&self.member_email(old))), claim_key(&self.member_email(new)));
        if old.as_ref() == Some(&new) {
            return Vec::new();
        }
        let stream = stream.clone();
        let released = old.map(|key| store::ClaimChange::Release { key, stream: stream.clone() });
        released.into_iter().chain([store::ClaimChange::Take { key: new, stream }]).collect()
    }
}

/// What is asked for, or else what is held; nobody knows that of who was erased.
fn asked<'a>(
    asked: Option<&'a Personal<String>>,
    held: Option<&'a str>,
    pointer: &str,
) -> Result<&'a str, CommandError> {
    let required = || {
        let detail = "must be given: what it was has been erased";
        CommandError::Invalid(vec![Violation::new(pointer, Rule::Required, detail)])
    };
    asked.map(|asked| asked.expose().as_str()).or(held).ok_or_else(required)
}

pub(super) fn text<'a>(part: Option<&'a Value>, field: &str) -> Option<&'a str> {
    part?.get(field)?.as_str()
}
