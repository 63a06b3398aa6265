//! Given, when, then for every rule of a role.

use cqrs_es::test::TestFramework;

use super::*;
use crate::{At, Stamped};

fn name(text: &str) -> RoleName {
    RoleName::parse(text).expect("a name")
}

fn created() -> RoleCreated {
    RoleCreated {
        name: name("on_call"),
        description: "Reveals and reads".into(),
        permissions: [Permission::ClientsRead, Permission::SecretsReveal].into(),
    }
}

fn deleted() -> RoleEvent {
    RoleEvent::Deleted(RoleDeleted { permissions: created().permissions })
}

fn decided(history: &[RoleEvent], command: RoleCommand) -> Result<Vec<RoleEvent>, RoleError> {
    let stamped = |event: &RoleEvent| Stamped { at: Timestamp::UNIX_EPOCH, event: event.clone() };
    let given = TestFramework::<Role>::with(()).given(history.iter().map(stamped).collect());
    let events = given.when(At { now: Timestamp::UNIX_EPOCH, command }).inspect_result()?;
    Ok(events.into_iter().map(|stamped| stamped.event).collect())
}

fn folded(history: &[RoleEvent]) -> Role {
    let mut role = Role::Absent;
    history.iter().for_each(|event| role.apply(event, Timestamp::UNIX_EPOCH));
    role
}

fn change(permissions: &[Permission]) -> RoleCommand {
    RoleCommand::ChangePermissions { permissions: permissions.iter().copied().collect() }
}

#[test]
fn l1_a_role_is_made_once_changed_and_deleted_for_good() {
    let made = RoleEvent::Created(created());
    assert_eq!(decided(&[], RoleCommand::CreateRole(created())), Ok(vec![made.clone()]));
    let history = [made.clone()];
    assert_eq!(decided(&history, RoleCommand::CreateRole(created())), Err(RoleError::AlreadyExists));
    let changed = RoleEvent::PermissionsChanged(RolePermissionsChanged {
        permissions: Change::new(created().permissions, [Permission::ClientsRead].into()),
    });
    assert_eq!(decided(&history, change(&[Permission::ClientsRead])), Ok(vec![changed.clone()]));
    assert_eq!(decided(&history, change(&[Permission::SecretsReveal, Permission::ClientsRead])), Ok(vec![]));
    assert_eq!(decided(&history, RoleCommand::DeleteRole), Ok(vec![deleted()]));
    let after = folded(&[made.clone(), changed]);
    assert_eq!(after.definition().map(|role| role.permissions.len()), Some(1));
    let gone = [made, deleted()];
    assert_eq!(folded(&gone).definition(), None);
    for command in [RoleCommand::CreateRole(created()), change(&[]), RoleCommand::DeleteRole] {
        assert_eq!(decided(&gone, command), Err(RoleError::Deleted), "its name is not used again");
    }
    for command in [change(&[]), RoleCommand::DeleteRole] {
        assert_eq!(decided(&[], command), Err(RoleError::NotFound));
    }
}

#[test]
fn l1_a_role_has_a_name_of_its_own_a_description_and_permissions() {
    let wrong = |created: RoleCreated| match decided(&[], RoleCommand::CreateRole(created)) {
        Err(RoleError::Invalid(wrong)) => {
            wrong.into_iter().map(|one| (one.pointer, one.rule)).collect::<Vec<_>>()
        }
        other => panic!("{other:?}"),
    };
    let taken = RoleCreated { name: BuiltInRole::Auditor.name(), ..created() };
    assert_eq!(wrong(taken), [("/name".to_owned(), Rule::Duplicate)]);
    let nothing = RoleCreated { description: " ".into(), permissions: BTreeSet::new(), ..created() };
    let both = [("/description".to_owned(), Rule::Required), ("/permissions".to_owned(), Rule::Required)];
    assert_eq!(wrong(nothing), both);
    for text in ["", "On call", "1st", "on-call", &"x".repeat(65)] {
        assert!(RoleName::parse(text).is_err(), "{text}");
    }
}

#[test]
fn l1_a_role_that_is_not_there_gives_nothing() {
    let sandbox = crate::EnvironmentName::parse("sandbox").expect("a name");
    let own = RoleGrant { role: name("on_call"), reach: Reach::Within([sandbox.clone()].into()) };
    let auditor = RoleGrant::from(BuiltInRole::Auditor);
    let known: OwnRoles = [(name("on_call"), created().permissions)].into();
    let held = rights([&own, &auditor], &known);
    assert!(held.allows(Permission::SecretsReveal, Some(&sandbox)));
    assert!(!held.allows(Permission::SecretsReveal, None));
    assert!(held.allows(Permission::AuditRead, None));
    assert_eq!(rights([&own, &auditor], &OwnRoles::new()), rights([&auditor], &known));
}

#[test]
fn a1_an_event_that_cannot_follow_changes_nothing() {
    let made = RoleEvent::Created(created());
    let changed = RoleEvent::PermissionsChanged(RolePermissionsChanged {
        permissions: Change::new(created().permissions, [Permission::ClientsRead].into()),
    });
    assert_eq!(folded(&[changed.clone(), deleted()]), Role::Absent);
    assert_eq!(folded(&[made.clone(), made.clone()]), folded(std::slice::from_ref(&made)));
    assert_eq!(folded(&[made.clone(), deleted(), changed, made]), Role::Deleted);
}
