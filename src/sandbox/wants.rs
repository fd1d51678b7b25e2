//! What an answer must be: prose, a call of a tool, or a document of a given shape.

use serde_json::Value;

use super::specimen::specimen;

/// A tool that a request offers.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Offered {
    pub(super) name: String,
    /// The JSON Schema of its arguments.
    pub(super) parameters: Value,
}

/// Whether a tool must be called.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) enum Choice {
    /// As the model sees fit: this one does until it has a result.
    #[default]
    Auto,
    Never,
    Must,
    Named(String),
}

/// The beginning of an answer that a request hands over, to be gone on with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Begun {
    pub(super) text: String,
    /// Whether it is said once more.
    pub(super) echoed: bool,
}

/// What a request wants of its answer, whatever the protocol's words for it.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Wants {
    pub(super) tools: Vec<Offered>,
    pub(super) choice: Choice,
    /// What tools have answered last; `None` where no tool has.
    pub(super) result: Option<String>,
    /// How it has begun already.
    pub(super) begun: Option<Begun>,
    /// The JSON Schema of the answer.
    pub(super) schema: Option<Value>,
    /// Whether its thinking is to be shown.
    pub(super) thinks: bool,
    /// What is to be said of the files that came along.
    pub(super) remarks: Vec<String>,
}

/// What the answer is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Task {
    Prose,
    /// A tool is called.
    Call {
        name: String,
        arguments: Value,
    },
    /// A document that satisfies the schema.
    Document(Value),
}

impl Wants {
    /// What the answer is.
    pub(super) fn task(&self) -> Task {
        let tool = match &self.choice {
            Choice::Never => None,
            Choice::Named(name) => self.tools.iter().find(|tool| tool.name == *name),
            Choice::Must => self.tools.first(),
            Choice::Auto => self.tools.first().filter(|_| self.result.is_none()),
        };
        if let Some(tool) = tool {
            return Task::Call { name: tool.name.clone(), arguments: specimen(&tool.parameters) };
        }
        self.schema.as_ref().map_or(Task::Prose, |schema| Task::Document(specimen(schema)))
    }

    /// Everything that the answer says of the request: its files, and what a tool has answered.
    pub(super) fn said(&self) -> String {
        let mut said = self.remarks.clone();
        if let Some(result) = &self.result {
            let words: Vec<&str> = result.split_whitespace().take(12).collect();
            said.push(format!("The tool answered: {}.", words.join(" ").trim_end_matches('.')));
        }
        said.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn wants() -> Wants {
        let tool = |name: &str| Offered {
            name: name.to_owned(),
            parameters: json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}),
        };
        Wants { tools: vec![tool("a"), tool("b")], ..Wants::default() }
    }

    fn called(wants: &Wants) -> Option<String> {
        match wants.task() {
            Task::Call { name, .. } => Some(name),
            _ => None,
        }
    }

    #[test]
    fn the_first_tool_is_called_until_it_has_answered() {
        assert_eq!(wants().task(), Task::Call { name: "a".into(), arguments: json!({"city": "sandbox"}) });
        let answered = Wants { result: Some("18 degrees".into()), ..wants() };
        assert_eq!(answered.task(), Task::Prose);
        assert_eq!(answered.said(), "The tool answered: 18 degrees.");
    }

    #[test]
    fn a_choice_is_obeyed() {
        assert_eq!(called(&Wants { choice: Choice::Never, ..wants() }), None);
        assert_eq!(called(&Wants { choice: Choice::Named("b".into()), ..wants() }).as_deref(), Some("b"));
        let again = Wants { choice: Choice::Must, result: Some("x".into()), ..wants() };
        assert_eq!(called(&again).as_deref(), Some("a"));
        let shaped = Wants { choice: Choice::Never, schema: Some(json!({"type": "boolean"})), ..wants() };
        assert_eq!(shaped.task(), Task::Document(json!(true)));
    }
}
