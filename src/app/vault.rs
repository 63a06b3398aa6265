//! The vault: the keys of this service, and what is sealed under them.
//!
//! Credentials are sealed under the service's vault key. Private parts are sealed under a key per person, or, for a
//! free-text reason, under a key of its own event; deleting a key erases what it sealed and leaves every proof valid,
//! because the entry holds only a salted digest.

mod compare;
mod event_keys;
mod marked_key;
mod ring;
mod segment_keys;

use std::{
    collections::HashSet,
    net::IpAddr,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use crypto::{DataKey, DataKeyRef, Disclosure, Entropy, MasterKey, Personal};
use domain::Erasures;
use moka::sync::Cache;
use serde::Serialize;
use serde_json::Value;
use store::{DisclosureKey, EventLog, KeyStore, PersonKey, Revision, SealedSource, SegmentNumber};
use uuid::Uuid;

pub use compare::{CredentialDefect, compare_credentials};
pub use event_keys::expect_event_keys;
pub use ring::KeyRingError;
use ring::{KeyRing, PERSON_KEY};

use crate::{
    aggregates::Loader,
    error::Fault,
    vault::{
        event_keys::EventKeys,
        marked_key::{Looked, MarkedKey},
        segment_keys::SegmentKeys,
    },
};

/// Person keys that are kept unwrapped in memory.
const CACHED_PERSONS: u64 = 10_000;
/// Bytes of the token of an address: enough to tell addresses apart, not worth more room in each record.
const ADDRESS_TOKEN: usize = 16;
/// What the sources of activity are sealed for.
const SOURCE_PLACE: &str = "activity/source";

/// What is sealed of where somebody came from.
#[derive(Serialize)]
struct PlainSource<'a> {
    address: &'a str,
    user_agent: Option<&'a str>,
}

/// Private parts that are looked at when the vault is opened: whether the keys are as new as the log.
const NEWEST_DISCLOSURES: usize = 10_000;

/// Seals and opens.
pub(crate) struct Vault {
    keys: Arc<dyn KeyStore>,
    master_key: MasterKey,
    entropy: Arc<dyn Entropy>,
    pub(crate) ring: KeyRing,
    persons: Cache<Uuid, Arc<MarkedKey>>,
    /// Who was erased, by the list in the log: no key of theirs is used or made again, whatever the key store holds.
    erased: RwLock<HashSet<Uuid>>,
    /// The revision of that list when it was looked at last.
    learned: AtomicU64,
    event_keys: EventKeys,
    segment_keys: SegmentKeys,
}

/// A secret's verifier, or a secret that must be used again, ready for a commit.
pub(crate) struct SealedCredential {
    pub(crate) row: store::Credential,
    /// What the event says of it: a value swapped in the vault no longer fits.
    pub(crate) commitment: String,
}

/// Why a credential of the vault cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CredentialError {
    #[error("the vault has no credential `{0}`")]
    Missing(String),
    #[error("credential `{0}` does not open, or is not the one its event committed to")]
    Swapped(String),
}

impl Vault {
    pub(crate) async fn open(
        keys: Arc<dyn KeyStore>,
        master_key: MasterKey,
        log: &dyn EventLog,
        entropy: Arc<dyn Entropy>,
        erasures: &Loader<Erasures>,
    ) -> Result<Self, KeyRingError> {
        let ring = KeyRing::open(keys.as_ref(), &master_key, log, entropy.as_ref()).await?;
        let event_keys = EventKeys::open(keys.as_ref(), log).await?;
        let persons = Cache::new(CACHED_PERSONS);
        // In this order: another node may record and erase persons in between.
        let newest = log.newest_persons(NEWEST_DISCLOSURES).await?;
        let without_key = without_key(keys.as_ref(), newest).await?;
        let register = erasures.current(Erasures::REGISTER).await?;
        let erased: HashSet<_> = register.aggregate.persons.keys().map(|person| person.0).collect();
        if let Some(person) = without_key.into_iter().find(|person| !erased.contains(person)) {
            return Err(KeyRingError::PersonKeyMissing(person));
        }
        Ok(Self {
            keys,
            master_key,
            entropy,
            ring,
            persons,
            erased: RwLock::new(erased),
            learned: AtomicU64::new(0),
            event_keys,
            segment_keys: SegmentKeys::default(),
        })
    }

    /// Seals `value` as the credential `id`.
    pub(crate) fn seal_credential(
        &self,
        id: &str,
        name: &str,
        value: &str,
    ) -> Result<SealedCredential, Fault> {
        let disclosure = self.disclosure(name, Value::from(value))?;
        let sealed =
            self.ring.sealing().seal(&credential_place(id), disclosure.encoded(), self.entropy.as_ref())?;
        Ok(SealedCredential {
            row: store::Credential { id: id.to_owned(), sealed },
            commitment: disclosure.digest().to_owned(),
        })
    }

    /// Opens the credential `id`, and proves it to be the one that its event committed to.
    pub(crate) async fn open_credential(
        &self,
        log: &dyn EventLog,
        id: &str,
        commitment: &str,
    ) -> Result<Personal<String>, Fault> {
        let damaged = |error| Fault::permanent("opening a credential", error);
        let sealed =
            log.credential(id).await?.ok_or_else(|| damaged(CredentialError::Missing(id.to_owned())))?;
        self.open_sealed(id, &sealed, commitment)
    }

    /// The same for one that is not in the vault yet.
    pub(crate) fn open_sealed(
        &self,
        id: &str,
        sealed: &[u8],
        commitment: &str,
    ) -> Result<Personal<String>, Fault> {
        let swapped = || Fault::permanent("opening a credential", CredentialError::Swapped(id.to_owned()));
        let encoded = self.ring.unseal(&credential_place(id), sealed).ok_or_else(swapped)?;
        let disclosure = committed_to(&encoded, commitment).ok_or_else(swapped)?;
        disclosure.expose_value().as_str().map(|text| Personal::new(text.to_owned())).ok_or_else(swapped)
    }

    /// The pseudonym of the person with this e-mail: the one it has, or a new one with a key of its own.
    pub(crate) async fn person_by_email(&self, email: &str, candidate: Uuid) -> Result<Uuid, Fault> {
        let token = self.ring.digests.digest("person/email", &[email.trim().to_lowercase().as_bytes()]);
        if let Some(person) = self.keys.person_by_token(&token).await? {
            if !self.is_erased(person) {
                return Ok(person);
            }
            // The event is there and the key not deleted yet: who comes back is somebody new.
            self.erase(person).await?;
        }
        self.insert_person(candidate, Some(token.to_vec())).await
    }

    /// Makes a key for a new person.
    pub(crate) async fn insert_person(&self, person: Uuid, token: Option<Vec<u8>>) -> Result<Uuid, Fault> {
        let key = DataKey::random(self.entropy.as_ref())?;
        let id = person.to_string();
        let wrapped =
            self.master_key.wrap(DataKeyRef { purpose: PERSON_KEY, id: &id }, &key, self.entropy.as_ref())?;
        Ok(self.keys.insert_person(PersonKey { person, token, wrapped }).await?)
    }

    /// Seals a private part that tells about `person`. Answers its digest for the event and its row for the commit.
    pub(crate) async fn seal_for_person(
        &self,
        person: Uuid,
        name: &str,
        value: Value,
    ) -> Result<store::Disclosure, Fault> {
        let Some(key) = self.person_key(person).await? else {
            if self.is_erased(person) {
                return self.seal_for_event(name, value).await;
            }
            // Its key was lost in the meantime: what is said about a person now is said under a new key.
            self.insert_person(person, None).await?;
            return Box::pin(self.seal_for_person(person, name, value)).await;
        };
        self.seal(&key, DisclosureKey::Person(person), name, value)
    }

    /// Seals a private part under a key of its own, so that it can be redacted alone.
    pub(crate) async fn seal_for_event(&self, name: &str, value: Value) -> Result<store::Disclosure, Fault> {
        let (slot, key) =
            self.event_keys.take(self.keys.as_ref(), &self.master_key, self.entropy.as_ref()).await?;
        self.seal(&MarkedKey::new(key), DisclosureKey::Event(slot), name, value)
    }

    /// Seals where somebody came from, for a segment of the activity log; the address can be searched for.
    pub(crate) async fn seal_source(
        &self,
        segment: SegmentNumber,
        address: &str,
        user_agent: Option<&str>,
    ) -> Result<SealedSource, Fault> {
        let (keys, entropy) = (self.keys.as_ref(), self.entropy.as_ref());
        let key = self.segment_keys.of(segment, keys, &self.master_key, entropy).await?;
        let source = serde_json::to_string(&PlainSource { address, user_agent })
            .map_err(|error| Fault::permanent("writing where somebody came from", error))?;
        Ok(SealedSource {
            token: key.addresses.digest("address", &[address.as_bytes()])[..ADDRESS_TOKEN].to_vec(),
            sealed: key.sealing.seal(SOURCE_PLACE, &source, entropy)?,
        })
    }

    /// Opens a private part; `None` if its key was deleted, which is what erasure is, whether or not there is a new one.
    pub(crate) async fn open_disclosure(&self, row: &store::Disclosure) -> Result<Option<Disclosure>, Fault> {
        let key = match row.key {
            DisclosureKey::Person(person) => self.person_key(person).await?,
            DisclosureKey::Event(slot) => {
                let stored = event_keys::stored(self.keys.as_ref(), &self.master_key, slot).await?;
                stored.map(|key| Arc::new(MarkedKey::new(key)))
            }
        };
        let Some(key) = key else { return Ok(None) };
        let swapped =
            || Fault::permanent("opening a private part", CredentialError::Swapped(row.digest.clone()));
        let encoded = match key.open(&disclosure_place(&row.digest), &row.sealed) {
            Ok(Looked::Opened(encoded)) => encoded,
            Ok(Looked::OfAnotherKey) => return Ok(None),
            Err(_) => return Err(swapped()),
        };
        let disclosure = str::from_utf8(&encoded)
            .ok()
            .and_then(|text| Disclosure::parse(text).ok())
            .ok_or_else(swapped)?;
        if disclosure.digest() == row.digest { Ok(Some(disclosure)) } else { Err(swapped()) }
    }

    /// Whether there is a key of this person.
    pub(crate) async fn knows(&self, person: Uuid) -> Result<bool, Fault> {
        Ok(self.person_key(person).await?.is_some())
    }

    /// Whether the person was erased.
    pub(crate) fn is_erased(&self, person: Uuid) -> bool {
        self.erased.read().unwrap_or_else(PoisonError::into_inner).contains(&person)
    }

    /// Forgets the keys of who was erased, if the list has changed since it was last looked at.
    pub(crate) fn learn_erased(&self, revision: Revision, persons: impl FnOnce() -> Vec<Uuid>) {
        if self.learned.load(Ordering::Acquire) == revision.get() {
            return;
        }
        let persons = persons();
        self.erased.write().unwrap_or_else(PoisonError::into_inner).extend(&persons);
        persons.iter().for_each(|person| self.persons.invalidate(person));
        self.learned.store(revision.get(), Ordering::Release);
    }

    /// Deletes the key of a person whose erasure is recorded, and what finds the person again. Deleting twice is no error.
    pub(crate) async fn erase(&self, person: Uuid) -> Result<(), Fault> {
        self.erase_all(&[person], &[]).await
    }

    /// Deletes the keys of persons and reasons whose erasure is recorded.
    pub(crate) async fn erase_all(&self, persons: &[Uuid], slots: &[u64]) -> Result<(), Fault> {
        self.erased.write().unwrap_or_else(PoisonError::into_inner).extend(persons);
        self.keys.erase(persons, slots).await?;
        persons.iter().for_each(|person| self.persons.invalidate(person));
        Ok(())
    }

    /// Whether the key store answers.
    pub(crate) async fn keys_readable(&self) -> bool {
        self.keys.last_event_key().await.is_ok()
    }

    /// The keyed token of an address: the same for every spelling of it.
    pub(crate) fn address_token(&self, address: &str) -> [u8; 16] {
        let digest = match address.trim().parse::<IpAddr>().map(|address| address.to_canonical()) {
            Ok(IpAddr::V4(address)) => self.ring.digests.digest("source/address", &[&address.octets()]),
            Ok(IpAddr::V6(address)) => self.ring.digests.digest("source/address", &[&address.octets()]),
            Err(_) => self.ring.digests.digest("source/address", &[address.trim().as_bytes()]),
        };
        let mut token = [0; 16];
        token.copy_from_slice(&digest[..16]);
        token
    }

    /// The keyed digest of a request, by which its replay is told from another request under the same key.
    pub(crate) fn request_digest(&self, request: &[u8]) -> String {
        URL_SAFE_NO_PAD.encode(self.ring.digests.digest("request", &[request]))
    }

    /// The keyed digest by which a form is known to be made for somebody.
    pub(crate) fn form_digest(&self, form: &str, holder: &str) -> [u8; 32] {
        self.ring.digests.digest("form", &[form.as_bytes(), holder.as_bytes()])
    }

    /// Whether these bytes are that digest.
    pub(crate) fn is_form_digest(&self, form: &str, holder: &str, presented: &[u8]) -> bool {
        self.ring.digests.matches("form", &[form.as_bytes(), holder.as_bytes()], presented)
    }

    fn seal(
        &self,
        key: &MarkedKey,
        place: DisclosureKey,
        name: &str,
        value: Value,
    ) -> Result<store::Disclosure, Fault> {
        let disclosure = self.disclosure(name, value)?;
        let digest = disclosure.digest().to_owned();
        let sealed = key.seal(&disclosure_place(&digest), disclosure.encoded(), self.entropy.as_ref())?;
        Ok(store::Disclosure { digest, key: place, sealed })
    }

    fn disclosure(&self, name: &str, value: Value) -> Result<Disclosure, Fault> {
        let salt = self.entropy.array()?;
        Disclosure::new(name, value, salt).map_err(|error| Fault::permanent("making a disclosure", error))
    }

    async fn person_key(&self, person: Uuid) -> Result<Option<Arc<MarkedKey>>, Fault> {
        if self.is_erased(person) {
            return Ok(None);
        }
        if let Some(key) = self.persons.get(&person) {
            return Ok(Some(key));
        }
        let Some(wrapped) = self.keys.person_key(person).await? else { return Ok(None) };
        let id = person.to_string();
        let key = self
            .master_key
            .unwrap(DataKeyRef { purpose: PERSON_KEY, id: &id }, &wrapped)
            .map_err(|error| Fault::permanent("unwrapping a person's key", error))?;
        let key = Arc::new(MarkedKey::new(key));
        self.persons.insert(person, Arc::clone(&key));
        Ok(Some(key))
    }
}

/// Those of these persons who have no key. Unless they were erased, the key store is an older copy than the log: what was
/// said since would be lost without a word.
async fn without_key(keys: &dyn KeyStore, persons: Vec<Uuid>) -> Result<Vec<Uuid>, KeyRingError> {
    let mut without = Vec::new();
    for person in persons {
        if keys.person_key(person).await?.is_none() {
            without.push(person);
        }
    }
    Ok(without)
}

/// What an opened credential says, if it is what its event committed to.
fn committed_to(encoded: &[u8], commitment: &str) -> Option<Disclosure> {
    let disclosure = Disclosure::parse(str::from_utf8(encoded).ok()?).ok()?;
    (disclosure.digest() == commitment).then_some(disclosure)
}

fn credential_place(id: &str) -> String {
    format!("credential/{id}")
}

fn disclosure_place(digest: &str) -> String {
    format!("disclosure/{digest}")
}
