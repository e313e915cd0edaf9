# As Cloudflare's local tools set workerd up: the key of a namespace is its Worker and its class.
using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [(name = "main", worker = .shop), (name = "do", disk = (writable = true))],
  sockets = [(name = "http", http = (), service = "main")],
);

const shop :Workerd.Worker = (
  modules = [(name = "worker.js", esModule = embed "worker.js")],
  compatibilityDate = "2026-11-01",
  durableObjectNamespaces = [
    (className = "Box", uniqueKey = "shop-Box", enableSql = true),
    (className = "Other", uniqueKey = "shop-Other", enableSql = true),
  ],
  durableObjectStorage = (localDisk = "do"),
  bindings = [
    (name = "Box", durableObjectNamespace = "Box"),
    (name = "Other", durableObjectNamespace = "Other"),
  ],
);
