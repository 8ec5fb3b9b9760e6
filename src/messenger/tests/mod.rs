//! What is tested of the messenger as a whole, through its inputs and outputs.

mod cost;
mod damaged;
mod deadlines;
mod desks;
mod model;
mod notes;
mod rows;
