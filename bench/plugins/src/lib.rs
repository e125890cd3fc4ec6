//! The plugins are the examples beside this file; cargo wants a library in every package.
