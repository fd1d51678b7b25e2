//! The one integration binary.

#[cfg(test)]
mod failover;
#[cfg(test)]
mod laws;
#[cfg(test)]
mod layering;
#[cfg(test)]
mod store;
#[cfg(test)]
mod vectors;
