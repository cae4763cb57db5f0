//! Whether a topic comes by a filter. The client library's own matching panics on a topic that begins with a multi-byte character.

use posthouse_broker_settings::filter_of_shared;

/// Whether a message of this topic comes by this filter.
pub(super) fn matches(filter: &str, topic: &str) -> bool {
    let Some(filter) = filter_of_shared(filter) else {
        return false;
    };
    // Topics that begin with `$` are the broker's own and no leading wildcard reaches them.
    if topic.starts_with('$') && filter.starts_with(['#', '+']) {
        return false;
    }
    let mut topic = topic.split('/');
    for level in filter.split('/') {
        if level == "#" {
            return true;
        }
        match topic.next() {
            Some(name) if level == "+" || level == name => {}
            Some(_) | None => return false,
        }
    }
    topic.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_match_their_filters() {
        for (filter, topic) in [
            ("a", "a"),
            ("#", "a/b"),
            ("a/#", "a/b/c"),
            ("a/+", "a/b"),
            ("a/+/c", "a//c"),
            ("+", "ä"),
            ("a/#", "a/"),
            ("$share/g/a/#", "a/b"),
            ("$SYS/#", "$SYS/x"),
            ("/a", "/a"),
        ] {
            assert!(matches(filter, topic), "{filter} {topic}");
        }
        for (filter, topic) in [
            ("a", "b"),
            ("a", "a/b"),
            ("a/b", "a"),
            ("a/+", "a"),
            ("a/+", "a/b/c"),
            ("#", "$SYS/x"),
            ("+/x", "$SYS/x"),
            ("a", "ä"),
            ("", "ä"),
        ] {
            assert!(!matches(filter, topic), "{filter} {topic}");
        }
    }
}
