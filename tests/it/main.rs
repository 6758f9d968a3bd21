//! What the README promises, a module for each promise. Every scenario runs the real binary.

mod architecture;
