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
    return objects.get(objects.idFromName(path.slice(1))).fetch(request);
  },
};
