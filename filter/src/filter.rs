//! A filter, compiled: all its scopes must hold, and an empty one always does.

use serde_json::{Map, Value};

use crate::{
    condition::Condition,
    effort::Effort,
    error::{EvaluationError, FilterError, Reason},
    flatten::{AND, OR, flatten},
    required::{Requirement, bounded, of_any},
    scopes::{Scope, Scopes},
};

/// Bytes of a scope's conditions as JSON.
const SCOPE_BYTES_MAX: usize = 64 * 1_024;
/// Regular expressions of a scope: each may take half a megabyte.
const REGEXES_MAX: usize = 20;

/// What a subscription asks of an event.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    scopes: Scopes<Group>,
}

/// Conditions that must all hold.
#[derive(Debug, Clone, Default)]
struct Group {
    conditions: Vec<Condition>,
    all: Vec<Group>,
    any: Option<Vec<Group>>,
}

impl Filter {
    /// Compiles the conditions of each scope, nested or flat; null is the same as none.
    ///
    /// # Errors
    /// The first scope that is no filter, and why.
    pub fn compile(scopes: Scopes<&Value>) -> Result<Self, FilterError> {
        let flat = Self::flatten(scopes)?;
        let scopes = flat.try_map(|scope, conditions| {
            let group = Group::compile(scope, &conditions);
            let group = group.and_then(|group| {
                if group.regexes() > REGEXES_MAX {
                    return Err(Reason::TooMany { max: REGEXES_MAX, what: "regular expressions" });
                }
                Ok(group)
            });
            group.map_err(|reason| FilterError { scope, reason })
        })?;
        Ok(Self { scopes })
    }

    /// The conditions of each scope with dotted keys, as a filter is shown.
    ///
    /// # Errors
    /// The first scope whose shape is not that of a filter, and why.
    pub fn flatten(scopes: Scopes<&Value>) -> Result<Scopes<Map<String, Value>>, FilterError> {
        scopes.try_map(|scope, conditions| {
            let flat = match conditions {
                Value::Null => Ok(Map::new()),
                Value::Object(fields) if fields.is_empty() => Ok(Map::new()),
                Value::Object(_) if conditions.to_string().len() > SCOPE_BYTES_MAX => {
                    Err(Reason::TooMany { max: SCOPE_BYTES_MAX, what: "bytes of JSON" })
                }
                Value::Object(fields) => flatten(fields),
                _ => Err(Reason::NotAnObject),
            };
            flat.map_err(|reason| FilterError { scope, reason })
        })
    }

    /// Whether it lets every event through.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let Scopes { headers, body, query, path } = &self.scopes;
        [headers, body, query, path].into_iter().all(Group::is_empty)
    }

    /// Whether it asks something of the event's data.
    #[must_use]
    pub fn reads_body(&self) -> bool {
        !self.scopes.body.is_empty()
    }

    /// What an event must have for the filter to match; each says enough by itself. They are for an [`crate::Index`].
    #[must_use]
    pub fn requirements(&self) -> Vec<Requirement<'_>> {
        let Scopes { headers, body, query, path } = &self.scopes;
        let scopes = [(Scope::Headers, headers), (Scope::Body, body), (Scope::Query, query), (Scope::Path, path)];
        bounded(scopes.into_iter().flat_map(|(scope, group)| group.requirements(scope)).collect())
    }

    /// Whether the event has what the filter asks for.
    ///
    /// # Errors
    /// The event cannot be looked through within the bound on work; it counts as one that does not match.
    pub fn matches(&self, event: Scopes<&Value>) -> Result<bool, EvaluationError> {
        let mut effort = Effort::default();
        for (group, value) in [
            (&self.scopes.headers, event.headers),
            (&self.scopes.query, event.query),
            (&self.scopes.path, event.path),
            (&self.scopes.body, event.body),
        ] {
            if !group.holds(value, &mut effort)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

impl Group {
    fn compile(scope: Scope, flat: &Map<String, Value>) -> Result<Self, Reason> {
        let mut group = Self::default();
        for (key, condition) in flat {
            if key == OR || key == AND {
                let items = condition.as_array().ok_or(Reason::GroupNotAnArray)?;
                let items = items.iter().map(|item| Self::compile(scope, item.as_object().ok_or(Reason::GroupItem)?));
                let items = items.collect::<Result<Vec<_>, _>>()?;
                if key == AND {
                    group.all = items
                } else {
                    group.any = Some(items)
                }
                continue;
            }
            let condition = Condition::compile(key, condition)?;
            if condition.has_wildcards() && scope != Scope::Body {
                return Err(Reason::WildcardOutsideBody(key.clone()));
            }
            group.conditions.push(condition);
        }
        Ok(group)
    }

    const fn is_empty(&self) -> bool {
        self.conditions.is_empty() && self.all.is_empty() && self.any.is_none()
    }

    fn regexes(&self) -> usize {
        let own: usize = self.conditions.iter().map(Condition::regexes).sum();
        own + self.all.iter().chain(self.any.iter().flatten()).map(Self::regexes).sum::<usize>()
    }

    fn requirements(&self, scope: Scope) -> Vec<Requirement<'_>> {
        let mut requirements: Vec<_> =
            self.conditions.iter().filter_map(|condition| condition.requirement(scope)).collect();
        requirements.extend(self.all.iter().flat_map(|group| group.requirements(scope)));
        let any = self.any.as_ref();
        requirements.extend(any.and_then(|any| of_any(any.iter().map(|group| group.requirements(scope)))));
        requirements
    }

    fn holds(&self, value: &Value, effort: &mut Effort) -> Result<bool, EvaluationError> {
        for condition in &self.conditions {
            if !condition.holds(value, effort)? {
                return Ok(false);
            }
        }
        for group in &self.all {
            if !group.holds(value, effort)? {
                return Ok(false);
            }
        }
        let Some(any) = &self.any else { return Ok(true) };
        for group in any {
            if group.holds(value, effort)? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

#[cfg(test)]
mod tests;
