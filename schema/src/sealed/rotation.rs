//! Every column that holds secrets, and how all of them come under the current key: in batches, each in one statement that
//! changes only rows that are still as they were read. Roles may run meanwhile, and whoever stops it can begin again.

use std::collections::BTreeMap;

use diesel::{
    QueryResult, QueryableByName,
    pg::Pg,
    sql_types::{Array, BigInt, Text},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::Value;

use super::{
    Keys, Place, Unopened,
    envelope::{self, SEALED},
    place,
};

/// A column that holds secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SealedColumn {
    /// Its table.
    pub table: &'static str,
    /// Its name.
    pub column: &'static str,
    /// The table's primary key.
    key: &'static [&'static str],
    form: Form,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Text,
    Jsonb,
    /// A member of a document.
    Member(Member),
    Bytea,
}

/// Where in a document a secret is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Member {
    outer: &'static str,
    inner: &'static str,
    /// What its [`Place`] calls it.
    place: &'static str,
}

const OF_PROJECT: &[&str] = &["project_id", "id"];

impl SealedColumn {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::new("endpoint_secrets", "value", &["project_id", "endpoint_id", "id"], Form::Text),
        Self::new("endpoints", "authentication", OF_PROJECT, Form::Jsonb),
        Self::new("endpoints", "mtls_client_cert", OF_PROJECT, Form::Jsonb),
        Self::new("endpoints", "slack_webhook_url", OF_PROJECT, Form::Text),
        Self::new("endpoints", "teams_webhook_url", OF_PROJECT, Form::Text),
        Self::new("sources", "verifier", OF_PROJECT, Form::Jsonb),
        Self::new("sources", "pub_sub", OF_PROJECT, Form::Jsonb),
        Self::of_project_config("meta_event", "secret", place::META_EVENT_SECRET),
        Self::of_project_config("notifications", "slack_webhook_url", place::PROJECT_SLACK_URL),
        Self::of_project_config("notifications", "teams_webhook_url", place::PROJECT_TEAMS_URL),
        Self::new("portal_links", "token", OF_PROJECT, Form::Text),
        Self::new("instance_secrets", "value", &["name"], Form::Bytea),
    ];

    const fn new(table: &'static str, column: &'static str, key: &'static [&'static str], form: Form) -> Self {
        Self { table, column, key, form }
    }

    const fn of_project_config(outer: &'static str, inner: &'static str, place: &'static str) -> Self {
        Self::new("projects", "config", &["id"], Form::Member(Member { outer, inner, place }))
    }

    /// The secret as text, sealed or not.
    fn text(&self) -> String {
        match self.form {
            Form::Text => self.column.into(),
            Form::Jsonb => format!("({} #>> '{{}}')", self.column),
            Form::Member(Member { outer, inner, .. }) => format!("({} #>> '{{{outer},{inner}}}')", self.column),
            Form::Bytea => format!("encode({}, 'escape')", self.column),
        }
    }

    /// The column as text, from which [`Self::written`] makes it again.
    fn raw(&self) -> String {
        match self.form {
            Form::Text => self.column.into(),
            Form::Jsonb | Form::Member(..) => format!("{}::text", self.column),
            Form::Bytea => format!("encode({}, 'hex')", self.column),
        }
    }

    fn written(&self, text: &str) -> String {
        match self.form {
            Form::Text => text.into(),
            Form::Jsonb | Form::Member(..) => format!("{text}::jsonb"),
            Form::Bytea => format!("decode({text}, 'hex')"),
        }
    }

    /// A key's part as text, and the text as the part.
    fn part_as_text(name: &str) -> String {
        if name == "name" { name.into() } else { format!("replace({name}::text, '-', '')") }
    }

    fn text_as_part(name: &str, text: &str) -> String {
        if name == "name" { text.into() } else { format!("{text}::uuid") }
    }

    /// What is before every key.
    fn first_key(&self) -> Vec<String> {
        self.key.iter().map(|name| if *name == "name" { String::new() } else { "0".repeat(32) }).collect()
    }

    fn place(&self, key: &[String]) -> Place {
        match self.form {
            Form::Member(member) => Place::read(member.place, key),
            Form::Text | Form::Jsonb | Form::Bytea => Place::read(&format!("{}.{}", self.table, self.column), key),
        }
    }

    /// The column's text under the current key, or why it cannot be read.
    fn sealed_again(&self, keys: &Keys, row: &Row) -> Result<String, Unopened> {
        let place = self.place(&row.key);
        let again =
            |stored: &[u8]| envelope::open(keys, stored, &place).map(|plain| envelope::seal(keys, &plain, &place));
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).map_err(|_| Unopened::Damaged);
        match self.form {
            Form::Text => text(again(row.stored.as_bytes())?),
            Form::Bytea => Ok(hex::encode(again(&hex::decode(&row.stored).map_err(|_| Unopened::Damaged)?)?)),
            Form::Jsonb => {
                let json = serde_json::from_str(&row.stored).map_err(|_| Unopened::Damaged)?;
                let sealed = again(&envelope::of_json(json))?;
                Ok(envelope::to_json(&sealed).map_err(|_| Unopened::Damaged)?.to_string())
            }
            Form::Member(Member { outer, inner, .. }) => {
                let mut document: Value = serde_json::from_str(&row.stored).map_err(|_| Unopened::Damaged)?;
                let member = document.get_mut(outer).and_then(|outer| outer.get_mut(inner)).ok_or(Unopened::Damaged)?;
                let sealed = text(again(member.as_str().ok_or(Unopened::Damaged)?.as_bytes())?)?;
                *member = Value::String(sealed);
                Ok(document.to_string())
            }
        }
    }
}

/// How many secrets are sealed by which key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Count {
    /// Where.
    pub column: SealedColumn,
    /// The key's id; `None` for those that are not sealed.
    pub key: Option<String>,
    /// How many.
    pub secrets: u64,
}

#[derive(QueryableByName)]
struct KeyCount {
    #[diesel(sql_type = Text)]
    key: String,
    #[diesel(sql_type = BigInt)]
    secrets: i64,
}

/// Counts the secrets of all projects by the key that seals them. Reads every row of the tables that hold any, which are
/// those of settings and not of events.
///
/// # Errors
/// The database fails.
pub async fn survey(conn: &mut AsyncPgConnection) -> QueryResult<Vec<Count>> {
    let mut counts = Vec::new();
    for column in SealedColumn::ALL {
        let (text, table) = (column.text(), column.table);
        let statement = format!(
            "SELECT CASE WHEN starts_with({text}, '{SEALED}') THEN split_part({text}, ':', 3) ELSE '' END AS key, \
             count(*) AS secrets FROM {table} WHERE {text} <> '' GROUP BY 1 ORDER BY 1"
        );
        let found: Vec<KeyCount> = diesel::sql_query(statement).load(conn).await?;
        counts.extend(found.into_iter().map(|KeyCount { key, secrets }| Count {
            column,
            key: Some(key).filter(|key| !key.is_empty()),
            secrets: u64::try_from(secrets).unwrap_or(0),
        }));
    }
    Ok(counts)
}

/// What became of the secrets that were not under the current key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    /// Those that are now.
    pub sealed: u64,
    /// Those that somebody else changed meanwhile. They are to be looked at again.
    pub missed: u64,
    /// Those that cannot be read, with the reasons and how many have each.
    pub unreadable: BTreeMap<String, u64>,
}

impl Progress {
    /// How many were looked at.
    #[must_use]
    pub fn seen(&self) -> u64 {
        self.sealed + self.missed + self.unreadable.values().sum::<u64>()
    }
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Array<Text>)]
    key: Vec<String>,
    #[diesel(sql_type = Text)]
    stored: String,
}

/// Brings every secret under the current key of `keys`; where they have none, every secret is stored plain again.
#[derive(Debug)]
pub struct Rotation<'k> {
    keys: &'k Keys,
    rows: i64,
    columns: std::vec::IntoIter<SealedColumn>,
    at: Option<(SealedColumn, Vec<String>)>,
    /// What has become of them so far.
    pub progress: Progress,
}

impl<'k> Rotation<'k> {
    /// One from the beginning, which takes at most `rows` rows at a time.
    #[must_use]
    pub fn new(keys: &'k Keys, rows: u32) -> Self {
        let columns = SealedColumn::ALL.to_vec().into_iter();
        Self { keys, rows: i64::from(rows.max(1)), columns, at: None, progress: Progress::default() }
    }

    /// Takes the next batch. `false`: there is none any more.
    ///
    /// # Errors
    /// The database fails. What was sealed before stays sealed.
    pub async fn step(&mut self, conn: &mut AsyncPgConnection) -> QueryResult<bool> {
        let next = |column: SealedColumn| {
            let first = column.first_key();
            (column, first)
        };
        let Some((column, after)) = self.at.take().or_else(|| self.columns.next().map(next)) else { return Ok(false) };
        let rows = self.read(conn, column, after).await?;
        if let Some(last) = rows.last() {
            self.at = Some((column, last.key.clone()));
        }
        let mut changed = Vec::with_capacity(rows.len());
        for row in rows {
            match column.sealed_again(self.keys, &row) {
                Ok(sealed) => changed.push((row, sealed)),
                Err(why) => *self.progress.unreadable.entry(why.to_string()).or_default() += 1,
            }
        }
        let written = write(conn, column, &changed).await?;
        self.progress.sealed += written;
        self.progress.missed += (changed.len() as u64).saturating_sub(written);
        Ok(true)
    }

    async fn read(
        &self,
        conn: &mut AsyncPgConnection,
        column: SealedColumn,
        after: Vec<String>,
    ) -> QueryResult<Vec<Row>> {
        let SealedColumn { table, key, .. } = column;
        let (text, raw, names) = (column.text(), column.raw(), key.join(", "));
        let parts: Vec<String> = key.iter().map(|name| SealedColumn::part_as_text(name)).collect();
        let bounds: Vec<String> =
            (1..).zip(key).map(|(at, name)| SealedColumn::text_as_part(name, &format!("($1::text[])[{at}]"))).collect();
        let is_due = if self.keys.current().is_some() { "NOT starts_with" } else { "starts_with" };
        let prefix = self.keys.current().map_or_else(|| SEALED.to_owned(), |id| format!("{SEALED}{id}:"));
        let statement = format!(
            "SELECT ARRAY[{}]::text[] AS key, {raw} AS stored FROM {table} \
             WHERE ({names}) > ({}) AND {text} <> '' AND {is_due}({text}, $2) ORDER BY {names} LIMIT $3",
            parts.join(", "),
            bounds.join(", ")
        );
        diesel::sql_query(statement)
            .bind::<Array<Text>, _>(after)
            .bind::<Text, _>(prefix)
            .bind::<BigInt, _>(self.rows)
            .load(conn)
            .await
    }
}

/// Writes what has not changed meanwhile, and tells how many that were.
async fn write(conn: &mut AsyncPgConnection, column: SealedColumn, rows: &[(Row, String)]) -> QueryResult<u64> {
    if rows.is_empty() {
        return Ok(0);
    }
    let SealedColumn { table, column: name, key, .. } = column;
    let keys: Vec<String> = (1..=key.len()).map(|at| format!("k{at}")).collect();
    let unnested: Vec<String> = (1..=key.len() + 2).map(|at| format!("${at}::text[]")).collect();
    let same: Vec<String> = key
        .iter()
        .zip(&keys)
        .map(|(name, key)| format!("t.{name} = {}", SealedColumn::text_as_part(name, &format!("o.{key}"))))
        .collect();
    let statement = format!(
        "UPDATE {table} t SET {name} = {} FROM unnest({}) AS o ({}, stored, sealed) WHERE {} AND t.{name} = {}",
        column.written("o.sealed"),
        unnested.join(", "),
        keys.join(", "),
        same.join(" AND "),
        column.written("o.stored"),
    );
    let mut statement = diesel::sql_query(statement).into_boxed::<Pg>();
    for at in 0..key.len() {
        let part = rows.iter().map(|(row, _)| row.key.get(at).cloned().unwrap_or_default()).collect::<Vec<_>>();
        statement = statement.bind::<Array<Text>, _>(part);
    }
    let written = statement
        .bind::<Array<Text>, _>(rows.iter().map(|(row, _)| row.stored.clone()).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(rows.iter().map(|(_, sealed)| sealed.clone()).collect::<Vec<_>>())
        .execute(conn)
        .await?;
    Ok(written as u64)
}
