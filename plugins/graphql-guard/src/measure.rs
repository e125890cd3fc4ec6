//! How much an operation asks for. Every definition is measured once, however often fragments are used.

use serde_json::{Map, Value};
use sluice_sdk_graphql::{Document, Operation, Selected, short};

use crate::config::{Config, CostConfig};
use crate::items::Items;
use crate::refusal::Refusal;

/// How much something asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Measure {
    pub(crate) depth: u64,
    pub(crate) fields: u64,
    pub(crate) root_fields: u64,
    pub(crate) aliases: u64,
    pub(crate) directives: u64,
    pub(crate) cost: u64,
    /// Lists of the schema's parts within one another.
    schema_lists: u64,
}

/// Lists of an introspection within one another, as those of a type's fields are. What asks for a schema needs two or three, and
/// every further one multiplies the answer by the size of the schema.
const MOST_SCHEMA_LISTS: u64 = 3;
/// Fields within one another in an introspection: `ofType` as often as types may be wrapped.
const MOST_SCHEMA_DEPTH: u64 = 20;

/// Measures an operation.
pub(crate) fn measure(
    config: &Config,
    source: &str,
    document: &Document<'_>,
    operation: &Operation<'_>,
    variables: &Map<String, Value>,
) -> Result<Measure, Refusal> {
    use sluice_sdk_graphql::InvalidSpread::{Circle, Unknown};
    let order = document.fragment_order().map_err(|error| match error {
        Unknown { name, at } => {
            Refusal::invalid(format!("there is no fragment `{}`", short(name))).at(source, at)
        }
        Circle { name, at } => {
            Refusal::invalid(format!("fragment `{}` uses itself", short(name))).at(source, at)
        }
    })?;
    let items = Items::new(&config.cost, document, operation, variables);
    let mut meter =
        Meter { config, source, document, items, fragments: vec![None; document.fragments.len()] };
    for fragment in order {
        let measure = meter.definition(&document.fragments[fragment].definition)?;
        meter.fragments[fragment] = Some(measure);
    }
    meter.definition(&operation.definition)
}

struct Meter<'m, 's> {
    config: &'m Config,
    source: &'m str,
    document: &'m Document<'s>,
    items: Items<'m, 's>,
    fragments: Vec<Option<Measure>>,
}

impl Meter<'_, '_> {
    fn definition(&self, definition: &sluice_sdk_graphql::Definition) -> Result<Measure, Refusal> {
        let range = definition.selections.clone();
        // From the last to the first: what is within a selection has been measured before it.
        let mut measures = vec![Measure::default(); range.len()];
        for at in range.clone().rev() {
            let mut measure = Measure::default();
            for child in self.document.level(self.document.within(at)) {
                measure.add(measures[child - range.start]);
            }
            measures[at - range.start] = self.selection(at, measure)?;
        }
        let mut sum = Measure::default();
        for at in self.document.level(range.clone()) {
            sum.add(measures[at - range.start]);
        }
        sum.directives = sum.directives.saturating_add(count(definition.directives.len()));
        Ok(sum)
    }

    fn selection(&self, at: usize, within: Measure) -> Result<Measure, Refusal> {
        let selection = self.document.selection(at);
        let mut measure = match &selection.selected {
            Selected::Inline { .. } => within,
            Selected::Spread { name } => {
                let fragment = self.document.fragment(name);
                fragment.and_then(|fragment| self.fragments[fragment]).unwrap_or_default()
            }
            Selected::Field { name, alias, arguments } => {
                let items = self
                    .items
                    .of(name, arguments.clone())
                    .map_err(|refusal| refusal.at(self.source, selection.at))?;
                let is_leaf = selection.end == at + 1;
                let mut field = within.in_field(&self.config.cost, name, is_leaf, items);
                field.aliases = field.aliases.saturating_add(u64::from(alias.is_some()));
                if matches!(*name, "__schema" | "__type") {
                    field = self
                        .introspection(name, within, field)
                        .map_err(|refusal| refusal.at(self.source, selection.at))?;
                }
                field
            }
        };
        measure.directives = measure.directives.saturating_add(count(selection.directives.len()));
        Ok(measure)
    }

    /// An introspection has bounds of its own: it is deep by nature, and a schema costs the same for everybody.
    fn introspection(&self, name: &str, within: Measure, field: Measure) -> Result<Measure, Refusal> {
        if !self.config.introspection {
            let detail = format!("introspection is not served: `{name}`");
            return Err(Refusal::new(403, "graphql-introspection", detail).code("INTROSPECTION_DISABLED"));
        }
        if within.schema_lists > MOST_SCHEMA_LISTS {
            let what = "lists of an introspection within one another";
            return Err(Refusal::over("graphql-too-deep", what, MOST_SCHEMA_LISTS));
        }
        if within.depth > MOST_SCHEMA_DEPTH {
            let what = "fields of an introspection within one another";
            return Err(Refusal::over("graphql-too-deep", what, MOST_SCHEMA_DEPTH));
        }
        Ok(Measure { depth: 1, cost: self.config.cost.object, schema_lists: 0, ..field })
    }
}

impl Measure {
    /// What stands beside another.
    fn add(&mut self, other: Self) {
        self.depth = self.depth.max(other.depth);
        self.schema_lists = self.schema_lists.max(other.schema_lists);
        self.fields = self.fields.saturating_add(other.fields);
        self.root_fields = self.root_fields.saturating_add(other.root_fields);
        self.aliases = self.aliases.saturating_add(other.aliases);
        self.directives = self.directives.saturating_add(other.directives);
        self.cost = self.cost.saturating_add(other.cost);
    }

    fn in_field(self, costs: &CostConfig, name: &str, is_leaf: bool, items: u64) -> Self {
        let weight = costs.weights.get(name).copied();
        let weight = weight.unwrap_or(if is_leaf { costs.leaf } else { costs.object });
        let is_schema_list = matches!(name, "fields" | "interfaces" | "possibleTypes" | "inputFields");
        Self {
            depth: self.depth.saturating_add(1),
            fields: self.fields.saturating_add(1),
            root_fields: 1,
            cost: self.cost.saturating_add(weight).saturating_mul(items),
            schema_lists: self.schema_lists.saturating_add(u64::from(is_schema_list)),
            ..self
        }
    }

    /// The first of the operator's limits that it is over.
    pub(crate) fn check(self, config: &Config) -> Result<(), Refusal> {
        for (kind, what, found, limit) in [
            ("graphql-too-deep", "fields within one another", self.depth, config.max_depth),
            ("graphql-too-many-fields", "fields", self.fields, config.max_fields),
            ("graphql-too-many-root-fields", "fields at the root", self.root_fields, config.max_root_fields),
            ("graphql-too-many-aliases", "aliases", self.aliases, config.max_aliases),
            ("graphql-too-many-directives", "directives", self.directives, config.max_directives),
        ] {
            if found > limit {
                return Err(Refusal::over(kind, what, limit));
            }
        }
        Ok(())
    }
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
