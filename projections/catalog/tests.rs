use domain::client_type::ClientTypeCreated;
use domain::oauth::ScopeToken;
use domain::scope::ScopeCreated;
use domain::{ClientTypeEvent, ScopeEvent};

use super::*;
use crate::as_of::{Moment, replay};
use crate::testing::{Happening, TestLog};

#[tokio::test]
async fn o2_the_catalog_is_listed_by_name_page_by_page() {
    let log = TestLog::new();
    for name in ["matters:write", "matters:read"] {
        let created = ScopeCreated { name: ScopeToken::parse(name).unwrap(), description: "See".into() };
        log.record(Happening::new(format!("scope-{name}"), ScopeEvent::Created(created))).await;
    }
    let created = ClientTypeCreated {
        name: "standard".into(),
        description: "Anything".into(),
        scopes: ["matters:read"].into_iter().collect(),
        singleton: true,
    };
    let position =
        log.record(Happening::new("client_type-standard", ClientTypeEvent::Created(created))).await;
    let reader = replay(&*log.log, Moment::Position(position)).unwrap().reader;
    let first = scopes(&reader, None, 1).unwrap();
    assert_eq!((first.items[0].id.as_str(), first.next.as_deref()), ("matters:read", Some("matters:read")));
    let rest = scopes(&reader, first.next.as_ref(), 1).unwrap();
    assert_eq!((rest.items[0].id.as_str(), rest.next), ("matters:write", None));
    let types = client_types(&reader, None, 50).unwrap();
    assert_eq!((types.items[0].id.as_str(), types.items[0].position), ("standard", position));
    assert_eq!(environments(&reader, None, 50).unwrap().items, []);
}
