//! Refusals in the dialect of the protocol, as they are written down once: a name for whoever reads the activity, and what the
//! developer of a client is told.

/// An enum of refusals: each variant with its name in activity and metrics, its `error` and its `error_description`.
macro_rules! refusals {
    (
        $(#[$enum_doc:meta])*
        pub enum $name:ident, $(#[$error_doc:meta])* error;
        $($(#[$doc:meta])* $variant:ident = $slug:literal, $error:literal, $description:literal;)+
    ) => {
        $(#[$enum_doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $($(#[$doc])* $variant,)+ }

        impl $name {
            /// Every one of them.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The name in activity and metrics.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $slug),+ }
            }

            $(#[$error_doc])*
            pub fn error(self) -> &'static str {
                match self { $(Self::$variant => $error),+ }
            }

            /// The `error_description`: what the developer should know, and no more than that.
            pub fn description(self) -> &'static str {
                match self { $(Self::$variant => $description),+ }
            }
        }
    };
}

/// An enum of refusals that are told on a page: each variant with its name in activity and metrics, and what the developer of a client
/// is told.
macro_rules! page_refusals {
    (
        $(#[$enum_doc:meta])*
        pub enum $name:ident;
        $($(#[$doc:meta])* $variant:ident = $slug:literal, $detail:literal;)+
    ) => {
        $(#[$enum_doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $($(#[$doc])* $variant,)+ }

        impl $name {
            /// Every one of them.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The name in activity and metrics.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $slug),+ }
            }

            /// What is wrong, for the developer who sees the page.
            pub fn detail(self) -> &'static str {
                match self { $(Self::$variant => $detail),+ }
            }
        }
    };
}

pub(crate) use page_refusals;
pub(crate) use refusals;
