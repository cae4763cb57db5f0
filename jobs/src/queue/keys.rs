//! The names of a queue's keys. All of them share the hash tag `{prefix:queue}`: a queue lives in one slot of a Redis
//! Cluster, so a script may use any of its keys. Every key that a script uses is declared, but for the lists of
//! lanes, whose names only the script can know.

/// Names the keys of one queue.
#[derive(Debug, Clone)]
pub(crate) struct Keys {
    tag: String,
}

impl Keys {
    pub(crate) fn new(prefix: &str, queue: &str) -> Self {
        Self { tag: format!("{{{prefix}:{queue}}}") }
    }

    fn key(&self, part: &str) -> String {
        format!("{}:{part}", self.tag)
    }

    /// HASH: id -> frame of every live job. What makes an id unique.
    pub(crate) fn jobs(&self) -> String {
        self.key("jobs")
    }

    /// LIST of ids without a lane that may run, the next one first. With `:` and a lane's name appended: those of the lane.
    pub(crate) fn ready(&self) -> String {
        self.key("ready")
    }

    /// LIST of lanes that have ids which may run, the next to be served first.
    pub(crate) fn lanes(&self) -> String {
        self.key("lanes")
    }

    /// ZSET: id -> time at which it may run, ms.
    pub(crate) fn delayed(&self) -> String {
        self.key("delayed")
    }

    /// ZSET: worker -> its last heartbeat, ms of the server's clock.
    pub(crate) fn workers(&self) -> String {
        self.key("workers")
    }

    /// SET of workers taken for dead whose jobs are being given back.
    pub(crate) fn reaping(&self) -> String {
        self.key("reaping")
    }

    /// HASH of a worker: started, concurrency, last fetch, last batch of outcomes.
    pub(crate) fn worker(&self, name: &str) -> String {
        self.key(&format!("worker:{name}"))
    }

    /// ZSET: id -> token of its fetch, for the jobs a worker has.
    pub(crate) fn leases(&self, name: &str) -> String {
        self.key(&format!("leases:{name}"))
    }

    /// ZSET: id -> failed tries of a live job, where there are any.
    pub(crate) fn tries(&self) -> String {
        self.key("tries")
    }

    /// ZSET: id -> times its worker died, where it did.
    pub(crate) fn losses(&self) -> String {
        self.key("losses")
    }

    /// ZSET: id -> time of death, ms.
    pub(crate) fn dead(&self) -> String {
        self.key("dead")
    }

    /// HASH: id -> frame of a dead letter.
    pub(crate) fn dead_jobs(&self) -> String {
        self.key("dead_jobs")
    }

    /// HASH: id -> tries and reason of a dead letter.
    pub(crate) fn dead_reasons(&self) -> String {
        self.key("dead_reasons")
    }

    /// HASH of counters.
    pub(crate) fn stats(&self) -> String {
        self.key("stats")
    }

    /// STRING that exists while the queue is paused.
    pub(crate) fn paused(&self) -> String {
        self.key("paused")
    }

    /// The channel on which workers are woken.
    pub(crate) fn wake(&self) -> String {
        self.key("wake")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_a_queue_share_one_hash_tag() {
        let keys = Keys::new("posthouse", "send_email");
        assert_eq!(keys.jobs(), "{posthouse:send_email}:jobs");
        assert_eq!(keys.leases("w1"), "{posthouse:send_email}:leases:w1");
        assert_eq!(keys.wake(), "{posthouse:send_email}:wake");
    }
}
