//! Whose request it is when a proxy brings it: only a proxy that is trusted is believed about who sent it.

use std::net::{IpAddr, SocketAddr};

use actix_web::{
    HttpRequest,
    http::header::{self, HeaderMap, HeaderName},
};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// What most proxies write.
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// `[proxy]`
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProxyConfig {
    /// Networks whose proxies are believed about where a request came from.
    pub trusted: Vec<Network>,
    /// The header that they write. They must remove or extend what a client sends in it.
    pub header: ForwardedHeader,
}

/// The header that names the hops of a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ForwardedHeader {
    /// `X-Forwarded-For`
    #[default]
    XForwardedFor,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

/// A network, or one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Network(IpNet);

impl TryFrom<String> for Network {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let network = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        network
            .map(Self)
            .map_err(|_| format!("`{text}` is no network: write one like 10.0.0.0/8, or one address"))
    }
}

impl From<Network> for String {
    fn from(network: Network) -> Self {
        network.0.to_string()
    }
}

impl ProxyConfig {
    /// The address of who sent the request: of the last hop before the proxies that are trusted.
    pub(crate) fn client_address(&self, http: &HttpRequest) -> Option<IpAddr> {
        http.peer_addr().map(|peer| self.behind(peer.ip().to_canonical(), http.headers()))
    }

    /// From the peer on, each hop that is trusted is believed about the one before it. What cannot be read ends the
    /// chain: the hop that wrote it is the last that is known.
    fn behind(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut known = peer;
        let mut reported = self.reported(headers).into_iter().rev();
        while self.trusts(known) {
            match reported.next() {
                Some(Some(address)) => known = address,
                Some(None) | None => break,
            }
        }
        known
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.trusted.iter().any(|network| network.0.contains(&address))
    }

    /// What the header says of each hop, the nearest one last.
    fn reported(&self, headers: &HeaderMap) -> Vec<Option<IpAddr>> {
        let name = match self.header {
            ForwardedHeader::XForwardedFor => X_FORWARDED_FOR,
            ForwardedHeader::Forwarded => header::FORWARDED,
        };
        let lines = headers.get_all(name).map(|value| value.to_str().unwrap_or_default());
        match self.header {
            ForwardedHeader::XForwardedFor => lines.flat_map(|line| line.split(',')).map(node).collect(),
            ForwardedHeader::Forwarded => lines.flat_map(elements).map(forwarded_for).collect(),
        }
    }
}

/// The elements of a `Forwarded` line. Quotes are told apart from its end on, which the nearest proxy wrote: what a
/// client put before it cannot swallow that.
fn elements(line: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let (mut quoted, mut end) = (false, line.len());
    for (at, character) in line.char_indices().rev() {
        match character {
            '"' => quoted = !quoted,
            ',' if !quoted => {
                found.push(&line[at + 1..end]);
                end = at;
            }
            _ => {}
        }
    }
    found.push(&line[..end]);
    found.reverse();
    found
}

/// `for` of an element (RFC 7239 section 4).
fn forwarded_for(element: &str) -> Option<IpAddr> {
    let mut pairs = element.split(';').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.find(|(name, _)| name.trim().eq_ignore_ascii_case("for"))?;
    let value = value.trim();
    node(value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value))
}

/// An address with or without a port; none for what a proxy hides (RFC 7239 section 6).
fn node(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse::<IpAddr>().or_else(|_| text.parse::<SocketAddr>().map(|node| node.ip()));
    address.ok().map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::{ForwardedHeader, HeaderMap, Network, ProxyConfig};

    fn behind(header: ForwardedHeader, peer: &str, lines: &[&str]) -> String {
        let trusted = ["10.0.0.0/8", "192.0.2.7", "2001:db8::/32"];
        let trusted = trusted.iter().map(|text| Network::try_from((*text).to_owned()).unwrap()).collect();
        let mut headers = HeaderMap::new();
        let name = match header {
            ForwardedHeader::XForwardedFor => super::X_FORWARDED_FOR,
            ForwardedHeader::Forwarded => super::header::FORWARDED,
        };
        lines.iter().for_each(|line| headers.append(name.clone(), line.parse().unwrap()));
        ProxyConfig { trusted, header }.behind(peer.parse().unwrap(), &headers).to_string()
    }

    #[test]
    fn only_what_trusted_proxies_say_is_believed() {
        let cases = [
            // A client that is no proxy claims to be somebody else.
            ("203.0.113.9", &["198.51.100.1"][..], "203.0.113.9"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &["198.51.100.1"], "198.51.100.1"),
            // The rightmost hop that is not trusted; what it wrote itself is not believed.
            ("10.0.0.1", &["1.1.1.1, 198.51.100.1, 10.2.3.4"], "198.51.100.1"),
            ("10.0.0.1", &["1.1.1.1", "198.51.100.1:4711, 192.0.2.7"], "198.51.100.1"),
            ("2001:db8::1", &["[2a00:1450::5]:443"], "2a00:1450::5"),
            // All of them are trusted: the farthest.
            ("10.0.0.1", &["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
            // What cannot be read ends the chain.
            ("10.0.0.1", &["1.1.1.1, unknown"], "10.0.0.1"),
            ("10.0.0.1", &["1.1.1.1, , 10.0.0.2"], "10.0.0.2"),
        ];
        for (peer, lines, expected) in cases {
            assert_eq!(behind(ForwardedHeader::XForwardedFor, peer, lines), expected, "{peer} {lines:?}");
        }
    }

    #[test]
    fn the_header_of_rfc_7239_is_read_from_its_end() {
        let cases = [
            (&["for=192.0.2.43;proto=https, For=\"[2a00:1450::5]:4711\""][..], "2a00:1450::5"),
            (&["for=198.51.100.17", "proto=http;for=10.1.1.1"], "198.51.100.17"),
            (&["for=_hidden"], "10.0.0.1"),
            (&["proto=https"], "10.0.0.1"),
            // An open quote of the client's does not swallow what the proxy appends.
            (&["for=\"1.1.1.1, for=198.51.100.1"], "198.51.100.1"),
            (&["for=\"1.1.1.1, for=2.2.2.2\", for=198.51.100.1"], "198.51.100.1"),
        ];
        for (lines, expected) in cases {
            assert_eq!(behind(ForwardedHeader::Forwarded, "10.0.0.1", lines), expected, "{lines:?}");
        }
    }

    #[test]
    fn a_network_that_is_none_is_refused() {
        assert!(Network::try_from("10.0.0".to_owned()).unwrap_err().contains("10.0.0.0/8"));
    }
}
