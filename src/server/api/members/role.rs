//! A role in a body: its name alone, or with the environments that it is limited to.

use std::fmt;

use app::RoleRequest;
use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, Visitor, value::MapAccessDeserializer},
};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        RefOr,
        schema::{ObjectBuilder, OneOfBuilder, Schema, Type},
    },
};

/// A role for a member.
#[derive(Debug)]
pub(crate) struct GivenRole(LimitedRole);

/// A role in some environments.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct LimitedRole {
    /// A built-in role, or one that members made.
    role: String,
    /// Where it holds; everywhere, if left out.
    #[serde(default)]
    environments: Option<Vec<String>>,
}

impl<'de> Deserialize<'de> for GivenRole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameOrObject;

        impl<'de> Visitor<'de> for NameOrObject {
            type Value = LimitedRole;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("the name of a role, or an object with `role` and `environments`")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<LimitedRole, E> {
                Ok(LimitedRole { role: name.to_owned(), environments: None })
            }

            fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<LimitedRole, M::Error> {
                LimitedRole::deserialize(MapAccessDeserializer::new(map))
            }
        }

        deserializer.deserialize_any(NameOrObject).map(Self)
    }
}

impl From<GivenRole> for RoleRequest {
    fn from(GivenRole(LimitedRole { role, environments }): GivenRole) -> Self {
        Self { role, environments }
    }
}

impl PartialSchema for GivenRole {
    fn schema() -> RefOr<Schema> {
        let name = ObjectBuilder::new().schema_type(Type::String);
        OneOfBuilder::new().item(name).item(LimitedRole::schema()).into()
    }
}

impl ToSchema for GivenRole {}
