// The counter of ../perdure/counter.py for workerd: the same routes, the same storage calls, the same answers.
import { DurableObject } from "cloudflare:workers";

export class Counter extends DurableObject {
  async fetch(request) {
    let value = (await this.ctx.storage.get("value")) ?? 0;
    if (request.method === "POST") {
      value += 1;
      await this.ctx.storage.put("value", value);
    }
    return new Response(String(value));
  }
}

export class SqlCounter extends DurableObject {
  constructor(ctx, env) {
    super(ctx, env);
    ctx.storage.sql.exec(
      "create table if not exists counter(name text primary key, value integer not null) without rowid",
    );
  }

  async fetch(request) {
    const sql = this.ctx.storage.sql;
    let value = 0;
    if (request.method === "POST") {
      value = sql
        .exec("insert into counter values('value', 1) on conflict do update set value = value + 1 returning value")
        .one().value;
    } else {
      for (const row of sql.exec("select value from counter where name = ?", "value")) value = row.value;
    }
    return new Response(String(value));
  }
}

export default {
  async fetch(request, env) {
    const path = new URL(request.url).pathname;
    if (path === "/hello") return new Response("Hello, World!");
    const objects = env.COUNTER;
    if (path.startsWith("/id/")) return objects.get(objects.idFromString(path.slice(4))).fetch(request);
    if (path === "/new") {
      const id = objects.newUniqueId();
      const reply = await objects.get(id).fetch(request);
      return new Response(`${id} ${await reply.text()}`);
    }
    if (path.startsWith("/sql/")) return env.SQL.get(env.SQL.idFromName(path)).fetch(request);
    return objects.get(objects.idFromName(path.slice(1))).fetch(request);
  },
};
