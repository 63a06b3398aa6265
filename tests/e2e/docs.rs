//! The documentation against the code: what it names exists, and what must be documented is.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::Command,
};

use tests::{Service, binary};

/// What a path inside the repository begins with.
const TOP: [&str; 6] = [".ci/", "docs/", "migrations/", "projections", "src/", "tests/"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).expect(path)
}

/// Every file under `folder` that ends in `ending`, by its path from the root.
fn files(folder: &str, ending: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(root().join(&folder)).expect("a folder of the repository") {
            let entry = entry.expect("an entry");
            let path = format!("{folder}/{}", entry.file_name().to_string_lossy());
            if entry.path().is_dir() {
                folders.push(path);
            } else if path.ends_with(ending) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// The pages, and the one at the front door.
fn pages() -> Vec<String> {
    let pages: Vec<_> = files("docs", ".md").into_iter().chain(["README.md".to_owned()]).collect();
    assert!(pages.len() > 8, "{pages:?}");
    pages
}

/// The page without its blocks of code.
fn prose(page: &str) -> String {
    let text = read(page);
    let parts: Vec<_> = text.split("\n```").collect();
    assert!(parts.len() % 2 == 1, "{page}: a block of code does not end");
    parts.into_iter().step_by(2).collect::<Vec<_>>().join("\n")
}

/// What stands in backticks.
fn spans(prose: &str) -> Vec<&str> {
    prose.lines().flat_map(|line| line.split('`').skip(1).step_by(2)).collect()
}

/// The anchor of a heading, as a forge makes it.
fn anchor(heading: &str) -> String {
    let kept = |c: &char| c.is_alphanumeric() || " -_".contains(*c);
    heading.trim().to_lowercase().chars().filter(kept).collect::<String>().replace(' ', "-")
}

fn headings(page: &str) -> Vec<String> {
    let heading = |line: &str| line.starts_with('#').then(|| line.trim_start_matches('#').trim().to_owned());
    prose(page).lines().filter_map(heading).collect()
}

#[test]
fn every_link_leads_to_a_file_and_a_heading() {
    let mut followed = 0;
    let mut broken = Vec::new();
    for page in pages() {
        let folder = Path::new(&page).parent().expect("a folder").to_owned();
        for link in prose(&page).split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.contains("://") {
                continue;
            }
            followed += 1;
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { PathBuf::from(&page) } else { folder.join(file) };
            let name = target.to_str().expect("a path");
            let found = root().join(&target).exists()
                && (heading.is_empty() || headings(name).iter().any(|text| anchor(text) == heading));
            if !found {
                broken.push(format!("{page}: {link}"));
            }
        }
    }
    assert_eq!(broken, [""; 0]);
    assert!(followed > 20, "{followed}");
}

#[test]
fn every_path_that_is_named_exists() {
    let mut named = 0;
    for page in pages() {
        for span in spans(&prose(&page)) {
            let plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
            if TOP.iter().any(|top| span.starts_with(top)) && span.chars().all(plain) {
                named += 1;
                assert!(root().join(span).exists(), "{page}: there is no `{span}`");
            }
        }
    }
    assert!(named > 100, "{named}");
}

#[test]
fn every_test_that_proves_a_behaviour_exists() {
    let mut places: Vec<(&str, String)> = Vec::new();
    for place in
        ["src/domain", "src/store", "src/crypto", "src/app", "src/server", "projections", "tests/e2e"]
    {
        places.push((place, files(place, ".rs").iter().map(|file| read(file)).collect()));
    }
    let exists = |place: &str, test: &str| {
        let code = places.iter().find(|(known, _)| *known == place).map(|(_, code)| code);
        code.is_some_and(|code| code.contains(&format!("fn {test}(")))
    };
    let page = prose("docs/behaviours.md");
    let (served, _) = page.split_once("## Not served").expect("a list of what is not served");
    let mut rows = 0;
    for row in served.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| ---")) {
        let cells: Vec<_> = row.trim_matches('|').split(" | ").collect();
        let tests = cells.last().expect("a last cell").trim();
        if tests == "tests" {
            continue;
        }
        rows += 1;
        let mut place = "tests/e2e";
        let named = spans(tests);
        assert!(named.iter().any(|span| !span.contains('/')), "no test in {row}");
        for span in named {
            if span.contains('/') || span == "projections" {
                place = span;
            } else {
                assert!(exists(place, span), "there is no test `{span}` in {place}");
            }
        }
    }
    assert!(rows > 25, "{rows}");
}

#[test]
fn every_rule_of_the_protocol_has_a_test_that_exists() {
    let code: String = files("tests/e2e", ".rs").iter().map(|file| read(file)).collect();
    let page = prose("docs/oauth.md");
    let mut rows = Vec::new();
    for row in page.lines().filter(|line| line.starts_with("| ")).skip(2) {
        let cells: Vec<_> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        let number: u32 = cells[0].parse().expect("a number");
        let tests = spans(cells[2]);
        assert!(!tests.is_empty(), "no test in {row}");
        for test in tests {
            let of_row = test.split('_').skip(1).map_while(|part| part.parse::<u32>().ok());
            assert!(of_row.into_iter().any(|named| named == number), "`{test}` is not about {number}");
            assert!(code.contains(&format!("fn {test}(")), "there is no test `{test}`");
        }
        rows.push(number);
    }
    assert_eq!(rows, (1..=79).collect::<Vec<_>>());
}

#[test]
fn every_event_type_has_a_section_with_its_golden_file() {
    let page = read("docs/events.md");
    let written: BTreeSet<_> =
        page.lines().filter_map(|line| line.strip_prefix("### ")).map(str::to_owned).collect();
    let wanted = domain::Event::types().map(|(name, schema)| format!("`{name}` v{schema}")).collect();
    assert_eq!(written, wanted);
    for (name, schema) in domain::Event::types() {
        let section = page.split(&format!("### `{name}` v{schema}\n")).nth(1).expect("a section");
        let section = section.split("\n#").next().expect("a section");
        let golden = format!("`tests/golden/events/{name}.v{schema}.json`");
        assert!(section.contains(&golden), "{name}: {golden} is not named");
    }
}

/// Slug and status of each row of the table of problems.
fn problems() -> BTreeSet<(String, String)> {
    let table = read("src/server/problem/kind.rs");
    let row = |line: &str| {
        let (name, rest) = line.trim().split_once(" = ")?;
        let (status, rest) = rest.trim().split_once(" \"")?;
        let plain = |c: char| c.is_ascii_uppercase() || c == '_';
        let is_row = name.trim().chars().all(char::is_alphanumeric) && status.chars().all(plain);
        is_row.then(|| (rest.split('"').next().unwrap_or_default().to_owned(), status.replace('_', " ")))
    };
    let rows: BTreeSet<_> = table.lines().filter_map(row).collect();
    assert!(rows.len() > 30, "the table is not where it was: {rows:?}");
    rows
}

#[test]
fn every_problem_has_a_section_with_its_status() {
    let page = read("docs/problems.md");
    let documented: BTreeSet<_> = page
        .split("\n## `")
        .skip(1)
        .map(|section| {
            let (slug, text) = section.split_once("`\n\nStatus ").expect("a section begins with its status");
            let code = text.split('.').next().and_then(|code| code.parse().ok()).expect("a status");
            let status = reqwest::StatusCode::from_u16(code).expect("a status of HTTP");
            (slug.to_owned(), status.canonical_reason().expect("its name").to_uppercase())
        })
        .collect();
    assert_eq!(documented, problems());
}

#[tokio::test]
async fn every_problem_of_the_api_description_has_a_section() {
    let service = Service::start().await;
    let page = read("docs/problems.md");
    let description = service.get("/openapi.json").await.expect(200);
    let mut slugs = BTreeSet::new();
    let mut values = vec![&description.body];
    while let Some(value) = values.pop() {
        if let Some(named) = value.get("x-problems").and_then(serde_json::Value::as_array) {
            slugs.extend(named.iter().filter_map(serde_json::Value::as_str));
        }
        values.extend(value.as_object().into_iter().flat_map(serde_json::Map::values));
        values.extend(value.as_array().into_iter().flatten());
    }
    assert!(slugs.len() > 20, "{slugs:?}");
    for slug in slugs {
        assert!(page.contains(&format!("\n## `{slug}`\n")), "`{slug}` has no section");
    }
    service.finish().await;
}

#[tokio::test]
async fn every_metric_is_documented() {
    let service = Service::start().await;
    service.create_client("Matter sync").await;
    let nobody = service.request_as("nobody", reqwest::Method::GET, "/api/v1/me");
    tests::http::answer(nobody).await.expect(401);
    service.post("/api/v1/projections/rebuild", &serde_json::json!({})).await.expect(200);
    let client = service.request_as("nobody", reqwest::Method::GET, "/sandbox/client");
    tests::http::answer(client).await.expect(401);
    let metrics = service.get("/metrics").await.expect(200).text;
    let page = read("docs/operations.md");
    let written: BTreeSet<String> = metrics
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '))
        .map(|(name, kind)| if kind == "counter" { format!("{name}_total") } else { name.to_owned() })
        .collect();
    let (_, section) = page.split_once("\n## Metrics\n").expect("a section");
    let section = section.split("\n## ").next().expect("a section");
    let documented = section.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    assert_eq!(documented.map(str::to_owned).collect::<BTreeSet<_>>(), written);
    service.finish().await;
}

/// The keys of a section of the configuration, as the program itself names them when it refuses an unknown one.
fn known_keys(variable: &str) -> Vec<String> {
    let folder = tempfile::tempdir().expect("a directory");
    let refused = Command::new(binary())
        .args(["doctor", "--data-dir", "data"])
        .env(variable, "1")
        .current_dir(folder.path())
        .output()
        .expect("the binary runs");
    let text = String::from_utf8_lossy(&refused.stderr).into_owned();
    let (_, known) = text.split_once(", only `").expect(&text);
    known.trim_end().trim_end_matches('`').split("`, `").map(str::to_owned).collect()
}

#[test]
fn every_setting_is_documented() {
    let page = read("docs/operations.md");
    let sections = known_keys("MUNIMENT_NO_SUCH_SECTION__KEY");
    assert!(sections.contains(&"server".to_owned()), "{sections:?}");
    let mut wanted = BTreeSet::new();
    for section in sections {
        let keys = known_keys(&format!("MUNIMENT_{}__NO_SUCH_KEY", section.to_uppercase()));
        wanted.extend(keys.into_iter().map(|key| format!("{section}.{key}")));
    }
    let (_, table) = page.split_once("\n## Configuration\n").expect("a section");
    let table = table.split("\n## ").next().expect("a section");
    let documented = table.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    assert_eq!(documented.map(str::to_owned).collect::<BTreeSet<_>>(), wanted);
}
