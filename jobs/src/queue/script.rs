//! The Lua scripts, each in a file of its own, and how they are called. A script handles at most 500 ids a call and
//! costs the same whatever the backlog.

use std::sync::LazyLock;

use redis::{Cmd, ErrorKind, FromRedisValue, RedisResult, Script, ServerErrorKind, ToRedisArgs, aio::ConnectionLike};

macro_rules! scripts {
    ($($name:ident = $($file:literal)+;)+) => {
        $(pub(crate) static $name: LazyLock<Script> =
            LazyLock::new(|| Script::new(concat!($(include_str!(concat!("lua/", $file)), "\n"),+)));)+
    };
}

scripts! {
    BREAKER_PROBE = "breaker.lua" "breaker_probe.lua";
    BREAKER_REPORT = "breaker.lua" "breaker_report.lua";
    BREAKER_VIEW = "breaker_view.lua";
    PUSH = "lanes.lua" "push.lua";
    PUSH_AT = "push_at.lua";
    FETCH = "lanes.lua" "fetch.lua";
    FINISH = "bury.lua" "lanes.lua" "finish.lua";
    REGISTER = "register.lua";
    HEARTBEAT = "heartbeat.lua";
    DEREGISTER = "deregister.lua";
    EXPIRED = "expired.lua";
    OLDEST = "lanes.lua" "oldest.lua";
    REAP = "bury.lua" "lanes.lua" "reap.lua";
    RECOGNISE = "recognise.lua";
    REDRIVE = "lanes.lua" "redrive.lua";
    PAGE = "lanes.lua" "page.lua";
    PURGE = "purge.lua";
    TAKE = "take.lua";
    TRIM = "trim.lua";
    TURN = "turn.lua";
    TURNS = "turns.lua";
}

/// One call of a script: it can be run again as it is.
pub(crate) struct Call {
    script: &'static Script,
    command: Cmd,
}

impl Call {
    pub(crate) fn new(script: &'static LazyLock<Script>, keys: &[&str]) -> Self {
        let mut command = redis::cmd("EVALSHA");
        command.arg(script.get_hash()).arg(keys.len()).arg(keys);
        Self { script, command }
    }

    pub(crate) fn arg(&mut self, argument: impl ToRedisArgs) -> &mut Self {
        self.command.arg(argument);
        self
    }

    /// Runs the script; Redis is given its text first when it does not know it, as after a restart.
    pub(crate) async fn run<T: FromRedisValue>(&self, connection: &mut (impl ConnectionLike + Send)) -> RedisResult<T> {
        match self.command.query_async(connection).await {
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                self.script.prepare_invoke().load_async(connection).await?;
                self.command.query_async(connection).await
            }
            answer => answer,
        }
    }
}
