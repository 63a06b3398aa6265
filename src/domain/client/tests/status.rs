use super::*;

fn deactivated() -> ClientEvent {
    ClientEvent::Deactivated(status(Status::Active, Status::Inactive))
}

fn enabled() -> ClientEvent {
    ClientEvent::Enabled(status(Status::Inactive, Status::Active))
}

#[test]
fn o6_deactivate_and_enable() {
    assert_eq!(event(given(&[]), 1, ClientCommand::Deactivate), deactivated());
    assert_eq!(event(given(&[(1, deactivated())]), 2, ClientCommand::Enable), enabled());
    assert_eq!(error(given(&[]), 1, ClientCommand::Enable), ClientError::NotInactive);
    assert_eq!(error(given(&[(1, deactivated())]), 2, ClientCommand::Deactivate), ClientError::NotActive);
    assert_eq!(registration(&[(1, deactivated()), (2, enabled())]).status, Status::Active);
}

#[test]
fn o6_no_secret_of_an_inactive_client_authenticates() {
    let live = |since: &[(u32, ClientEvent)]| registration(since).live_secrets(after(9)).count();
    assert_eq!(live(&[]), 1);
    assert_eq!(live(&[(1, deactivated())]), 0);
    assert_eq!(live(&[(1, deactivated()), (2, enabled())]), 1);
    assert_eq!(live(&[(1, deleted())]), 0);
}

#[test]
fn o6_delete_is_for_good() {
    assert_eq!(event(given(&[]), 1, ClientCommand::Delete), deleted());
    let from_inactive = ClientEvent::Deleted(status(Status::Inactive, Status::Deleted));
    assert_eq!(event(given(&[(1, deactivated())]), 2, ClientCommand::Delete), from_inactive);
    for command in commands() {
        assert_eq!(error(given(&[(1, deleted())]), 2, command.clone()), ClientError::Deleted, "{command:?}");
    }
}

#[test]
fn c5_the_history_of_a_deleted_client_stays_readable() {
    let gone = registration(&[(1, deleted())]);
    assert_eq!(
        (gone.status, gone.updated_at, gone.client_name.as_str()),
        (Status::Deleted, after(1), "Matter sync")
    );
}

#[test]
fn l2_a_client_that_is_not_there_refuses_everything() {
    for command in commands() {
        assert_eq!(error(nothing(), 0, command.clone()), ClientError::NotFound, "{command:?}");
    }
}

#[test]
fn a1_an_event_that_cannot_follow_changes_nothing() {
    let other = ClientEvent::Created(ClientCreated { client_name: "Other".into(), ..created() });
    assert_eq!(registration(&[(1, other)]), registration(&[]));
    let gone = registration(&[(1, deleted())]);
    assert_eq!(registration(&[(1, deleted()), (2, enabled())]), gone);
    assert_eq!(registration(&[(1, deleted()), (2, ClientEvent::Created(created()))]), gone);
    let mut absent = Client::Absent;
    absent.apply(&deactivated(), after(0));
    assert_eq!(absent, Client::Absent);
}

#[test]
fn a_status_has_one_name() {
    for status in [Status::Active, Status::Inactive, Status::Deleted] {
        assert_eq!(serde_json::to_value(status).expect("json"), status.as_str());
    }
}
