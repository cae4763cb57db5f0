//! The parts of paths, described in one place: whatever a route calls `{endpoint_id}` is the same thing everywhere.

use salvo::oapi::{BasicType, Object, OpenApi, Parameter, ParameterIn, Required};

/// A project key decides the project, as clients rely on.
const PROJECT: &str = "The project. With a project key it is that key's project, whatever stands here.";
/// A ULID.
const ID_PATTERN: &str = "^[0-7][0-9A-HJKMNP-TV-Z]{25}$";

/// Describes the parts of every path.
pub fn describe(openapi: &mut OpenApi) {
    for (path, item) in openapi.paths.iter_mut() {
        let names: Vec<&str> = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).collect();
        for operation in item.operations.values_mut() {
            for name in &names {
                if !operation.parameters.contains(name, ParameterIn::Path) {
                    operation.parameters.insert(part(name));
                }
            }
        }
    }
}

fn part(name: &str) -> Parameter {
    let text = match name {
        "project_id" => PROJECT.to_string(),
        name => format!("The {}.", name.trim_end_matches("_id").replace('_', " ")),
    };
    let schema = Object::new().schema_type(BasicType::String);
    let schema = if name.ends_with("_id") { schema.pattern(ID_PATTERN) } else { schema };
    Parameter::new(name).location(ParameterIn::Path).required(Required::True).description(text).schema(schema)
}
