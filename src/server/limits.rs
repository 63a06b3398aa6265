//! How much one caller may ask in a minute.
//!
//! A token has its own allowance, so that what one does is no other's loss. An address has one for what needs no token
//! and for what is answered 401: whoever sends a token that works is never refused for what its neighbours guess.

use std::{
    net::{IpAddr, Ipv6Addr},
    num::NonZeroU32,
    sync::Arc,
    time::Duration,
};

use actix_web::http::header;
use app::Actor;
use governor::{
    DefaultDirectRateLimiter, Quota, RateLimiter,
    clock::{Clock, DefaultClock},
};
use moka::sync::Cache;
use serde::{Deserialize, Serialize};

use crate::problem::{Kind, Problem};

/// Callers that are remembered at a time. Who is forgotten begins with a full allowance.
const REMEMBERED: u64 = 50_000;
/// An allowance is full again after a minute, and nothing has to be remembered.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(61);

/// `[limits]`: requests a minute, all of which may come at once; 0 is no limit.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitsConfig {
    /// Reads by one token.
    pub reads_per_minute: u32,
    /// Commands by one token.
    pub commands_per_minute: u32,
    /// Requests by one address that need no token, or whose token does not work.
    pub anonymous_per_minute: u32,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self { reads_per_minute: 60_000, commands_per_minute: 12_000, anonymous_per_minute: 600 }
    }
}

/// The allowances of everybody.
pub(crate) struct Limits {
    reads: Allowances<String>,
    commands: Allowances<String>,
    anonymous: Allowances<IpAddr>,
}

/// One allowance for each of many callers.
struct Allowances<K> {
    quota: Option<Quota>,
    callers: Cache<K, Arc<DefaultDirectRateLimiter>>,
}

impl Limits {
    pub(crate) fn new(config: &LimitsConfig) -> Self {
        Self {
            reads: Allowances::new(config.reads_per_minute),
            commands: Allowances::new(config.commands_per_minute),
            anonymous: Allowances::new(config.anonymous_per_minute),
        }
    }

    /// Takes one request off the allowance of a member's token; who is at the host has none to keep to, and nobody is
    /// counted by address.
    pub(crate) fn spend(&self, actor: &Actor, command: bool) -> Result<(), Problem> {
        let class = if command { &self.commands } else { &self.reads };
        match actor {
            Actor::Member(principal) => class.spend(principal.via.id().0.as_str()),
            Actor::Host { .. } | Actor::Client { .. } | Actor::System | Actor::Anonymous => Ok(()),
        }
    }

    /// Takes one request without a working token off the allowance of an address.
    pub(crate) fn spend_anonymous(&self, address: IpAddr) -> Result<(), Problem> {
        self.anonymous.spend(&subscriber(address))
    }
}

impl<K: std::hash::Hash + Eq + Send + Sync + 'static> Allowances<K> {
    fn new(per_minute: u32) -> Self {
        let callers = Cache::builder().max_capacity(REMEMBERED).time_to_idle(FORGOTTEN_AFTER).build();
        Self { quota: NonZeroU32::new(per_minute).map(Quota::per_minute), callers }
    }

    fn spend<Q>(&self, caller: &Q) -> Result<(), Problem>
    where
        K: std::borrow::Borrow<Q>,
        Q: std::hash::Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        let Some(quota) = self.quota else { return Ok(()) };
        let allowance = self.callers.get_with_by_ref(caller, || Arc::new(RateLimiter::direct(quota)));
        allowance.check().map_err(|refused| {
            let wait = refused.wait_time_from(DefaultClock::default().now());
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            Problem::new(Kind::RateLimited).header(header::RETRY_AFTER, &seconds.max(1).to_string())
        })
    }
}

/// Who has one IPv6 address has the whole /64.
fn subscriber(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Limits, LimitsConfig};
    use crate::problem::Kind;

    #[test]
    fn each_address_has_an_allowance_of_its_own_and_a_network_of_ipv6_shares_one() {
        let limits = Limits::new(&LimitsConfig { anonymous_per_minute: 2, ..LimitsConfig::default() });
        let spend = |address: &str| limits.spend_anonymous(address.parse().unwrap());
        spend("203.0.113.1").unwrap();
        spend("203.0.113.1").unwrap();
        assert_eq!(spend("203.0.113.1").unwrap_err().kind(), Kind::RateLimited);
        spend("203.0.113.2").unwrap();
        spend("2001:db8::1").unwrap();
        spend("2001:db8::2").unwrap();
        assert_eq!(spend("2001:db8::3").unwrap_err().kind(), Kind::RateLimited);
        spend("2001:db8:0:1::1").unwrap();
    }

    #[test]
    fn no_limit_is_none() {
        let limits = Limits::new(&LimitsConfig { anonymous_per_minute: 0, ..LimitsConfig::default() });
        for _ in 0..10_000 {
            limits.spend_anonymous([203, 0, 113, 1].into()).unwrap();
        }
    }
}
