mod compose;
pub(crate) mod examples;
mod random;
mod select;
mod vectors;
