mod doubles;
mod parts;
mod rules;
mod shared;
