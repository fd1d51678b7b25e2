//! What to do about a request that cannot be read, by what is said of it.

/// What is said of a request, and what mends it; the first that is a part of it holds.
const CURES: [(&str, &str); 24] = [
    ("says something else", "leave one of the two out"),
    ("says the same", "leave one of the two out"),
    ("say the same thing twice", "leave one of the two out"),
    ("there are two tools called", "give each a name of its own"),
    ("is there twice", "give each an id of its own"),
    ("are more than the", "send fewer"),
    ("only where stream is true", "leave it out, or set stream to true"),
    ("no tool is called", "name one of the tools, or add it to them"),
    ("and no tool_calls either", "say something there, or leave the message out"),
    ("is no call of an assistant's message before it", "send the message with the call, too"),
    ("is no function_call before it", "send the function_call, too"),
    ("not the text of a JSON object", "send the arguments as the text of one: \"{}\" where there are none"),
    ("is none of", "write one of them"),
    ("is not one of", "write one of them"),
    (": missing", "add it"),
    ("above 0", "write a whole number above 0, or leave it out"),
    ("neither true nor false", "write true or false, or leave it out"),
    (": not a number", "write a number, or leave it out"),
    (": empty", "write something there, or leave it out"),
    ("always an \"object\"", "describe the arguments with a schema of type object"),
    ("can be given", "leave it out"),
    ("cannot be given", "leave it out"),
    ("can be asked", "leave it out"),
    ("cannot", "leave it out"),
];

/// One thing to do.
pub(super) fn cure(wrong: &str) -> String {
    if let Some((_, name)) = wrong.rsplit_once("; did you mean ") {
        return format!("write {name}, or leave it out");
    }
    // What is not stored, and what the vendor has renamed, says what to do itself.
    if let Some((_, instead)) = wrong.split_once("nothing is stored here; ") {
        return instead.to_owned();
    }
    if let Some((_, named)) = wrong.split_once("OpenAI has put ")
        && let Some((name, _)) = named.split_once(" in its place")
    {
        return format!("send {name} in its place");
    }
    let known = CURES.iter().find(|(said, _)| wrong.contains(said));
    known.map_or("change the request as it says", |(_, cure)| cure).to_owned()
}
