//! The matching queue: who gets whom. Knows nothing of Python; `python.rs` binds it.

#[cfg(feature = "python")]
mod python;

/// The version of this crate, which is the version of the wheel.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

#[cfg(test)]
mod tests {
    #[test]
    fn version_has_three_parts() {
        assert_eq!(super::VERSION.split('.').count(), 3);
    }
}
