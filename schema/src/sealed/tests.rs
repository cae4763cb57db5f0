//! What opens, what does not, and that nothing of it shows.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{envelope::parts, *};

const ONE: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const TWO: &str = "1f1e1d1c1b1a191817161514131211100f0e0d0c0b0a09080706050403020100";

fn given(text: &str) -> Keys {
    Keys::parse(text).unwrap()
}

fn place() -> Place {
    Place::new("endpoint_secrets.value", &[1, 2, 3])
}

#[test]
fn what_was_sealed_opens_at_its_place_by_its_key_alone() {
    let (one, both) = (given(&format!("one:{ONE}")), given(&format!("two:{TWO}\none:{ONE}")));
    let sealed = Sealed::seal_by(&one, &"hunter2".to_owned(), &place());
    assert_eq!(parts(&sealed.stored).unwrap().0, "one");
    assert!(!String::from_utf8_lossy(&sealed.stored).contains("hunter2") && format!("{sealed:?}") == "***");
    assert_eq!(sealed.open_by(&one, &place()).unwrap(), "hunter2");
    assert_eq!(sealed.open_by(&both, &place()).unwrap(), "hunter2", "an older key opens");
    assert_eq!(sealed.open_by(&Keys::default(), &place()), Err(Unopened::UnknownKey("one".into())));
    let namesake = given(&format!("one:{TWO}"));
    assert_eq!(sealed.open_by(&namesake, &place()), Err(Unopened::Forged("one".into())));
    for elsewhere in [
        Place::new("endpoint_secrets.value", &[1, 2, 4]),
        Place::new("portal_links.token", &[1, 2, 3]),
        Place::named("endpoint_secrets.value", ""),
    ] {
        assert_eq!(sealed.open_by(&one, &elsewhere), Err(Unopened::Forged("one".into())), "{elsewhere:?}");
    }
    let again = Sealed::seal_by(&one, &"hunter2".to_owned(), &place());
    assert_ne!(sealed.stored, again.stored, "no nonce is used twice");
}

#[test]
fn a_changed_value_does_not_open() {
    let keys = given(&format!("one:{ONE}"));
    let sealed = Sealed::seal_by(&keys, &"hunter2".to_owned(), &place());
    for at in 0..sealed.stored.len() {
        let mut changed = sealed.clone();
        changed.stored[at] ^= 1;
        assert_ne!(changed.open_by(&keys, &place()), Ok("hunter2".into()), "byte {at}");
    }
    for end in "sealed:v1:one:".len()..sealed.stored.len() {
        let cut = Sealed::<String> { stored: sealed.stored[..end].to_vec(), kind: PhantomData };
        assert!(cut.open_by(&keys, &place()).is_err(), "{end} bytes");
    }
}

#[test]
fn without_a_key_values_stay_as_they_are() {
    let none = Keys::default();
    for secret in ["hunter2", "", "sealed:", "sealed:v1:one:AAAA", "sealed:plain:x"] {
        let stored = Sealed::seal_by(&none, &secret.to_owned(), &place());
        assert_eq!(stored.open_by(&none, &place()).unwrap(), secret);
        assert_eq!(parts(&stored.stored), None);
    }
    let reading = given(&format!("none,one:{ONE}"));
    assert_eq!((reading.current(), reading.ids()), (None, vec!["one"]));
    let sealed = Sealed::seal_by(&given(&format!("one:{ONE}")), &"hunter2".to_owned(), &place());
    assert_eq!(sealed.open_by(&reading, &place()).unwrap(), "hunter2");
    assert_eq!(Sealed::seal_by(&reading, &"hunter2".to_owned(), &place()).stored, b"hunter2");
}

#[test]
fn json_is_a_string_when_it_is_sealed_and_itself_when_it_is_not() {
    let keys = given(&format!("one:{ONE}"));
    let secret = json!({"type": "basic_auth", "basic_auth": {"password": "hunter2"}});
    for keys in [&keys, &Keys::default()] {
        let sealed = Sealed::seal_by(keys, &secret, &place());
        let json = envelope::to_json(&sealed.stored).unwrap();
        assert_eq!(json.is_string(), keys.current().is_some());
        assert_eq!(envelope::of_json(json), sealed.stored);
        assert_eq!(sealed.open_by(keys, &place()).unwrap(), secret);
    }
    let damaged = Sealed::<Value> { stored: b"{".to_vec(), kind: PhantomData };
    assert_eq!(damaged.open_by(&keys, &place()), Err(Unopened::Damaged));
}

#[test]
fn a_member_that_does_not_open_is_neither_shown_nor_lost() {
    let (keys, none) = (given(&format!("one:{ONE}")), Keys::default());
    let stored = MemberSecret::from("hunter2").stored(&keys, &place());
    assert!(stored.starts_with("sealed:v1:one:"));
    let opened = MemberSecret::from(stored.clone()).opened(&keys, &place());
    assert_eq!((opened.plain(), format!("{opened:?}").as_str()), (Ok("hunter2"), "***"));
    let locked = MemberSecret::from(stored.clone()).opened(&none, &place());
    assert_eq!(locked.plain(), Err(Unopened::UnknownKey("one".into())));
    assert_eq!(serde_json::to_value(&locked).unwrap(), "");
    assert!(!locked.is_empty());
    assert_eq!(locked.stored(&none, &place()), stored, "it is written back as it was");
}

#[test]
fn a_member_that_was_read_is_written_back_as_it_was_where_that_is_still_right() {
    let (keys, newer) = (given(&format!("one:{ONE}")), given(&format!("two:{TWO},one:{ONE}")));
    let stored = MemberSecret::from("hunter2").stored(&keys, &place());
    let read = MemberSecret::from(stored.clone()).opened(&keys, &place());
    assert_eq!(read, "hunter2".into());
    assert_eq!(read.stored(&keys, &place()), stored);
    assert_eq!(read.stored(&Keys::default(), &place()), "hunter2", "no key seals any more");
    assert!(read.stored(&newer, &place()).starts_with("sealed:v1:two:"), "another key does");
    let elsewhere = Place::named("projects.config", "other");
    let moved = MemberSecret::from(read.stored(&keys, &elsewhere)).opened(&keys, &elsewhere);
    assert_eq!(moved.plain(), Ok("hunter2"), "a copy is sealed for its own place");
}

#[test]
fn lists_of_keys_are_read_and_faults_are_named() {
    let keys = given(&format!("# of November\n two : {TWO}\n\none:{ONE}").replace(" : ", ":"));
    assert_eq!((keys.current(), keys.ids()), (Some("two"), vec!["two", "one"]));
    assert_eq!(given("").current(), None);
    assert!(!format!("{keys:?}").contains("1f1e"));
    let unpadded = ONE.trim_end_matches('=');
    assert_eq!(given(&format!("one:{unpadded}")).current(), Some("one"));
    let fault = |text: &str| Keys::parse(text).unwrap_err();
    assert_eq!(fault(ONE), KeysError::Form(1));
    assert_eq!(fault(&format!("one:{ONE},none")), KeysError::Form(2));
    assert_eq!(fault(&format!("One:{ONE}")), KeysError::Form(1));
    assert_eq!(fault("one:c2hvcnQ="), KeysError::Length("one".into()));
    assert_eq!(fault(&format!("one:{ONE},one:{TWO}")), KeysError::Twice("one".into()));
    let many: Vec<String> = (0..33).map(|number| format!("k{number}:{ONE}")).collect();
    assert_eq!(fault(&many.join(",")), KeysError::Many);
}

#[test]
fn places_are_told_alike_by_ids_and_by_postgresql() {
    let key = ["0".repeat(31) + "1", "0".repeat(31) + "2"];
    assert_eq!(Place::new("a.b", &[1, 2]), Place::read("a.b", &key));
    assert_eq!(Place::named("a.b", "x"), Place::read("a.b", &["x".to_owned()]));
}

proptest! {
    #[test]
    fn every_secret_comes_back(secret in "\\PC{0,200}", bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
        for keys in [Keys::default(), given(&format!("one:{ONE}"))] {
            let sealed = Sealed::seal_by(&keys, &secret, &place());
            prop_assert_eq!(sealed.open_by(&keys, &place()).unwrap(), secret.clone());
            let sealed = Sealed::seal_by(&keys, &bytes, &place());
            prop_assert_eq!(sealed.open_by(&keys, &place()).unwrap(), bytes.clone());
        }
    }

    #[test]
    fn no_stored_text_breaks_the_reading(text in "\\PC{0,60}", tail in "[A-Za-z0-9+/:]{0,80}") {
        let keys = given(&format!("one:{ONE}"));
        for stored in [text.clone(), format!("sealed:{text}"), format!("sealed:v1:one:{tail}")] {
            let sealed = Sealed::<Value> { stored: stored.into_bytes(), kind: PhantomData };
            let _opened = sealed.open_by(&keys, &place());
        }
    }
}
