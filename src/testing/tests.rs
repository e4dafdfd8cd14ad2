mod doubles;
mod parts;
mod rules;
