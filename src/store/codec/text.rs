//! A value as the JSON that serde_json writes, letter for letter, in a fraction of the steps: the one text that is written
//! with every request. Names of fields need no looking through, and numbers go straight into the text.

use std::fmt::Display;

use serde::Serialize;
use serde::ser::{Error, Impossible, SerializeSeq, SerializeStruct, SerializeTuple, Serializer};

/// The text of a value that is made of structs, lists, tuples, options, strings, truths and whole numbers.
///
/// # Errors
/// It holds something else.
pub(super) fn text(value: &impl Serialize) -> Result<String, Refused> {
    let mut text = Text(String::with_capacity(1024));
    value.serialize(&mut text)?;
    debug_assert_eq!(text.0, serde_json::to_string(value)?);
    Ok(text.0)
}

type Refused = serde_json::Error;
type No = Impossible<(), Refused>;

struct Text(String);

impl Text {
    fn whole(&mut self, mut number: u64) {
        let (mut digits, mut from) = ([0; 20], 20);
        loop {
            from -= 1;
            digits[from] = b'0' + u8::try_from(number % 10).unwrap_or(0);
            number /= 10;
            if number == 0 {
                break;
            }
        }
        self.0.extend(digits[from..].iter().copied().map(char::from));
    }

    fn string(&mut self, string: &str) -> Result<(), Refused> {
        if string.bytes().any(|byte| byte < b' ' || byte == b'"' || byte == b'\\') {
            self.0.push_str(&serde_json::to_string(string)?);
        } else {
            self.0.push('"');
            self.0.push_str(string);
            self.0.push('"');
        }
        Ok(())
    }

    fn begin(&mut self, first: char, last: char) -> Members<'_> {
        self.0.push(first);
        Members { text: self, last, any: false }
    }
}

/// The members of a list or an object.
struct Members<'a> {
    text: &'a mut Text,
    last: char,
    any: bool,
}

impl Members<'_> {
    fn next(&mut self) -> &mut Text {
        if std::mem::replace(&mut self.any, true) {
            self.text.0.push(',');
        }
        self.text
    }

    fn close(self) {
        self.text.0.push(self.last);
    }
}

impl SerializeSeq for Members<'_> {
    type Ok = ();
    type Error = Refused;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refused> {
        value.serialize(self.next())
    }

    fn end(self) -> Result<(), Refused> {
        self.close();
        Ok(())
    }
}

impl SerializeTuple for Members<'_> {
    type Ok = ();
    type Error = Refused;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refused> {
        value.serialize(self.next())
    }

    fn end(self) -> Result<(), Refused> {
        self.close();
        Ok(())
    }
}

impl SerializeStruct for Members<'_> {
    type Ok = ();
    type Error = Refused;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Refused> {
        let text = self.next();
        text.0.push('"');
        text.0.push_str(name);
        text.0.push_str("\":");
        value.serialize(text)
    }

    fn end(self) -> Result<(), Refused> {
        self.close();
        Ok(())
    }
}

fn refused<T>(what: impl Display) -> Result<T, Refused> {
    Err(Refused::custom(format!("{what} has no place in a decision")))
}

impl<'a> Serializer for &'a mut Text {
    type Ok = ();
    type Error = Refused;
    type SerializeSeq = Members<'a>;
    type SerializeTuple = Members<'a>;
    type SerializeStruct = Members<'a>;
    type SerializeTupleStruct = No;
    type SerializeTupleVariant = No;
    type SerializeMap = No;
    type SerializeStructVariant = No;

    fn serialize_bool(self, value: bool) -> Result<(), Refused> {
        self.0.push_str(if value { "true" } else { "false" });
        Ok(())
    }

    fn serialize_u8(self, value: u8) -> Result<(), Refused> {
        self.serialize_u64(value.into())
    }

    fn serialize_u16(self, value: u16) -> Result<(), Refused> {
        self.serialize_u64(value.into())
    }

    fn serialize_u32(self, value: u32) -> Result<(), Refused> {
        self.serialize_u64(value.into())
    }

    fn serialize_u64(self, value: u64) -> Result<(), Refused> {
        self.whole(value);
        Ok(())
    }

    fn serialize_i8(self, value: i8) -> Result<(), Refused> {
        self.serialize_i64(value.into())
    }

    fn serialize_i16(self, value: i16) -> Result<(), Refused> {
        self.serialize_i64(value.into())
    }

    fn serialize_i32(self, value: i32) -> Result<(), Refused> {
        self.serialize_i64(value.into())
    }

    fn serialize_i64(self, value: i64) -> Result<(), Refused> {
        if value < 0 {
            self.0.push('-');
        }
        self.whole(value.unsigned_abs());
        Ok(())
    }

    fn serialize_f32(self, _: f32) -> Result<(), Refused> {
        refused("a float")
    }

    fn serialize_f64(self, _: f64) -> Result<(), Refused> {
        refused("a float")
    }

    fn serialize_char(self, _: char) -> Result<(), Refused> {
        refused("a letter")
    }

    fn serialize_str(self, value: &str) -> Result<(), Refused> {
        self.string(value)
    }

    fn serialize_bytes(self, _: &[u8]) -> Result<(), Refused> {
        refused("bytes")
    }

    fn serialize_none(self) -> Result<(), Refused> {
        self.0.push_str("null");
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Refused> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Refused> {
        refused("nothing")
    }

    fn serialize_unit_struct(self, name: &'static str) -> Result<(), Refused> {
        refused(name)
    }

    fn serialize_unit_variant(self, name: &'static str, _: u32, _: &'static str) -> Result<(), Refused> {
        refused(name)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<(), Refused> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<(), Refused> {
        refused(name)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Members<'a>, Refused> {
        Ok(self.begin('[', ']'))
    }

    fn serialize_tuple(self, _: usize) -> Result<Members<'a>, Refused> {
        Ok(self.begin('[', ']'))
    }

    fn serialize_tuple_struct(self, name: &'static str, _: usize) -> Result<No, Refused> {
        refused(name)
    }

    fn serialize_tuple_variant(self, name: &'static str, _: u32, _: &'static str, _: usize) -> Result<No, Refused> {
        refused(name)
    }

    fn serialize_map(self, _: Option<usize>) -> Result<No, Refused> {
        refused("a table")
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Members<'a>, Refused> {
        Ok(self.begin('{', '}'))
    }

    fn serialize_struct_variant(self, name: &'static str, _: u32, _: &'static str, _: usize) -> Result<No, Refused> {
        refused(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct All {
        words: Vec<(String, u64, bool)>,
        none: Option<u8>,
        some: Option<Vec<i64>>,
        least: (i64, u64),
        empty: [u8; 0],
    }

    #[test]
    fn it_is_the_text_that_serde_json_writes() {
        let odd = ["", "plain", "\"", "a\\b", "\n\u{1f}\u{7f}", "größer", "\u{2028}"];
        let words = odd.into_iter().zip([0, 9, 10, 1_234_567_890, u64::MAX, 1, 2]);
        let all = All {
            words: words.map(|(word, number)| (word.to_owned(), number, number % 2 == 0)).collect(),
            none: None,
            some: Some(vec![-1, 0, 1]),
            least: (i64::MIN, 0),
            empty: [],
        };
        assert_eq!(text(&all).unwrap(), serde_json::to_string(&all).unwrap());
        assert!(text(&0.5).is_err());
    }
}
