//! Question and answer of the card protocol `/rohrpost/card/1`.
