//! What a component may import: the contract, and the closed room.

use wasmtime::component::{HasData, HasSelf, Linker, ResourceTable};
use wasmtime_wasi::cli::{WasiCli, WasiCliView};
use wasmtime_wasi::filesystem::{WasiFilesystem, WasiFilesystemView};
use wasmtime_wasi::p2::bindings::{cli, clocks, filesystem, random, sync};
use wasmtime_wasi::{WasiCtxView, WasiView};

use super::bindings::Service;
use super::data::Data;
use super::room::Room;

/// A linker with all that a service is granted.
pub(super) fn linker(engine: &wasmtime::Engine) -> wasmtime::Result<Linker<Data>> {
    let mut linker = Linker::new(engine);
    Service::add_to_linker::<_, HasSelf<Data>>(&mut linker, |data| data)?;
    add_room(&mut linker)?;
    Ok(linker)
}

/// Gives the linker the interfaces of the closed room, and no other.
fn add_room(linker: &mut Linker<Data>) -> wasmtime::Result<()> {
    let room: fn(&mut Data) -> &mut Room = |data| &mut data.room;
    clocks::wall_clock::add_to_linker::<_, Clocks>(linker, room)?;
    clocks::monotonic_clock::add_to_linker::<_, Clocks>(linker, room)?;
    random::random::add_to_linker::<_, Clocks>(linker, room)?;
    random::insecure::add_to_linker::<_, Clocks>(linker, room)?;
    random::insecure_seed::add_to_linker::<_, Clocks>(linker, room)?;

    let resources: fn(&mut Data) -> &mut ResourceTable = |data| &mut data.room.resources;
    wasmtime_wasi::p2::bindings::io::error::add_to_linker::<_, Resources>(linker, resources)?;
    sync::io::poll::add_to_linker::<_, Resources>(linker, resources)?;
    sync::io::streams::add_to_linker::<_, Resources>(linker, resources)?;

    cli::exit::add_to_linker::<_, WasiCli>(linker, Data::cli)?;
    cli::environment::add_to_linker::<_, WasiCli>(linker, Data::cli)?;
    cli::stdin::add_to_linker::<_, WasiCli>(linker, Data::cli)?;
    cli::stdout::add_to_linker::<_, WasiCli>(linker, Data::cli)?;
    cli::stderr::add_to_linker::<_, WasiCli>(linker, Data::cli)?;
    cli::terminal_input::add_to_linker::<_, WasiCli>(linker, Data::cli)?;
    cli::terminal_output::add_to_linker::<_, WasiCli>(linker, Data::cli)?;
    cli::terminal_stdin::add_to_linker::<_, WasiCli>(linker, Data::cli)?;
    cli::terminal_stdout::add_to_linker::<_, WasiCli>(linker, Data::cli)?;
    cli::terminal_stderr::add_to_linker::<_, WasiCli>(linker, Data::cli)?;
    filesystem::preopens::add_to_linker::<_, WasiFilesystem>(linker, Data::filesystem)?;
    sync::filesystem::types::add_to_linker::<_, WasiFilesystem>(linker, Data::filesystem)?;
    Ok(())
}

struct Clocks;

impl HasData for Clocks {
    type Data<'a> = &'a mut Room;
}

struct Resources;

impl HasData for Resources {
    type Data<'a> = &'a mut ResourceTable;
}

impl WasiView for Data {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.room.context,
            table: &mut self.room.resources,
        }
    }
}
