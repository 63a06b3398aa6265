//! What refusals of clients are counted by.

use std::net::IpAddr;

use crate::flood::Kind;

/// Refusals that are counted together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Group {
    pub(crate) kind: &'static str,
    pub(crate) environment: Option<String>,
    pub(crate) client: Option<String>,
    /// The part of the address that one owner has.
    pub(crate) prefix: Option<String>,
    pub(crate) reason: &'static str,
}

impl Kind for Group {
    type Share = Self;
    type First = ();

    const LISTED_OF_A_SHARE: u32 = 5;
    /// So many records are some 0.3 MB.
    const LISTED: u32 = 1_000;
    const COUNTED: usize = 1_000;

    fn share(&self) -> Self {
        self.clone()
    }

    fn coarser(self) -> Self {
        Self { client: None, prefix: None, ..self }
    }
}

/// The network that one owner mostly has: 24 bits of an IPv4 address, 48 of an IPv6 one.
pub(crate) fn prefix(address: &str) -> String {
    match address.parse() {
        Ok(IpAddr::V4(address)) => {
            let [first, second, third, _] = address.octets();
            format!("{first}.{second}.{third}.0/24")
        }
        Ok(IpAddr::V6(address)) => {
            let [first, second, third, ..] = address.segments();
            format!("{first:x}:{second:x}:{third:x}::/48")
        }
        Err(_) => address.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::prefix;

    #[test]
    fn an_owner_has_a_network() {
        assert_eq!(prefix("203.0.113.77"), "203.0.113.0/24");
        assert_eq!(prefix("2001:db8:1:2::3"), "2001:db8:1::/48");
    }
}
