//! The old shapes of a member's events.

use serde_json::{Value, json};

use super::Upcast;

pub(super) const CREATED_V1: Upcast = Upcast {
    event_type: "member.created",
    event_version: 1,
    to_type: "member.created",
    to_version: 2,
    data: |mut data| {
        with_limits(data.get_mut("roles"));
        data
    },
};

pub(super) const ROLES_CHANGED_V1: Upcast = Upcast {
    event_type: "member.roles_changed",
    event_version: 1,
    to_type: "member.roles_changed",
    to_version: 2,
    data: |mut data| {
        with_limits(data.pointer_mut("/roles/old"));
        with_limits(data.pointer_mut("/roles/new"));
        data
    },
};

/// Schema 2 may name environments; a token without them has no limit, which is what every token of schema 1 had.
pub(super) const TOKEN_ISSUED_V1: Upcast = Upcast {
    event_type: "member.token_issued",
    event_version: 1,
    to_type: "member.token_issued",
    to_version: 2,
    data: |data| data,
};

/// Plain names of roles as grants: a role had no limit. What is no name stays, and does not fit the next schema.
fn with_limits(roles: Option<&mut Value>) {
    for role in roles.and_then(Value::as_array_mut).into_iter().flatten().filter(|role| role.is_string()) {
        *role = json!({ "role": role.take() });
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::{BuiltInRole, DecodeError, Event, MemberEvent};

    #[test]
    fn a10_a_role_of_schema_1_has_no_limit() {
        let changed = json!({ "roles": { "old": ["auditor"], "new": ["administrator", "auditor"] } });
        let read = Event::decode("member.roles_changed", 1, &changed.to_string()).expect("an old shape");
        let Event::Member(MemberEvent::RolesChanged(changed)) = read else { panic!("{read:?}") };
        assert_eq!(changed.roles.old, [BuiltInRole::Auditor.into()].into());
        assert_eq!(
            changed.roles.new,
            [BuiltInRole::Administrator.into(), BuiltInRole::Auditor.into()].into()
        );
    }

    #[test]
    fn a9_a_damaged_old_shape_is_an_error_and_not_a_member_without_roles() {
        for data in
            [json!({}), json!({ "roles": 7 }), json!({ "roles": [7] }), json!({ "roles": ["No Role"] })]
        {
            let read = Event::decode("member.created", 1, &data.to_string());
            assert!(matches!(read, Err(DecodeError::Malformed { .. })), "{data}: {read:?}");
        }
    }
}
