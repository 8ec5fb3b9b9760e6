use std::collections::HashSet;
use std::fmt::Write as _;

use super::*;

#[test]
fn the_table_is_what_scripts_rely_on() {
    let mut table = String::new();
    for code in CODES {
        writeln!(table, "{} {} {}", code.name(), code.number(), code.exit()).unwrap();
    }
    // An entry may be added; a changed or missing one breaks somebody's script.
    assert_eq!(table, include_str!("table.txt"));
}

#[test]
fn names_and_numbers_are_not_shared() {
    let names: HashSet<_> = CODES.iter().map(|c| c.name()).collect();
    let numbers: HashSet<_> = CODES.iter().map(|c| c.number()).collect();
    assert_eq!((names.len(), numbers.len()), (CODES.len(), CODES.len()));
}

#[test]
fn own_numbers_are_where_json_rpc_leaves_room() {
    for code in CODES {
        let number = code.number();
        let standard = [-32700, -32600, -32601, -32602, -32603].contains(&number);
        assert!(standard || (-32099..=-32000).contains(&number), "{code}");
        assert!((1..=10).contains(&code.exit()), "{code}");
    }
}

#[test]
fn the_json_has_the_four_names() {
    let error = ApiError::new(Code::Blocked, "you have blocked this peer");
    assert_eq!(
        serde_json::to_string(&error).unwrap(),
        r#"{"code":"blocked","exit":7,"message":"you have blocked this peer","hint":"`rohrpost contacts unblock` takes the block away"}"#
    );
}

#[test]
fn an_error_of_a_newer_node_is_kept() {
    let error: ApiError =
        serde_json::from_str(r#"{"code":"quantum_leap","exit":5,"message":"m","hint":null}"#).unwrap();
    assert_eq!((error.code.as_ref(), error.exit, error.known()), ("quantum_leap", 5, None));
}
