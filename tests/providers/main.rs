//! What the rules of the provider families say about failed answers.

mod answers;
mod collected_answers;
mod not_believed;
mod properties;
mod table_by_family;
mod table_by_meaning;
