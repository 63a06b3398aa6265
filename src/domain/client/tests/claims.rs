use super::*;
use crate::Claim;

fn take(name: &str) -> ClaimChange {
    ClaimChange::Take(Claim::client_name(&environment(), name))
}

fn take_secret(name: &str) -> ClaimChange {
    ClaimChange::Take(Claim::client_secret(&id(name)))
}

fn release(namespace: &str) -> ClaimChange {
    ClaimChange::Release { namespace: namespace.to_owned() }
}

fn renamed(old: &str, new: &str) -> ClientEvent {
    ClientEvent::NameChanged(ClientNameChanged { client_name: Change::new(old.into(), new.into()) })
}

fn singleton() -> ClientCreated {
    ClientCreated { singleton: true, ..created() }
}

#[test]
fn o3_a_new_client_takes_its_name() {
    let claims = Client::Absent.claims(&[ClientEvent::Created(created())]);
    assert_eq!(claims, [take("Matter sync"), take_secret("first")]);
    assert_eq!(Client::Absent.claims(&[ClientEvent::Created(public())]), [take("Matter sync")]);
}

#[test]
fn o2_a_singleton_takes_its_type_in_its_environment() {
    let only = Claim::singleton(&environment(), "standard");
    assert_eq!(
        Client::Absent.claims(&[ClientEvent::Created(singleton())]),
        [take("Matter sync"), ClaimChange::Take(only), take_secret("first")]
    );
    let freed = [release("client_name:sandbox"), release("singleton:sandbox")];
    assert_eq!(folded(singleton(), &[]).claims(&[deleted()]), freed);
}

#[test]
fn o3_a_rename_moves_the_claim_whatever_its_key_is() {
    let client = folded(created(), &[]);
    let names = release("client_name:sandbox");
    assert_eq!(client.claims(&[renamed("Matter sync", "Other")]), [names.clone(), take("Other")]);
    let same = client.claims(&[renamed("Matter sync", "MATTER SYNC")]);
    assert_eq!(same, [names, take("matter sync")], "released before it is taken again");
}

#[test]
fn o3_a_rename_that_only_looks_different_is_one() {
    let client = folded(created(), &[]);
    for same in ["MATTER SYNC", "matter  sync", "Ｍatter sync", "Matter\u{a0}sync"] {
        let command = ChangeClient { client_name: Some(same.into()), ..ChangeClient::default() };
        let events =
            client.decide(ClientCommand::ChangeClient(Box::new(command)), after(1)).expect("a rename");
        assert_eq!(events.len(), 1, "the name as it is shown does change: {same}");
        assert_eq!(client.claims(&events)[1], take("Matter sync"), "{same}");
    }
}

#[test]
fn o3_a_deleted_client_frees_its_name() {
    assert_eq!(folded(created(), &[]).claims(&[deleted()])[0], release("client_name:sandbox"));
}

#[test]
fn l4_a_secret_leads_to_its_client_for_ever() {
    let client = folded(created(), &[]);
    for command in commands() {
        if matches!(command, ClientCommand::ChangeClient(_) | ClientCommand::Delete | ClientCommand::Enable) {
            continue;
        }
        let issues = matches!(command, ClientCommand::IssueSecret(_) | ClientCommand::RotateSecret(_));
        let events = client.decide(command.clone(), after(1)).expect("an event");
        let expected = if issues { vec![take_secret("other")] } else { Vec::new() };
        assert_eq!(client.claims(&events), expected, "{command:?}");
    }
}
