//! Topic filters of MQTT.

/// Whether this is a topic filter of MQTT 3.1.1, section 4.7, or a shared subscription to one.
pub(crate) fn is_filter(filter: &str) -> bool {
    let Some(filter) = filter_of_shared(filter) else {
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

/// The filter itself without `$share/<group>/`; `None`: a shared subscription without group or filter.
#[must_use]
pub fn filter_of_shared(filter: &str) -> Option<&str> {
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
}
