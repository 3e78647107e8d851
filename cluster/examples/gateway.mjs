// @ts-check
// Asks a gateway for a user's best items, then has the user forgotten and waits for the certificate.
//
//     node cluster/examples/gateway.mjs http://127.0.0.1:8080 USER [ITEM …]
//
// A token is read from LETHE_TOKEN. Node 18 or later; nothing is installed. TypeScript checks it by its comments.

/** @typedef {{ item: string, title: string, probability: number, margin: number }} ScoredItem */
/** @typedef {{ user: string, items: ScoredItem[], exact: boolean }} Answer */
/** @typedef {{ request: string, state: "pending" | "finished", received: string, due: string }} ForgetRequest */

const pause = (/** @type {number} */ seconds) => new Promise((resolve) => setTimeout(resolve, 1000 * seconds));

class Gateway {
  /** @param {string} url @param {string | undefined} token */
  constructor(url, token) {
    this.url = url.replace(/\/$/, "");
    /** @type {Record<string, string>} */
    this.headers = token ? { Authorization: `Bearer ${token}` } : {};
  }

  /**
   * Who is asked to come back later comes back; other refusals are problems (RFC 9457).
   * @param {string} path @param {unknown} [body] @param {Record<string, string>} [more] @param {number} [attempts]
   * @returns {Promise<Response>}
   */
  async call(path, body, more = {}, attempts = 5) {
    const headers = { ...this.headers, ...(body === undefined ? {} : { "Content-Type": "application/json" }), ...more };
    const reply = await fetch(this.url + path, {
      method: body === undefined ? "GET" : "POST", headers, body: body === undefined ? undefined : JSON.stringify(body),
    });
    if (reply.ok) return reply;
    const problem = await reply.json();
    if (![429, 503].includes(reply.status) || attempts <= 1) throw new Error(`${problem.type}: ${problem.detail}`);
    await pause(Number(reply.headers.get("Retry-After") ?? 1));
    return this.call(path, body, more, attempts - 1);
  }

  /** @param {string} user @param {string[]} candidates @returns {Promise<Answer>} */
  async rank(user, candidates, top = 3) {
    return (await this.call("/v1/rank", candidates.length ? { user, candidates, top } : { user, top })).json();
  }

  /** @param {string} user @returns {Promise<ForgetRequest>} */
  async forget(user) {
    // One name for all attempts: whatever becomes of a connection, it is done once.
    const headers = { "Idempotency-Key": crypto.randomUUID() };
    return (await (await this.call("/v1/forget", { user }, headers)).json()).request;
  }

  /** The signed statement, once every touched shard has a clean adapter. @param {string} request */
  async certificate(request, patience = 600) {
    const place = encodeURIComponent(request);
    for (const end = Date.now() + 1000 * patience; ;) {
      const { request: seen } = await (await this.call(`/v1/requests/${place}`)).json();
      if (seen.state === "finished") break;
      if (Date.now() > end) throw new Error(`request ${request} was accepted, and is not finished yet`);
      await pause(0.2);
    }
    return (await this.call(`/v1/certificates/${place}`)).text();
  }
}

const [url, user, ...candidates] = process.argv.slice(2);
if (!url || !user) throw new Error("usage: node gateway.mjs URL USER [ITEM …]");
const gateway = new Gateway(url, process.env.LETHE_TOKEN);
for (const item of (await gateway.rank(user, candidates)).items) {
  console.log(`${item.probability.toFixed(3)}  ${item.title}`);
}
const request = await gateway.forget(user);
console.log(`forgotten as ${request.request}, due ${request.due}`);
console.log(await gateway.certificate(request.request));
