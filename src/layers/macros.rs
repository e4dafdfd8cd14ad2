//! The accessors that the services of all layers have alike.

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
