//! Ids from the log's clock and the service's entropy, so that nothing else in the program makes any.

use crypto::{Entropy, EntropyError};
use domain::SecretId;
use jiff::Timestamp;
use uuid::Uuid;

use crate::{Inner, error::Fault};

/// A UUID of RFC 9562 section 5.7: ids made later sort later, which keeps the log's indexes dense.
pub(crate) fn uuid_v7(now: Timestamp, entropy: &dyn Entropy) -> Result<Uuid, EntropyError> {
    let millis = u64::try_from(now.as_millisecond()).unwrap_or_default();
    Ok(uuid::Builder::from_unix_timestamp_millis(millis, &entropy.array()?).into_uuid())
}

impl Inner {
    /// A name for a credential whose text carries none.
    pub(crate) fn credential_id(&self) -> Result<SecretId, Fault> {
        let random: [u8; 12] = self.entropy.array()?;
        Ok(SecretId(random.iter().map(|byte| format!("{byte:02x}")).collect()))
    }
}
