use super::*;

fn take(name: &str) -> ClaimChange {
    ClaimChange::Take(Claim::client_name(&environment(), name))
}

fn release(name: &str) -> ClaimChange {
    ClaimChange::Release(Claim::client_name(&environment(), name))
}

fn renamed(old: &str, new: &str) -> ClientEvent {
    ClientEvent::NameChanged(ClientNameChanged { client_name: Change::new(old.into(), new.into()) })
}

fn singleton() -> ClientCreated {
    ClientCreated { singleton: true, ..created() }
}

#[test]
fn o3_a_new_client_takes_its_name() {
    assert_eq!(Client::Absent.claims(&[ClientEvent::Created(created())]), [take("Matter sync")]);
}

#[test]
fn o2_a_singleton_takes_its_type_in_its_environment() {
    let only = Claim::singleton(&environment(), "standard");
    assert_eq!(
        Client::Absent.claims(&[ClientEvent::Created(singleton())]),
        [take("Matter sync"), ClaimChange::Take(only.clone())]
    );
    assert_eq!(
        folded(singleton(), &[]).claims(&[deleted()]),
        [release("Matter sync"), ClaimChange::Release(only)]
    );
}

#[test]
fn o3_a_rename_moves_the_claim() {
    let client = folded(created(), &[]);
    assert_eq!(client.claims(&[renamed("Matter sync", "Other")]), [take("Other"), release("Matter sync")]);
    let renamed_client = folded(singleton(), &[(1, renamed("Matter sync", "Other"))]);
    assert_eq!(
        renamed_client.claims(&[deleted()])[0],
        release("Other"),
        "what it holds now, not what it began with"
    );
}

#[test]
fn o3_a_rename_that_only_looks_different_keeps_the_claim() {
    let client = folded(created(), &[]);
    for same in ["MATTER SYNC", "matter  sync", "Ｍatter sync", "Matter\u{a0}sync"] {
        let command = ChangeClient { client_name: Some(same.into()), ..ChangeClient::default() };
        let events =
            client.decide(ClientCommand::ChangeClient(Box::new(command)), after(1)).expect("a rename");
        assert_eq!(events.len(), 1, "the name as it is shown does change: {same}");
        assert_eq!(client.claims(&events), [], "{same}");
    }
}

#[test]
fn o3_a_deleted_client_frees_its_name() {
    assert_eq!(folded(created(), &[]).claims(&[deleted()]), [release("Matter sync")]);
}

#[test]
fn o3_nothing_else_touches_a_claim() {
    let client = folded(singleton(), &[]);
    for command in commands() {
        if matches!(command, ClientCommand::ChangeClient(_) | ClientCommand::Delete | ClientCommand::Enable) {
            continue;
        }
        let events = client.decide(command.clone(), after(1)).expect("an event");
        assert_eq!(client.claims(&events), [], "{command:?}");
    }
}
