//! What an empty log begins with: small, sensible, and all of it can be changed later.

/// One type of the first catalog.
pub(super) struct FirstType {
    pub(super) name: &'static str,
    pub(super) description: &'static str,
    pub(super) scopes: &'static [&'static str],
    pub(super) deprecated: bool,
}

pub(super) const ENVIRONMENTS: [&str; 2] = ["production", "sandbox"];

/// The version of the developer terms that they publish.
pub(super) const TERMS: &str = "2026-01";

/// The type of clients that the compatibility API makes, and what they may ask for: to know who somebody is, and no more.
pub(super) const COMPATIBLE: (&str, &str) = ("standard", "openid profile email offline_access");

/// Scope and what it allows, in the words of the consent page.
pub(super) const SCOPES: &[(&str, &str)] = &[
    ("openid", "Know who you are"),
    ("profile", "See your name"),
    ("email", "See your e-mail address"),
    ("offline_access", "Stay connected while you are away"),
    ("matters:read", "See your matters"),
    ("matters:write", "Create and change matters"),
    ("documents:read", "Read your documents"),
    ("documents:write", "Add and change documents"),
    ("contacts:read", "See your contacts"),
    ("contacts:write", "Add and change contacts"),
    ("records:search", "Search civil records"),
    ("events:notify", "Send notifications about events"),
    ("webhooks:receive", "Receive notifications by webhook"),
    ("identity:verify", "Verify national identity numbers"),
];

pub(super) const TYPES: &[FirstType] = &[
    FirstType {
        name: "standard",
        description: "An integration that works with matters, documents and contacts",
        scopes: &[
            "openid",
            "profile",
            "email",
            "offline_access",
            "matters:read",
            "matters:write",
            "documents:read",
            "documents:write",
            "contacts:read",
            "contacts:write",
        ],
        deprecated: false,
    },
    FirstType {
        name: "record-search",
        description: "Searches civil records",
        scopes: &["records:search"],
        deprecated: false,
    },
    FirstType {
        name: "event-notification",
        description: "Sends notifications about events",
        scopes: &["events:notify"],
        deprecated: false,
    },
    FirstType {
        name: "webhook",
        description: "Receives notifications by webhook",
        scopes: &["webhooks:receive"],
        deprecated: false,
    },
    FirstType {
        name: "national-id",
        description: "Verifies national identity numbers; replaced by record-search",
        scopes: &["identity:verify"],
        deprecated: true,
    },
];
