//! What the services of all layers have alike: accessors, and tower's two ways to make one.

/// Defines the accessors of a service to the service that it wraps, its field `inner`.
macro_rules! inner_service {
    () => {
        /// The inner service.
        #[must_use]
        pub fn get_ref(&self) -> &S {
            &self.inner
        }

        /// The inner service.
        #[must_use]
        pub fn get_mut(&mut self) -> &mut S {
            &mut self.inner
        }

        /// The inner service, without this one.
        #[must_use]
        pub fn into_inner(self) -> S {
            self.inner
        }
    };
}

/// Defines `new` and `layer` of a service, by the constructor of its layer.
macro_rules! made_by_layer {
    ($service:ident, $layer:ident :: $make:ident($($argument:ident: $type:ty)?)) => {
        impl $service<()> {
            #[doc = concat!("The layer that makes this service: [`", stringify!($layer), "::", stringify!($make), "`].")]
            #[must_use]
            pub fn layer($($argument: $type)?) -> $layer {
                $layer::$make($($argument)?)
            }
        }

        impl<S> $service<S> {
            #[doc = concat!("This service over `inner`, as [`", stringify!($layer), "::", stringify!($make), "`] makes it.")]
            #[must_use]
            pub fn new(inner: S $(, $argument: $type)?) -> Self {
                tower_layer::Layer::layer(&$layer::$make($($argument)?), inner)
            }
        }
    };
}
