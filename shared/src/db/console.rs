//! Questions of the console.
