//! What a Redis says of itself.

use anyhow::{Context, Result};

/// The answer to a command.
pub async fn ask<T: redis::FromRedisValue>(url: &str, words: &[&str]) -> Result<T> {
    let client = redis::Client::open(url).context("the address of Redis")?;
    let mut connection = client.get_multiplexed_async_connection().await.context("connect to Redis")?;
    let mut command = redis::Cmd::new();
    command.arg(words);
    command.query_async(&mut connection).await.context("ask Redis")
}

/// Changes a setting.
pub async fn set(url: &str, setting: &str, value: &str) -> Result<()> {
    ask::<String>(url, &["CONFIG", "SET", setting, value]).await.map(drop)
}

/// The rest of the line of `INFO section` that begins with `name:`.
pub async fn line(url: &str, section: &str, name: &str) -> Result<String> {
    let text: String = ask(url, &["INFO", section]).await?;
    let found = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':').map(String::from));
    found.with_context(|| format!("{name} is not in INFO {section}"))
}

/// The same as a number.
pub async fn number(url: &str, section: &str, name: &str) -> Result<u64> {
    line(url, section, name).await?.trim().parse().with_context(|| format!("{name} is not a number"))
}
