# workerd alone, set up for Durable Objects on a disk as its own documentation does. The port and the folder come from
# the command line. `live` is the same but never evicts, for the memory row: `workerd serve config.capnp live`.
using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [(name = "main", worker = .counter), (name = "objects", disk = (writable = true))],
  sockets = [(name = "http", http = (), service = "main")],
);

const live :Workerd.Config = (
  services = [(name = "main", worker = .counterNeverEvicted), (name = "objects", disk = (writable = true))],
  sockets = [(name = "http", http = (), service = "main")],
);

const counter :Workerd.Worker = (
  modules = [(name = "worker.js", esModule = embed "worker.js")],
  compatibilityDate = "2026-11-01",
  durableObjectNamespaces = [
    (className = "Counter", uniqueKey = "perdure-bench-counter", enableSql = true),
    (className = "SqlCounter", uniqueKey = "perdure-bench-sql-counter", enableSql = true),
  ],
  durableObjectStorage = (localDisk = "objects"),
  bindings = [
    (name = "COUNTER", durableObjectNamespace = "Counter"),
    (name = "SQL", durableObjectNamespace = "SqlCounter"),
  ],
);

const counterNeverEvicted :Workerd.Worker = (
  modules = [(name = "worker.js", esModule = embed "worker.js")],
  compatibilityDate = "2026-11-01",
  durableObjectNamespaces = [
    (className = "Counter", uniqueKey = "perdure-bench-counter", enableSql = true, preventEviction = true),
  ],
  durableObjectStorage = (localDisk = "objects"),
  bindings = [(name = "COUNTER", durableObjectNamespace = "Counter")],
);
