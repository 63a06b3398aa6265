//! Ids from the log's clock and the service's entropy, so that nothing else in the program makes any.

use crypto::{Entropy, EntropyError};
use jiff::Timestamp;
use uuid::Uuid;

/// A UUID of RFC 9562 section 5.7: ids made later sort later, which keeps the log's indexes dense.
pub(crate) fn uuid_v7(now: Timestamp, entropy: &dyn Entropy) -> Result<Uuid, EntropyError> {
    let millis = u64::try_from(now.as_millisecond()).unwrap_or_default();
    Ok(uuid::Builder::from_unix_timestamp_millis(millis, &entropy.array()?).into_uuid())
}
