//! The last error of something that is tried again and again, so that it is logged once per change and not per attempt.

/// What is wrong at present, if anything.
#[derive(Debug, Default)]
pub struct Fault {
    current: Option<String>,
}

impl Fault {
    /// Notes an error; true: it differs from the last one and is worth a log line.
    pub fn is_news(&mut self, error: &str) -> bool {
        let is_news = self.current.as_deref() != Some(error);
        self.current = Some(error.to_owned());
        is_news
    }

    /// Notes that it works; true: it did not before.
    pub fn is_over(&mut self) -> bool {
        self.current.take().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_changes_are_news() {
        let mut fault = Fault::default();
        assert!(!fault.is_over());
        assert!(fault.is_news("refused"));
        assert!(!fault.is_news("refused"));
        assert!(fault.is_news("timeout"));
        assert!(fault.is_over());
        assert!(!fault.is_over());
        assert!(fault.is_news("timeout"));
    }
}
