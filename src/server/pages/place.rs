//! Where a page is: the instance, and the environment that it says in shape and word.

use domain::EnvironmentName;

/// The one environment that is written in wax; every other is pencil.
const PRODUCTION: &str = "production";

/// Where a page is.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The host that the instance is reached by, with its port if it has one.
    pub host: &'a str,
    /// The environment.
    pub environment: &'a EnvironmentName,
}

impl Place<'_> {
    /// Whether it is production.
    pub(super) fn is_production(&self) -> bool {
        self.environment.as_str() == PRODUCTION
    }

    /// What the stylesheet calls its look.
    pub(super) fn look(&self) -> &'static str {
        if self.is_production() { "production" } else { "draft" }
    }

    /// Its name, as people read it.
    pub(super) fn word(&self) -> String {
        let spaced = self.environment.as_str().replace('_', " ");
        let mut letters = spaced.chars();
        letters
            .next()
            .map_or_else(String::new, |first| format!("{}{}", first.to_ascii_uppercase(), letters.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::{EnvironmentName, Place};

    #[test]
    fn production_alone_is_wax_and_names_are_read_as_words() {
        for (name, look, word) in [
            ("production", "production", "Production"),
            ("sandbox", "draft", "Sandbox"),
            ("pre_production2", "draft", "Pre production2"),
        ] {
            let environment = EnvironmentName::parse(name).unwrap();
            let place = Place { host: "oauth.example.com", environment: &environment };
            assert_eq!((place.look(), place.word().as_str()), (look, word));
        }
    }
}
