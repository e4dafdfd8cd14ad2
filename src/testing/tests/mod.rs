mod doubles;
mod parts;
mod rules;
mod scripts;
mod shared;
