//! Secrets at rest: sealed, and by keys that are here.

use posthouse_schema::{
    pool::PooledConnection,
    sealed::{self, Count, Keys},
};

use super::check::Check;

const NAME: &str = "secrets-at-rest";
const DOCS: &str = "docs/deployment.md, Secrets at rest";

/// Looks at every stored secret's key, and at none of the secrets.
pub async fn check(conn: &mut PooledConnection) -> Check {
    match sealed::survey(conn).await {
        Ok(counts) => judge(sealed::keys(), &counts),
        Err(error) => Check::failed(NAME, error.to_string(), "look into the server's log"),
    }
}

fn judge(keys: &Keys, counts: &[Count]) -> Check {
    let sum = |is_meant: &dyn Fn(Option<&str>) -> bool| {
        counts.iter().filter(|count| is_meant(count.key.as_deref())).map(|count| count.secrets).sum::<u64>()
    };
    let known = keys.ids();
    let strange: Vec<&str> =
        counts.iter().filter_map(|count| count.key.as_deref()).filter(|key| !known.contains(key)).collect();
    let (clear, sealed) = (sum(&|key| key.is_none()), sum(&|key| key.is_some()));
    if let Some(first) = strange.first() {
        let detail = format!(
            "{} are sealed by keys that are not given, such as {first}",
            sum(&|key| { key.is_some_and(|key| !known.contains(&key)) })
        );
        let remedy =
            format!("give doctor the keys of the roles; where they have them not either, deliveries wait ({DOCS})");
        return Check::failed(NAME, detail, remedy);
    }
    let Some(current) = keys.current() else {
        let detail = format!("{clear} are stored in the clear, {sealed} are sealed, and new ones are not");
        return Check::warning(NAME, detail, format!("set POSTHOUSE_SECRETS_KEY for every role ({DOCS})"));
    };
    let left = sum(&|key| key != Some(current));
    if left > 0 {
        let detail = format!("{left} are not sealed by the current key {current} ({clear} of them are in the clear)");
        return Check::warning(NAME, detail, "run `posthouse rotate-key`");
    }
    Check::ok(NAME, format!("all {sealed} are sealed by the key {current}"))
}

#[cfg(test)]
mod tests {
    use posthouse_schema::sealed::SealedColumn;

    use super::*;
    use crate::doctor::check::Verdict;

    #[test]
    fn secrets_are_judged_by_their_keys() {
        let key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
        let keys = |text: &str| Keys::parse(&text.replace('=', &format!(":{key}"))).unwrap();
        let [column, ..] = SealedColumn::ALL;
        let counts = |keys: &[Option<&str>]| {
            keys.iter().map(|key| Count { column, key: key.map(Into::into), secrets: 3 }).collect::<Vec<_>>()
        };
        let verdict = |given: &str, found: &[Option<&str>]| judge(&keys(given), &counts(found)).verdict;
        assert_eq!(verdict("new=", &[Some("new")]), Verdict::Ok);
        assert_eq!(verdict("new=", &[]), Verdict::Ok);
        assert_eq!(verdict("new=,old=", &[Some("new"), Some("old")]), Verdict::Warning);
        assert_eq!(verdict("new=", &[None, Some("new")]), Verdict::Warning);
        assert_eq!(verdict("", &[None]), Verdict::Warning);
        assert_eq!(verdict("none,new=", &[Some("new")]), Verdict::Warning);
        assert_eq!(verdict("new=", &[Some("new"), Some("lost")]), Verdict::Failed);
        assert_eq!(verdict("", &[Some("lost")]), Verdict::Failed);
    }
}
