//! The rows of the README's table, and of the sections below it.

mod all_cooling;
mod connections;
mod far_resets;
mod forbidden;
mod limits_and_bans;
mod limits_of_one_model;
mod no_account;
mod resend_budget;
mod server_errors;
mod the_request_itself;
mod token_expired;
mod unauthorized;
mod what_is_sent_again;
