//! A scope in plain words, the exact scope beside them.

/// Scopes whose meaning is a protocol's and not the catalog's: what they are called, and what that comes to.
const OF_PROTOCOL: [(&str, &str, &str, Icon); 4] = [
    (
        "openid",
        "Know that it is you",
        "An identifier that stands for you here, the same each time",
        Icon::Person,
    ),
    ("profile", "See your name", "As it is written in your account", Icon::Person),
    ("email", "See your e-mail address", "The one you sign in with", Icon::Person),
    (
        "offline_access",
        "Stay connected while you are away",
        "Until you withdraw this, or it is long unused",
        Icon::Clock,
    ),
];

/// A scope that a client asks for, or was given.
#[derive(Clone, Debug)]
pub struct AskedScope {
    pub(super) name: String,
    pub(super) words: String,
    pub(super) more: Option<&'static str>,
    icon: Icon,
}

/// The drawing beside it.
#[derive(Clone, Copy, Debug)]
enum Icon {
    Person,
    Clock,
    Eye,
    Edit,
    Key,
}

impl AskedScope {
    /// A scope, and what the catalog says that it allows.
    #[must_use]
    pub fn new(name: &str, description: &str) -> Self {
        let of_protocol = OF_PROTOCOL.into_iter().find(|(of_protocol, ..)| *of_protocol == name);
        let (words, more, icon) = match of_protocol {
            Some((_, words, more, icon)) => (words, Some(more), icon),
            None => (description, None, Icon::of(name)),
        };
        Self { name: name.to_owned(), words: words.to_owned(), more, icon }
    }

    /// The id of its drawing among the page's.
    pub(super) fn icon(&self) -> &'static str {
        match self.icon {
            Icon::Person => "person",
            Icon::Clock => "clock",
            Icon::Eye => "eye",
            Icon::Edit => "edit",
            Icon::Key => "key",
        }
    }
}

impl Icon {
    /// Most catalogs say in the name whether something is read or changed.
    fn of(name: &str) -> Self {
        match name.rsplit_once(':').map(|(_, verb)| verb) {
            Some("read" | "search") => Self::Eye,
            Some("write") => Self::Edit,
            Some(_) | None => Self::Key,
        }
    }
}
