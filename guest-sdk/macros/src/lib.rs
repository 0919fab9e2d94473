//! `#[weir::service]`: makes a component of the function that declares a service.

use proc_macro::TokenStream;
use quote::quote;
use syn::{ItemFn, parse_macro_input};

/// Makes the crate a component whose topology this function declares. Natively the function stays
/// what it is, so that a test can hand it to `weir::testing::Driver`.
///
/// ```ignore
/// #[weir::service]
/// fn shout(t: &mut Topology) {
///     t.stream::<String, String>("words")
///         .map_values(|word| word.to_uppercase())
///         .to("shouts");
/// }
/// ```
#[proc_macro_attribute]
pub fn service(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let declare = parse_macro_input!(item as ItemFn);
    if !arguments.is_empty() {
        let message = "takes no arguments: a service has the name that it is deployed under";
        return syn::Error::new(proc_macro2::Span::call_site(), message)
            .into_compile_error()
            .into();
    }
    if declare.sig.inputs.len() != 1 || declare.sig.asyncness.is_some() {
        let message = "a service is declared by `fn name(t: &mut Topology)`";
        return syn::Error::new_spanned(&declare.sig, message)
            .into_compile_error()
            .into();
    }
    let name = &declare.sig.ident;
    quote! {
        #declare

        #[cfg(target_arch = "wasm32")]
        #[allow(unsafe_code, missing_docs, clippy::all)]
        const _: () = {
            struct Declared;

            impl ::weir::component::Declare for Declared {
                fn declare(t: &mut ::weir::Topology) {
                    #name(t);
                }
            }

            type Exported = ::weir::component::Component<Declared>;
            ::weir::bindings::export!(Exported with_types_in ::weir::bindings);
        };
    }
    .into()
}
