//! Cheap views for listings: every model and endpoint, with fields read only when they are asked for.

use std::borrow::Cow;

use super::codes::{self, endpoint, model};
use super::layer::Placed;
use super::table::{Cells, Rows, filled};
use super::{lines, sheet};
use crate::catalog::price::Item;
use crate::catalog::{Capability, Endpoint, Modality, Model, ModelId, ModelKind, Status};
use crate::units::Tokens;

/// One model of a listing.
#[derive(Debug, Clone, Copy)]
pub struct ModelLine<'a> {
    pub(super) source: ModelSource<'a>,
    pub(super) endpoints: EndpointSource<'a>,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum ModelSource<'a> {
    /// A line of `models.tsv`.
    Line(Cells<'a>),
    /// A model that overlays brought in.
    Record(&'a Model),
}

#[derive(Debug, Clone, Copy)]
pub(super) enum EndpointSource<'a> {
    /// The model's block in `endpoints.tsv`.
    Block(&'a str),
    /// The whole list of a model that overlays touch.
    Records(&'a [Placed]),
}

impl<'a> ModelLine<'a> {
    /// Its id.
    #[must_use]
    pub fn id(&self) -> &'a str {
        match &self.source {
            ModelSource::Line(cells) => cells.column(model::ID),
            ModelSource::Record(record) => record.id.as_str(),
        }
    }

    /// Its name for people.
    #[must_use]
    pub fn name(&self) -> &'a str {
        match &self.source {
            ModelSource::Line(cells) => {
                let id = cells.column(model::ID);
                filled(cells.column(model::NAME)).unwrap_or(id.split_once('/').map_or(id, |(_, slug)| slug))
            }
            ModelSource::Record(record) => &record.name,
        }
    }

    /// Whether it is of this kind, among others.
    #[must_use]
    pub fn is(&self, kind: ModelKind) -> bool {
        match &self.source {
            ModelSource::Line(cells) => lines::has(cells.column(model::KINDS), codes::KINDS, kind as usize),
            ModelSource::Record(record) => record.kinds.contains(&kind),
        }
    }

    /// The day, month or year in which it came out.
    #[must_use]
    pub fn released(&self) -> Option<&'a str> {
        match &self.source {
            ModelSource::Line(cells) => filled(cells.column(model::RELEASED)),
            ModelSource::Record(record) => record.released.as_deref(),
        }
    }

    /// The largest context window that a trusted source states, in tokens.
    #[must_use]
    pub fn context(&self) -> Option<Tokens> {
        match &self.source {
            ModelSource::Line(cells) => lines::tokens(cells.column(model::CONTEXT)),
            ModelSource::Record(record) => record.context,
        }
    }

    /// Who made it.
    #[must_use]
    pub fn author(&self) -> &'a str {
        self.id().split_once('/').map_or("", |(author, _)| author)
    }

    /// The largest answer that a trusted source states, in tokens.
    #[must_use]
    pub fn max_output(&self) -> Option<Tokens> {
        match &self.source {
            ModelSource::Line(cells) => lines::tokens(cells.column(model::MAX_OUTPUT)),
            ModelSource::Record(record) => record.max_output,
        }
    }

    /// The day, month or year that its knowledge ends with.
    #[must_use]
    pub fn knowledge(&self) -> Option<&'a str> {
        match &self.source {
            ModelSource::Line(cells) => filled(cells.column(model::KNOWLEDGE)),
            ModelSource::Record(record) => record.knowledge.as_deref(),
        }
    }

    /// Whether its weights are published, where that is said.
    #[must_use]
    pub fn open_weights(&self) -> Option<bool> {
        match &self.source {
            ModelSource::Line(cells) => lines::flag(cells.column(model::OPEN_WEIGHTS)),
            ModelSource::Record(record) => record.open_weights,
        }
    }

    /// Whether its id names whatever is newest.
    #[must_use]
    pub fn floating(&self) -> bool {
        match &self.source {
            ModelSource::Line(cells) => cells.column(model::FLOATING) == "1",
            ModelSource::Record(record) => record.floating,
        }
    }

    /// What it is for.
    #[must_use]
    pub fn kinds(&self) -> Cow<'a, [ModelKind]> {
        match &self.source {
            ModelSource::Line(cells) => Cow::Owned(lines::kinds(cells.column(model::KINDS))),
            ModelSource::Record(record) => Cow::Borrowed(&record.kinds),
        }
    }

    /// Everything about it.
    #[must_use]
    pub fn model(&self) -> Model {
        match &self.source {
            ModelSource::Line(cells) => lines::parse_model(cells.line()),
            ModelSource::Record(record) => (*record).clone(),
        }
    }

    /// Its endpoints, sorted by provider and wire id; hidden ones are left out.
    pub fn endpoints(&self) -> impl Iterator<Item = EndpointLine<'a>> + use<'a> {
        let (block, records): (&'a str, &'a [Placed]) = match self.endpoints {
            EndpointSource::Block(block) => (block, &[]),
            EndpointSource::Records(records) => ("", records),
        };
        let model = self.id();
        let embedded = Rows(block).map(move |cells| EndpointLine(Source::Line { model, cells }));
        let laid_over = records.iter().filter(|placed| !placed.hidden);
        embedded.chain(laid_over.map(|placed| EndpointLine(Source::Record(&placed.endpoint))))
    }
}

/// One endpoint of a listing.
#[derive(Debug, Clone, Copy)]
pub struct EndpointLine<'a>(Source<'a>);

#[derive(Debug, Clone, Copy)]
enum Source<'a> {
    Line { model: &'a str, cells: Cells<'a> },
    Record(&'a Endpoint),
}

impl<'a> EndpointLine<'a> {
    /// Who serves it.
    #[must_use]
    pub fn provider(&self) -> &'a str {
        match &self.0 {
            Source::Line { cells, .. } => cells.column(endpoint::PROVIDER),
            Source::Record(record) => record.id.provider.as_str(),
        }
    }

    /// The model's id on the provider's wire.
    #[must_use]
    pub fn wire_id(&self) -> &'a str {
        match &self.0 {
            Source::Line { cells, .. } => cells.column(endpoint::ID),
            Source::Record(record) => &record.id.upstream_model,
        }
    }

    /// What it is.
    #[must_use]
    pub fn kind(&self) -> ModelKind {
        match &self.0 {
            Source::Line { cells, .. } => lines::kind(cells.column(endpoint::KIND)),
            Source::Record(record) => record.kind,
        }
    }

    /// Whether it is a plain offer: no variant, reached without a suffix.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        match &self.0 {
            Source::Line { cells, .. } => cells.column(endpoint::VARIANT).is_empty(),
            Source::Record(record) => record.is_plain(),
        }
    }

    /// Where it is in its life.
    #[must_use]
    pub fn status(&self) -> Status {
        match &self.0 {
            Source::Line { cells, .. } => lines::status(cells.column(endpoint::STATUS)),
            Source::Record(record) => record.status,
        }
    }

    /// The same at a moment ([`Status::at`]).
    #[must_use]
    pub fn status_at(&self, now: jiff::Timestamp) -> Status {
        self.status().at(self.sunset(), now)
    }

    /// The base price of an item in USD per 1M tokens, an exact decimal; `None` is unknown.
    #[must_use]
    pub fn price(&self, item: Item) -> Option<Cow<'a, str>> {
        match &self.0 {
            Source::Line { cells, .. } => {
                sheet::raw(cells.column(endpoint::PRICE), codes::item(item)).map(Cow::Borrowed)
            }
            Source::Record(record) => Some(Cow::Owned(record.pricing.as_ref()?.base(item)?.exact())),
        }
    }

    /// Context window in tokens; `None` is unknown.
    #[must_use]
    pub fn context(&self) -> Option<Tokens> {
        match &self.0 {
            Source::Line { cells, .. } => lines::tokens(cells.column(endpoint::CONTEXT)),
            Source::Record(record) => record.context,
        }
    }

    /// Longest input in tokens, where it is below the window.
    #[must_use]
    pub fn max_input(&self) -> Option<Tokens> {
        match &self.0 {
            Source::Line { cells, .. } => lines::tokens(cells.column(endpoint::MAX_INPUT)),
            Source::Record(record) => record.max_input,
        }
    }

    /// Longest answer in tokens; `None` is unknown.
    #[must_use]
    pub fn max_output(&self) -> Option<Tokens> {
        match &self.0 {
            Source::Line { cells, .. } => lines::tokens(cells.column(endpoint::MAX_OUTPUT)),
            Source::Record(record) => record.max_output,
        }
    }

    /// Whether some source says that it can.
    #[must_use]
    pub fn can(&self, capability: Capability) -> bool {
        match &self.0 {
            Source::Line { cells, .. } => {
                lines::has(cells.column(endpoint::CAPABILITIES), codes::CAPABILITIES, capability as usize)
            }
            Source::Record(record) => record.can(capability),
        }
    }

    /// Whether it is said to take this modality.
    #[must_use]
    pub fn takes(&self, modality: Modality) -> bool {
        match &self.0 {
            Source::Line { cells, .. } => {
                lines::has(cells.column(endpoint::INPUT), codes::MODALITIES, modality as usize)
            }
            Source::Record(record) => record.input.contains(&modality),
        }
    }

    /// Whether it is said to give this modality.
    #[must_use]
    pub fn gives(&self, modality: Modality) -> bool {
        match &self.0 {
            Source::Line { cells, .. } => {
                lines::has(cells.column(endpoint::OUTPUT), codes::MODALITIES, modality as usize)
            }
            Source::Record(record) => record.output.contains(&modality),
        }
    }

    /// The day (UTC, `YYYY-MM-DD`) on which it ends or ended.
    #[must_use]
    pub fn sunset(&self) -> Option<&'a str> {
        match &self.0 {
            Source::Line { cells, .. } => filled(cells.column(endpoint::SUNSET)),
            Source::Record(record) => record.sunset.as_deref(),
        }
    }

    /// Region or geography.
    #[must_use]
    pub fn region(&self) -> Option<&'a str> {
        match &self.0 {
            Source::Line { cells, .. } => filled(cells.column(endpoint::REGION)),
            Source::Record(record) => record.region.as_deref(),
        }
    }

    /// The model that it serves.
    #[must_use]
    pub fn model_id(&self) -> ModelId {
        match &self.0 {
            Source::Line { model, .. } => ModelId::new(*model),
            Source::Record(record) => record.model.clone(),
        }
    }

    /// Everything about it.
    #[must_use]
    pub fn endpoint(&self) -> Endpoint {
        match &self.0 {
            Source::Line { model, cells } => lines::parse_endpoint(model, cells.line()),
            Source::Record(record) => (*record).clone(),
        }
    }
}
