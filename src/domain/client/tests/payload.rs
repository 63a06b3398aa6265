use super::*;

const USES: [PayloadUse; 4] =
    [PayloadUse::Sign, PayloadUse::Verify, PayloadUse::Encrypt, PayloadUse::Decrypt];

fn encryption(old: bool, new: bool) -> ClientEvent {
    ClientEvent::PayloadEncryptionChanged(PayloadEncryptionChanged {
        payload_encryption: Change::new(old, new),
    })
}

fn set_encryption(on: bool) -> ClientCommand {
    ClientCommand::ChangeClient(Box::new(ChangeClient {
        payload_encryption: Some(on),
        ..ChangeClient::default()
    }))
}

fn serving(client: &Registration, usage: PayloadUse, now: u32) -> Result<Vec<SecretId>, ClientError> {
    let secrets = client.payload_secrets(usage, after(now))?;
    Ok(secrets.into_iter().map(|secret| secret.id.clone()).collect())
}

#[test]
fn o4_encryption_is_off_until_a_client_asks_for_it() {
    assert!(!registration(&[]).payload_encryption);
    assert_eq!(decided(given(&[]), 1, set_encryption(false)), Ok(vec![]));
    let on = event(given(&[]), 1, set_encryption(true));
    assert_eq!(on, encryption(false, true));
    let since = [(1, on)];
    assert!(registration(&since).payload_encryption);
    assert_eq!(event(given(&since), 2, set_encryption(false)), encryption(true, false));
    for usage in [PayloadUse::Encrypt, PayloadUse::Decrypt] {
        assert_eq!(serving(&registration(&[]), usage, 1), Err(ClientError::PayloadEncryptionOff));
        assert_eq!(serving(&registration(&since), usage, 1), Ok(vec![id("sign1")]));
    }
    for usage in [PayloadUse::Sign, PayloadUse::Verify] {
        assert_eq!(serving(&registration(&[]), usage, 1), Ok(vec![id("sign1")]));
    }
}

#[test]
fn o4_a_client_can_ask_for_encryption_when_it_is_created() {
    let mut create = create();
    create.metadata.payload_encryption = true;
    let events = decided(nothing(), 0, ClientCommand::CreateClient(Box::new(create)));
    assert_eq!(events, Ok(vec![ClientEvent::Created(created()), encryption(false, true)]));
}

#[test]
fn o4_in_an_overlap_both_secrets_read_and_the_newest_alone_writes() {
    let since = [(1, encryption(false, true)), (10, event(given(&[]), 10, rotate_signing("sign2", 100)))];
    let client = registration(&since);
    for usage in USES {
        let reads = matches!(usage, PayloadUse::Verify | PayloadUse::Decrypt);
        let in_overlap = if reads { vec![id("sign2"), id("sign1")] } else { vec![id("sign2")] };
        assert_eq!(serving(&client, usage, 109), Ok(in_overlap), "{usage:?}");
        assert_eq!(serving(&client, usage, 110), Ok(vec![id("sign2")]), "{usage:?}");
    }
}

#[test]
fn o4_a_client_that_is_deactivated_or_deleted_uses_no_signing_secret() {
    let inactive = ClientEvent::Deactivated(status(Status::Active, Status::Inactive));
    for usage in USES {
        let client = registration(&[(1, inactive.clone())]);
        assert_eq!(serving(&client, usage, 2), Err(ClientError::NotActive), "{usage:?}");
        assert_eq!(serving(&registration(&[(1, deleted())]), usage, 2), Err(ClientError::Deleted));
    }
}
