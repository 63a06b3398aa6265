//! The golden files: every shape that was ever stored, byte for byte (behaviour A10).
//!
//! A file is written once, by `MUNIMENT_BLESS=1 cargo test -p domain --test events`, and never again: blessing adds
//! what is missing and overwrites nothing.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::PathBuf,
};

use domain::Event;
use sha2::{Digest, Sha256};

use crate::samples::{Sample, samples};

const HASHES: &str = "hashes.json";
const HOW_TO_EVOLVE: &str = "a stored shape is never edited: raise the event's schema in `events!`, add an upcaster from the old \
     schema to `upcast::STEPS`, put a sample of the new schema beside the others, and run with MUNIMENT_BLESS=1 to add its golden file";

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/events")
}

fn read(name: &str) -> String {
    let path = folder().join(name);
    fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("reading {}: {error}; {HOW_TO_EVOLVE}", path.display()))
}

fn file_name(sample: &Sample) -> String {
    let (event_type, schema) = (sample.event.event_type(), sample.event.event_version());
    let case = sample.case.map(|case| format!(".{case}")).unwrap_or_default();
    format!("{event_type}.v{schema}{case}.json")
}

/// Type and schema of a golden file: `client.created.v1.least.json` is schema 1 of `client.created`.
fn parse_name(name: &str) -> (String, u32) {
    let stem = name.strip_suffix(".json").expect(name);
    let (event_type, rest) = stem.rsplit_once(".v").expect(name);
    let schema = rest.split('.').next().unwrap_or_default().parse().expect(name);
    (event_type.to_owned(), schema)
}

fn canonical(event: &Event) -> String {
    serde_json_canonicalizer::to_string(&event.data().expect("json")).expect("canonical json")
}

fn sha256(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").expect("a string takes it");
        hex
    })
}

fn hashes() -> BTreeMap<String, String> {
    serde_json::from_str(&read(HASHES)).expect(HASHES)
}

fn golden_files() -> BTreeSet<String> {
    fs::read_dir(folder())
        .expect("the golden files")
        .map(|file| file.expect("a file").file_name().into_string().expect("a name"))
        .filter(|name| name != HASHES)
        .collect()
}

/// Adds what is missing. Part of the one test, so that it is done before anything is compared.
fn bless() {
    fs::create_dir_all(folder()).expect("the folder");
    let known = folder().join(HASHES);
    let mut hashes: BTreeMap<String, String> = match fs::read_to_string(&known) {
        Ok(text) => serde_json::from_str(&text).expect(HASHES),
        Err(_) => BTreeMap::new(),
    };
    for sample in samples() {
        let (name, text) = (file_name(&sample), canonical(&sample.event));
        let path = folder().join(&name);
        if hashes.contains_key(&name) || path.exists() {
            continue;
        }
        fs::write(path, &text).expect(&name);
        hashes.insert(name, sha256(&text));
    }
    let text = serde_json::to_string_pretty(&hashes).expect("json");
    fs::write(known, text + "\n").expect(HASHES);
}

#[test]
fn a10_every_shape_ever_stored_stays_readable() {
    if std::env::var_os("MUNIMENT_BLESS").is_some_and(|bless| bless == "1") {
        bless();
    }
    no_golden_file_was_edited();
    every_type_and_schema_has_a_golden_file();
    every_sample_is_written_as_its_golden_file();
    every_golden_file_can_be_read();
}

fn no_golden_file_was_edited() {
    let hashes = hashes();
    let names: BTreeSet<_> = hashes.keys().cloned().collect();
    assert_eq!(golden_files(), names, "golden files and {HASHES} must name the same shapes; {HOW_TO_EVOLVE}");
    for (name, hash) in hashes {
        assert_eq!(sha256(&read(&name)), hash, "{name} was edited; {HOW_TO_EVOLVE}");
    }
}

fn every_type_and_schema_has_a_golden_file() {
    let files: BTreeSet<_> = golden_files().iter().map(|name| parse_name(name)).collect();
    for (event_type, current) in Event::types() {
        for schema in 1..=current {
            let shape = (event_type.to_owned(), schema);
            assert!(
                files.contains(&shape),
                "{event_type} has no golden file for schema {schema}; {HOW_TO_EVOLVE}"
            );
        }
    }
}

fn every_sample_is_written_as_its_golden_file() {
    for sample in samples() {
        let name = file_name(&sample);
        let golden = read(&name);
        assert_eq!(canonical(&sample.event), golden, "{name} is written differently now; {HOW_TO_EVOLVE}");
        let decoded = Event::decode(sample.event.event_type(), sample.event.event_version(), &golden);
        assert_eq!(decoded.expect(&name), sample.event, "{name} means something else now; {HOW_TO_EVOLVE}");
    }
}

fn every_golden_file_can_be_read() {
    for name in golden_files() {
        let (event_type, schema) = parse_name(&name);
        if let Err(error) = Event::decode(&event_type, schema, &read(&name)) {
            panic!("{name} cannot be read any more: {error} ({error:?}); {HOW_TO_EVOLVE}");
        }
    }
}

#[test]
fn a10_each_type_has_a_sample_in_its_current_schema() {
    let sampled: BTreeSet<_> =
        samples().iter().map(|sample| (sample.event.event_type(), sample.event.event_version())).collect();
    assert_eq!(sampled, Event::types().collect());
    let names: BTreeSet<_> = samples().iter().map(file_name).collect();
    assert_eq!(names.len(), samples().len(), "no two samples share a file");
}

#[test]
fn a1_the_numbers_of_every_event_are_integers_within_bounds() {
    fn check(value: &serde_json::Value, name: &str) {
        match value {
            serde_json::Value::Number(number) => {
                assert!(number.as_u64().is_some_and(|number| number < 1 << 53), "{name}: {number}");
            }
            serde_json::Value::Array(items) => items.iter().for_each(|item| check(item, name)),
            serde_json::Value::Object(members) => members.values().for_each(|member| check(member, name)),
            serde_json::Value::String(text) => assert!(!text.contains('\0'), "{name}: {text:?}"),
            serde_json::Value::Null | serde_json::Value::Bool(_) => {}
        }
    }
    for sample in samples() {
        check(&sample.event.data().expect("json"), sample.event.event_type());
    }
}
