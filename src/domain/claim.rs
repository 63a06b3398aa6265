//! Claims: what only one stream may hold at a time, such as a client's name in its environment.

use caseless::Caseless;
use unicode_normalization::UnicodeNormalization;

use crate::{ClientId, EnvironmentName, MemberId, SecretId, violation::is_ignorable};

/// A value that one stream may hold at a time. Taken, moved and released in the same commit as the events.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Claim {
    /// What kind of value it is, with its island: `client_name:sandbox`.
    pub namespace: String,
    /// The value in the form in which it must be unique.
    pub key: String,
}

/// What events do to the claims of their stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClaimChange {
    /// The stream now holds it; refused if another does.
    Take(Claim),
    /// Whatever the stream holds in this namespace is free again. Not named by its key: that was folded by the release
    /// which took it, and another Unicode table may fold the same name to another key today.
    Release {
        /// The namespace, as in [`Claim`].
        namespace: String,
    },
}

impl Claim {
    /// A client's name, unique in its environment whatever its case or Unicode form (behaviour O3).
    pub fn client_name(environment: &EnvironmentName, client_name: &str) -> Self {
        Self { namespace: Self::client_names(environment), key: folded(client_name) }
    }

    /// Where the names of an environment's clients are.
    pub fn client_names(environment: &EnvironmentName) -> String {
        format!("client_name:{environment}")
    }

    /// The one client of a singleton type in an environment (behaviour O2).
    pub fn singleton(environment: &EnvironmentName, client_type: &str) -> Self {
        Self { namespace: Self::singletons(environment), key: client_type.to_owned() }
    }

    /// Where the singletons of an environment are.
    pub fn singletons(environment: &EnvironmentName) -> String {
        format!("singleton:{environment}")
    }

    /// Which client a secret belongs to, for who finds one somewhere. Held for ever: an id is never given again.
    pub fn client_secret(secret_id: &SecretId) -> Self {
        Self { namespace: "client_secret".into(), key: secret_id.0.clone() }
    }

    /// Which member a personal token belongs to.
    pub fn personal_token(token_id: &str) -> Self {
        Self { namespace: "personal_token".into(), key: token_id.to_owned() }
    }

    /// The grant by which a member is not asked again for a client.
    pub fn remembered_grant(environment: &EnvironmentName, client_id: ClientId, member_id: MemberId) -> Self {
        Self { namespace: Self::remembered_grants(environment), key: format!("{client_id}/{member_id}") }
    }

    /// Where the grants of an environment are that are remembered.
    pub fn remembered_grants(environment: &EnvironmentName) -> String {
        format!("remembered_grant:{environment}")
    }

    /// A member's e-mail, given as a keyed digest: never the address, never a plain hash of it.
    pub fn member_email(keyed_digest: &str) -> Self {
        Self { namespace: "member_email".into(), key: keyed_digest.to_owned() }
    }
}

/// NFKC and full case folding, folded again because folding can undo NFKC (Unicode 3.13, D146); without the
/// characters that draw nothing, and with one blank for any run of white space. Folding twice changes nothing.
pub fn folded(text: &str) -> String {
    let seen = text.chars().filter(|c| !is_ignorable(*c));
    let folded: String = seen.nfkc().default_case_fold().nfkc().default_case_fold().nfkc().collect();
    // Last, because NFKC makes blanks of characters that were none.
    folded.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Claim, EnvironmentName, folded};

    #[test]
    fn o3_names_that_look_alike_are_one() {
        assert_eq!(folded("Straße"), folded("STRASSE"));
        assert_eq!(folded("Matter  Sync"), folded("matter sync"));
        assert_eq!(folded("ﬁle"), folded("FILE"));
        assert_eq!(folded("Å"), folded("A\u{30a}"));
        assert_eq!(folded("matter\u{200D}sync"), folded("mattersync"), "a joiner cannot be seen");
        assert_eq!(folded("Ｍatter　sync"), folded("matter sync"));
        assert_ne!(folded("matter sync"), folded("matter-sync"));
    }

    #[test]
    fn l7_a_claim_belongs_to_one_environment() {
        let [sandbox, production] =
            ["sandbox", "production"].map(|name| EnvironmentName::parse(name).expect("name"));
        assert_ne!(Claim::client_name(&sandbox, "Sync"), Claim::client_name(&production, "Sync"));
        assert_ne!(Claim::singleton(&sandbox, "standard"), Claim::singleton(&production, "standard"));
        assert_ne!(Claim::client_name(&sandbox, "standard"), Claim::singleton(&sandbox, "standard"));
    }

    proptest! {
        #[test]
        fn o3_folding_twice_changes_nothing(text in any::<String>()) {
            let once = folded(&text);
            prop_assert_eq!(folded(&once), once);
        }

        #[test]
        fn o3_case_makes_no_difference(text in "[a-zA-Zà-þäöüßÀ-Þ ]{0,20}") {
            prop_assert_eq!(folded(&text.to_uppercase()), folded(&text.to_lowercase()));
        }
    }
}
