//! Free text: which words of an event's public data can be searched for.
//!
//! Here alone is decided what a word is, for what is searched and for what is searched for; the full-text index is
//! handed words and parts them at blanks.

use std::fmt;

use domain::folded;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// Digests say nothing to anybody, and there is one in most events.
const NOT_TEXT: [&str; 1] = ["commitment"];

/// The words of a text, in the form in which they are compared: whatever their case or Unicode form, without marks between them.
pub(super) fn words(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for_each_word(text, |word| found.push(word.to_owned()));
    found
}

/// The words of every text in an event's data, with a blank between them; empty if there is none. Ids of 36 characters
/// and times are left out: there are other filters for them, and no two events have the same.
pub(super) fn words_of_data(data: &RawValue) -> Result<String, serde_json::Error> {
    let mut gathered = String::new();
    let mut json = serde_json::Deserializer::from_str(data.get());
    Gather(&mut gathered).deserialize(&mut json)?;
    Ok(gathered)
}

fn for_each_word(text: &str, mut tell: impl FnMut(&str)) {
    let folded = if text.is_ascii() { text.to_ascii_lowercase() } else { folded(text) };
    for word in folded.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        tell(word);
    }
}

fn gather(gathered: &mut String, text: &str) {
    if is_id(text) || is_time(text) {
        return;
    }
    for_each_word(text, |word| {
        if !gathered.is_empty() {
            gathered.push(' ');
        }
        gathered.push_str(word);
    });
}

fn is_id(text: &str) -> bool {
    text.len() == 36 && uuid::Uuid::try_parse(text).is_ok()
}

fn is_time(text: &str) -> bool {
    text.len() == "2026-11-20T22:13:25.123456Z".len() && text.ends_with('Z') && text.as_bytes()[10] == b'T'
}

/// Gathers the words of every text in a value, however deep.
struct Gather<'g>(&'g mut String);

impl<'de> DeserializeSeed<'de> for Gather<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Gather<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        gather(self.0, text);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(Gather(self.0))?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        while let Some(told) = members.next_key_seed(Name)? {
            if told {
                members.next_value_seed(Gather(self.0))?;
            } else {
                members.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

/// The name of a member: whether its value is text that tells something.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Name {
    type Value = bool;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<bool, E> {
        Ok(!NOT_TEXT.contains(&name))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{json, value::to_raw_value};

    use super::{words, words_of_data};

    #[test]
    fn a4_a_word_is_found_whatever_its_case_width_or_punctuation() {
        assert_eq!(words("https://App.Example.com/cb"), ["https", "app", "example", "com", "cb"]);
        assert_eq!(words("Ｍatter STRASSE Straße"), ["matter", "strasse", "strasse"]);
        assert_eq!(words(" \"*-_ "), [""; 0]);
    }

    #[test]
    fn a4_the_words_of_an_event_are_those_of_its_texts_without_ids_times_and_digests() {
        let data = json!({
            "client_name": { "old": "Matter sync", "new": "Matter-Sync 2" },
            "contacts": ["0193b4a2-7c00-7000-8000-000000000001"],
            "secret": { "commitment": "abc", "expires_at": "2026-11-20T22:13:25.123456Z", "id": "k3" },
            "overlap_seconds": 0, "lockout": false, "nothing": null,
        });
        let gathered = words_of_data(&to_raw_value(&data).unwrap()).unwrap();
        assert_eq!(gathered, "matter sync 2 matter sync k3");
    }
}
