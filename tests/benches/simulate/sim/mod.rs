//! Simulated traffic over simulated hosts, under a virtual clock: the same world, drawn from a seed, for every router.
//!
//! [`world`] says what hosts do and [`workload`] what is asked; [`run`] plays one router against both; [`peers`] are
//! other people's rules and [`product`] is ours, by the library's own `decide` and fold; [`oracle`] bounds what any
//! router can reach, and [`informed`] is what one could that is told the truth; [`cells`], [`causes`] and [`statistics`]
//! compare.
//! Nothing here reads a clock.

pub mod catalogs;
pub mod causes;
pub mod cells;
pub mod chance;
pub mod informed;
pub mod oracle;
pub mod peers;
pub mod product;
pub mod run;
pub mod score;
pub mod statistics;
pub mod workload;
pub mod world;
