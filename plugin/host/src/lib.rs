//! The plugin: parameters, state, exports.
