//! The binary `muniment`.
fn main() {}
