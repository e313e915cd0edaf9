// Writes what state.sql holds: `python -m tests.wrangler.state` runs it in workerd, as Cloudflare's local tools do.
import { DurableObject } from "cloudflare:workers";

const buffer = new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8]).buffer;
const growing = new ArrayBuffer(4, { maxByteLength: 16 });
const shared = { n: 1 };
const sparse = [];
sparse[5000] = "far";
const holes = ["a", , "c"];
const many = Array.from({ length: 300 }, (_, n) => n);

const VALUES = {
  undefined: undefined,
  null: null,
  true: true,
  false: false,
  zero: 0,
  int: -7,
  int31: 2 ** 30,
  int32: 2 ** 31 - 1,
  uint32: 2 ** 32 - 1,
  now: 1800000000000,
  safe: Number.MAX_SAFE_INTEGER,
  beyondSafe: 2 ** 60,
  minusZero: -0,
  half: 0.5,
  infinity: -Infinity,
  nan: NaN,
  bigZero: 0n,
  big: -(2n ** 100n),
  empty: "",
  ascii: "text",
  latin: "é",
  wide: "日本",
  astral: "\u{1F600}!",
  date: new Date(Date.UTC(2026, 0, 2, 3, 4, 5, 678)),
  dateBefore: new Date(Date.UTC(1905, 5, 1)),
  boxed: [new Number(1.5), new Boolean(true), new Boolean(false), new String("s"), Object(5n), new Number(3)],
  object: { b: 1, a: { c: [null] }, 7: "seven", 4294967296: "index", "é": 2 },
  dense: [1, [2, [3]], {}],
  holes,
  many,
  sparse,
  map: new Map([["a", 1], [2, new Map()], [null, "n"]]),
  set: new Set(["a", 1, null]),
  arrayBuffer: buffer,
  emptyBuffer: new ArrayBuffer(0),
  growingBuffer: growing,
  uint8: new Uint8Array(buffer, 1, 3),
  clamped: new Uint8ClampedArray([0, 300]),
  int8: new Int8Array([-1, 1]),
  int16: new Int16Array([-2, 2]),
  uint16: new Uint16Array([65535]),
  int32Array: new Int32Array([-3]),
  uint32Array: new Uint32Array([4294967295]),
  float32: new Float32Array([0.5, 1]),
  float64: new Float64Array([0.1, NaN]),
  bigint64: new BigInt64Array([-5n]),
  biguint64: new BigUint64Array([2n ** 64n - 1n]),
  dataView: new DataView(buffer, 2, 4),
  follows: new Uint8Array(growing),
  follows16: new Uint16Array(growing, 2),
  twoViews: [new Uint8Array(buffer, 0, 2), new Uint8Array(buffer, 2, 2), buffer],
  sharedTwice: [shared, shared, { again: shared }],
  instance: new (class Point { x = 1; })(),
};
if (globalThis.Float16Array) VALUES.float16 = new Float16Array([1.5, -2]);

const cycle = {};
cycle.self = [cycle];
const named = [1, 2];
named.total = 3;

const WITHOUT_COUNTERPART = {
  regexp: { a: [1, /x+/gi] },
  error: new TypeError("no"),
  cycle,
  named,
  surrogate: ["\ud800"],
  invalidDate: new Date(NaN),
  farDate: new Date(8.64e15),
  mapByObject: new Map([[{}, 1]]),
  mapByLikes: new Map([[1, "one"], [true, "yes"]]),
  setOfArrays: new Set([[1]]),
  setOfLikes: new Set([0, false]),
};

export class Box extends DurableObject {
  async fetch(request) {
    const storage = this.ctx.storage;
    const { sql, kv } = storage;
    const what = new URL(request.url).pathname.slice(1);
    if (what.startsWith("named-")) {
      // As the tools do since the spring of 2026, in a constructor that wraps the object's own.
      sql.exec("CREATE TABLE IF NOT EXISTS __miniflare_do_name (id INTEGER PRIMARY KEY, name TEXT)");
      sql.exec("INSERT OR REPLACE INTO __miniflare_do_name (id, name) VALUES (1, ?)", this.ctx.id.name);
    }
    if (what === "values") for (const key in VALUES) kv.put(key, VALUES[key]);
    else if (what === "without-counterpart") for (const key in WITHOUT_COUNTERPART) kv.put(key, WITHOUT_COUNTERPART[key]);
    else {
      kv.put("greeting", { hello: "é", from: decodeURIComponent(what) });
      kv.put("count", 3);
      sql.exec("CREATE TABLE IF NOT EXISTS said (id INTEGER PRIMARY KEY AUTOINCREMENT, text TEXT NOT NULL, raw BLOB)");
      sql.exec("CREATE INDEX IF NOT EXISTS by_text ON said (text)");
      sql.exec("INSERT INTO said (text, raw) VALUES ('one', x'00ff'), ('two', NULL)");
    }
    if (what.endsWith("waiting")) await storage.setAlarm(Date.UTC(2100, 0, 1));
    return new Response("ok");
  }
  async alarm() {}
}

export class Other extends Box {}

const UNIQUE = "01010101010101010101010101010101";

export default {
  async fetch(request, env) {
    const [, className, name] = decodeURIComponent(new URL(request.url).pathname).split("/");
    const objects = env[className];
    const id = name.startsWith(UNIQUE) ? objects.idFromString(name) : objects.idFromName(name);
    return objects.get(id).fetch(`http://objects/${name.startsWith(UNIQUE) ? "unique" : name}`);
  },
};
