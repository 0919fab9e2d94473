//! The memory of all databases of a host: one block cache, one limit of unflushed writes, and one
//! room for entries that were looked up.
//!
//! A hundred services that do little cost little: tables are opened when they are asked for,
//! memtables grow in small steps, and whatever RocksDB keeps in memory is taken from the one cache.

use rocksdb::{BlockBasedOptions, Cache, DBCompressionType, LogLevel, Options, WriteBufferManager};
use weir_core::store::Room;

/// How much memory the databases of a host may take together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemorySettings {
    /// Blocks, indexes, filters, and unflushed writes among them, in bytes.
    pub cache_bytes: usize,
    /// Unflushed writes, in bytes.
    pub write_bytes: usize,
    /// Entries that were looked up, in bytes, beside all that.
    pub entry_bytes: usize,
}

impl Default for MemorySettings {
    /// 256 MiB, 96 MiB of them for writes, and 128 MiB for entries.
    fn default() -> MemorySettings {
        MemorySettings {
            cache_bytes: 256 << 20,
            write_bytes: 96 << 20,
            entry_bytes: 128 << 20,
        }
    }
}

/// What the databases of a host share. Cheap to clone.
#[derive(Clone)]
pub struct Memory {
    cache: Cache,
    writes: WriteBufferManager,
    entries: Room,
}

impl Memory {
    /// Sets the limits.
    pub fn new(settings: MemorySettings) -> Memory {
        let cache = Cache::new_hyper_clock_cache(settings.cache_bytes, 0);
        let writes = WriteBufferManager::new_write_buffer_manager_with_cache(
            settings.write_bytes,
            false,
            cache.clone(),
        );
        let entries = Room::of(settings.entry_bytes);
        Memory {
            cache,
            writes,
            entries,
        }
    }

    /// Bytes of the cache that are taken.
    pub fn used_bytes(&self) -> usize {
        self.cache.get_usage()
    }

    /// The room for entries that were looked up.
    pub(super) fn entries(&self) -> &Room {
        &self.entries
    }

    /// Options of a database.
    pub(super) fn database(&self) -> Options {
        let mut options = self.store();
        options.create_if_missing(true);
        options.create_missing_column_families(true);
        options.set_write_buffer_manager(&self.writes);
        // Restart replays the log: short enough to take a second or two.
        options.set_max_total_wal_size(64 << 20);
        options.set_max_open_files(256);
        options.set_max_background_jobs(2);
        options.set_keep_log_file_num(2);
        options.set_max_log_file_size(1 << 20);
        options.set_log_level(LogLevel::Warn);
        // Each commit is one batch: none has to wait for the flushes of others.
        options.set_atomic_flush(false);
        options.set_bytes_per_sync(1 << 20);
        options
    }

    /// Options of a store's column family.
    pub(super) fn store(&self) -> Options {
        let mut table = BlockBasedOptions::default();
        table.set_block_cache(&self.cache);
        table.set_block_size(16 << 10);
        table.set_block_restart_interval(4);
        table.set_bloom_filter(10.0, false);
        table.set_whole_key_filtering(true);
        table.set_cache_index_and_filter_blocks(true);
        table.set_cache_index_and_filter_blocks_with_high_priority(true);
        table.set_pin_l0_filter_and_index_blocks_in_cache(true);
        table.set_format_version(5);
        let mut options = Options::default();
        options.set_block_based_table_factory(&table);
        options.set_compression_type(DBCompressionType::Lz4);
        options.set_write_buffer_size(32 << 20);
        options.set_arena_block_size(128 << 10);
        options.set_max_write_buffer_number(3);
        options.set_level_compaction_dynamic_level_bytes(true);
        options.set_memtable_whole_key_filtering(true);
        options.set_memtable_prefix_bloom_ratio(0.02);
        options
    }
}

impl Default for Memory {
    fn default() -> Memory {
        Memory::new(MemorySettings::default())
    }
}
