use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::SeededEntropy;
use crate::testing::{NoEntropy, golden_key, hex};

const LINE: &str = "muniment-master-key-v1 53241bb1 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
const PERSON_7: DataKeyRef<'_> = DataKeyRef { purpose: "person", id: "7" };

fn parse(line: &str) -> Result<MasterKey, MalformedMasterKey> {
    MasterKey::parse(&SecretString::from(line))
}

fn golden() -> MasterKey {
    parse(LINE).unwrap()
}

#[test]
fn the_line_is_frozen() {
    assert_eq!(*golden().to_line(), format!("{LINE}\n"));
    assert_eq!(golden().key.expose_bytes(), golden_key().expose_bytes());
    assert_eq!(golden().id().to_string(), "53241bb1");
    assert_eq!(format!("{:?}", golden()), "MasterKey(53241bb1, [secret])");
}

#[test]
fn a_damaged_line_is_refused() {
    use MalformedMasterKey::{Format, Id, Key, Shape};
    let (rest, last) = LINE.split_at(LINE.len() - 1);
    let refusals = [
        (String::new(), Shape),
        (format!(" {LINE}"), Shape),
        (format!("{LINE}\n\n"), Key),
        (LINE.replace("-v1", "-v2"), Format),
        (rest.to_owned(), Key),
        (format!("{LINE}="), Key),
        (format!("{rest}4"), Id),
        (LINE.replace("AAEC", "AAED"), Id),
        (LINE.replace("53241bb1", "53241BB1"), Id),
    ];
    assert_eq!(last, "8");
    for (line, refusal) in refusals {
        assert_eq!(parse(&line).map(|key| key.id), Err(refusal), "{line:?}");
    }
}

#[test]
fn the_wrapped_form_is_frozen() {
    let data_key = DataKey::from_bytes(std::array::from_fn(|i| 0x40 + i as u8));
    let wrapped = golden().wrap(PERSON_7, &data_key, &SeededEntropy::new(1)).unwrap();
    assert_eq!(
        hex(&wrapped),
        "0153241bb101783825822a6f9e62da2190e828e4c9d2576e5977e3a0b362de8e21d5f4efeae2\
         a3d7102b2ead16ba658e571defd954b85a72f145021a414af4762088a3f977be43cc932835a6a28c"
    );
    assert_eq!(golden().unwrap(PERSON_7, &wrapped).unwrap().expose_bytes(), data_key.expose_bytes());
}

#[test]
fn a_wrong_master_key_is_told_apart_from_damage() {
    let entropy = SeededEntropy::new(1);
    let wrapped = golden().wrap(PERSON_7, &golden_key(), &entropy).unwrap();
    let other = MasterKey::random(&entropy).unwrap();
    assert_eq!(
        other.unwrap(PERSON_7, &wrapped).map(|_| ()),
        Err(UnwrapError::WrongMasterKey { wrapped_by: golden().id(), given: other.id() })
    );
    for cut in 0..wrapped.len() {
        assert_eq!(
            golden().unwrap(PERSON_7, &wrapped[..cut]).map(|_| ()),
            Err(UnwrapError::Damaged),
            "cut at {cut}"
        );
    }
    for at in (0..wrapped.len()).filter(|at| !(1..ID_END).contains(at)) {
        let mut damaged = wrapped.clone();
        damaged[at] ^= 1;
        assert_eq!(
            golden().unwrap(PERSON_7, &damaged).map(|_| ()),
            Err(UnwrapError::Damaged),
            "damaged at {at}"
        );
    }
}

#[test]
fn a_data_key_unwraps_only_in_its_place() {
    let wrapped = golden().wrap(PERSON_7, &golden_key(), &SeededEntropy::new(1)).unwrap();
    for (purpose, id) in [("person", "8"), ("event", "7"), ("perso", "n7")] {
        assert_eq!(
            golden().unwrap(DataKeyRef { purpose, id }, &wrapped).map(|_| ()),
            Err(UnwrapError::Damaged)
        );
    }
}

#[test]
fn a_created_file_is_loaded_and_never_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("master.key");
    let created = MasterKey::create(&path, &SeededEntropy::new(1)).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(text, *created.to_line());

    assert_eq!(MasterKey::load(&path).unwrap().to_line(), created.to_line());
    let refusal = MasterKey::create(&path, &SeededEntropy::new(2)).unwrap_err();
    assert!(matches!(refusal, MasterKeyError::Exists { .. }), "{refusal}");
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
}

#[test]
fn a_file_that_others_have_access_to_is_refused_with_the_remedy() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("master.key");
    MasterKey::create(&path, &SeededEntropy::new(1)).unwrap();
    for mode in [0o640, 0o604, 0o620, 0o601] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let refusal = MasterKey::load(&path).unwrap_err();
        assert!(matches!(refusal, MasterKeyError::Exposed { mode: found, .. } if found == mode), "{refusal}");
        assert!(refusal.to_string().ends_with(&format!("run: chmod 600 '{}'", path.display())), "{refusal}");
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
    assert!(MasterKey::load(&path).is_ok());
}

#[test]
fn a_file_that_is_no_key_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("master.key");
    let missing = MasterKey::load(&path).unwrap_err();
    assert!(matches!(missing, MasterKeyError::Read { .. }), "{missing}");
    for content in [&b""[..], b"\xff", &[b'a'; 10_000]] {
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let refusal = MasterKey::load(&path).unwrap_err();
        let shape = matches!(refusal, MasterKeyError::Malformed { source: MalformedMasterKey::Shape, .. });
        assert!(shape, "{refusal}");
    }
}

#[test]
fn no_file_is_made_without_entropy() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("master.key");
    assert!(matches!(MasterKey::create(&path, &NoEntropy), Err(MasterKeyError::Entropy(_))));
    assert!(!path.exists());
}
