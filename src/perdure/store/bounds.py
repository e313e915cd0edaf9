"""How much of everything a store holds, and why that much. What is refused at a bound has an error class.

See tests/store/test_bounds.py.
"""

from perdure.core.retention import Retention

MIB = 1024 * 1024

# One unit. It must be held in memory whole until it is on disk; Cloudflare's own units end far below.
UNIT_BYTES_MAX = 64 * MIB

# One row of the log. SQLite holds a row in memory several times over while it is bound and written.
LOG_ROW_BYTES_MAX = 8 * MIB

# Rows of entries in one row of the log: encoding is one call that holds the interpreter, about 1 ms for so many small
# rows.
LOG_ROW_ROWS_MAX = 10_000

# Above this the next group is big enough; new events wait, so that a commit takes tenths of a second at most.
GATHERING_BYTES_MAX = 64 * MIB

# All layers of one store. Above it new events wait at their gates until apply has caught up.
LAYERS_BYTES_MAX = 256 * MIB

# Apply starts without waiting for an idle moment from here on: a batch worth its transaction, and recovery stays short.
APPLY_BYTES_MIN = 4 * MIB

# One batch merges the groups of this many bytes: enough that hot rows are written once, little enough to hold in
# memory.
BATCH_BYTES_MAX = 16 * MIB

# Groups in one batch: the loop collects them, in less than 1 ms.
BATCH_GROUPS_MAX = 5_000

# A batch is written, and merged, in steps of this many rows, between which it looks at the time: well below 1 ms.
STEP_ROWS = 64

# The same for pages of objects' databases, of which each is read, changed and written.
STEP_PAGES = 16

# Rows are sorted by generation and key, and objects by id, before they are written, this many at once: 1 ms, and
# neighbours share pages (a new object costs 27 us instead of 35).
SORT_ROWS_MAX = 4_096

# Log rows of this many bytes are deleted in one step.
DELETE_BYTES_MAX = MIB

# Nothing was appended for so long: apply what there is, so that a quiet store has an empty log.
APPLY_IDLE_S = 0.05

# A slice of apply or sweep between two groups. 5 ms is what a group may wait for the writer at most; half of it is enough
# for a slice to be worth its commit, and leaves room for the last step, the commit itself and a busy machine.
SLICE_S = 0.0025

# How long the past of objects is kept, and how much of it in one store: as much as there is live, and this much in any case.
# A store may have been told otherwise.
UNDO_AGE_MS = Retention().age_ms
UNDO_BYTES_MIN = 1_024 * MIB

# Two stretches of the past are merged in one step, which holds the writer: not if the newer one has more rows or pages than
# this (1 ms and some); it is then kept as it is.
UNDO_MERGE_ROWS_MAX = 64

# How often a pass looks what of the past need not be kept.
UNDO_PASS_MS = 60_000

# A restore goes back in units of about this many bytes, and reads the past in pieces of that many rows, of at most 2 MiB each.
RESTORE_SLICE_BYTES = MIB
RESTORE_READ_ROWS = 16

# Rows that leave the layers in one turn of the loop: about 1 ms.
LEAVE_ROWS_MAX = 2_000

# A checkpoint is worth its two syncs once the WAL holds this many pages that the database does not (16 MiB).
CHECKPOINT_PAGES_MIN = 4_000

# The WAL's file is made longer by as much as it holds, at least from the first bound on, by the second at most: one
# commit in some hundreds takes 1 ms longer, the others skip what the file system does when a file grows.
WAL_ROOM_PAGES_MIN = 32
WAL_ROOM_BYTES_MAX = 256 * 1024

# While readers or writers keep a checkpoint from finishing the WAL grows; from here on it is finished between two
# groups.
WAL_PAGES_MAX = 16_000

# A fence or an apply that failed for want of space is tried again after this long, then twice as long, up to the
# second.
RETRY_S_MIN = 0.1
RETRY_S_MAX = 5.0

# Another program that holds the database's write lock (a person with `sqlite3`) gets this long before a group fails.
WRITER_BUSY_MS = 5_000

# Page caches of the three connections: 3.5 MiB a store, 224 MiB for the 64 stores whose connections may be open.
READER_CACHE_KIB = 2_048
WRITER_CACHE_KIB = 1_024
BACKGROUND_CACHE_KIB = 512

# Rows of one store that were read lately. Most objects keep a few small rows and read them at every event; a large row
# costs more to copy than to find.
ROW_CACHE_BYTES_MAX = 8 * MIB
CACHED_ROW_BYTES_MAX = 16 * 1024

# Stores with open connections in one process, and how long an idle one keeps them (7 descriptors and 154 KiB each).
OPEN_STORES_MAX = 64
IDLE_CLOSE_S = 60.0

# How long an opener waits for a holder of the folder that is going.
LOCK_TIMEOUT_S = 5.0
LOCK_POLL_S = 0.02
