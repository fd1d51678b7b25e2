//! Pure value to `String`: tables for people, delimited text and JSON for programs. Nothing here writes.

mod back;
pub(crate) mod cache;
mod cell;
pub(crate) mod chat;
mod data;
pub(crate) mod decision;
pub(crate) mod explain;
pub(crate) mod hedge;
pub(crate) mod inputs;
pub(crate) mod json;
pub(crate) mod model;
pub(crate) mod money;
pub(crate) mod narrow;
pub(crate) mod pace;
pub(crate) mod reason;
pub(crate) mod request;
pub(crate) mod rows;
pub(crate) mod sheet;
pub(crate) mod table;
pub(crate) mod text;
pub(crate) mod verdict;
pub(crate) mod whatif;
