//! Topic filters. The client library's own matching panics on a topic that begins with a multi-byte character.

/// Whether this is a topic filter of MQTT 3.1.1, section 4.7, or a shared subscription to one.
pub(super) fn is_filter(filter: &str) -> bool {
    let Some(filter) = shared(filter) else {
        return false;
    };
    let levels = filter.split('/').count();
    !filter.is_empty()
        && filter.split('/').enumerate().all(|(at, level)| match level {
            "#" => at + 1 == levels,
            "+" => true,
            level => !level.contains(['#', '+', '\0']),
        })
}

/// Whether a message of this topic comes by this filter.
pub(super) fn matches(filter: &str, topic: &str) -> bool {
    let Some(filter) = shared(filter) else {
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

/// The filter itself without `$share/<group>/`; `None`: a shared subscription without group or filter.
fn shared(filter: &str) -> Option<&str> {
    let Some(rest) = filter.strip_prefix("$share/") else {
        return Some(filter);
    };
    let (group, filter) = rest.split_once('/')?;
    (!group.is_empty() && !group.contains(['#', '+'])).then_some(filter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_checked() {
        for filter in ["a", "a/b", "/", "#", "a/#", "+", "+/a/+", "ä/ö", "$share/g/a/#", "$SYS/#"] {
            assert!(is_filter(filter), "{filter}");
        }
        for filter in ["", "a#", "#/a", "a/#/b", "a+", "a/+b", "$share/g", "$share//a", "$share/g/", "$share/+/a"] {
            assert!(!is_filter(filter), "{filter}");
        }
    }

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
