//! Lists of text in a `text[]` column. PostgreSQL lets elements be null; ours never are.

use diesel::{
    deserialize::{self, FromSql, FromSqlRow},
    expression::AsExpression,
    pg::{Pg, PgValue},
    serialize::{self, Output, ToSql},
    sql_types::{Array, Nullable, Text},
};

/// The values of a `text[]` column.
#[derive(Debug, Clone, Default, PartialEq, Eq, AsExpression, FromSqlRow)]
#[diesel(sql_type = Array<Nullable<Text>>)]
pub struct TextArray(pub Vec<String>);

impl ToSql<Array<Nullable<Text>>, Pg> for TextArray {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        let values: Vec<Option<&str>> = self.0.iter().map(|value| Some(value.as_str())).collect();
        ToSql::<Array<Nullable<Text>>, Pg>::to_sql(&values, &mut out.reborrow())
    }
}

impl FromSql<Array<Nullable<Text>>, Pg> for TextArray {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        let values = <Vec<Option<String>> as FromSql<Array<Nullable<Text>>, Pg>>::from_sql(value)?;
        Ok(Self(values.into_iter().flatten().collect()))
    }
}
