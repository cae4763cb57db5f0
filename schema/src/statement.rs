//! SQL that lives in a file of its own, prepared once per connection. diesel's `sql_query` would have the server parse and
//! plan the same text for every batch.

use std::borrow::Cow;

use diesel::{
    IntoSql, QueryResult,
    expression::AsExpression,
    pg::Pg,
    query_builder::{AstPass, Query, QueryFragment, QueryId},
    sql_types::{SingleValue, SqlType, Untyped},
};

/// A statement of fixed text with its values.
pub(crate) struct Statement<'v> {
    text: Cow<'static, str>,
    values: Vec<Box<dyn QueryFragment<Pg> + Send + 'v>>,
}

impl<'v> Statement<'v> {
    /// The text's parameters are `$1`, `$2` and so on, each once and in this order.
    pub(crate) const fn new(text: &'static str) -> Self {
        Self { text: Cow::Borrowed(text), values: Vec::new() }
    }

    /// The text, which has its rows from the last to the first, with them from the first to the last.
    pub(crate) fn ordered(text: &'static str, is_ascending: bool) -> Self {
        let text = if is_ascending { Cow::Owned(text.replace(" DESC ", " ASC ")) } else { Cow::Borrowed(text) };
        Self { text, values: Vec::new() }
    }

    /// Gives the next parameter its value, of the SQL type `S`.
    pub(crate) fn bind<S, V>(mut self, value: V) -> Self
    where
        S: SqlType + SingleValue,
        V: AsExpression<S>,
        V::Expression: QueryFragment<Pg> + Send + 'v,
    {
        self.values.push(Box::new(value.into_sql::<S>()));
        self
    }
}

impl QueryFragment<Pg> for Statement<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        let mut rest: &str = &self.text;
        for (at, value) in self.values.iter().enumerate() {
            let parameter = format!("${}", at + 1);
            let Some((before, after)) = rest.split_once(&parameter) else {
                return Err(diesel::result::Error::QueryBuilderError(
                    format!("{parameter} is missing in: {}", self.text).into(),
                ));
            };
            out.push_sql(before);
            value.walk_ast(out.reborrow())?;
            rest = after;
        }
        out.push_sql(rest);
        Ok(())
    }
}

/// Without an id of its own, the text is what it is cached by.
impl QueryId for Statement<'_> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl Query for Statement<'_> {
    type SqlType = Untyped;
}
