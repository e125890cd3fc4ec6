//! From the bytes of a plugin file to a module that can be instantiated, refusing what is not in order.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use sluice_abi::{ABI_VERSION, Descriptor, Phase, export};
use wasmtime::{ExternType, InstancePre, Store};

use super::compile::{CompileError, Compiler};
use super::engine::{Engines, LinkedEngine};
use super::fault::Fault;
use super::imports;
use super::instance::{new_store, optional};
use super::seal;
use super::state::HostState;
use super::ticker::Running;

/// CPU time that starting and describing may take, and self-testing.
pub(super) const LOAD_TIME: Duration = Duration::from_millis(500);

/// CPU time that starting and configuring an instance may take: after a fault this happens beside traffic.
pub(super) const CONFIGURE_TIME: Duration = Duration::from_millis(50);

/// As much again for so many bytes of assets that come with the configuration.
pub(super) const CONFIGURE_EARNING: usize = 1 << 20;

/// The largest plugin file, in bytes.
const MAX_FILE: u64 = 64 << 20;

/// The longest descriptor, in bytes.
const MAX_DESCRIPTOR: usize = 1 << 20;

/// Why a file is no plugin.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadError {
    #[error("cannot read `{}`: {source}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("`{}` is larger than {MAX_FILE} bytes", path.display())]
    TooLarge { path: PathBuf },
    #[error("{0}")]
    Seal(#[from] seal::SealError),
    #[error("the file's SHA-256 is {found}, but {wanted} is pinned")]
    Pin { found: String, wanted: String },
    #[error("{0}")]
    Compile(#[from] CompileError),
    #[error("it imports `{module}.{name}`, which this host does not offer")]
    UnknownImport { module: String, name: String },
    #[error("it imports `{module}.{name}` with the type of another function")]
    ImportType { module: String, name: String },
    #[error("it does not export `{0}`")]
    MissingExport(&'static str),
    #[error("it exports `{name}` as {found}, not as `{wanted}`")]
    ExportType { name: String, found: String, wanted: &'static str },
    #[error("its descriptor is not in order: {0}")]
    Descriptor(String),
    #[error("it is built for ABI version {0}, this host speaks {ABI_VERSION}")]
    Abi(u32),
    #[error("it faults before it can be asked anything: {0}")]
    Fault(#[from] Fault),
    #[error("{0}")]
    Engine(String),
}

/// A plugin file that is in order: compiled, linked and described.
pub(crate) struct Module {
    /// SHA-256 of the file.
    pub(crate) digest: [u8; 32],
    pub(crate) descriptor: Descriptor,
    /// Module and name of everything it imports.
    pub(crate) imports: Vec<(String, String)>,
    /// Whether it imports a function that can wait.
    pub(crate) suspends: bool,
    pre: InstancePre<HostState>,
    // Keeps the epoch ticking for as long as an instance may run.
    linked: Arc<LinkedEngine>,
}

impl Module {
    pub(super) fn engine(&self) -> &wasmtime::Engine {
        &self.linked.engine
    }

    /// A place to call from: while it has a call under way, the epoch ticks.
    pub(super) fn place(&self) -> Arc<Running> {
        self.linked.ticker.place()
    }

    /// A new instance in `store`, started, with its memory known to the host.
    pub(super) async fn instantiate(
        &self,
        store: &mut Store<HostState>,
    ) -> Result<wasmtime::Instance, Fault> {
        instantiate(&self.pre, store, self.suspends).await
    }
}

async fn instantiate(
    pre: &InstancePre<HostState>,
    store: &mut Store<HostState>,
    suspends: bool,
) -> Result<wasmtime::Instance, Fault> {
    let created =
        if suspends { pre.instantiate_async(&mut *store).await } else { pre.instantiate(&mut *store) };
    let instance = created.map_err(|error| Fault::from_error(&error, store.data_mut()))?;
    store.data_mut().memory = instance.get_memory(&mut *store, export::MEMORY);
    // A reactor (what rustc makes of a `cdylib`) runs its constructors here.
    if let Some(initialize) = optional::<()>(&instance, store, "_initialize") {
        let ran = if suspends {
            initialize.call_async(&mut *store, ()).await
        } else {
            initialize.call(&mut *store, ())
        };
        ran.map_err(|error| Fault::from_error(&error, store.data_mut()))?;
    }
    Ok(instance)
}

/// Loads plugin files. A module that is in use anywhere is not compiled again.
pub(crate) struct Loader {
    engines: Arc<Engines>,
    compiler: Compiler,
    modules: Mutex<HashMap<Key, Weak<Module>>>,
}

/// A file's digest and the stack that its code may use.
type Key = ([u8; 32], usize);

impl Loader {
    /// A loader that keeps compiled code in `cache`, or nowhere.
    pub(crate) fn new(engines: Arc<Engines>, cache: Option<PathBuf>) -> Self {
        Self { engines, compiler: Compiler::start(cache), modules: Mutex::default() }
    }

    /// Loads a file. `pin` is the digest it must have; without one it must carry its seal.
    pub(crate) async fn load(
        &self,
        path: &Path,
        pin: Option<[u8; 32]>,
        limits: &crate::config::Limits,
    ) -> Result<Arc<Module>, LoadError> {
        let bytes = read(path)?;
        let digest: [u8; 32] = Sha256::digest(&bytes).into();
        match pin {
            Some(wanted) if wanted != digest => {
                return Err(LoadError::Pin {
                    found: seal::sha256_hex(&digest),
                    wanted: seal::sha256_hex(&wanted),
                });
            }
            Some(_) => {}
            None => seal::verify(&bytes)?,
        }
        let key = (digest, limits.stack);
        if let Some(module) = self.known(key) {
            return Ok(module);
        }
        let linked =
            self.engines.for_stack(limits.stack).map_err(|error| LoadError::Engine(error.to_string()))?;
        let compiled = self.compiler.compile(&linked.engine, bytes, digest).await?;
        let module = Arc::new(describe(linked, &compiled, digest, limits).await?);
        let mut modules = self.modules.lock().unwrap_or_else(PoisonError::into_inner);
        modules.retain(|_, module| module.strong_count() > 0);
        modules.insert(key, Arc::downgrade(&module));
        Ok(module)
    }

    fn known(&self, key: Key) -> Option<Arc<Module>> {
        self.modules.lock().unwrap_or_else(PoisonError::into_inner).get(&key)?.upgrade()
    }
}

fn read(path: &Path) -> Result<Vec<u8>, LoadError> {
    let failed = |source| LoadError::Read { path: path.to_owned(), source };
    let metadata = std::fs::metadata(path).map_err(failed)?;
    if !metadata.is_file() {
        return Err(failed(std::io::Error::new(std::io::ErrorKind::InvalidInput, "it is no file")));
    }
    if metadata.len() > MAX_FILE {
        return Err(LoadError::TooLarge { path: path.to_owned() });
    }
    std::fs::read(path).map_err(failed)
}

async fn describe(
    linked: Arc<LinkedEngine>,
    compiled: &wasmtime::Module,
    digest: [u8; 32],
    limits: &crate::config::Limits,
) -> Result<Module, LoadError> {
    let mut names = Vec::new();
    let mut suspends = false;
    for import in compiled.imports() {
        let (module, name) = (import.module().to_owned(), import.name().to_owned());
        if linked.linker.get_by_import(&mut probe(&linked), &import).is_none() {
            return Err(LoadError::UnknownImport { module, name });
        }
        suspends |= imports::can_wait(&module, &name, linked.remote_store);
        names.push((module, name));
    }
    check_exports(compiled)?;
    let pre = linked.linker.instantiate_pre(compiled).map_err(|error| {
        let text = format!("{error:#}");
        match names.iter().find(|(module, name)| text.contains(module) && text.contains(name)) {
            Some((module, name)) => LoadError::ImportType { module: module.clone(), name: name.clone() },
            None => LoadError::Engine(text),
        }
    })?;
    let place = linked.ticker.place();
    let _call = place.call();
    let mut store = new_store(&linked.engine, HostState::bare(limits.memory, limits.table));
    store.data_mut().deadline.start(LOAD_TIME, std::time::Instant::now());
    store.data_mut().budget = super::limits::Budget::of(limits);
    let instance = instantiate(&pre, &mut store, suspends).await?;
    let function = instance
        .get_typed_func::<(), i64>(&mut store, export::DESCRIBE)
        .map_err(|_| LoadError::MissingExport(export::DESCRIBE))?;
    let packed =
        if suspends { function.call_async(&mut store, ()).await } else { function.call(&mut store, ()) }
            .map_err(|error| Fault::from_error(&error, store.data_mut()))?;
    let descriptor = read_descriptor(&store, packed)?;
    check_descriptor(&descriptor, compiled)?;
    drop(store);
    Ok(Module { digest, descriptor, imports: names, suspends, pre, linked })
}

/// `get_by_import` wants a store; none of our functions belongs to one.
fn probe(linked: &LinkedEngine) -> Store<HostState> {
    Store::new(&linked.engine, HostState::bare(0, 0))
}

fn check_exports(compiled: &wasmtime::Module) -> Result<(), LoadError> {
    if !matches!(compiled.get_export(export::MEMORY), Some(ExternType::Memory(_))) {
        return Err(LoadError::MissingExport(export::MEMORY));
    }
    for name in [export::DESCRIBE, export::CONFIGURE] {
        if compiled.get_export(name).is_none() {
            return Err(LoadError::MissingExport(name));
        }
    }
    let typed = Phase::ALL
        .iter()
        .map(|phase| (phase.export(), if phase.is_chunk() { "(i32) -> i32" } else { "() -> i32" }))
        .chain([
            (export::DESCRIBE, "() -> i64"),
            (export::CONFIGURE, "() -> i32"),
            (export::SELF_TEST, "() -> i32"),
        ]);
    for (name, wanted) in typed {
        if let Some(found) = compiled.get_export(name) {
            let found = signature(&found);
            if found != wanted {
                return Err(LoadError::ExportType { name: name.to_owned(), found, wanted });
            }
        }
    }
    Ok(())
}

fn signature(export: &ExternType) -> String {
    let list = |types: Vec<String>| types.join(", ");
    match export {
        ExternType::Func(function) => {
            let parameters = list(function.params().map(|kind| kind.to_string()).collect());
            let results = list(function.results().map(|kind| kind.to_string()).collect());
            format!("({parameters}) -> {results}")
        }
        _ => "something that is no function".to_owned(),
    }
}

fn read_descriptor(store: &Store<HostState>, packed: i64) -> Result<Descriptor, LoadError> {
    let packed = packed.cast_unsigned();
    let (pointer, length) = ((packed >> 32) as usize, (packed & 0xffff_ffff) as usize);
    let memory = store.data().memory.ok_or(LoadError::MissingExport(export::MEMORY))?;
    let bytes = memory
        .data(store)
        .get(pointer..)
        .and_then(|rest| rest.get(..length))
        .filter(|bytes| bytes.len() <= MAX_DESCRIPTOR)
        .ok_or_else(|| {
            LoadError::Descriptor(format!("it lies outside the memory or is over {MAX_DESCRIPTOR} bytes"))
        })?;
    // The version is read first: a later ABI's descriptor may have members unknown here.
    let value: serde_json::Value = serde_json::from_slice(bytes)
        .map_err(|error| LoadError::Descriptor(format!("it is no JSON: {error}")))?;
    match value.get("abi").and_then(serde_json::Value::as_u64) {
        Some(abi) if abi == u64::from(ABI_VERSION) => {}
        Some(abi) => return Err(LoadError::Abi(u32::try_from(abi).unwrap_or(u32::MAX))),
        None => return Err(LoadError::Descriptor("it names no `abi`".to_owned())),
    }
    serde_json::from_value(value).map_err(|error| LoadError::Descriptor(error.to_string()))
}

fn check_descriptor(descriptor: &Descriptor, compiled: &wasmtime::Module) -> Result<(), LoadError> {
    if descriptor.name.is_empty() || descriptor.phases.is_empty() {
        return Err(LoadError::Descriptor("it names no plugin or no phase".to_owned()));
    }
    let phases: BTreeSet<_> = descriptor.phases.iter().copied().collect();
    for phase in Phase::ALL {
        if phases.contains(&phase) && compiled.get_export(phase.export()).is_none() {
            return Err(LoadError::MissingExport(phase.export()));
        }
    }
    if !descriptor.config_schema.is_object() && !descriptor.config_schema.is_boolean() {
        return Err(LoadError::Descriptor("its `config_schema` is no JSON Schema".to_owned()));
    }
    Ok(())
}
