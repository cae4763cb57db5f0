//! The migrations are part of the crate, and cargo sees no new file among them by itself.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
