//! What is tested of the messenger as a whole, through its inputs and outputs.

mod model;
mod rows;
