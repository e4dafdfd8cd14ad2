//! What users of the projects that came before rely on, each behaviour by its own test.

mod order_of_accounts;
mod payment;
mod sent_once;
mod unauthorized;
