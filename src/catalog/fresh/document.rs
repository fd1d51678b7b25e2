//! The bytes of a list as JSON, within bounds: whoever wrote them must not choose how much memory they take, and a name
//! that stands twice in one object is told, since readers differ in which one counts.

use std::cell::{Cell, RefCell};
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// The most values of one document; the largest that is known has 0.4 million.
const MOST: usize = 4_000_000;

/// What stands in a map's place where a number is read with all its digits.
const NUMBER: &str = "$serde_json::private::Number";

/// A document, and the path of every name that stands in it twice (the first one counts).
pub(super) fn parse(bytes: &[u8]) -> Result<(Value, Vec<Vec<String>>), serde_json::Error> {
    let state = State { left: Cell::new(MOST), path: RefCell::default(), twice: RefCell::default() };
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = Node(&state).deserialize(&mut reader)?;
    reader.end()?;
    Ok((value, state.twice.into_inner()))
}

struct State {
    left: Cell<usize>,
    path: RefCell<Vec<String>>,
    twice: RefCell<Vec<Vec<String>>>,
}

struct Node<'s>(&'s State);

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Value;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        let left = self.0.left.get().checked_sub(1);
        self.0.left.set(left.ok_or_else(|| Error::custom(format!("it has more than {MOST} values")))?);
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::String(text.to_owned()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut all = Vec::new();
        while let Some(item) = items.next_element_seed(Node(self.0))? {
            all.push(item);
        }
        Ok(Value::Array(all))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut all = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            if name == NUMBER && all.is_empty() {
                let digits: String = members.next_value()?;
                return digits.parse::<Number>().map(Value::Number).map_err(Error::custom);
            }
            self.0.path.borrow_mut().push(name.clone());
            let value = members.next_value_seed(Node(self.0))?;
            if all.contains_key(&name) {
                self.0.twice.borrow_mut().push(self.0.path.borrow().clone());
            } else {
                all.insert(name, value);
            }
            self.0.path.borrow_mut().pop();
        }
        Ok(Value::Object(all))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_kept_and_names_that_stand_twice_are_told() {
        let (value, twice) = parse(br#"{"a":{"x":0.30000000000000004,"y":[1e-7,-2,null,true],"x":2},"a":1}"#).unwrap();
        assert_eq!(value.to_string(), r#"{"a":{"x":0.30000000000000004,"y":[1e-7,-2,null,true]}}"#);
        assert_eq!(twice, [vec!["a".to_owned(), "x".to_owned()], vec!["a".to_owned()]]);
        assert!(parse(b"{} x").is_err());
        assert!(parse(br#"{"$serde_json::private::Number":"NaN"}"#).is_err());
    }

    #[test]
    fn what_would_fill_the_memory_is_refused() {
        let many = format!("[{}0]", "0,".repeat(MOST));
        assert!(parse(many.as_bytes()).unwrap_err().to_string().starts_with("it has more than 4000000 values"));
        assert!(parse(&[b'['; 1000]).is_err());
    }
}
